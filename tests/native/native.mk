# Builds the core without Python, once per variant, and runs the C tests against it.
# Called by the Makefile at the root, in the root folder.

VARIANT ?= plain
OUT = build/native/$(VARIANT)

# What setup.py found and decided: CORE_CFLAGS, CORE_LIBS, PYTHON_CFLAGS.
ARGUMENTS = build/native/arguments.mk
$(ARGUMENTS): setup.py
	@mkdir -p $(@D)
	@$(PYTHON) setup.py --quiet arguments >$@.new && mv $@.new $@
include $(ARGUMENTS)

# Fuzz targets run under libFuzzer where there is one, else under standalone.c.
ifeq ($(VARIANT),fuzz)
LIBFUZZER := $(shell echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' \
    | clang -x c - -fsanitize=fuzzer,address -o /dev/null 2>/dev/null && echo yes)
CC := $(if $(LIBFUZZER),clang,$(CC))
endif

SANITIZE_asan = -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_tsan = -fsanitize=thread
SANITIZE_fuzz = $(SANITIZE_asan) $(if $(LIBFUZZER),-fsanitize=fuzzer-no-link)
LEVEL_plain = -O2
LEVEL_cover = -O0 --coverage
LEVEL = $(or $(LEVEL_$(VARIANT)),-O1 -fno-omit-frame-pointer)
# The core as a build makes it that finds no libdeflate.
WITHOUT_zlib = -UMXIO_LIBDEFLATE
LIBS_zlib = -lz
CFLAGS = $(CORE_CFLAGS) $(WITHOUT_$(VARIANT)) $(LEVEL) -g $(SANITIZE_$(VARIANT)) \
    -iquote mxio/native -MMD

CORE = $(filter-out mxio/native/py_%,$(wildcard mxio/native/*.c))
OBJECTS = $(CORE:mxio/native/%.c=$(OUT)/%.o)
LINKED = $(OBJECTS)
LIBS = $(CORE_LIBS) $(LIBS_$(VARIANT))
TESTS = $(patsubst tests/native/%.c,$(OUT)/%,$(wildcard tests/native/test_*.c))
EVERY_C = $(wildcard mxio/native/*.c tests/native/*.c tests/fuzz/*.c)

# For arm64 there are a compiler and a C library, but no libjpeg, libpng or zlib: files that
# include their headers are left out, and tests that need one of them. From the others a
# test takes what it needs. The folders and settings found are those of this machine.
ifeq ($(VARIANT),neon)
CC = aarch64-linux-gnu-gcc
AR = aarch64-linux-gnu-ar
INCLUDE_LIBRARIES = inflate jpeg jpeg_codec jpeg_encode jpeg_entropy jpeg_selftest \
    jpeg_transcode png stream
NEED_LIBRARIES = idx inflate jpeg jpeg_entropy jpeg_transcode loader mnist packer png \
    png_plain repack sample share stream tickets
OBJECTS := $(filter-out $(INCLUDE_LIBRARIES:%=$(OUT)/%.o),$(OBJECTS))
LINKED = $(OUT)/core.a
LIBS = -lm
TESTS := $(filter-out $(NEED_LIBRARIES:%=$(OUT)/test_%),$(TESTS))
CFLAGS := $(filter-out -I% -D%,$(CFLAGS)) -Werror -static
endif

# With much address space randomisation no room is left for the thread sanitizer's shadow.
RUN_tsan = $(if $(shell command -v setarch),setarch -R)
RUN_neon = qemu-aarch64-static

.PHONY: test png warnings tidy tidy_neon fuzz cover
.SECONDARY: $(OBJECTS)

test: $(TESTS)
	@for test in $(TESTS); do \
	    $(RUN_$(VARIANT)) $$test || { echo "$$test failed" >&2; exit 1; }; \
	    echo "$$test passed"; \
	done
	@$(if $(filter %/test_jpeg_entropy,$(TESTS)),MXIO_SIMD=off $(RUN_$(VARIANT)) \
	    $(OUT)/test_jpeg_entropy && echo "$(OUT)/test_jpeg_entropy passed without vectors")

png: $(OUT)/test_inflate $(OUT)/test_png $(OUT)/test_png_plain
	@for test in $^; do $$test && echo "$$test passed" || exit 1; done

$(OUT)/%.o: mxio/native/%.c $(ARGUMENTS)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -c $< -o $@

$(OUT)/core.a: $(OBJECTS)
	@rm -f $@ && $(AR) rcs $@ $^

$(OUT)/test_%: tests/native/test_%.c $(LINKED)
	@$(CC) $(CFLAGS) $< $(LINKED) $(LIBS) -o $@

# Every file of the core, the bindings and the tests, each warning an error.
warnings:
	@mkdir -p $(OUT)
	@for file in $(EVERY_C); do \
	    $(CC) $(CORE_CFLAGS) $(PYTHON_CFLAGS) -iquote mxio/native -Werror \
	        -c $$file -o $(OUT)/warnings.o || exit 1; \
	done

tidy:
	@clang-tidy --quiet $(EVERY_C) -- $(CORE_CFLAGS) $(PYTHON_CFLAGS) -iquote mxio/native

# What another processor sees of files that are empty on this one.
tidy_neon:
	@clang-tidy --quiet mxio/native/kernels*_neon.c -- --target=aarch64-linux-gnu \
	    $(CORE_CFLAGS) -iquote mxio/native

MAIN_fuzz = $(if $(LIBFUZZER),-fsanitize=fuzzer,tests/fuzz/standalone.c)
$(OUT)/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/standalone.c $(LINKED)
	@$(CC) $(CFLAGS) $< $(MAIN_fuzz) $(LINKED) $(LIBS) -o $@

# Inputs that crashed once are kept in tests/fuzz/corpus; new ones are written there. CI goes
# the same way each time, `make soak` another one.
fuzz: $(OUT)/fuzz_$(T)
	@mkdir -p tests/fuzz/corpus/$(T)
	$(PYTHON) tests/fuzz/make_seeds.py $(T) $(OUT)/seeds/$(T)
	$< $(if $(CI),-seed=1) -max_total_time=$(S) -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
	    -print_final_stats=1 -artifact_prefix=tests/fuzz/corpus/$(T)/ \
	    $(OUT)/seeds/$(T) tests/fuzz/corpus/$(T)

cover: test
	@for file in $(CORE); do \
	    gcov --stdout --object-directory $(OUT) $$file | grep '#####' | sed "s|^|$$file|"; \
	done

-include $(wildcard $(OUT)/*.d)
