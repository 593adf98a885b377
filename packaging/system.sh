#!/bin/sh
# What the tests need from the system: a virtual screen, Chinese fonts, and the libraries that OpenCV links to.
# Installed only where they are missing and where this user may; says so and continues otherwise.
set -u
missing=""
command -v Xvfb >/dev/null 2>&1 || missing="$missing xvfb"
fc-list 2>/dev/null | grep -qi 'cjk\|noto sans sc' || missing="$missing fonts-noto-cjk"
"${PYTHON:-python3}" -c 'import tkinter' 2>/dev/null || missing="$missing python3-tk"
ldconfig -p 2>/dev/null | grep -q 'libGL\.so\.1' || missing="$missing libgl1"
ldconfig -p 2>/dev/null | grep -q 'libglib-2\.0\.so\.0' || missing="$missing libglib2.0-0"
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || { echo "system: please install:$missing" >&2; exit 0; }
if [ "$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else
    echo "system: not allowed to install:$missing (tests that need them are skipped)" >&2; exit 0
fi
echo "system: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -qq update && $sudo apt-get -qq install -y --no-install-recommends $missing >/dev/null ||
    echo "system: could not install:$missing (tests that need them are skipped)" >&2
exit 0
