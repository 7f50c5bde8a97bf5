#!/bin/sh
# What the tests need beyond Python packages: a browser, a database server, an event server, a reference player, a
# software token for keys, a C compiler for the floor of the benchmarks.
# Installs what is missing from Debian's packages when it may; otherwise says exactly what to install.
set -eu

missing=""
need() { # need PACKAGE FILE...
    package=$1
    shift
    for file in "$@"; do
        for found in $file; do
            [ -e "$found" ] && return 0
        done
    done
    missing="$missing $package"
}

need chromium /usr/bin/chromium
need postgresql "/usr/lib/postgresql/*/bin/initdb"
need redis-server /usr/bin/redis-server
need ffmpeg /usr/bin/ffmpeg
need iproute2 /sbin/ip /usr/sbin/ip
need openssl /usr/bin/openssl
need softhsm2 /usr/bin/softhsm2-util
need gcc /usr/bin/cc /usr/bin/gcc
need libc6-dev /usr/include/stdio.h
need fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf

[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086 # a list of packages
    apt-get install -y -q --no-install-recommends $missing >/dev/null
    exit 0
fi
echo "The tests need these packages, which are not installed:$missing" >&2
echo "Install them as root:  apt-get install$missing" >&2
exit 1
