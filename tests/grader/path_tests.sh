#!/bin/bash
# A learner's path, from the empty starter to LEVEL=06: after each step, the first failure that the grader names must be
# the one that leads to the next step. Usage: tests/grader/path_tests.sh BUILD-FOLDER   (FULL=1: the levels that a step
# passes are played to their end as well)
#
# Each patch in tests/grader/path/ is one step. What it says of itself, before the diff:
#     Step: what the learner has just done
#     Passes: 01      the level that the server passes now
#     Level: 02       the level at which it is graded then
#     Fails: half-close, and Says: a phrase of the story, an extended regular expression, see grep(1)
set -u
cd "$(dirname "$0")/../.." || exit 1
check=$PWD/$1/tests/check
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
passed=0 failed=0

field() { sed -n "/^--- /q; s/^$1: //p" "$2"; }

# The story of the first failure: the grader is stopped when it has told it.
first_failure() { # server, level
    "$check" "$1 {port}" "$2" >"$1.$2" 2>&1 &
    local grader=$!
    until grep -qs 'HINTS=1 gives' "$1.$2" || ! kill -0 $grader 2>/dev/null; do sleep 0.1; done
    kill $grader 2>/dev/null
    wait $grader 2>/dev/null
    sed -n '/^FAIL  /,/HINTS=1 gives/p' "$1.$2"
}

# One step, when its server has been built.
try_step() { # patch, server
    local level fails says passes out
    level=$(field Level "$1") fails=$(field Fails "$1") says=$(field Says "$1") passes=$(field Passes "$1")
    if [ -n "$passes" ] && { [ -n "${FULL:-}" ] || [ "$passes" = 00 ] || [ -z "$level" ]; }; then
        "$check" "$2 {port}" "$passes" >"$2.$passes" 2>&1 || { echo "FAILED  level $passes"; tail -n 20 "$2.$passes"; return 1; }
        echo "        all of level $passes passes"
    fi
    [ -n "$level" ] || return 0
    out=$(first_failure "$2" "$level")
    head -n 1 <<<"$out" | sed "s/^/        LEVEL=$level: /"
    [[ $out == "FAIL    $fails:"* ]] && grep -qE -- "$says" <<<"$out" && return 0
    echo "expected '$fails', and '$says' in it:"
    tail -n 20 "$2.$level"
    return 1
}

cp tests/starter/server.cpp "$TMPDIR/server.cpp"
steps=()
for patch in tests/grader/path/*.patch; do
    name=$(basename "$patch" .patch)
    steps+=("$name")
    grep -q '^--- ' "$patch" && { patch -s -d "$TMPDIR" -p1 <"$patch" || exit 1; }
    # Learners' code has warnings, for what it ignores.
    ${CXX:-g++} -std=c++20 -w -o "$TMPDIR/$name" "$TMPDIR/server.cpp" || exit 1
done

# The last ones first, because they take longest. Four side by side: most of the time they wait.
for ((i = ${#steps[@]} - 1; i >= 0; --i)); do
    name=${steps[i]}
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
    { try_step "tests/grader/path/$name.patch" "$TMPDIR/$name" >"$TMPDIR/$name.log" 2>&1; echo $? >"$TMPDIR/$name.status"; } &
done
wait

for name in "${steps[@]}"; do
    if [ "$(<"$TMPDIR/$name.status")" = 0 ]; then
        passed=$((passed + 1)); echo "ok      path  $name: $(field Step "tests/grader/path/$name.patch")"
    else
        failed=$((failed + 1)); echo "FAILED  path  $name: $(field Step "tests/grader/path/$name.patch")"
    fi
    cat "$TMPDIR/$name.log"
done
echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
