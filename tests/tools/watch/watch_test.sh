#!/bin/bash
# Drives make watch's window in tmux, as a reader does, and compares it with ss and with the pages' pictures of it. With
# DRAW=changed it draws those that are no longer like it, and with DRAW=all, all. Usage: watch_test.sh WATCHER SERVER...
set -u
watcher=$1
shift
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
unset TMUX NO_COLOR ONCE
passed=0 failed=0 skipped=0

mux() { tmux -f /dev/null -S "$TMPDIR/tmux" "$@"; }
screen() { mux capture-pane -p -t watch "$@" 2>/dev/null; }
eventually() { # command: until it succeeds, for 20 s at most
    local end=$((SECONDS + 20))
    until "$@"; do
        [ $SECONDS -lt $end ] || return
        sleep 0.05
    done
}
is_shown() {
    local text words
    text=$(screen)
    for words in "$@"; do missing=$words && grep -qE -- "$words" <<<"$text" || return 1; done
}
shows() { eventually is_shown "$@"; }

# Opens the window on a server, and presses keys, each when the screen shows what is behind it.
open() { # how to start it, arguments...
    mux kill-session -t watch 2>/dev/null
    mux new-session -d -s watch -x 80 -y "${rows:-24}" "stty -g >$TMPDIR/before; ${*@Q}; s=\$?; stty -g >$TMPDIR/after; echo status \$s; read -r _"
    shows 'Nobody waits' && server=$(screen | grep -m 1 -oE 'pid [0-9]+') && server=${server#pid }
    port=$(screen | grep -m 1 -oE '127.0.0.1:[0-9]+')
    port=${port#*:}
}
press() { mux send-keys -t watch "$1" && shows "${@:2}"; }
closes() { # key: nothing is left of it
    press "$1" 'status 0' && [ ! -e "/proc/$server" ] && cmp -s "$TMPDIR/before" "$TMPDIR/after"
}
# Whether the row of a client, and the listen queue, have the numbers of ss: they are read one after the other, so they
# may differ until nothing moves any more.
agrees_with_ss() { # name
    local row client ours its
    missing="the numbers that ss has for $1"
    row=$(screen | grep -E "^ $1 :[0-9]")
    client=$(grep -oE ':[0-9]+' <<<"$row")
    ours=$(ss -Htn "sport = :$port and dport = $client" | awk '{print $2, $3}')
    its=$(ss -Htn "sport = $client and dport = :$port" | awk '{print $3, $2}')
    [ "$(awk '{print $5, $6, $8, $9}' <<<"$row")" = "${its% *} ${ours% *} ${ours#* } ${its#* }" ] &&
        [ "$(screen | awk '/^ listen queue/ {print $3}')" = "$(ss -Hltn "sport = :$port" | awk '{print $2}')" ]
}
# All but the numbers, as long as they are not 0. A long one may change where a line ends.
without_numbers() { sed -E 's/[0-9]+\.[0-9]+|[1-9][0-9]*/N/g' | tr -s '[:space:]' ' '; }
is_pictured() { # picture
    missing="this screen in $1 (make docs draws it again)"
    [[ $(without_numbers <"$1") == *"<desc>$(screen | sed 's/&/\&amp;/g; s/</\&lt;/g' | without_numbers)</desc>"* ]]
}
picture() { # server
    local file=${1%/server}/watch.svg
    [ -n "${DRAW:-}" ] || { eventually is_pictured "$file"; return; }
    { [ "$DRAW" != all ] && is_pictured "$file"; } || { screen -e | awk -v title="make watch, ${1%/server}" -f tests/tools/watch/picture.awk >"$file"; echo "drawn    $file"; }
}

plays_the_chapter() { # server
    open "$watcher" start "$1" 0 || return
    case $1 in
        *01-*) press c 'in read\(4\), for A' && press h 'B waits .*in read for A, and A is silent' && picture "$1" && press n 'C .*queued' 'queue +2 of' ;;
        *02-*) press c 'in read\(4\), for A' && press n 'B does not read\. Nobody waits' && press h 'C: hello came back' ;;
        *03-*) press h 'A: hello came back' && press n 'in write\(5\), for B' && press h 'C waits .* in write for B, and B does not read' ;;
        *) press h 'A: hello came back' && press n 'B does not read\. Nobody waits' && press h 'C: hello came back' '^ B does not' ;;
    esac && eventually agrees_with_ss B && eventually agrees_with_ss C && case $1 in 0[2-5]*) picture "$1" ;; esac &&
        press x '^ C :.*(TIME_WAIT|queued)' && press '?' 'The end .FIN.' && press '?' 'listener' && closes q || return
    [[ $1 != 06-* ]] || { # for the picture, all of whose workers think for longer than this lasts
        rows=30 open "$watcher" start "$1" 0 --think 60000 && press c ' A :' && for name in B C D E F; do
            press h "$name waits" || return
        done && picture "$1"
    }
}
ends_with_ctrl_c() { open "$watcher" start "$1" 0 && closes C-c; }
coloured() { # how to start it: chapter 01, where the second client waits, and that is in colour
    open "$@" 0 && press c ' A :' && press c ' B :' && screen -e | grep -qE $'\e\\[[0-9;]*3[1-7]m'
}
has_colours() { coloured "$watcher" start "$1" && ! coloured env NO_COLOR=1 "$watcher" start "$1"; }
two_screens() { [ "$(screen | grep -c 'Nobody waits')" -ge 2 ]; }
can_be_dumb() {
    rows=70 open env TERM=dumb "$watcher" start "$1" 0 && eventually two_screens && ONCE=1 "$watcher" pid "$server" | grep -q 'in ' || return
    if unshare -m true 2>/dev/null; then
        # shellcheck disable=SC2016 # the other shell expands it
        unshare -m sh -c 'mount --bind /dev/null /proc/$1/syscall && ONCE=1 $2 pid $1' - "$server" "$watcher" |
            grep -q "not seen: system calls: /proc/$server/syscall"
    fi
}
ten_clients() { [ "$(ss -Htn "dport = :$port" | wc -l)" -eq 10 ]; }
is_cheap() {
    local pid before since used
    open "$watcher" start "$1" 0
    for _ in {1..10}; do mux send-keys -t watch c; done
    eventually ten_clients || return
    pid=$(pgrep -f "^$watcher start $1 0" -P "$(mux list-panes -t watch -F '#{pane_pid}')")
    before=$(cut -d ' ' -f 1 "/proc/$pid/schedstat") since=$(date +%s%N)
    sleep 2
    used=$(($(cut -d ' ' -f 1 "/proc/$pid/schedstat") - before))
    [ $((used * 20)) -lt $(($(date +%s%N) - since)) ]
}

play() { # name, test, server
    local start=${EPOCHREALTIME/./} verdict=ok
    [ -z "${ONLY:-}" ] || [ "$ONLY" = watch ] || [ "$ONLY" = "$1" ] || return
    missing=
    if ! command -v tmux >/dev/null; then verdict=skipped; else "${@:2}" || verdict=FAILED; fi
    printf '%-7s %4d s  %s\n' $verdict "$(((${EPOCHREALTIME/./} - start) / 1000000))" "$1"
    case $verdict in
        ok) ((passed++)) ;;
        skipped) ((skipped++)) ;;
        FAILED) ((failed++)); echo "missing: $missing"; screen | sed 's/^/    /' ;;
    esac
}
mux new-session -d -s anchor 'exec sleep infinity' # or tmux ends with its first window
for one in "$@"; do
    play "watch: $one, who waits because of whom, the buffers of ss, and the page's picture" plays_the_chapter "$one"
done
if [ -z "${DRAW:-}" ]; then
    play 'watch: Ctrl-C leaves nothing behind' ends_with_ctrl_c "$1"
    [[ $1 != *01-* ]] || play 'watch: without colours where NO_COLOR is set' has_colours "$1"
    play 'watch: a plain screen each second on a dumb terminal, and no call where none can be read' can_be_dumb "$1"
    play 'watch: less than 5 % of a core with ten clients' is_cheap "$1"
fi
mux kill-server 2>/dev/null
[ -z "${TALLY:-}" ] || echo "$passed $failed $skipped" >"$TALLY"
[ "$failed" -eq 0 ]
