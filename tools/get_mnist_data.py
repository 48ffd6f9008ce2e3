"""Fetch MNIST, ready to load: `python tools/get_mnist_data.py [--to DIR] ...`.

The options are those of `mxio download mnist`.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # after an installed mxio

from mxio.cli import main

sys.exit(main(["download", "mnist", *sys.argv[1:]]))
