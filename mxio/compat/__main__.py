"""python -m mxio.compat: see mxio.compat."""

import sys

from mxio.compat import main

if __name__ == "__main__":
    sys.exit(main())
