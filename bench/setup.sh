#!/bin/sh
# The peers of bench/run.py, each in a virtual environment of its own below DIR:
#
#     bench/setup.sh DIR [mxnet] [dali] [tf] [torch]
#
# Without names all are made, about 9 GB. PYTHON says which interpreter (3.11: MXNet's
# last release knows no newer NumPy, and its wheel runs up to there).
set -eu

packages() {
    case $1 in
    mxnet) echo "mxnet==1.9.1 numpy==1.23.5 opencv-python-headless==4.8.1.78" ;;
    dali) echo "nvidia-dali-cuda120==2.4.0 numpy==2.4.6" ;;
    tf) echo "tensorflow-cpu==2.21.0" ;;
    torch) echo "torch==2.14.1 torchvision==0.29.1 opencv-python-headless numpy==2.4.6" ;;
    *) echo "setup.sh: no peer named $1" >&2 && exit 2 ;;
    esac
}

[ $# -ge 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
shift
[ $# -gt 0 ] || set -- mxnet dali tf torch
for peer; do
    wanted=$(packages "$peer")
    "${PYTHON:-python3}" -m venv "$folder/$peer"
    # Split on purpose: several packages.
    "$folder/$peer/bin/pip" install --quiet $wanted
done
