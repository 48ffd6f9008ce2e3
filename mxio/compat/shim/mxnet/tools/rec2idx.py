"""python -m mxnet.tools.rec2idx RECORD INDEX"""

import sys

from mxio.rec2idx import main

if __name__ == "__main__":
    sys.exit(main())
