"""A process that makes batches with many options and says what they hold.

In, a line of JSON: {"level": name, "asked": [[path, {...}], ...]}. Out, a line: for
each path and options a digest of all batches; none when the kernels have another level.
"""

import hashlib
import json
import sys
from typing import Any

import mxio
from mxio.adapters.numpy import ImageRecordLoader


def digest(path: str, options: dict[str, Any]) -> str:
    """Of the data and labels of two epochs."""
    out = hashlib.sha256()
    with ImageRecordLoader(path_imgrec=path, batch_size=8, **options) as loader:
        for _ in range(2):
            for batch in loader:
                out.update(batch.data.tobytes())
                out.update(batch.label.tobytes())
    return out.hexdigest()


def main() -> None:
    given = json.loads(sys.stdin.readline())
    known = mxio.features()["simd"] == given["level"]
    print(json.dumps([digest(*one) for one in given["asked"]] if known else []))


if __name__ == "__main__":
    main()
