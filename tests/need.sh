#!/bin/bash
# Sees to it that what the tests need is there, and installs what is missing where Debian's apt-get can do it.
# Usage: tests/need.sh PACKAGE...
set -u

# Whether what the tests need of a package is there: its program, or its header.
have() {
    case $1 in
        catch2) echo '#include "tests/catch.h"' | ${CXX:-g++} -std=c++20 -I. -E -x c++ - >/dev/null 2>&1 ;;
        netcat-openbsd) command -v nc.openbsd >/dev/null ;;
        libevent-dev) [ -e /usr/include/event2/event.h ] ;;
        libuv1-dev) [ -e /usr/include/uv.h ] ;;
        libboost-dev) [ -e /usr/include/boost/asio.hpp ] ;;
        liburing-dev) [ -e /usr/include/liburing.h ] ;;
        gnuplot-nox) command -v gnuplot >/dev/null ;;
        iproute2) command -v ss >/dev/null ;;
        procps) command -v pgrep >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=()
for package in "$@"; do
    have "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "This needs: ${missing[*]} (so the packages are called in Debian). Please install them; then again." >&2
    exit 1
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "This needs the packages ${missing[*]}. As root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "installing what is missing: ${sudo:+sudo }apt-get install ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
{
    $sudo apt-get update -qq && $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"
} >/dev/null || echo "apt-get could not install them all" >&2

for package in "${missing[@]}"; do
    if ! have "$package"; then
        echo "This needs the package $package, and it is still missing." >&2
        exit 1
    fi
done
