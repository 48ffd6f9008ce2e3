"""Write the index of a RecordIO file: `python tools/rec2idx.py RECORD INDEX`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # after an installed mxio

from mxio.rec2idx import main

sys.exit(main())
