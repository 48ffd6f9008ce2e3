"""A process that makes batches with many options and says what they hold.

In, a line of JSON: {"files": [path, ...], "options": [{...}, ...]}. Out, a line: the
level of the kernels, and for each file and set of options a digest of all batches.
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
    asked = json.loads(sys.stdin.readline())
    digests = [digest(f, o) for f in asked["files"] for o in asked["options"]]
    print(json.dumps({"simd": mxio.features()["simd"], "digests": digests}))


if __name__ == "__main__":
    main()
