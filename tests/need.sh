#!/bin/bash
# Makes sure that what the tests need is there, and installs what is missing where Debian's apt-get can do it.
# Usage: tests/need.sh PACKAGE...   (PACKAGE? may stay missing: what needs it is skipped)
set -u

# Whether what the tests need of a package is there: its program, or its header.
have() {
    case $1 in
        catch2) echo '#include "tests/catch.h"' | ${CXX:-g++} -std=c++20 -I. -E -x c++ - >/dev/null 2>&1 ;;
        netcat-openbsd) command -v nc.openbsd >/dev/null ;;
        libevent-dev) [ -e /usr/include/event2/event.h ] ;;
        libuv1-dev) [ -e /usr/include/uv.h ] ;;
        libboost-dev) [ -e /usr/include/boost/asio.hpp ] ;;
        libncurses-dev) [ -e /usr/include/ncurses.h ] ;;
        nlohmann-json3-dev) [ -e /usr/include/nlohmann/json.hpp ] ;;
        nodejs) command -v node >/dev/null ;;
        chromium-driver) command -v chromedriver >/dev/null ;;
        binutils) command -v addr2line >/dev/null ;;
        liburing-dev) [ -e /usr/include/liburing.h ] ;;
        gnuplot-nox) command -v gnuplot >/dev/null ;;
        nginx-light) command -v nginx >/dev/null ;;
        libnginx-mod-stream) [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ;;
        iproute2) command -v ss >/dev/null ;;
        procps) command -v pgrep >/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Which of the packages are missing, each once: all in $missing, and in $needed those that may not be.
look() { # package...
    local package name
    missing=() needed=()
    for package in "$@"; do
        name=${package%\?}
        if [[ " ${missing[*]} " == *" $name "* ]] || have "$name"; then continue; fi
        missing+=("$name")
        [ "$name" != "$package" ] || needed+=("$name")
    done
}

look "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

# make may call this several times at the same time, and apt-get serves one at a time.
exec 9<"$0"
flock 9
look "$@"
[ ${#missing[@]} -gt 0 ] || exit 0

how="as root: apt-get install ${missing[*]}"
sudo=
[ "$(id -u)" -eq 0 ] || sudo=sudo
if ! command -v apt-get >/dev/null; then
    how="these are their names in Debian"
elif [ -z "$sudo" ] || command -v sudo >/dev/null; then
    echo "installing what is missing: ${sudo:+sudo }apt-get install ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    {
        $sudo apt-get update -qq && $sudo apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${missing[@]}"
    } >/dev/null || echo "apt-get could not install them all" >&2
    look "$@"
fi

[ ${#missing[@]} -eq 0 ] || echo "missing packages: ${missing[*]} ($how)" >&2
[ ${#needed[@]} -eq 0 ]
