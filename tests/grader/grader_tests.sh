#!/bin/bash
# Tests the grader: it must pass right servers, our own and those of others, and find the fault of each wrong one.
# Usage: tests/grader/grader_tests.sh BUILD-FOLDER
set -u
build=$1
others=tests/grader/others
wrong="$(python3 -c 'import sys; print(sys.executable)') $others/wrong.py"
passed=0 failed=0

# What the grader prints for a server, in $out, and its exit status, in $status.
grade() { # command, level, case or nothing for all
    out=$(ONLY=${3:-} "$build/tests/check" "$1" "$2" 2>&1)
    status=$?
}

verdict() { # whether it is as it should be, what
    if [ "$1" = yes ]; then
        passed=$((passed + 1))
        echo "ok      grader  $2"
    else
        failed=$((failed + 1))
        echo "FAILED  grader  $2"
        tail -n 25 <<<"$out"
    fi
}

right() { # command, level
    grade "$1" "$2"
    local good=no
    [ $status -eq 0 ] && good=yes
    verdict $good "passes $1 at level $2"
}

finds() { # command, level, case, a phrase of what it says
    grade "$1" "$2" "$3"
    local good=no
    [ $status -eq 1 ] && grep -q "^FAIL    $3" <<<"$out" && grep -qE "$4" <<<"$out" && good=yes
    verdict $good "finds the fault of $1 in '$3'"
}

says() { # exit status, a phrase of what it says, command, level, case
    grade "$3" "${4-01}" "${5-one line}"
    local good=no
    [ $status -eq "$1" ] && grep -qE "$2" <<<"$out" && good=yes
    verdict $good "says '$2' of '$3'"
}

# Right ones.
right 'socat TCP-LISTEN:{port},fork,reuseaddr,backlog=2000 EXEC:cat' 02
right "$wrong none {port}" 02
for name in libevent_echo asio_echo; do
    right "$build/bench/peers/$name --port {port}" 05
done
# Out of descriptors, libuv accepts the waiting clients with one that it has in reserve, and closes them at once:
# a reset where a client's line was there already, else an end without an answer.
finds "$build/bench/peers/libuv_echo --port {port}" 05 'out of descriptors' "got +(Connection reset by peer|'')"

# Wrong ones, each with the case that must find it and a phrase that says what is wrong.
finds "$wrong hard_coded {port}" 02 'one line' 'got +6 bytes'
finds "$wrong hard_coded {port}" 02 'every byte value' 'got +from byte'
finds "$wrong drops_a_byte {port}" 02 'every byte value' 'got +from byte'
finds "$wrong text_only {port}" 02 'every byte value' 'got +(from byte|nothing)'
finds "$wrong whole_lines {port}" 02 'two halves' 'got +0 bytes'
finds "$wrong short_write {port}" 02 'nothing lost after a stall' 'got +(nothing|from byte|it took them all)'
finds "$wrong ignores_the_end {port}" 02 'nothing at all' 'got +nothing in'
finds "$wrong closes_at_half_close {port}" 02 'half-close' 'got +only the first'
finds "$wrong unbounded {port}" 02 'memory is bounded' 'got +(it took them all|it grew)'
finds "$wrong mixes_clients_up {port}" 02 'fifty clients' 'got +from byte'
finds "$wrong one_at_a_time {port}" 02 'silent client' 'got +0 bytes, then nothing'
finds "$wrong endless {port}" 02 'half-close' 'and more are coming'
finds "$wrong ends_in_the_line {port}" 02 'five at once' "got +'cli'"
finds "$wrong spins {port}" 02 'idle costs no CPU' 'got +it spins: [0-9]+ ms of CPU'
finds "$wrong leaks {port}" 02 'all is given back' 'descriptors'
finds "$wrong crashes {port}" 02 'one line' 'gone: ended by signal Aborted'

# Bad input.
says 2 'SERVER is missing' ''
says 2 'no such program' './no-such-server {port}'
says 2 'cannot be executed' './README.md {port}'
says 2 'ended at once: exit status 0' 'true'
says 2 'does not listen on port' 'sleep 100'
says 2 'listens on port [0-9]+ .does it use' "$wrong other_port {port}"
says 2 'after 8 seconds it does not listen' "$wrong slow_start {port}"
says 2 'not a plain command' 'cat | cat'
says 2 'none of 01 to 06' "$wrong none {port}" 07
says 1 'prints megabytes' "$wrong floods {port}" 02 'silent client'
says 0 'did not end at SIGTERM' "$wrong ignores_sigterm {port}"
says 0 'left processes behind' "$wrong leaves_a_child {port}"

echo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
