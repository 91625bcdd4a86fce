#!/bin/bash
# What make watch costs the server that it shows: the server's CPU time per message, with the window open and without it.
# The two take turns, and what counts is the median of the rounds' ratios, because whatever slows a round down slows both.
# Usage: watched.sh WATCHER LOAD ROUNDS SECONDS SERVER
set -eu
watcher=$1 load=$2 rounds=$3 seconds=$4 server=$5
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
# shellcheck source=tests/tools/tmux.sh
. tests/tools/tmux.sh
clients=10
[[ $server != *01-* ]] || clients=1 # 01 serves one client at a time

# In nanoseconds: of all its threads, and (which the kernel counts in ticks) of its children that have ended.
cpu() {
    cat /proc/"$pid"/task/*/schedstat "/proc/$pid/stat" |
        awk -v tick=$((1000000000 / $(getconf CLK_TCK))) 'NF < 4 { sum += $1 } NF > 4 { sum += ($16 + $17) * tick } END { printf "%.0f", sum }'
}
no_child() { ! pgrep -P "$pid" >/dev/null; }
microseconds() { # of CPU time per message
    local before messages
    before=$(cpu)
    messages=$("$load" --port "$port" --connections "$clients" --seconds "$seconds" | awk 'NR == 1 { print $1 }')
    eventually no_child
    awk "BEGIN { printf \"%.3f\", ($(cpu) - $before) / 1000 / $messages }"
}

looks=0 time=0
is_closed() { ! ps -o stat= -p "$window" | grep -q '^[^Z]'; } # tmux may leave a zombie
watched() { # sets `with`
    local before since
    mux new-session -d -s watch -x 80 -y 24 "exec $watcher pid $pid"
    eventually is_shown 'the same:' || { echo 'the window does not open' >&2; exit 1; }
    window=$(mux list-panes -t watch -F '#{pane_pid}')
    before=$(waits_of "$window") since=$(date +%s%N)
    with=$(microseconds)
    looks=$((looks + $(waits_of "$window") - before)) time=$((time + $(date +%s%N) - since))
    mux kill-session -t watch
    eventually is_closed
}

"$server" --port 0 >"$TMPDIR/line" &
pid=$!
eventually [ -s "$TMPDIR/line" ]
port=$(sed 's/.*://' "$TMPDIR/line")
microseconds >/dev/null # until caches and the kernel's buffers have settled
printf '%s, clients: %d, microseconds of CPU time per message\nround  without     with  ratio\n' "${server%/server}" "$clients"
for ((round = 1; round <= rounds; ++round)); do
    if ((round % 2)); then without=$(microseconds); watched; else watched; without=$(microseconds); fi
    ratio=$(awk "BEGIN { printf \"%.3f\", $with / $without }")
    printf '%5d %8.3f %8.3f  %s\n' "$round" "$without" "$with" "$ratio"
    echo "$ratio" >>"$TMPDIR/ratios"
done
sort -n "$TMPDIR/ratios" | awk '{ ratio[NR] = $1 }
    END { printf "with to without: %.3f in the middle of %.3f to %.3f\n", (ratio[int((NR + 1) / 2)] + ratio[int(NR / 2) + 1]) / 2, ratio[1], ratio[NR] }'
awk "BEGIN { printf \"the window has looked %.1f times a second\n\", $looks * 1000000000 / $time }"
