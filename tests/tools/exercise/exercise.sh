#!/bin/bash
# Plays an exercise: breaks a copy of a server on purpose, asks what you expect, shows what its clients see, and explains.
# The exercises are the patches in tests/breakages/, by the number in their headers. In those that have a folder here you
# build something, and this grades it.
# Usage: tests/tools/exercise/exercise.sh [04-2]   (without a number it lists them; `make exercise` calls it)
set -u
cd "$(dirname "$0")/../../.." || exit 1
number=${1:-}
done_list=build/exercises-done
tasks=tests/tools/exercise
mkdir -p build
# shellcheck source=tests/play.sh
. tests/play.sh # field, play

bold='' red='' green='' plain=''
if [ -t 1 ]; then bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'; fi

is_done() { grep -qxsF -- "$1" "$done_list"; }
mark_done() { is_done "$number" || echo "$number" >>"$done_list"; }
title() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
wrap() { fmt -w "$1" | sed 's/  */ /g'; } # fmt puts two spaces behind some sentences
give_up() { printf '%s\n' "$@" >&2; exit 1; }

mark() { if is_done "$1"; then echo 'done'; else echo '    '; fi; }

list() {
    local file each
    echo 'Each of these breaks a server on purpose. Play one with, for example, make exercise N=04-2'
    for file in tests/breakages/*.patch; do
        each=$(field Exercise "$file")
        printf '%s  %-6s %s\n' "$(mark "$each")" "$each" "$(field What "$file")"
    done | sort -b -k1.6V
    echo
    echo 'In these you build something. The first time, your starting point is laid out in mine/; then you are graded.'
    for file in "$tasks"/*/task.txt; do
        each=$(basename "$(dirname "$file")")
        printf '%s  %-14s  %s\n' "$(mark "$each")" "$each" "$(field What "$file")"
    done
    echo
    echo "$(sort -u "$done_list" 2>/dev/null | wc -l) done."
}

# Runs a command that may take long, in the background: so Ctrl-C ends this script immediately, and with it the command.
wait_for() {
    "$@" &
    wait $!
}

# Builds one of the programs that play the cases. The first time it takes a minute.
build_player() { # program, what it is called
    [ -x "$1" ] || echo "($2 is compiled first. The first time this takes about a minute.)"
    wait_for env -u MAKEFLAGS -u MAKELEVEL -u SANITIZE "${MAKE:-make}" -s "$1" >"$TMPDIR/player.log" 2>&1 ||
        give_up "$(tail -n 20 "$TMPDIR/player.log")" "$2 cannot be built, so the exercise cannot be played."
}

# Copies what a server is made of, and applies the patch there. What you have changed in your own files is in the copy.
copy_and_break() {
    rm -rf "$copy"
    mkdir -p "$copy"
    tar -c --exclude=server common "$folder" | tar -x -C "$copy" || exit 1
    patch -s -f -p1 --fuzz=2 --no-backup-if-mismatch -r - -d "$copy" <"$patch" >"$TMPDIR/patch.log" 2>&1 && return
    give_up "The change of exercise $number cannot be made in your files, because the same lines have been edited in" \
        "$(sed -n 's/^--- a/  ./p' "$patch")" \
        "If you use git, 'git stash' puts your edits aside, and 'git stash pop' brings them back."
}

build_broken() {
    local more=()
    if [ -n "$sanitize" ]; then
        more=("-fsanitize=$sanitize" -fno-sanitize-recover=all -U_FORTIFY_SOURCE)
    fi
    # shellcheck disable=SC2086 # COMPILE is the Makefile's: a command with its arguments
    (cd "$copy" && $COMPILE -Wno-error "${more[@]}" -o "$folder/server" "$folder/server.cpp") >"$TMPDIR/build.log" 2>&1 &
    wait $! || give_up "$(head -n 20 "$TMPDIR/build.log")" \
        "The changed server cannot be compiled. If the message is about an edit of yours, repair that first."
}

# The lines that change, with the lines around them.
show_change() {
    sed -n '/^--- /,$p' "$patch" | sed -e '/^+++ /d' -e 's/^--- a\/\(.*\)/in \1/' -e 's/^@@ .*/.../' \
        -e "s/^-.*/$red&$plain/" -e "s/^+.*/$green&$plain/"
}

# Of what a player says: the story of the failure.
story() {
    sed -n -e '/: expected .*, got /p' -e '/^ *the client /,/^$\|^ *(HINTS\|^====/{ /^$\|^ *(HINTS\|^====/d; p }'
}

# The other cases of the same player that fail, by name, as they are played. A minute has to do (SEARCH=5: five seconds).
# Then the player is killed: if it were asked to end, it would tell of a failure that is none.
fail_as_well() {
    local seconds=${SEARCH:-60} player=(build/tests/check "$server --port {port}" "$chapter")
    [ "$suite" != servers ] || player=(env "CHAPTER=$chapter" "SERVER=$server" build/tests/server-tests)
    { timeout -s KILL "$seconds" "${player[@]}" 2>&1; } 2>/dev/null | tr -d '\0' |
        sed -nu 's/^FAILED .* s  [0-9]*  \(.*\)/\1/p; s/^FAIL    //p; /not tried\. LEVEL=00/s/.*/(not tried)/p' |
        while IFS= read -r line; do
            [ "${line%%: *}" = "$case" ] || echo "  ${line/#(not tried)/All others begin like this one, so they were not tried.}"
        done | tee "$TMPDIR/as_well"
    if [ "${PIPESTATUS[0]}" -eq 137 ]; then
        echo "After $seconds s the search was ended, so there may be more."
    elif [ ! -s "$TMPDIR/as_well" ]; then
        echo 'Nothing else. Without this one case nobody would notice the mistake.'
    fi
}

play_exercise() {
    local answer='' wild
    # shellcheck disable=SC2046 # strace or nothing
    tests/need.sh patch $([ "$suite" != faults ] || echo strace) || exit 1
    copy_and_break
    title "Exercise $number: $what"
    show_change
    case $suite in
        servers) build_player build/tests/server-tests 'The program with the tests of the servers' ;;
        faults) build_player build/tests/faults/faults 'The program that makes calls fail' ;;
        *) build_player build/tests/check 'The grader' ;;
    esac
    title 'What do you expect? Which client notices it, and what does it see?'
    if [ -t 0 ]; then read -r -p '> ' answer; fi

    build_broken
    if [ "$suite" = faults ]; then
        title "The lesson: strace makes a call fail ($case), and no client may suffer from that"
    else
        title "The lesson is the case '$case'"
    fi
    wait_for play "$suite" "$chapter" "$server" "$case" >"$copy/lesson.log" 2>&1
    case $? in
        0) give_up "The case passes in spite of the change. Does an edit in your files make up for it?" \
            "If not, the machine may be too busy for this case, and a second try is worth it." ;;
        1) story <"$copy/lesson.log" | head -n 24 ;;
        *) give_up "$(tail -n 20 "$copy/lesson.log")" "The case could not be played." ;;
    esac
    [ "$(story <"$copy/lesson.log" | wc -l)" -le 24 ] || echo "        ... and so on, in $copy/lesson.log"
    [ -z "$answer" ] || printf '\nYou expected: %s\n' "$answer"

    title 'Why'
    field Why "$patch" | wrap 80
    wild=$(field Wild "$patch" | wrap 80)
    [ -z "$wild" ] || printf '\nSoftware that had this bug:\n%s\n' "$wild"
    [ -z "$(field Player "$patch")" ] || printf '\nTo see it call by call, beside the right server: %s\n' \
        "make player CHAPTER=$chapter BREAKAGE=$(basename "$patch" .patch)"
    printf '\nYour own files are as they were. The broken server is %s, if you want to try it.\n' "$server"
    mark_done
    finished=yes
    if [ "$suite" != faults ]; then
        title "What else fails because of it (the search takes ${SEARCH:-60} s at most)"
        wait_for fail_as_well
    fi
}

# Lays out mine/NAME: the chapter's server, changed where the exercise begins elsewhere, and the task as a comment.
lay_out() {
    local folder
    folder=$(echo "$(field Chapter "$task")"-*)
    mkdir -p "$mine"
    {
        sed '/^namespace {/,$d' "$folder/server.cpp"
        { echo "Your task (make exercise N=$number grades it)."; field Task "$task"; } | wrap 116 | sed 's|^|// |'
        echo
        sed -n '/^namespace {/,$p' "$folder/server.cpp"
    } >"$mine/server.cpp"
    if [ -e "$tasks/$number/start.patch" ]; then
        patch -s -f --fuzz=2 --no-backup-if-mismatch -r - "$mine/server.cpp" "$tasks/$number/start.patch" ||
            { rm -rf "$mine"; give_up "$folder/server.cpp has been edited where exercise $number begins. Put it back first."; }
    fi
    title "Exercise $number: $(field What "$task")"
    field Task "$task" | wrap 80
    printf '\nYours to change: %s. Then type make exercise N=%s again.\n' "$mine/server.cpp" "$number"
}

# The exercise's own cases, up to the first that fails, and then those of the chapter.
judge() {
    local chapter
    chapter=$(field Chapter "$task")
    build_player build/tests/exercise-cases 'The program with the cases of the exercises'
    build_player build/tests/check 'The grader'
    # shellcheck disable=SC2086 # a command with its arguments
    wait_for $COMPILE -o "$mine/server" "$mine/server.cpp" || give_up "$mine/server.cpp cannot be compiled yet."
    title "Exercise $number: $(field What "$task")"
    wait_for build/tests/exercise-cases "$number" "$mine/server" ||
        give_up '' "Not yet. When you have changed $mine/server.cpp, type make exercise N=$number again."
    title "Now everything else that chapter $chapter's server can do (a minute or two)"
    wait_for build/tests/check "$mine/server --port {port}" "$chapter" >"$TMPDIR/check.log" 2>&1 || give_up \
        "$(sed -n '/^FAIL/,$p' "$TMPDIR/check.log")" "Your server can do something new, but no longer all that it could."
    tail -n 1 "$TMPDIR/check.log"
    printf '\nIt works. Compare it with this solution: %s\n' "$(field Solution "$task")"
    mark_done
}

task=$tasks/$number/task.txt
no_such() { echo "There is no exercise '$number'. make exercise, without a number, lists them." >&2; exit 2; }
case $number in
    '') list; exit ;;
    0[1-6]-[1-9] | 0[1-6]-[1-9][0-9]) patch=$(grep -lx -- "Exercise: $number" tests/breakages/*.patch) || no_such ;;
    0[1-6]-[a-z]*) [[ $number != */* && -e $task ]] || no_such ;;
    *) no_such ;;
esac

# From here on processes are started. However this script ends, they end with it, and an unfinished copy goes.
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
if [ -e "$task" ]; then
    mine=mine/$number
    if [ -e "$mine" ]; then judge; else lay_out; fi
    exit
fi
copy=build/exercise/$number finished=
trap 'end_all; [ -n "$finished" ] || rm -rf "$copy"' EXIT
chapter=$(field Chapter "$patch") suite=$(field Suite "$patch") sanitize=$(field Sanitize "$patch")
case=$(field Case "$patch") what=$(field What "$patch")
folder=$(echo "$chapter"-*)
server=$copy/$folder/server
play_exercise
