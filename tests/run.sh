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

# A test program in the background: its lines as they come, all that it says into a log.
start() { # name, command...
    local name=$1
    shift
    TALLY=$logs/$name.tally "$@" 2>&1 | tee "$logs/$name.log" | grep --line-buffered -E '^(ok|FAILED|skipped) ' &
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
    # Four side by side: most of the time they wait.
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
done
wait

passed=0 failed=0 skipped=0
for name in unit ${claims:+claims} "${@/#/chapter-}" ${more[@]+"${more[@]}"}; do
    name=${name%%=*}
    if read -r p f s 2>/dev/null <"$logs/$name.tally"; then
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        [ "$f" -eq 0 ] || { echo; echo "--- $name"; grep -vE '^(ok|skipped) ' "$logs/$name.log"; }
    else
        failed=$((failed + 1))
        echo; echo "--- $name ended before its time"; tail -n 40 "$logs/$name.log"
    fi
done
echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
