"""Builds mxio._core: finds the C libraries, proves them, sets the flags.

Each library is looked for under the folder that its variable (MXIO_JPEG_ROOT and so on)
names when that is set (it is an order: nothing else is tried then), by pkg-config, and
on the default paths. Without libdeflate zlib does its work.
For developers: MXIO_DEBUG=1 builds without optimisation and with assertions,
MXIO_SANITIZE=address,undefined with those sanitizers.
"""

import os
import shlex
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError, PlatformError

WARNINGS = ["-Wall", "-Wextra", "-Wshadow"]
# Contraction to fused multiply-add would make results depend on the processor.
COMPILE = ["-std=gnu11", "-ffp-contract=off", "-fvisibility=hidden", "-pthread"]
INSTALL = """
  Debian, Ubuntu: apt install gcc python3-dev libjpeg-dev libpng-dev libdeflate-dev
  Fedora:         dnf install gcc python3-devel libjpeg-turbo-devel libpng-devel
                      libdeflate-devel
  Alpine:         apk add gcc musl-dev python3-dev libjpeg-turbo-dev libpng-dev
                      libdeflate-dev
  macOS:          xcode-select --install; brew install jpeg-turbo libpng libdeflate"""


class Library(NamedTuple):
    """A C library that the core needs, and a program that proves it is there."""

    title: str
    package: str
    header: str
    link: str
    root: str
    proof: str
    flags: tuple[str, ...] = ()
    otherwise: "Library | None" = None


ZLIB = Library(
    "zlib >= 1.2.9",
    "zlib",
    "zlib.h",
    "z",
    "MXIO_ZLIB_ROOT",
    "#include <zlib.h>\nint main(void) { return crc32_z(0, Z_NULL, 0) != 0; }\n",
)
LIBRARIES = [
    Library(
        "libjpeg-turbo >= 2.1.2 (the plain IJG libjpeg will not do)",
        "libjpeg",
        "jpeglib.h",
        "jpeg",
        "MXIO_JPEG_ROOT",
        "#include <stdio.h>\n#include <jpeglib.h>\n"
        "#if !defined LIBJPEG_TURBO_VERSION_NUMBER\n#error plain IJG libjpeg\n"
        "#elif LIBJPEG_TURBO_VERSION_NUMBER < 2001002\n#error too old\n#endif\n"
        "int main(void) { return jpeg_skip_scanlines(NULL, 0) != 0; }\n",
    ),
    Library(
        "libpng >= 1.6",
        "libpng",
        "png.h",
        "png",
        "MXIO_PNG_ROOT",
        "#include <png.h>\n#if PNG_LIBPNG_VER < 10600\n#error too old\n#endif\n"
        "int main(void) { return png_access_version_number() == 0; }\n",
    ),
    ZLIB,
    Library(
        "libdeflate",
        "libdeflate",
        "libdeflate.h",
        "deflate",
        "MXIO_DEFLATE_ROOT",
        "#include <libdeflate.h>\nint main(void) {\n"
        "return libdeflate_zlib_decompress_ex(libdeflate_alloc_decompressor(),\n"
        "                                     0, 0, 0, 0, 0, 0) == 0; }\n",
        ("-DMXIO_LIBDEFLATE",),
        ZLIB,
    ),
]


class Place(NamedTuple):
    """Where a library may be, and the arguments that reach it."""

    name: str
    compile: list[str]
    link: list[str]


def place_under(root: Path, name: str, library: Library) -> Place:
    multiarch = sysconfig.get_config_var("MULTIARCH") or "lib"
    folders = [root / "lib", root / "lib64", root / "lib" / multiarch]
    reach = [f"-L{folder}" for folder in folders if folder.is_dir()]
    return Place(name, [f"-I{root / 'include'}"], [*reach, f"-l{library.link}"])


def places(library: Library) -> Iterator[Place]:
    """Where to look, best first; an explicit root is the only place."""
    root = os.environ.get(library.root)
    if root:
        folder = Path(root)
        # The compiler would go on to the default paths without a word.
        if not any(folder.glob(f"include/**/{library.header}")) or not any(
            folder.glob(f"lib*/**/lib{library.link}.*")
        ):
            raise PlatformError(
                f"{library.root}={root} must hold include/{library.header} "
                f"and lib/lib{library.link}.*"
            )
        yield place_under(folder.resolve(), f"{library.root}={root}", library)
        return
    pkg_config = os.environ.get("PKG_CONFIG", "pkg-config")
    try:
        compile, link = (
            shlex.split(
                subprocess.run(
                    [pkg_config, what, library.package],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for what in ("--cflags", "--libs")
        )
        yield Place(f"{pkg_config} {library.package}", compile, link)
    except (OSError, subprocess.CalledProcessError):
        pass
    yield Place("the default paths", [], [f"-l{library.link}"])
    for prefix in ("/usr/local", "/opt/homebrew"):
        if (Path(prefix) / "include").is_dir():
            yield place_under(Path(prefix), prefix, library)


class BuildCore(build_ext):
    """build_ext that completes the extension's arguments with what it finds."""

    def build_extensions(self) -> None:
        (core,) = self.extensions
        if not self.builds("#include <Python.h>\nint main(void) { return 0; }\n"):
            raise PlatformError(
                "mxio needs a C compiler and the headers of Python; install them:"
                + INSTALL
            )
        for library in LIBRARIES:
            place = self.find(library)
            core.extra_compile_args += place.compile
            core.extra_link_args += place.link
            # A folder that had to be named to the linker is named to the loader too.
            core.extra_link_args += [
                f"-Wl,-rpath,{argument[2:]}"
                for argument in place.link
                if argument.startswith("-L")
            ]
        self.force_if_arguments_changed(core)
        super().build_extensions()

    def find(self, library: Library) -> Place:
        tried = []
        for place in places(library):
            if self.builds(library.proof, place):
                return Place(place.name, [*place.compile, *library.flags], place.link)
            tried.append(place.name)
        if library.otherwise and not os.environ.get(library.root):
            return self.find(library.otherwise)
        raise PlatformError(
            f"mxio needs {library.title}; looked for it by {', '.join(tried)}. "
            f"Set {library.root} to the folder that holds its include and lib, or "
            "install it:" + INSTALL
        )

    def builds(self, source: str, place: Place | None = None) -> bool:
        place = place or Place("", [], [])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "proof.c"
            path.write_text(source)
            try:
                objects = self.compiler.compile(
                    [str(path)],
                    output_dir=folder,
                    include_dirs=[sysconfig.get_path("include")],
                    extra_postargs=place.compile,
                )
                self.compiler.link_executable(
                    objects, "proof", output_dir=folder, extra_postargs=place.link
                )
            except (CompileError, LinkError):
                return False
        return True

    def force_if_arguments_changed(self, core: Extension) -> None:
        """setuptools looks at times only; `make debug` after `make build` differs."""
        stamp = Path(self.build_temp, "inplace" if self.inplace else "library")
        arguments = repr((core.extra_compile_args, core.extra_link_args))
        if not stamp.exists() or stamp.read_text() != arguments:
            self.force = True
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.write_text(arguments)


class PrintArguments(BuildCore):
    """`setup.py --quiet arguments`: the same, for make to build the C tests with."""

    def force_if_arguments_changed(self, core: Extension) -> None:
        pass

    def build_extension(self, core: Extension) -> None:
        python = f"-I{sysconfig.get_path('include')}"
        macros = [f"-D{name}={value}" for name, value in core.define_macros]
        print("CORE_CFLAGS =", shlex.join(core.extra_compile_args))
        print("CORE_LIBS =", shlex.join(core.extra_link_args))
        print("PYTHON_CFLAGS =", shlex.join([python, *macros]))


def core_extension(limited: bool) -> Extension:
    compile = COMPILE + WARNINGS + ["-O3"]
    link = ["-pthread", "-lm"]
    if os.environ.get("MXIO_DEBUG"):
        compile += ["-O0", "-g", "-UNDEBUG"]
    sanitizers = os.environ.get("MXIO_SANITIZE")
    if sanitizers:
        compile += ["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer"]
        compile += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
        link += [f"-fsanitize={sanitizers}"]
    return Extension(
        "mxio._core",
        sorted(str(path) for path in Path("mxio/native").glob("*.c")),
        depends=sorted(str(path) for path in Path("mxio/native").glob("*.[hd]*")),
        extra_compile_args=compile,
        extra_link_args=link,
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
        py_limited_api=limited,
    )


def main() -> None:
    if int(setuptools.__version__.split(".")[0]) < 77:
        raise SystemExit(
            f"mxio needs setuptools >= 77 to build, this is {setuptools.__version__}: "
            "pip install 'setuptools>=77'"
        )
    # The free-threaded Python has no limited API.
    limited = not sysconfig.get_config_var("Py_GIL_DISABLED")
    setup(
        ext_modules=[core_extension(limited)],
        cmdclass={"build_ext": BuildCore, "arguments": PrintArguments},
        options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
    )


main()
