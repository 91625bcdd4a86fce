#!/bin/bash
# Breaks the servers on purpose. Each patch in tests/breakages/ is a mistake that a learner would make, of a line or two.
# It is applied to a copy of the code, the chapter's server is built there, and the case that the patch names must fail,
# and for the reason that it names. On the unbroken server the same case must pass.
# Usage: tests/breakages.sh [NAME...]   (the beginnings of patches' names, as 04 or 04-client; without any: all)
# `make breakages` builds what this needs and calls it.
#
# What a patch says of itself, before the diff, is in tests/play.sh.
set -u
cd "$(dirname "$0")/.." || exit 1
folder=tests/breakages
logs=build/tests/breakages
mkdir -p "$logs"
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
scratch=$TMPDIR
# shellcheck source=tests/play.sh
. tests/play.sh # field, play, report

# The unbroken server passes the case. Asked once for each chapter and case: the first who has the lock plays it, and if
# that one is killed, the next.
passes_unbroken() { # suite, chapter, server, case
    local known="$scratch/$1 ${3//\//-} $4"
    (
        flock 9
        [ -s "$known.result" ] && exit
        play "$@" >"$known.log"
        echo $? >"$known.result"
    ) 9>"$known.lock" || return # the folder is gone
    [ "$(<"$known.result")" -eq 0 ] || { cat "$known.log"; return 1; }
}

# Where the chapter's README has the breakage as an exercise, it shows the same lines.
shown_as_it_is() { # patch, name, README
    grep -qF "(\`$2\`)" "$3" || return 0
    sed -n '/^--- /,$ { /^--- /d; /^+++ /d; s/^[-+] *//p }' "$1" | while read -r line; do
        [ -z "$line" ] || grep -qF -- "$line" "$3" || { echo "$3 does not show: $line"; return 1; }
    done
}

# One breakage from beginning to end. Its verdict is one line; why it failed stands in its log.
break_it() { # patch
    local name chapter suite sanitize case expect passes what chapter_folder server tree log start why='' said
    name=$(basename "$1" .patch)
    chapter=$(field Chapter "$1") suite=$(field Suite "$1") sanitize=$(field Sanitize "$1")
    case=$(field Case "$1") expect=$(field Expect "$1") passes=$(field Passes "$1") what=$(field What "$1")
    chapter_folder=$(echo "$chapter"-*)
    server=${sanitize:+build/$sanitize/}$chapter_folder/server
    tree=$scratch/$name log=$logs/$name.log start=$EPOCHREALTIME
    mkdir "$tree"
    : >"$log"

    if [ -z "$chapter" ] || [ -z "$case" ] || [ -z "$expect" ] || [ -z "$what" ] || [ -z "$(field Why "$1")" ]; then
        why='a line is missing before the diff'
    elif ! shown_as_it_is "$1" "$name" "$chapter_folder/README.md" >>"$log"; then
        why='its exercise in the README shows other lines'
    elif ! git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree" >>"$log" 2>&1; then
        why='the code could not be copied'
    elif ! (cd "$tree" && GIT_CEILING_DIRECTORIES=$scratch git apply -C1 "$OLDPWD/$1") >>"$log" 2>&1; then
        why='the patch does not apply any more'
    elif ! env -u MAKEFLAGS -u MAKELEVEL -u WERROR -u SANITIZE make -s -C "$tree" "$chapter" \
        ${sanitize:+SANITIZE=$sanitize} >>"$log" 2>&1; then
        why='it cannot be built'
    elif [ "${passes:=one line}" != none ] && ! play grader "$chapter" "$tree/$server" "$passes" >>"$log"; then
        why="not even '$passes' passes"
    else
        said=$(play "${suite:-grader}" "$chapter" "$tree/$server" "$case")
        case $? in
            0) why="'$case' does not notice it" ;;
            1) report <<<"$said" | tr -s '[:space:]' ' ' | grep -qaE -- "$expect" || why="'$case' fails, but not with '$expect'" ;;
            *) why="'$case' could not be played" ;;
        esac
        echo "$said" >>"$log"
        if [ -z "$why" ] && ! passes_unbroken "${suite:-grader}" "$chapter" "$server" "$case" >>"$log"; then
            why="'$case' does not pass on the unbroken server either"
        fi
    fi
    rm -rf "$tree"

    local verdict='ok     ' text="$case catches: $what"
    if [ -n "$why" ]; then
        verdict='FAILED ' text="$name: $why"
    else
        touch "$scratch/$name.passed"
    fi
    LC_ALL=C printf '%s %4.1f s  %s  %s\n' "$verdict" \
        "$(awk "BEGIN { print $EPOCHREALTIME - $start }")" "${chapter:-??}" "$text"
}

# In each chapter the exercises are numbered from 1 on: none is missing, and none is there twice.
for chapter in 01 02 03 04 05 06; do
    numbers=$(sed -n 's/^Exercise: //p' "$folder/$chapter"-*.patch | sort -V)
    patches=("$folder/$chapter"-*.patch)
    wanted=$(seq -f "$chapter-%g" ${#patches[@]})
    [ "$numbers" = "$wanted" ] && continue
    echo "the Exercise: lines of $folder/$chapter-*.patch do not number them from 1 on, each once:" >&2
    diff <(echo "$wanted") <(echo "$numbers") | sed -n 's/^</missing:/p; s/^>/too many:/p' >&2
    exit 1
done

patches=()
for name in "${@:-}"; do
    for patch in "$folder/$name"*.patch; do
        [ -f "$patch" ] || { echo "there is no $folder/$name*.patch" >&2; exit 2; }
        patches+=("$patch")
    done
done

for patch in "${patches[@]}"; do
    break_it "$patch" &
    # Two side by side: they build by turns, and most of the time they wait.
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
done
wait

failed=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    [ ! -e "$scratch/$name.passed" ] || continue # who was killed has left nothing
    failed=$((failed + 1))
    echo; echo "--- $name"; tail -n 40 "$logs/$name.log"
done
echo
echo "$((${#patches[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
