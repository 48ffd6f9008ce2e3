"""python -m mxnet.tools.im2rec is the command im2rec of mxio."""

import sys

from mxio.im2rec import main

if __name__ == "__main__":
    sys.exit(main())
