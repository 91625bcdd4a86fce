#!/bin/bash
# shellcheck disable=SC2154,SC2317,SC2016 # hosts.sh, which runs this, has `process` and `scratch`; the conditions are called by name
# Plays all six servers over a wire that delays, loses, doubles, reorders and changes frames, or falls silent.
# Usage: tests/tools/network/network.sh [CONDITION...]    without any: all; each is a function below, with _ for a space
# One line for each condition and server; the last line counts them. `make network` builds what this needs.
set -u
cd "$(dirname "$0")/../../.." || exit
chapters=(01 02 03 04 05 06)
conditions=(bad_wire lossy_wire twice_and_changed small_packets tiny_packets silence down_and_up cut_for_good)

bad_wire() { mtu 576; wire delay=30 jitter=20 loss=2 overtakes=10; play 100000; did lost 'out of order'; }
# Here and there a packet is lost eight times in a row, and its sender waits twice as long each time.
lossy_wire() { wire delay=5 loss=15; play 20000; did lost; }
twice_and_changed() { wire delay=5 jitter=2 twice=5 changed=2; play 200000; did twice changed; }
small_packets() { mtu 296; play 200000; did frames; }
tiny_packets() { mtu 68; play 50000; did frames; } # the least that IPv4 allows

# Ten seconds without a frame, while all are in the middle of it.
silence() {
    wire delay=40
    in_the_middle() { wire silent=1; sleep 10; wire delay=40; }
    play 1000000 in_the_middle
    did lost
}

# The server's own interface goes down, and a client's frames find nobody.
down_and_up() {
    wire delay=40
    in_the_middle() { ip -n server link set s0 down; sleep 3; ip -n server link set s0 up; }
    play 1000000 in_the_middle
    did 'sent again'
}

# Clients that are never heard of again: idle ones, which keepalive finds after two minutes, and busy ones, whose answers
# are sent again and again. How often is the system's decision; by default it takes a quarter of an hour.
cut_for_good() {
    on_server sysctl -qw net.ipv4.tcp_retries2=5
    for chapter in "${chapters[@]}"; do
        start_counted "$chapter"
        on_client python3 tests/tools/network/holders.py 192.0.2.2 "90$chapter" 10 $((chapter == 1 ? 0 : 10)) &
    done
    for chapter in "${chapters[@]}"; do
        until [ "$(connections "$chapter")" = $((chapter == 1 ? 10 : 20)) ]; do sleep 0.1; done
    done
    sleep 1 # so that the busy ones have answers on their way
    wire silent=1
    local started=$SECONDS
    for chapter in "${chapters[@]}"; do
        until [ "$(connections "$chapter")" = 0 ] || [ $((SECONDS - started)) -gt 150 ]; do sleep 0.2; done
        verdict "$chapter" "after $((SECONDS - started)) s nothing is left of its clients" \
            "$(connections "$chapter" | sed 's/^0$//; s/.$/& connections are left./')"
    done
    did lost
}

descriptors() { find "/proc/${process[$1]}/fd" -type l 2>/dev/null | wc -l; }
children() { cat /proc/"${process[$1]}"/task/*/children 2>/dev/null | wc -w; }
connections() { on_server ss -Htn state connected "sport = :90$1" | wc -l; }

declare -A at_rest
start_counted() {
    start "$1"
    at_rest[$1]=$(descriptors "$1")
}

# Says what the wire has done. It must have done WHAT, or nothing was tested.
did() { # WHAT...
    local frames what
    unplug > "$scratch/unplugged"
    frames="$(cat "$scratch/unplugged"), $(on_server awk '/^Tcp:/ {print $13}' /proc/net/snmp | tail -n 1) sent again"
    echo "         $frames"
    for what in "$@"; do
        [[ $frames =~ [1-9][0-9]*\ $what ]] || echo "FAILED   $condition: not one $what"
    done
}

# Ends the server, and says whether all was as it should be: no complaint of the clients, and nothing left behind.
verdict() { # CHAPTER PROMISE COMPLAINT
    local complaint=$3 left=300
    until [ "$(descriptors "$1") $(children "$1")" = "${at_rest[$1]} 0" ]; do
        ((left-- > 0)) || { complaint+=" It has $(descriptors "$1") descriptors and $(children "$1") children, and had ${at_rest[$1]} and 0."; break; }
        sleep 0.05
    done
    kill "${process[$1]}"
    wait "${process[$1]}" || complaint+=" Its exit status was $?."
    [ -s "$scratch/$1.err" ] && complaint+=" It said: $(head -c 200 "$scratch/$1.err")"
    if [ -z "$complaint" ]; then
        echo "ok       $1  $condition: $2"
    else
        echo "FAILED   $1  $condition: $2: $complaint"
    fi
}

# Twenty clients of each server (three of chapter 01's, which serves one at a time) send BYTES and get them back, all six
# servers at the same time. Calls MEANWHILE when they are in the middle of it.
play() { # BYTES [MEANWHILE]
    local -A clients
    mkfifo "$scratch/go"
    for chapter in "${chapters[@]}"; do
        start_counted "$chapter"
        on_client tests/tools/network/clients.py 192.0.2.2 "90$chapter" $((chapter == 1 ? 3 : 20)) "$1" 200 \
            > "$scratch/$chapter.clients" < "$scratch/go" &
        clients[$chapter]=$!
    done
    exec {go}> "$scratch/go"
    for chapter in "${chapters[@]}"; do
        until grep -q connected "$scratch/$chapter.clients" || ! kill -0 "${clients[$chapter]}"; do sleep 0.02; done
    done
    exec {go}>&-
    [ $# = 1 ] || { sleep 0.2; "$2"; } # a megabyte takes longer than that: seven times there and back, 80 ms each
    for chapter in "${chapters[@]}"; do
        wait "${clients[$chapter]}"
        verdict "$chapter" "every byte comes back" "$(sed 's/^connected$//' "$scratch/$chapter.clients" | tr -d '\n')"
    done
}

if [ -n "${HOSTS_INSIDE:-}" ]; then
    condition=${1//_/ }
    "$1"
    exit
fi

[ $# -gt 0 ] || set -- "${conditions[@]}"
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
run() { # CONDITION; in a world of its own
    timeout 400 tests/tools/network/hosts.sh "$0" "$1" 2>&1 || echo "FAILED   $1: exit status $?"
}
why_not=$(tests/tools/network/hosts.sh /dev/null 2>&1) || { echo "skipped  make network: $why_not"; echo "0 passed, 0 failed, 1 skipped"; exit; }
# cut_for_good takes two minutes in which hardly anything happens. So it goes on beside the others.
for condition in "$@"; do
    [ "$condition" != cut_for_good ] || { run "$condition" > "$results/cut" & }
done
for condition in "$@"; do
    [ "$condition" = cut_for_good ] || run "$condition" | tee -a "$results/others"
done
wait
cat "$results/cut" 2>/dev/null
failed=$(cat "$results"/* | grep -c '^FAILED ')
echo
echo "$(cat "$results"/* | grep -c '^ok ') passed, $failed failed"
[ "$failed" = 0 ]
