"""Make lists of images and pack them: `python tools/im2rec.py PREFIX ROOT ...`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # after an installed mxio

from mxio.im2rec import main

sys.exit(main())
