"""A process that tries options: a line of JSON in, one out, until it is killed.

In: {"face": "mx" or "numpy", "options": {...}}. Out: {"outcome": ..., "text": ...} with
the outcomes "ran" (one whole epoch), "refused" (an exception that names a parameter, or
that counts bad records when on_error asks for it), "wrong" (anything else).
"""

import json
import re
import sys
import traceback
from typing import Any

import numpy as np

from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError
from mxio.io import ImageRecordIter
from mxio.params import TABLE

FACES: dict[str, Any] = {"mx": ImageRecordIter, "numpy": ImageRecordLoader}
# More batches than an epoch of the test's records can have.
TOO_MANY = 100


def one_epoch(face: str, options: dict[str, Any]) -> str:
    """What is wrong with an epoch of these options, or ''."""
    loader = FACES[face](**options)
    channels, height, width = options["data_shape"]
    sample = (channels, height, width)
    if options.get("layout") == "NHWC":
        sample = (height, width, channels)
    try:
        for number, batch in enumerate(loader):
            data = batch.data[0] if face == "mx" else batch.data
            data = np.asarray(data)
            if number == TOO_MANY:
                return "the epoch does not end"
            if data.shape[1:] != sample or len(data) > options["batch_size"]:
                return f"the shape is {data.shape}"
            if data.dtype != options.get("dtype", "float32"):
                return f"the type is {data.dtype}"
            if np.isnan(data).any():
                return "there are values that are no numbers"
            if data.dtype == np.float32 and not np.isfinite(data).all():
                return "there are infinite values"
            if not 0 <= batch.pad <= len(data):
                return f"pad is {batch.pad}"
    finally:
        loader.close()
    return ""


def tried(face: str, options: dict[str, Any]) -> dict[str, str]:
    """The outcome of one set of options."""
    try:
        wrong = one_epoch(face, options)
    except (MxioError, TypeError) as error:
        text = f"{type(error).__name__}: {error}"
        named = set(re.findall(r"\w+", str(error))) & set(TABLE)
        # What was wrong with each record is said by errors() then.
        counted = (
            isinstance(error, DataError) and options.get("on_error", "raise") != "raise"
        )
        return {"outcome": "refused" if named or counted else "wrong", "text": text}
    except Exception:
        return {"outcome": "wrong", "text": traceback.format_exc()}
    return {"outcome": "wrong" if wrong else "ran", "text": wrong}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(tried(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
