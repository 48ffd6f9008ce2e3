/*
 * The plain limit: every JPEG of a RecordIO file decoded in full, from memory, to RGB.
 *
 *   cc -O2 full_decode.c -o full_decode -ljpeg -lpthread
 *   yes | head -n 3 | ./full_decode FILE.rec THREADS
 *
 * Prints the library, then decodes everything once for each line of its input and prints
 * images, seconds and CPU seconds, all as lines of JSON. The file is read into memory
 * first. A thread has one JPEG handle and one pixel buffer, used again for all
 * its images. CMYK images stay CMYK: libjpeg has no RGB for them.
 * Whatever is not a whole JPEG stops the program: a skipped image would flatter it.
 */
#include <stddef.h>
#include <stdio.h>
/* jpeglib.h needs the two above */
#include <jpeglib.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#ifndef LIBJPEG_TURBO_VERSION
#error "this measures libjpeg-turbo; the jpeglib.h found belongs to another library"
#endif
#define TEXT_OF(token) #token
#define TEXT(token) TEXT_OF(token)

enum { HEAD_SIZE = 8, LABEL_HEAD_SIZE = 24, THREADS_MAX = 1024 };
static const uint32_t record_magic = 0xCED7230A;

struct image {
    const uint8_t *jpeg;
    size_t size;
    size_t offset; /* of the record in the file, for messages */
};

struct work {
    pthread_mutex_t lock; /* guards next */
    size_t next;
    const struct image *images;
    size_t image_count;
};

struct fence {
    struct jpeg_error_mgr manager;
    jmp_buf back;
};

static void
stop(const char *what, size_t record, size_t offset)
{
    fprintf(stderr, "full_decode: record %zu at byte %zu: %s\n", record, offset, what);
    exit(1);
}

static void *
need_memory(void *memory)
{
    if (memory == NULL) {
        fputs("full_decode: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

static uint32_t
load_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint8_t *
read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    struct stat about;

    if (file == NULL || fstat(fileno(file), &about) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISREG(about.st_mode) || about.st_size == 0) {
        fprintf(stderr, "full_decode: %s holds no records\n", path);
        exit(1);
    }
    uint8_t *bytes = need_memory(malloc((size_t)about.st_size));
    if (fread(bytes, 1, (size_t)about.st_size, file) != (size_t)about.st_size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    *out_size = (size_t)about.st_size;
    return bytes;
}

/* The payload of the record at *at, which moves behind it. Its parts are joined in
 * place: the magic number that stood between them goes back where the writer took it
 * from, and there is always room, since a head is longer than that. */
static uint8_t *
next_payload(uint8_t *file, size_t file_size, size_t *at, size_t record,
             size_t *out_size)
{
    const size_t offset = *at;
    uint8_t *payload = file + offset + HEAD_SIZE;
    size_t size = 0;
    uint32_t flag;

    do {
        if (file_size - *at < HEAD_SIZE)
            stop("the file ends inside the record", record, *at);
        if (load_u32(file + *at) != record_magic)
            stop("there is no record head here", record, *at);
        const uint32_t word = load_u32(file + *at + 4);
        const size_t length = word & 0x1FFFFFFF;
        const size_t padded = (length + 3) & ~(size_t)3;
        flag = word >> 29;
        if (flag > 3 || (*at == offset) != (flag == 0 || flag == 1))
            stop("the parts of a record are out of order", record, *at);
        if (file_size - *at - HEAD_SIZE < padded)
            stop("the file ends inside the record", record, *at);
        if (*at != offset) {
            memcpy(payload + size, "\x0A\x23\xD7\xCE", 4);
            size += 4;
        }
        memmove(payload + size, file + *at + HEAD_SIZE, length);
        size += length;
        *at += HEAD_SIZE + padded;
    } while (flag == 1 || flag == 2);
    *out_size = size;
    return payload;
}

static struct image *
find_images(uint8_t *file, size_t file_size, size_t *out_count)
{
    struct image *images = NULL;
    size_t count = 0, room = 0, at = 0;

    while (at < file_size) {
        const size_t offset = at;
        size_t size;
        const uint8_t *payload = next_payload(file, file_size, &at, count, &size);
        if (size < LABEL_HEAD_SIZE)
            stop("shorter than the 24 bytes of an image record", count, offset);
        const size_t labels = load_u32(payload);
        if ((size - LABEL_HEAD_SIZE) / 4 < labels)
            stop("shorter than the labels it announces", count, offset);
        const size_t head = LABEL_HEAD_SIZE + 4 * labels;
        if (size - head < 2 || payload[head] != 0xFF || payload[head + 1] != 0xD8)
            stop("not a JPEG", count, offset);
        if (count == room) {
            room = room == 0 ? 4096 : 2 * room;
            images = need_memory(realloc(images, room * sizeof *images));
        }
        images[count++] = (struct image){payload + head, size - head, offset};
    }
    *out_count = count;
    return images;
}

static void
jump_back(j_common_ptr codec)
{
    longjmp(((struct fence *)codec->err)->back, 1);
}

static void
count_warning(j_common_ptr codec, int level)
{
    if (level < 0)
        codec->err->num_warnings++;
}

static void
decode(struct jpeg_decompress_struct *codec, const struct image *image, size_t record,
       uint8_t **pixels, size_t *room)
{
    struct fence *fence = (struct fence *)codec->err;
    char what[JMSG_LENGTH_MAX];

    if (setjmp(fence->back)) { /* locals are not changed below this line */
        fence->manager.format_message((j_common_ptr)codec, what);
        stop(what, record, image->offset);
    }
    jpeg_mem_src(codec, image->jpeg, image->size);
    jpeg_read_header(codec, TRUE);
    if (codec->jpeg_color_space != JCS_CMYK && codec->jpeg_color_space != JCS_YCCK)
        codec->out_color_space = JCS_RGB;
    jpeg_start_decompress(codec);
    const size_t samples = (size_t)codec->output_components;
    const size_t stride = samples * codec->output_width;
    if (stride * codec->output_height > *room) {
        *room = stride * codec->output_height;
        *pixels = need_memory(realloc(*pixels, *room));
    }
    while (codec->output_scanline < codec->output_height) {
        JSAMPROW rows[8];
        JDIMENSION count = 0;
        while (count < 8 && codec->output_scanline + count < codec->output_height) {
            rows[count] = *pixels + stride * (codec->output_scanline + count);
            count++;
        }
        jpeg_read_scanlines(codec, rows, count);
    }
    jpeg_finish_decompress(codec);
    if (codec->err->num_warnings > 0)
        stop("damaged JPEG", record, image->offset);
}

static bool
take(struct work *work, size_t *record)
{
    pthread_mutex_lock(&work->lock);
    const bool taken = work->next < work->image_count;
    *record = work->next;
    work->next += taken;
    pthread_mutex_unlock(&work->lock);
    return taken;
}

static void *
decode_all(void *argument)
{
    struct work *work = argument;
    struct jpeg_decompress_struct codec;
    struct fence fence;
    uint8_t *pixels = NULL;
    size_t room = 0, record;

    codec.err = jpeg_std_error(&fence.manager);
    fence.manager.error_exit = jump_back;
    fence.manager.emit_message = count_warning;
    jpeg_create_decompress(&codec);
    while (take(work, &record))
        decode(&codec, &work->images[record], record, &pixels, &room);
    jpeg_destroy_decompress(&codec);
    free(pixels);
    return NULL;
}

static double
wall_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double
cpu_seconds(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static void
run_once(const struct image *images, size_t image_count, int thread_count)
{
    struct work work = {PTHREAD_MUTEX_INITIALIZER, 0, images, image_count};
    pthread_t threads[THREADS_MAX];
    const double cpu_start = cpu_seconds();
    const double start = wall_seconds();

    for (int i = 0; i < thread_count; i++)
        if (pthread_create(&threads[i], NULL, decode_all, &work) != 0) {
            fputs("full_decode: cannot start a thread\n", stderr);
            exit(1);
        }
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    const double seconds = wall_seconds() - start;
    const double cpu = cpu_seconds() - cpu_start;
    printf("{\"images\": %zu, \"seconds\": %.6f, \"cpu\": %.6f}\n", image_count,
           seconds, cpu);
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    const int threads = argc == 3 ? atoi(argv[2]) : 0;
    size_t file_size, image_count;

    if (threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr, "usage: full_decode FILE.rec THREADS (1 to %d)\n", THREADS_MAX);
        return 2;
    }
    uint8_t *file = read_file(argv[1], &file_size);
    struct image *images = find_images(file, file_size, &image_count);
    printf("{\"about\": \"libjpeg-turbo %s\"}\n", TEXT(LIBJPEG_TURBO_VERSION));
    fflush(stdout);
    for (int byte = getchar(); byte != EOF; byte = getchar())
        if (byte == '\n')
            run_once(images, image_count, threads);
    free(images);
    free(file);
    return 0;
}
