/*
 * A plain loop for compilers without libFuzzer: every file of the given folders, then
 * random changes of them until the time is up. It understands -max_total_time=SECONDS
 * and -artifact_prefix=PATH, and leaves the input that ended a run in PATHlast.
 */
#include "fuzz.h"

#include <dirent.h>
#include <time.h>

#define MAX_SIZE 65536
#define MAX_INPUTS 4096

struct input {
    uint8_t *bytes;
    size_t size;
};

static struct input inputs[MAX_INPUTS];
static int input_count;
static char artifact[4096];

static void
add_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL || input_count == MAX_INPUTS)
        return;
    struct input input = {.bytes = malloc(MAX_SIZE)};
    input.size = fread(input.bytes, 1, MAX_SIZE, file);
    fclose(file);
    inputs[input_count++] = input;
}

static void
add_folder(const char *name)
{
    char path[4096];
    DIR *folder = opendir(name);
    const struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        if (entry->d_name[0] != '.')
            add_file(path);
    }
    closedir(folder);
}

/* The input is on disk while it runs: a sanitizer ends the process without a word to
 * us. */
static void
run(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size); /* nothing behind it may be read */
    FILE *file = fopen(artifact, "wb");

    if (file != NULL) {
        fwrite(bytes, 1, size, file);
        fclose(file);
    }
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* One random change in place; returns the new size. */
static size_t
change(uint8_t *bytes, size_t size, uint32_t *state)
{
    const size_t at = size == 0 ? 0 : (size_t)fuzz_below(state, (int)size);
    const size_t rest = size - at;

    switch (size == 0 ? 3 : fuzz_below(state, 6)) {
    case 0:
        bytes[at] ^= (uint8_t)(1 << fuzz_below(state, 8));
        return size;
    case 1:
        bytes[at] = (uint8_t)fuzz_below(state, 256);
        return size;
    case 2: /* leave a byte out */
        memmove(bytes + at, bytes + at + 1, rest - 1);
        return size - 1;
    case 3: /* put a byte in */
        if (size == MAX_SIZE)
            return size;
        memmove(bytes + at + 1, bytes + at, rest);
        bytes[at] = (uint8_t)fuzz_below(state, 256);
        return size + 1;
    case 4: /* copy a stretch from elsewhere */
        memmove(bytes + at, bytes + fuzz_below(state, (int)at + 1),
                (size_t)fuzz_below(state, (int)rest) + 1);
        return size;
    default:
        return at; /* cut off */
    }
}

int
main(int count, char **values)
{
    long seconds = 10;
    uint32_t state = (uint32_t)time(NULL);
    static uint8_t bytes[MAX_SIZE];
    long runs = 0;

    snprintf(artifact, sizeof artifact, "last");
    for (int i = 1; i < count; i++) {
        if (sscanf(values[i], "-max_total_time=%ld", &seconds) == 1)
            continue;
        if (strncmp(values[i], "-artifact_prefix=", 17) == 0)
            snprintf(artifact, sizeof artifact, "%slast", values[i] + 17);
        else
            add_folder(values[i]);
    }
    const time_t end = time(NULL) + seconds;
    for (int i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].size);
    while (input_count > 0 && time(NULL) < end) {
        const struct input *input = &inputs[fuzz_below(&state, input_count)];
        size_t size = input->size;
        memcpy(bytes, input->bytes, size);
        for (int changes = 1 + fuzz_below(&state, 8); changes > 0; changes--)
            size = change(bytes, size, &state);
        run(bytes, size);
        runs++;
    }
    remove(artifact);
    printf("%d inputs, %ld changed ones\n", input_count, runs);
    return input_count > 0 ? 0 : 1;
}
