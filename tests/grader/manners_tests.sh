#!/bin/bash
# Tests the grader's manners: what it says of input that makes no sense and of a machine that lacks something, and that
# nothing is left behind, however it ends. Usage: tests/grader/manners_tests.sh BUILD-FOLDER
set -u
cd "$(dirname "$0")/../.." || exit 1
check=$1/tests/check
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CHAPTER ONLY HINTS LEVEL SERVER NAME
passed=0 failed=0

try() { out=$(timeout 100 "$@" 2>&1 </dev/null); status=$?; }
says() { grep -qE -- "$1" <<<"$out"; }

verdict() { # what is promised; the test before has just said whether it is kept
    if [ "$?" -eq 0 ]; then
        passed=$((passed + 1)); echo "ok      manners  $1"
    else
        failed=$((failed + 1)); echo "FAILED  manners  $1"; tail -n 20 <<<"$out" | sed 's/^/    /' | cat -v
    fi
}

right='01-blocking-server/server --port {port}'

# --- what makes no sense gets a sentence, and exit status 2 ------------------------------------------------------------

for level in 1x x 7 -1 001 "1'2" '1;id'; do
    try make -s check SERVER="$right" LEVEL="$level"
    [ $status -eq 2 ] && says 'is none of 01 to 06' && ! says 'uid='; verdict "LEVEL=$level"
done
try make -s check SERVER="$right" LEVEL=01 ONLY='no such case'
[ $status -eq 2 ] && says 'no case of that name' && says 'one line; two halves'; verdict 'ONLY without such a case names those there are'
try make -s check SERVER="$right" LEVEL=01 ONLY='silent client'
[ $status -eq 2 ] && says 'is not played at level 01: it serves one client'; verdict 'ONLY with a case of a higher level says why not'
try make -s check LEVEL=01
[ $status -eq 2 ] && says 'SERVER is missing'; verdict 'no SERVER'
# shellcheck disable=SC2016 # make and the shell must not expand it
for name in 'a b' ../x 'a|b' "a'b" '' -x '$(HOME)' a/b; do
    before=$(find . "$TMPDIR" .. -maxdepth 2 2>/dev/null | sort)
    try make -s new-server NAME="$name"
    [ $status -eq 2 ] && says 'letters, digits' && [ "$before" = "$(find . "$TMPDIR" .. -maxdepth 2 2>/dev/null | sort)" ]
    verdict "make new-server NAME=$name makes nothing"
done

# --- a server is found where it is --------------------------------------------------------------------------------------

mkdir "$TMPDIR/a (blank)"
cp 01-blocking-server/server "$TMPDIR/a (blank)/it's"
for quoted in "\"$TMPDIR/a (blank)/it's\"" "'$TMPDIR/a (blank)/it'\\''s'"; do
    try make -s check SERVER="$quoted --port {port}" LEVEL=01 ONLY='one line'
    [ $status -eq 0 ] && says '^1 passed, 0 failed$'; verdict "SERVER=$quoted"
done
try make -s -C 01-blocking-server check SERVER='./server --port {port}' LEVEL=01 ONLY='one line'
[ $status -eq 0 ] && says '^1 passed, 0 failed$'; verdict 'a path from the folder of make -C'
try env -C 01-blocking-server PWD="$PWD/01-blocking-server" make -s check SERVER='./server --port {port}' LEVEL=01 ONLY='one line'
[ $status -eq 0 ] && says '^1 passed, 0 failed$'; verdict 'a path from the folder in which make was typed'

# --- what others write is made safe -------------------------------------------------------------------------------------

cat >"$TMPDIR/paints.py" <<'END'
import socket, sys
print("\x1b[2Jpass    all\r\x1b[31m\u00e9\u202e", flush=True)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    client.recv(100)
    client.sendall(b"\x1b]0;\x07\x9b1m\r")
    client.close()
END
try "$check" "python3 $TMPDIR/paints.py {port}" 01
[ $status -eq 1 ] && says 'got +.\\x1b\]0;' && says 'it printed +\\x1b\[2Jpass' && ! LC_ALL=C grep -q '[^ -~]' <<<"$out"
verdict 'no control character of the server reaches the terminal'

# --- hints by symptom ----------------------------------------------------------------------------------------------------

cat >"$TMPDIR/wrong.py" <<'END'
import os, select, socket, sys
fault, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", port), backlog=0 if fault == "backlog" else 2000)
if fault == "crash":
    listener.accept()
    print("nearly there\nabout to crash", flush=True)
    os.abort()
if fault == "fork":
    clients = []
    while True:
        clients.append(listener.accept()[0])
        if os.fork() == 0:
            while data := clients[-1].recv(65536):
                clients[-1].sendall(data)
            os._exit(0)
if fault == "backlog":
    while True:
        client = listener.accept()[0]
        while data := client.recv(65536):
            client.sendall(data)
        client.close()
poll, clients = select.epoll(), {}
poll.register(listener, select.EPOLLIN)
while True:
    for number, _ in poll.poll():
        if number == listener.fileno():
            client = listener.accept()[0]
            client.setblocking(False)
            clients[client.fileno()] = client
            poll.register(client, select.EPOLLIN | (select.EPOLLET if fault == "edge" else 0))
            continue
        client = clients[number]
        try:
            data = client.recv(4096)
            while data:
                data = data[client.send(data):]
                if not data and fault != "edge":
                    data = client.recv(4096)
            if fault == "edge":
                continue
        except BlockingIOError:
            if fault == "edge":
                continue
        except OSError:
            pass
        poll.unregister(client)
        clients.pop(number).close()
END
hints() { # fault, level, case, what the story must say
    ONLY=$3 try "$check" "python3 $TMPDIR/wrong.py $1 {port}" "$2"
    [ $status -eq 1 ] && says "^FAIL    $3" && says "$4"; verdict "$1: a hint that says '$4'"
}
hints backlog 01 'in order of arrival' 'hint .*backlog of 0.*listen\(2\)'
hints eagain 05 'nothing lost after a stall' 'hint .*EAGAIN'
hints edge 05 'a lot both ways' 'hint .*EPOLLET'
hints fork 02 'nothing at all' 'hint .*the parent has one, too'
hints crash 01 'one line' 'it printed +about to crash'

# A call that fails, and a server that goes on as if it had not: level 00 names the call.
cat >"$TMPDIR/unchecked.c" <<'END'
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int argc, char** argv) {
    char* fault = argv[1];
    char buffer[1000];
    struct sockaddr_in address = {AF_INET, htons(atoi(argv[2])), {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, strcmp(fault, "socket") ? SOCK_STREAM : SOCK_DGRAM, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, 0);
    bind(listener, (struct sockaddr*)&address, strcmp(fault, "bind") ? sizeof address : 8);
    if (strcmp(fault, "no-listen")) listen(listener, 100);
    for (;;) {
        socklen_t wrong = -1;
        int from = strcmp(fault, "accept") ? listener : 0;
        int client = accept(from, strcmp(fault, "size") ? 0 : (struct sockaddr*)&address, &wrong);
        from = strcmp(fault, "read") ? client : listener;
        for (long count; (count = read(from, buffer, sizeof buffer)) > 0;) {
            write(client, buffer, count - !strcmp(fault, "newline"));
        }
        close(client);
    }
}
END
${CXX:-g++} -x c -w -o "$TMPDIR/unchecked" "$TMPDIR/unchecked.c" || exit 1
names() { # fault, step, what its story must say
    ONLY=$2 try "$check" "$TMPDIR/unchecked $1 {port}" 00
    [ $status -eq 1 ] && says "^FAIL    $2" && says "$3"; verdict "level 00, $1: a story that says '$3'"
}
names socket listens 'listen failed: Operation not supported'
names bind listens 'bind failed: Invalid argument'
names no-listen listens 'accept failed: Invalid argument'
names accept accepts 'accept failed: Socket operation on non-socket'
names size 'answers one line' 'accept failed: Invalid argument'
names read 'answers one line' 'read failed: Transport endpoint is not connected'
names newline 'answers one line' 'the newline is missing'

# --- where the machine lacks something ----------------------------------------------------------------------------------

out=$(ulimit -n 200; "$check" "$right" 01 2>&1; ONLY='1,100 clients' "$check" '05-epoll-server/server --port {port}' 05 2>&1)
says '^Only 200 descriptors are allowed' && says '^skip    1,100 clients: only 200' && says '^0 passed, 0 failed, 1 skipped' &&
    ! says '^FAIL'
verdict 'ulimit -n 200 is said, and what it makes impossible is skipped by name'
if unshare -n true 2>/dev/null; then
    try unshare -n "$check" "$right" 01
    [ $status -eq 2 ] && says 'loopback interface of this machine does not work'; verdict 'no loopback interface'
fi
cat >"$TMPDIR/elsewhere.py" <<'END'
import socket, sys
host = sys.argv[1]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
listener = socket.create_server((host, int(sys.argv[2])), family=family)
while True:
    listener.accept()
END
for host in ::1 127.0.0.2 ::; do
    try "$check" "python3 $TMPDIR/elsewhere.py $host {port}" 01
    [ $status -eq 2 ] && says '(only at (::1|another)|on another address only)'; verdict "a server that listens at $host only"
done

# --- nothing is left behind ---------------------------------------------------------------------------------------------

cat >"$TMPDIR/hides.sh" <<'END'
#!/bin/bash
(setsid sh -c 'exec 0<&- 1>&- 2>&-; exec sleep 4000' &) # it is nobody's child, and in no group of ours
exec 05-epoll-server/server --port "$1"
END
chmod +x "$TMPDIR/hides.sh"

# Processes with our TMPDIR in their environment that are not this script's own.
left() {
    local pid name
    for pid in $(env -u TMPDIR grep -lszxF "TMPDIR=$TMPDIR" /proc/[0-9]*/environ | env -u TMPDIR tr -dc '0-9\n'); do
        name=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") 2>/dev/null # it may be gone by now
        case $name in *hides.sh* | *sleep\ 4000* | *05-epoll-server* | *tests/check*) echo "$pid $name" ;; esac
    done
}

# The grader, in the middle of its cases, gets a signal; or the make that has started it does.
ends_clean() { # signal, command...
    local signal=$1 tries
    shift
    out=''
    "$@" >"$TMPDIR/out" 2>&1 &
    local first=$!
    for ((tries = 0; tries < 300; ++tries)); do
        grep -q '^pass    two halves' "$TMPDIR/out" && left | grep -q 'sleep 4000' && break
        sleep 0.1
    done
    [ $tries -lt 300 ] || { out=$(<"$TMPDIR/out"); kill -KILL $first; return 1; }
    kill "-$signal" $first
    wait $first 2>/dev/null
    for ((tries = 0; tries < 100; ++tries)); do
        [ -n "$(left)" ] || return 0
        sleep 0.05
    done
    out="left behind: $(left)"
    return 1
}

for signal in INT TERM HUP KILL; do
    ends_clean $signal "$check" "$TMPDIR/hides.sh {port}" 05; verdict "$signal to the grader leaves nothing behind"
done
for signal in TERM KILL; do
    ends_clean $signal make -s check SERVER="$TMPDIR/hides.sh {port}" LEVEL=05; verdict "$signal to make leaves nothing behind"
    ends_clean $signal make -s -C 05-epoll-server check SERVER="$TMPDIR/hides.sh {port}" LEVEL=05
    verdict "$signal to a make that has called another leaves nothing behind"
done
# mount(2) fails, so there is no PID namespace, and the grader has to find everything itself. (KILL is not tried: the page
# says what that may leave.)
mount=$(echo '#include <sys/syscall.h>
SYS_mount' | ${CXX:-g++} -E -x c++ - | tail -n 1)
for signal in INT TERM; do
    ends_clean $signal python3 tests/no_ptrace.py "$mount" "$check" "$TMPDIR/hides.sh {port}" 05
    verdict "$signal to the grader, without a PID namespace, leaves nothing behind"
done
ONLY='one line' try python3 tests/no_ptrace.py "$mount" "$check" "$TMPDIR/hides.sh {port}" 05
[ $status -eq 0 ] && says 'left processes behind' && [ -z "$(left)" ]; verdict 'nor does its own end'

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
