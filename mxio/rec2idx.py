"""rec2idx RECORD INDEX: an index with keys 0, 1, 2, ... for a RecordIO file."""

import argparse
import sys
from collections.abc import Sequence

from mxio._atomic import atomic_text, refuse_replacing
from mxio._core import RecordFile
from mxio.tools._command import EXIT_CODES, Exit, guarded

__all__ = ["main", "write_index"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code, a mxio.tools._command.Exit."""
    parser = argparse.ArgumentParser(
        prog="rec2idx",
        description="Write the index of a RecordIO file.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("record", help="path of the .rec file")
    parser.add_argument("index", help="path of the .idx file to write")
    words = parser.parse_args(argv)
    return guarded("rec2idx", lambda: _run(words.record, words.index))


def _run(record_path: str, index_path: str) -> int:
    count = write_index(record_path, index_path)
    print(f"{index_path}: {count} records")
    return Exit.GOOD


def write_index(record_path: str, index_path: str) -> int:
    """Write the index, whole or not at all; gives the number of records.

    DataError when a record is damaged; ParameterError when the index would replace the
    records; OSError naming the file.
    """
    refuse_replacing([index_path], [record_path])
    record = RecordFile(record_path)
    with atomic_text(index_path) as index:
        count, offset = 0, 0
        while (found := record.read(offset)) is not None:
            index.write(f"{count}\t{offset}\n")
            count, offset = count + 1, found[1]
    return count


if __name__ == "__main__":
    sys.exit(main())
