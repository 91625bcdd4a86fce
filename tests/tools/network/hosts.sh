#!/bin/bash
# Two hosts and a wire between them, for as long as a script runs: in network namespaces of their own, so that nothing
# touches the machine's network, and as an ordinary user as well as as root. Everything ends with the script, also after
# Ctrl-C or a kill, because it is in a process namespace of its own, too.
# Usage: tests/tools/network/hosts.sh SCRIPT [ARGUMENT...]    or, as with bash: hosts.sh -c 'COMMANDS'
# The script is bash's, and has these commands:
#     on_server COMMAND...     runs it on the server's host, 192.0.2.2
#     on_client COMMAND...     runs it on the client's host, 192.0.2.1
#     wire WHAT=VALUE...       from now on: delay=MS jitter=MS loss=% twice=% overtakes=% changed=% silent=1; else perfect
#     mtu BYTES                the largest packet that the wire takes
#     unplug                   ends the wire, and prints how many packets it has lost, doubled, reordered and changed
#     start NN [OPTION...]     starts chapter NN's server there, port 90NN; its process is ${process[NN]}, and what it
#                              says is in $scratch/NN.out and NN.err. After under='strace -T' it runs under strace
# Exit status: the script's, or 3 (and a line that says why) where there can be no such namespaces.
set -u
cd "$(dirname "$0")/../../.." || exit
export PATH=$PATH:/usr/sbin:/sbin
if [ -z "${HOSTS_INSIDE:-}" ]; then
    as_root=$([ "$(id -u)" = 0 ] || echo --map-root-user)
    # shellcheck disable=SC2086
    why=$(unshare $as_root --net --mount --pid --fork --mount-proc ip link set lo up 2>&1) ||
        { echo "no network namespaces here: $(head -n 1 <<< "$why")" >&2; exit 3; }
    # shellcheck disable=SC2086
    HOSTS_INSIDE=1 exec unshare $as_root --net --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi

mount -t tmpfs none /run # where ip(8) keeps the names of namespaces; this mount is ours alone
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for host in client middle server; do ip netns add $host && ip -n $host link set lo up || exit; done
ip link add c0 netns client type veth peer name m0 netns middle
ip link add s0 netns server type veth peer name m1 netns middle
ip -n client address add 192.0.2.1/24 dev c0
ip -n server address add 192.0.2.2/24 dev s0
ends=('client c0' 'middle m0' 'middle m1' 'server s0')
for end in "${ends[@]}"; do
    read -r host interface <<< "$end"
    ip netns exec "$host" build/tests/tools/network/wire --plain "$interface" || exit
    ip -n "$host" link set "$interface" up
done
: > "$scratch/frames"
exec {to_wire}> >(exec ip netns exec middle build/tests/tools/network/wire m0 m1 > "$scratch/frames")
wire_process=$!

on_client() { ip netns exec client "$@"; }
on_server() { ip netns exec server "$@"; }

wire() { # WHAT=VALUE...
    local delay=0 jitter=0 loss=0 twice=0 overtakes=0 changed=0 silent=0 what before
    for what in "$@"; do local "${what?}"; done
    before=$(wc -l < "$scratch/frames")
    echo $delay $jitter $loss $twice $overtakes $changed $silent >&"$to_wire"
    until [ "$(wc -l < "$scratch/frames")" -gt "$before" ]; do
        kill -0 "$wire_process" || return
        sleep 0.01
    done
}

# Ends the wire, and says what it has done to the packets.
unplug() {
    echo end >&"$to_wire" # closing it is not enough: what runs in the background has a copy
    wait "$wire_process"
    tail -n 1 "$scratch/frames"
}

mtu() { # BYTES
    local end
    for end in "${ends[@]}"; do
        read -r host interface <<< "$end"
        ip -n "$host" link set "$interface" mtu "$1"
    done
}

declare -A process
start() { # NN [OPTION...]
    local chapter=$1
    shift
    # shellcheck disable=SC2086
    ip netns exec server ${under:-} "$(echo "$chapter"-*)"/server --host 192.0.2.2 --port "90$chapter" "$@" \
        > "$scratch/$chapter.out" 2> "$scratch/$chapter.err" &
    process[$chapter]=$!
    until grep -qs listening "$scratch/$chapter.out"; do
        kill -0 "${process[$chapter]}" || return
        sleep 0.02
    done
}

wire delay=0
if [ "$1" = -c ]; then
    eval "$2"
    exit
fi
script=$1
shift
# shellcheck disable=SC1090
. "$script"
