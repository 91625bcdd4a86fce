#!/bin/bash
# Runs the test programs, prints a line a test as it goes, and at the end what failed and why, and the counts.
# Usage: tests/run.sh LOGS SERVER-TESTS SERVER...   (a folder; the program that plays the cases; the chapters' servers)
# In the environment: CHECKS, what runs beside the cases, one a line, `name command`; the first is done before the others
# begin. ONLY, the one test that is wanted, by its name or by what is before its colon.
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
        grep --line-buffered -E '^(ok|FAILED|skipped) ' | sed -u '/^skipped/s/ (skipped: .*//' &
}

names=()
while read -r name command; do
    [ -n "$name" ] || continue
    case $name in # these two are played whole or not at all
        faults | soak) [ "${ONLY:-$name}" = "$name" ] || continue ;;
    esac
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

passed=0 failed=0 skipped=0 again=()

# A failure that no tally counts: why, and the end of the log.
one_more() { # name, why
    failed=$((failed + 1))
    again+=("FAILED  $1: $2")
    echo; echo "--- $1 $2"; tail -n 40 "$logs/$1.log"
}

# Each test that failed, with the command that runs it again and no other. The name of a case is before its colon.
repeat_failures() { # name
    local line test chapter=
    [[ $1 != chapter-* ]] || chapter=${1#chapter-}
    while read -r line; do
        test=${line#FAILED * s  }
        test=${test#"$chapter  "}
        [ "$1" = unit ] || test=${test%%: *}
        again+=("$line" "        again: make test${chapter:+ CHAPTER=${chapter/first/01}} ONLY=${test@Q}${SANITIZE:+ SANITIZE=$SANITIZE}")
    done < <(grep '^FAILED ' "$logs/$1.log")
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
        repeat_failures "$name"
    elif [ "$status" != 0 ]; then
        # A sanitizer speaks up when the tally is already written.
        one_more "$name" "counts no failure, but its exit status is $status"
    elif [ $((p + s)) -eq 0 ] && [ -z "${ONLY:-}" ]; then
        one_more "$name" 'has not tested anything'
    fi
done
if [ $((passed + failed + skipped)) -eq 0 ]; then
    echo "no test is called '$ONLY'" >&2
    failed=1
fi
echo
sed -n 's/^skipped .* (skipped: \(.*\))$/\1/p' "$logs"/*.log | sort | uniq -c | while read -r count why; do
    echo "skipped $count: $why"
done
if [ ${#again[@]} -gt 0 ]; then
    printf '%s\n' "${again[@]}"
    read -r load _ </proc/loadavg
    if [ "${load%.*}" -ge "$(nproc)" ]; then
        echo "The machine is busy (load $load): time may have been the cause, so try these again when it is quiet."
    fi
fi
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
