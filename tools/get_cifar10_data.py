"""Fetch CIFAR-10, ready to load: `python tools/get_cifar10_data.py [--to DIR] ...`.

The options are those of `mxio download cifar10`.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # after an installed mxio

from mxio.cli import main

sys.exit(main(["download", "cifar10", *sys.argv[1:]]))
