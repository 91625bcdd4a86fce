#!/bin/bash
# Records one scene with a server and with the same server broken on purpose, and writes one page of both.
# Usage: tests/tools/player/broken.sh 05-epollout-always COMPILE PLAYER FOLDER   (`make player BREAKAGE=...` calls it)
set -eu
name=$1 compile=$2 player=$3 folder=$4
patch=tests/breakages/$name.patch
[ -f "$patch" ] || { echo "there is no $patch" >&2; exit 2; }
chapter=$(basename "${name%%-*}"-*)
copy=$folder/broken/$name
rm -rf "$copy"
mkdir -p "$copy"
cp -r common "$chapter" "$copy"
patch -s -p1 --fuzz=2 --no-backup-if-mismatch -d "$copy" <"$patch"
# shellcheck disable=SC2086 # a command with its arguments
(cd "$copy" && $compile -o "$chapter/server" "$chapter/server.cpp")
"$player" pair "$folder" "$chapter/server" "$copy/$chapter/server" "$name" 'as it should be' "broken: $(sed -n 's/^What: //p' "$patch")" || {
    sed -n 's/^Exercise: \(.*\)/make exercise N=\1 plays a case in which it shows./p' "$patch" >&2
    exit 1
}
