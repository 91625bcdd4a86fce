#!/bin/bash
# Runs the test programs, prints a line a test as it goes, and at the end what failed and why, and the counts.
# Usage: tests/run.sh UNIT-TESTS SERVER-TESTS CLAIMS NN=SERVER...   (programs; the chapters with their servers' paths)
# CLAIMS may be empty: the statements of the article are then not measured.
# MORE, in the environment: further checks, one a line, `name command`.
set -u
unit_tests=$1
server_tests=$2
claims=$3
shift 3
logs=$(dirname "$unit_tests")/logs
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

start unit "$unit_tests"
wait
[ -z "$claims" ] || start claims "$claims" --compare README.md
more=()
while read -r name command; do
    [ -n "$name" ] || continue
    more+=("$name")
    # shellcheck disable=SC2086 # the command is words
    start "$name" $command
done <<<"${MORE:-}"
for pair in "$@"; do
    CHAPTER=${pair%%=*} SERVER=${pair#*=} start "chapter-${pair%%=*}" "$server_tests"
done
wait

passed=0 failed=0 skipped=0

# A failure that no tally counts: why, and the end of the log.
one_more() { # name, why
    failed=$((failed + 1))
    echo; echo "--- $1 $2"; tail -n 40 "$logs/$1.log"
}

for name in unit ${claims:+claims} "${@/#/chapter-}" ${more[@]+"${more[@]}"}; do
    name=${name%%=*}
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
