# One door for commands: `make` alone prints the list. CI calls the same targets.

PYTHON ?= python3
T ?= recordio
S ?= 60
D ?= mxio/data/samples

SETUP = $(PYTHON) setup.py --quiet
NATIVE = $(MAKE) --no-print-directory -f tests/native/native.mk PYTHON=$(PYTHON)
C_FILES = $(wildcard mxio/native/*.[ch] tests/native/*.[ch] tests/fuzz/*.[ch])

# $(call tool,names,command): a missing tool is skipped on a laptop, an error in CI.
define tool
@for tool in $(1); do \
    command -v $$tool >/dev/null && continue; \
    echo "$$tool is not installed: skipped" >&2; test -z "$$CI"; exit; \
done; $(2)
endef

.PHONY: help build debug native test check fix gen neon asan tsan fuzz cover soak bench \
    integration

help: ## print this list
	@awk -F ":.*## " '/^[a-z]+:.*##/ { printf "make %-11s %s\n", $$1, $$2 }' Makefile

build: ## build the extension in place
	$(SETUP) build_ext --inplace

debug: ## the same without optimisation, assertions on
	MXIO_DEBUG=1 $(SETUP) build_ext --inplace

native: ## C programs
	$(NATIVE) test
	$(NATIVE) VARIANT=zlib png

test: native ## C programs, then pytest
	$(PYTHON) -m pytest

check: ## formatting, lint, types, floors, generated files, warnings; changes nothing
	$(PYTHON) tools/check_floors.py
	$(PYTHON) tools/gen.py --check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	$(NATIVE) warnings
	$(call tool,clang-format,clang-format --dry-run --Werror $(C_FILES))
	$(call tool,clang-tidy,$(NATIVE) tidy)

fix: ## clang-format, ruff format, ruff --fix
	$(PYTHON) -m ruff format
	$(PYTHON) -m ruff check --fix
	$(call tool,clang-format,clang-format -i $(C_FILES))

gen: ## rewrite mxio/_options.py and the tables of docs from params.def
	$(PYTHON) tools/gen.py

neon: ## what of the core needs no library, built for arm64: its C tests, emulated
	$(call tool,aarch64-linux-gnu-gcc qemu-aarch64-static,$(NATIVE) VARIANT=neon test)
	$(call tool,aarch64-linux-gnu-gcc clang-tidy,$(NATIVE) tidy_neon)

# Python itself is not sanitized: it needs the runtime loaded first, and its leaks are its own.
# The runtime's allocator does not survive a fork beside a thread that allocates, as workers of
# PyTorch are made; what is C in those tests is reached from the others.
FORKING = --ignore-glob='tests/adapters/test_torch*' --ignore=tests/test_pytorch_page.py \
    --ignore=tests/test_examples.py --ignore=tests/adapters/test_insightface.py
asan: ## C tests and pytest, address and undefined-behaviour sanitizers
	$(NATIVE) VARIANT=asan test
	CC=gcc MXIO_SANITIZE=address,undefined $(SETUP) build -b build/asan --build-lib build/asan/lib
	PYTHONSAFEPATH=1 PYTHONPATH=build/asan/lib ASAN_OPTIONS=detect_leaks=0 \
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so.6)" \
	$(PYTHON) -m pytest $(FORKING)

tsan: ## C tests, thread sanitizer
	$(NATIVE) VARIANT=tsan test

fuzz: ## one target of tests/fuzz: T=recordio, S=60 seconds
	$(NATIVE) VARIANT=fuzz fuzz T=$(T) S=$(S)

cover: ## lines that no test reaches: C by gcov, Python by coverage
	$(NATIVE) VARIANT=cover cover
	$(PYTHON) -m coverage run -m pytest
	$(PYTHON) -m coverage report --show-missing --skip-covered

soak: ## long runs, not in CI: memory, exits; fuzzing, entropy for 30 minutes, all else for 10
	$(PYTHON) -m pytest -m soak
	for target in tests/fuzz/fuzz_*.c; do \
	    name=$$(basename $$target .c); seconds=600; \
	    if [ $$name = fuzz_entropy ]; then seconds=1800; fi; \
	    $(MAKE) fuzz T=$${name#fuzz_} S=$$seconds || exit 1; \
	done

# The extra [integration] has the packages; tests/integration/clients.py says how to get the
# programs, and REFERENCE= is a Python with MXNet itself.
integration: ## packages beside mxio; with INSIGHTFACE= and MXNET= folders public MXNet programs
	$(PYTHON) -m pytest -m integration
	$(if $(INSIGHTFACE),$(PYTHON) tests/integration/clients.py --insightface $(INSIGHTFACE) \
	    --mxnet $(MXNET) $(if $(REFERENCE),--reference $(REFERENCE)))

bench: ## speed beside a plain decode and the peers in V=folder: D=folder of JPEGs
	$(PYTHON) -m bench.make_data $(D) build/bench
	$(PYTHON) -m bench.run build/bench $(if $(V),--venvs $(V))
