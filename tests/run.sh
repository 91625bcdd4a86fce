#!/bin/bash
# Runs the test programs, prints a line a test as it goes, and at the end what failed and why, and the counts.
# Usage: tests/run.sh LOGS SERVER-TESTS SERVER...   (a folder; the program that plays the cases; the chapters' servers)
# CHECKS, in the environment: what runs beside the cases, one a line, `name command`. The first is done before the others
# begin.
set -u
logs=$1
server_tests=$2
shift 2
unset CHAPTER # make's, which is not for all of them
mkdir -p "$logs"
rm -f "$logs"/*

# shellcheck source=tests/own_jobs.sh
. "$(dirname "$0")/own_jobs.sh"

# A test program in the background: its lines as they come, all that it says into a log, and how it ends.
start() { # name, command...
    local name=$1
    shift
    # Four side by side: most of the time they wait.
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
    { TALLY=$logs/$name.tally "$@"; echo $? >"$logs/$name.status"; } 2>&1 | tee "$logs/$name.log" |
        grep --line-buffered -E '^(ok|FAILED|skipped) ' &
}

names=()
while read -r name command; do
    [ -n "$name" ] || continue
    # shellcheck disable=SC2086 # the command is words
    start "$name" $command
    names+=("$name")
    [ ${#names[@]} -gt 1 ] || wait
done <<<"$CHECKS"
for server in "$@"; do
    chapter=$(basename "${server%/server}")
    chapter=${chapter%%-*}
    CHAPTER=$chapter SERVER=$server start "chapter-$chapter" "$server_tests"
    names+=("chapter-$chapter")
done
wait

passed=0 failed=0 skipped=0

# A failure that no tally counts: why, and the end of the log.
one_more() { # name, why
    failed=$((failed + 1))
    echo; echo "--- $1 $2"; tail -n 40 "$logs/$1.log"
}

for name in "${names[@]}"; do
    status=none
    [ ! -s "$logs/$name.status" ] || read -r status <"$logs/$name.status"
    if ! read -r p f s 2>/dev/null <"$logs/$name.tally"; then
        one_more "$name" "ended before its time, exit status $status"
        continue
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    if [ "$f" -gt 0 ]; then
        echo; echo "--- $name"; grep -vE '^(ok|skipped) ' "$logs/$name.log"
    elif [ "$status" != 0 ]; then
        # A sanitizer speaks up when the tally is already written.
        one_more "$name" "counts no failure, but its exit status is $status"
    elif [ $((p + s)) -eq 0 ]; then
        one_more "$name" 'has not tested anything'
    fi
done
echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
