#!/bin/bash
# Drives make watch's window in tmux, as a reader does, and compares it with ss. Usage: watch_test.sh WATCHER SERVER...
set -u
watcher=$1
shift
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
unset TMUX NO_COLOR ONCE
passed=0 failed=0 skipped=0

start=${EPOCHREALTIME/./}
add() { # verdict, name, more
    printf '%-7s %4d s  %s%s\n' "$1" "$(((${EPOCHREALTIME/./} - start) / 1000000))" "$2" "${3:+ ($3)}"
    start=${EPOCHREALTIME/./}
    case $1 in ok) ((passed++)) ;; FAILED) ((failed++)) ;; skipped) ((skipped++)) ;; esac
}
wanted() { [ -z "${ONLY:-}" ] || [ "$ONLY" = watch ] || [ "$ONLY" = "$1" ]; }
mux() { tmux -f /dev/null -S "$TMPDIR/tmux" "$@"; }
screen() { mux capture-pane -p -t watch "$@" 2>/dev/null; }
# Until the screen shows all of these, for 20 s at most.
shows() {
    local i text
    for ((i = 0; i < 400; i++)); do
        text=$(screen)
        for words in "$@"; do grep -qE -- "$words" <<<"$text" || { sleep 0.05; continue 2; }; done
        return 0
    done
    missing=$words
    return 1
}
# Opens the window on a server, and presses keys, each when the screen shows what is behind it.
open() { # how to start it, arguments...
    mux kill-session -t watch 2>/dev/null
    mux new-session -d -s watch -x 80 -y 24 "stty -g >$TMPDIR/before; ${*@Q}; echo status \$?; stty -g >$TMPDIR/after; read -r _"
    shows 'q quit' && server=$(screen | grep -oE 'pid [0-9]+') && server=${server#pid }
    port=$(screen | grep -oE '127.0.0.1:[0-9]+' | head -n 1)
    port=${port#*:}
}
press() { mux send-keys -t watch "$1" && shows "${@:2}"; }
closes() { # key: nothing is left of it
    mux send-keys -t watch "$1" && shows 'status 0' && [ ! -e "/proc/$server" ] && cmp -s "$TMPDIR/before" "$TMPDIR/after"
}
# Whether the row of a client, and the listen queue, have the numbers of ss: they are read one after the other, so they
# may differ until nothing moves any more.
same_as_ss() { # name
    local row client ours its
    row=$(screen | grep -E "^ $1 :[0-9]")
    client=$(grep -oE ':[0-9]+' <<<"$row")
    ours=$(ss -Htn "sport = :$port and dport = $client" | awk '{print $2, $3}')
    its=$(ss -Htn "sport = $client and dport = :$port" | awk '{print $3, $2}')
    [ "$(awk '{print $5, $6, $8, $9}' <<<"$row")" = "${its% *} ${ours% *} ${ours#* } ${its#* }" ] &&
        [ "$(screen | awk '/^ listen queue/ {print $3}')" = "$(ss -Hltn "sport = :$port" | awk '{print $2}')" ]
}
agrees_with_ss() { # name
    local i
    for ((i = 0; i < 400; i++)); do
        if same_as_ss "$1"; then return 0; fi
        sleep 0.05
    done
    missing="the numbers that ss has for $1"
    return 1
}
verdict() { # name; the status before
    if [ "$?" -eq 0 ]; then add ok "$1"; else
        add FAILED "$1" "missing: ${missing:-}"
        screen | sed 's/^/    /'
    fi
}

plays_a_chapter() { # server
    open "$watcher" start "$1" 0 || return
    case $1 in
        *01-*) press c 'in read\(4\), for A' && press n 'B .*queued' && press h 'C waits .*in read for A, and A is silent' 'queue +2 of' ;;
        *03-*) press h 'A: hello came back' && press n 'in write\(5\), for B' && press h 'C waits .* in write for B, and B does not read' ;;
        *) press h 'A: hello came back' && press n 'B does not read\. Nobody waits' && press h 'C: hello came back' '^ B does not' ;;
    esac && agrees_with_ss B && agrees_with_ss C && press x '^ (closed|listen queue).* C :' && press '?' 'The end .FIN.' && press '?' 'listener'
}

if ! command -v tmux >/dev/null || ! "$watcher" ncurses; then
    add skipped 'watch: the window' 'skipped: tmux or libncurses-dev is not installed'
    set --
fi
mux new-session -d -s anchor 'exec sleep infinity' # or tmux ends with its first window
for one in "$@"; do
    name="watch: $one, who waits because of whom, and the buffers of ss"
    if wanted "$name"; then plays_a_chapter "$one" && closes q; verdict "$name"; fi
done
[ $# -eq 0 ] || set -- "$1"
for one in "$@"; do
    name='watch: Ctrl-C leaves nothing behind'
    if wanted "$name"; then open "$watcher" start "$one" 0 && closes C-c; verdict "$name"; fi
    name='watch: without colours where NO_COLOR is set'
    if wanted "$name" && [[ $one == *01-* ]]; then # there the second client waits, and that is in colour
        coloured() { press c ' A :' && press c ' B :' && screen -e | grep -qE $'\e\\[[0-9;]*3[1-7]m'; }
        open "$watcher" start "$one" 0 && coloured && open env NO_COLOR=1 "$watcher" start "$one" 0 && ! coloured
        verdict "$name"
    fi
    name='watch: a plain screen each second on a dumb terminal, and no call where none can be read'
    if wanted "$name"; then
        mux kill-session -t watch 2>/dev/null
        mux new-session -d -s watch -x 80 -y 70 "TERM=dumb $watcher start $one 0; read -r _"
        shows 'Nobody waits' && server=$(screen | grep -oE 'pid [0-9]+' | head -n 1) && server=${server#pid } &&
            for ((i = 0; i < 400; i++)); do [ "$(screen | grep -c 'Nobody waits')" -lt 2 ] || break; sleep 0.05; done &&
            ONCE=1 "$watcher" pid "$server" | grep -q 'in ' &&
            if unshare -m true 2>/dev/null; then
                # shellcheck disable=SC2016 # the other shell expands it
                unshare -m sh -c 'mount --bind /dev/null /proc/$1/syscall && ONCE=1 $2 pid $1' - "$server" "$watcher" |
                    grep -q "not seen: system calls: /proc/$server/syscall"
            fi
        verdict "$name"
    fi
    name='watch: less than 5 % of a core with ten clients'
    if wanted "$name"; then
        open "$watcher" start "$one" 0
        for _ in {1..10}; do mux send-keys -t watch c; done
        until [ "$(ss -Htn "dport = :$port" | wc -l)" -eq 10 ]; do sleep 0.05; done
        pid=$(pgrep -f "^$watcher start $one 0" -P "$(mux list-panes -t watch -F '#{pane_pid}')")
        before=$(cut -d ' ' -f 1 "/proc/$pid/schedstat") since=$(date +%s%N)
        sleep 2
        used=$(($(cut -d ' ' -f 1 "/proc/$pid/schedstat") - before))
        [ $((used * 20)) -lt $(($(date +%s%N) - since)) ]
        verdict "$name"
    fi
done
mux kill-server 2>/dev/null
[ -z "${TALLY:-}" ] || echo "$passed $failed $skipped" >"$TALLY"
[ "$failed" -eq 0 ]
