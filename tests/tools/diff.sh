#!/bin/bash
# What a chapter changed: its server.cpp beside that of the chapter before, both without their #include lines; then each file
# of common/ and of the chapter that is new with it, whole. Such a file says so in its first line.
# Usage: tests/tools/diff.sh NN [FROM]   (FROM: another chapter than the one before)
set -u
cd "$(dirname "$0")/../.." || exit
to=$1 from=${2:-0$((10#$1 - 1))}
old=$(echo "$from"-*/server.cpp) new=$(echo "$to"-*/server.cpp)
for file in "$old" "$new"; do
    [ -f "$file" ] || { echo "diff-$to FROM=$from: there is no $file; the chapters are 01 to 06" >&2; exit 2; }
done
tests/need.sh git || exit
without_includes=$(mktemp -d) || exit
trap 'rm -rf "$without_includes"' EXIT

# git diff says with its status whether there is a difference, which is not a failure here.
show() { git --no-pager diff --no-index --minimal "$@" || [ $? -eq 1 ]; }

color=never
[ ! -t 1 ] || color=always
for file in "$old" "$new"; do
    mkdir -p "$without_includes/${file%/*}"
    grep -v '^#include' "$file" | cat -s >"$without_includes/$file"
done
(cd "$without_includes" && show --color=$color "$old" "$new")

shopt -s nullglob
for file in common/*.h "${new%/*}"/*.h; do
    introduced=$(sed -n '1s/.*Introduced by chapter \([0-9]*\).*/\1/p' "$file")
    if [[ $introduced > $from && ! $introduced > $to ]]; then show --color=$color /dev/null "$file"; fi
done
