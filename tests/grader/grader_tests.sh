#!/bin/bash
# Tests the grader: it must pass right servers, our own and those of others, and find the fault of each wrong one.
# Usage: tests/grader/grader_tests.sh BUILD-FOLDER
# Of each server, the case is played that decides. With FULL=1 in the environment every server is graded whole, which
# takes 20 minutes, and the table in README.md is written anew. WRITE=1 writes it as well, from the cases that decide. Without
# either the table must be what has been found.
# ONLY=WORD plays the lines that contain the word.
set -u
build=$1
here=tests/grader
page=$here/README.md
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
work=$TMPDIR

python=$(python3 -c 'import sys; print(sys.executable)')
wrong="$python $here/others/wrong.py"
python_right="$python $here/others/right.py"
servers="$build/grader/servers"
peers="$build/bench/peers"
node="node $here/others/pipe.js"
java="java -cp $build/grader Cached"
rust="$build/grader/threads"

count=0

# One thing to test, in the background, four at a time. Its lines go to files: what is printed, and a row of the table.
try() { # words that name it, command...
    local name=$1 number
    shift
    [[ $name == *"${ONLY:-}"* ]] || return 0
    count=$((count + 1))
    number=$(printf '%03d' $count)
    while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
    (ONLY='' "$@" >"$work/$number.out" 3>"$work/$number.row"; cat "$work/$number.out") &
}

# What the grader prints for a server, in $out, and its exit status, in $status.
grade() { # command, level, case or nothing for all
    out=$(ONLY=$3 "$build/tests/check" "$1" "$2" 2>&1)
    status=$?
}

verdict() { # whether it is as it should be, what
    if [ "$1" = yes ]; then
        echo "ok      grader  $2"
    else
        echo "FAILED  grader  $2"
        tail -n 25 <<<"$out"
    fi
}

# A server, in words, and the program that it is.
shown() { # command
    local program=${1% \{port\}*}
    program=${program#"$python "}
    program=${program#"$here/others/"}
    program=${program#"$build/grader/"}
    program=${program#"$peers/"}
    echo "${program/-cp $build\/grader /}"
}

graded() { # what is expected (passes or fails), what it is, command, level, the case that decides, a phrase
    local expected=$1 what=$2 command=$3 level=$4 case=$5 phrase=$6 good=no
    grade "$command" "$level" "$([ -n "${FULL:-}" ] || echo "$case")"
    if [ "$expected" = passes ]; then
        [ $status -eq 0 ] && grep -qF "pass    $case: " <<<"$out" && good=yes
    else
        [ $status -eq 1 ] && grep -qF "FAIL    $case: " <<<"$out" && good=yes
    fi
    # In a whole grading only the first failure is told in full.
    [ -n "${FULL:-}" ] || grep -qE -- "$phrase" <<<"$out" || good=no
    [ $good = no ] || echo "| \`$(shown "$command" | sed 's/|/\\|/g')\`: $what | $level | $expected | *$case* |" >&3
    verdict $good "$(shown "$command") $expected LEVEL=$level, '$case'"
}

passes() { # what it is, command, level, the case that once failed or might, a phrase such as a remark
    try "passes $*" graded passes "$1" "$2" "$3" "$4" "${5:-}"
}

fails() { # what is wrong, command, level, the case that decides, a phrase of what the grader says
    try "fails $*" graded fails "$@"
}

# The same, but not in a whole grading, which ends before that case, because 'one line' fails.
fails_alone() {
    [ -n "${FULL:-}" ] || try "fails $*" without_a_row fails "$@"
}

without_a_row() { graded "$@" 3>/dev/null; }

says() { # exit status, a phrase of what it says, command, level, case
    try "says $*" said "$1" "$2" "$3" "${4-01}" "${5-one line}"
}

said() {
    grade "$3" "$4" "$5"
    local good=no
    [ $status -eq "$1" ] && grep -qE "$2" <<<"$out" && good=yes
    verdict $good "says '$2' of '$3'"
}

# Whether there is what a language needs; else its servers are skipped, by name.
have() { # program, what it is for
    command -v "$1" >/dev/null && return
    echo "skipped grader  $2: $1 is not installed"
    false
}

# --- right servers ---------------------------------------------------------------------------------------------------

new_idea='no process or thread per client'
passes 'socat, a process for each client' 'socat TCP-LISTEN:{port},fork,reuseaddr,backlog=2000 EXEC:cat' 02 'silent client'
passes 'Python, one client at a time, a backlog of 128' "$python_right one_at_a_time {port}" 01 'in order of arrival'
passes 'Python, a pool of 64 threads' "$python_right pool_of_64 {port}" 01 'all is given back'
fails 'the 65th client that says nothing keeps everyone waiting' "$python_right pool_of_64 {port}" 02 '300 silent clients' '64 clients have been served'
passes 'Python, a thread for each client' "$wrong none {port}" 02 'thousands of clients'
fails 'a thread for each client' "$wrong none {port}" 03 "$new_idea" 'processes and threads with 10 clients, [0-9]+ with 300'
passes 'Python, os.fork' "$python_right os_fork {port}" 02 'memory is bounded'
passes 'Python, ForkingTCPServer; the children keep the listener' "$python_right Forking {port}" 02 'children let go of the listener' 'keeps the listener open'
fails 'Python, ThreadingTCPServer with a longer backlog: out of descriptors it spins' "$python_right Threading {port}" 02 'out of descriptors' 'it spins'
fails 'Python, ThreadingTCPServer: its backlog is 5' "$python_right ThreadingAsItIs {port}" 02 '1,100 clients' 'backlog'
passes 'Python, asyncio streams' "$python_right asyncio_streams {port}" 05 'memory is bounded'
passes 'the same, out of descriptors: it pauses for a second' "$python_right asyncio_streams {port}" 05 'a newcomer when there is room'
passes 'C++, a process for each client' "$servers forks {port}" 02 'thousands of clients'
for level in 03 06; do
    fails 'a process for each client' "$python_right os_fork {port}" $level "$new_idea" 'processes and threads with 10 clients, [0-9]+ with 300'
done
passes 'C++, a thread for each client' "$servers threads {port}" 02 'thousands of clients'
passes 'Python, a grandchild for each client' "$python_right double_fork {port}" 02 'stopped and continued'
passes 'Python, eight processes that share the listener' "$python_right preforked {port}" 01 'all is given back'
passes 'Python, eight processes with a listener each (SO_REUSEPORT)' "$python_right reuse_port {port}" 01 'in order of arrival'
passes 'the same, started twice on the same port' "$python_right reuse_port {port}" 01 'address taken'
passes 'Python, an asyncio.Protocol that pauses reading' "$python_right Protocol {port}" 05 'memory is bounded'
passes 'Python, poll' "$python_right polls {port}" 04 'more slow clients than threads'
for name in libevent_echo asio_echo; do
    passes 'epoll, in a library' "$peers/$name --port {port}" 05 'idle clients cost nothing'
done
passes 'epoll, in a library; it closes those for whom there is no descriptor' "$peers/libuv_echo --port {port}" 05 'out of descriptors' 'closes the clients that wait'
if have node 'pipe.js'; then
    passes 'Node, a pipe from each client to itself' "$node {port}" 05 'memory is bounded'
    passes 'the same, for thousands of clients' "$node {port}" 05 'thousands of clients'
fi
if have javac 'Cached.java'; then
    mkdir -p "$build/grader"
    javac -d "$build/grader" $here/others/*.java
    passes 'Java, threads that are kept for a minute' "$java {port}" 02 'thirty leave at once'
    passes 'the same; it needs 350 ms to end' "$java {port}" 02 'ends at SIGTERM'
    fails 'the same, and it keeps 1,000 bytes of each client' "$java {port} leak" 02 'thousands of clients' 'it grows on and on'
    passes 'Java, a Selector' "java -cp $build/grader Selects {port}" 05 'thousands of messages'
fi
if have go 'copy.go'; then
    go build -o "$build/grader/copy" $here/others/copy.go
    passes 'Go, io.Copy, which is splice(2): it does not get past an urgent byte' "$build/grader/copy {port}" 05 'urgent' 'splice'
fi
if have rustc 'threads.rs'; then
    rustc -O -o "$rust" $here/others/threads.rs
    passes 'Rust, one client at a time, a backlog of 128' "$rust {port} one" 01 'in order of arrival'
    passes 'Rust, a thread for each client' "$rust {port}" 02 '1,100 clients'
fi

# --- wrong servers, each with the case that must find it and a phrase that says what is wrong -------------------------

fails 'it always answers the same' "$wrong hard_coded {port}" 02 'one line' 'got +6 bytes'
fails_alone 'it always answers the same' "$wrong hard_coded {port}" 02 'every byte value' 'got +from byte'
fails 'a byte is lost now and then' "$wrong drops_a_byte {port}" 02 'every byte value' 'got +from byte'
fails 'a 0 byte ends the data' "$wrong text_only {port}" 02 'every byte value' 'got +(from byte|nothing)'
fails 'it waits for whole lines' "$wrong whole_lines {port}" 02 'two halves' 'got +0 bytes'
fails 'what does not fit is lost' "$wrong short_write {port}" 02 'nothing lost after a stall' 'got +(nothing|byte|it took them all)'
for size in 512 1024 4096 65536; do
    fails "no loop around send, $size bytes" "$wrong no_loop {port} $size" 02 'stopped while it writes' 'got +byte [0-9]+ is'
done
fails 'the end is not noticed' "$wrong ignores_the_end {port}" 02 'nothing at all' 'got +nothing in'
fails 'it closes when the client half-closes' "$wrong closes_at_half_close {port}" 02 'half-close' 'got +only the first'
fails 'it keeps all that comes' "$wrong unbounded {port}" 02 'memory is bounded' 'got +(it took them all|it keeps [0-9]+ KiB)'
fails 'an asyncio.Protocol that reads on' "$python_right NoDrain {port}" 05 'memory is bounded' 'hint +The client takes nothing'
fails 'a reset instead of the end (SO_LINGER)' "$wrong linger_0 {port}" 02 'nothing at all' 'hint .*SO_LINGER'
fails 'the listener is closed with the client' "$wrong one_at_a_time_closes_listener {port}" 01 'one after the other' 'hint .*does not listen any more'
fails 'it does not see that bind fails' "$wrong bind_unchecked {port}" 02 'address taken' 'listens on port [0-9]+ instead'
passes 'the same, which is a remark at level 01' "$wrong one_at_a_time_bind_unchecked {port}" 01 'address taken' 'Look at what bind returns'
fails 'one client gets the bytes of another' "$wrong mixes_clients_up {port}" 02 'fifty clients' 'got +from byte'
fails 'one client at a time' "$wrong one_at_a_time {port}" 02 'silent client' 'got +0 bytes, then nothing'
fails 'it never stops answering' "$wrong endless {port}" 02 'one line' 'x00'
fails_alone 'it never stops answering' "$wrong endless {port}" 02 'half-close' 'and more are coming|time'
fails 'it closes in the middle of a line' "$wrong ends_in_the_line {port}" 02 'one line' 'end of file after 3'
fails_alone 'it closes in the middle of a line' "$wrong ends_in_the_line {port}" 02 'five at once' "got +'cli'"
fails 'it asks again and again instead of waiting' "$wrong spins {port}" 02 'idle costs no CPU' 'got +it spins: [0-9]+ ms of CPU'
fails 'it wakes up 1,000 times a second' "$wrong wakes_up {port}" 02 'idle costs no CPU' 'wakes up [0-9]+ times a second'
fails 'no client is ever closed' "$wrong leaks {port}" 02 'all is given back' 'descriptors'
fails 'every tenth client is not closed' "$wrong leaks_every_tenth {port}" 02 'all is given back' 'descriptors'
fails '1 KiB of each client is kept' "$wrong leak_client {port}" 02 'thousands of clients' 'it grows on and on'
fails '100 bytes of each message are kept' "$wrong leak_message {port}" 02 'thousands of messages' 'it grows on and on'
fails 'threads that nobody joins' "$servers threads_kept {port}" 02 'thousands of clients' 'it grows on and on|the server has gone'
fails 'it dies at its first client' "$wrong crashes {port}" 02 'one line' 'gone: .*Abort'
for number in 2000 5000; do
    fails 'it dies at that client' "$wrong dies_at_$number {port}" 02 'thousands of clients' 'gone: .*Abort'
done
fails 'a client that is silent for a second is closed' "$wrong idle_close {port}" 02 'two seconds of silence' 'the end of the connection'
fails 'the word ends the connection' "$wrong quit {port}" 02 'no magic words' "sent 'quit"
fails 'the word ends the server' "$wrong exit {port}" 02 'no magic words' 'the server has ended'
fails 'the byte 3 ends the connection' "$wrong ctrl_c {port}" 02 'no magic words' 'x03'
fails 'the byte 4 ends the connection' "$wrong ctrl_d {port}" 02 'no magic words' 'x04'
fails 'an empty line ends the connection' "$wrong empty_line {port}" 02 'no magic words' 'both back'
fails 'GET is answered as HTTP has it' "$wrong get {port}" 02 'no magic words' "sent 'GET"
fails 'two small writes per answer' "$wrong nagle {port}" 02 'answers promptly' '[4-9][0-9] ms or more'
fails '40 ms per message' "$wrong slow {port}" 02 'answers promptly' '[4-9][0-9] ms or more'
fails '40 ms per piece, which takes ever longer' "$python_right forty_ms_per_piece {port}" 03 'answers promptly' '[4-9][0-9] ms or more'
fails 'out of descriptors it sleeps for a second' "$wrong emfile_sleeps_a_second {port}" 02 'a newcomer when there is room' 'waited [0-9]+ ms'
fails 'out of descriptors it sleeps for half a second' "$wrong emfile_sleeps_half {port}" 02 'a newcomer when there is room' 'waited [0-9]+ ms'
fails 'SIGTERM is ignored' "$wrong ignores_sigterm {port}" 02 'ends at SIGTERM' 'it still runs'
fails 'it ends with status 3' "$wrong exit_status {port}" 02 'ends at SIGTERM' 'exit status 3'
fails 'no SO_REUSEADDR' "$wrong no_reuseaddr {port}" 02 'starts again' 'expected +that it listens again'
passes 'no SO_REUSEADDR, which is a remark at level 01' "$wrong one_at_a_time_no_reuseaddr {port}" 01 'starts again' 'Set SO_REUSEADDR'
passes 'it listens on all addresses, which is a remark' "$wrong one_at_a_time_any_address {port}" 01 'one line' 'listens on all addresses'
passes 'it listens on all addresses, which is a remark' "$wrong any_address {port}" 02 'one line' 'listens on all addresses'
fails 'a helper keeps the listener open' "$wrong helper_with_listener {port}" 03 'children let go of the listener' 'keeps the listener open'
for level in 04 06; do
    fails 'four workers that wait in write' "$python_right blocking_pool {port}" $level 'more slow clients than threads' 'clients send and never read'
done
fails 'poll looks at every client' "$python_right polls {port}" 05 'idle clients cost nothing' 'of CPU time beside 10'
fails 'one thread, a slow request' '05-epoll-server/server --port {port} --think 0' 06 'slow request' 'the last one after'
passes 'threads, a slow request' '06-epoll-threadpool/server --port {port} --think 0' 06 'slow request'

# --- what else it says -----------------------------------------------------------------------------------------------

says 2 'SERVER is missing' ''
says 2 'no such program' './no-such-server {port}'
says 2 'cannot be executed' './README.md {port}'
says 2 'exit status 0' 'true'
says 2 'does not listen on port' 'sleep 100'
says 2 'listens on port [0-9]+ .does it use' "$wrong other_port {port}"
says 2 'after 8 seconds it does not listen' "$wrong slow_start {port}"
says 2 'not a plain command' 'cat | cat'
says 2 '0[01] to 06' "$wrong none {port}" 07
says 1 'prints megabytes' "$wrong floods {port}" 02 'silent client'
says 0 'did not end at SIGTERM' "$wrong ignores_sigterm {port}"
says 0 'left processes behind' "$wrong leaves_a_child {port}"
says 1 'would keep everyone waiting' '05-epoll-server/server --port {port}' 06 'slow request'

# --- the table --------------------------------------------------------------------------------------------------------

wait
begin='<!-- made by make test-grader FULL=1 -->' end='<!-- end of what make test-grader made -->'
{
    echo "$begin"
    echo '| server | LEVEL | verdict | the case that decides |'
    echo '|---|---|---|---|'
    cat "$work"/*.row
    echo "$end"
} >"$work/table"
in_page() { sed -n "/^$begin\$/,/^$end\$/p" "$page"; }
if [ -n "${FULL:-}${WRITE:-}" ] && [ -z "${ONLY:-}" ]; then
    sed -i -e "/^$begin\$/,/^$end\$/{/^$end\$/r $work/table" -e 'd}' "$page"
    echo "The table in $page is written."
elif [ -z "${ONLY:-}" ]; then
    # Where a language is missing, so are its rows.
    unknown=$(grep -vxFf <(in_page) "$work/table")
    out=$unknown
    verdict "$([ -z "$unknown" ] && echo yes)" "the table in $page is what has been found" | tee "$work/table.out"
fi

passed=$(cat "$work"/*.out | grep -c '^ok ')
failed=$(cat "$work"/*.out | grep -c '^FAILED ')
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
