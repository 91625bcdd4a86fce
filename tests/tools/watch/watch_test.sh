#!/bin/bash
# Drives make watch's window in tmux, as a reader does, and compares it with ss and with the pages' pictures of it. With
# DRAW=changed it draws those that are no longer like it, and with DRAW=all, all. Usage: watch_test.sh WATCHER SERVER...
set -u
watcher=$1
shift
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh
# shellcheck source=tests/tools/tmux.sh
. tests/tools/tmux.sh
declare -A count=([ok]=0 [FAILED]=0 [skipped]=0)

# Opens the window on a server, and presses keys, each when the screen shows what is behind it.
open() { # how to start it
    mux kill-session -t watch 2>/dev/null
    mux new-session -d -s watch -x 80 -y "${rows:-24}" "trap : INT; stty -g >$TMPDIR/before; ${*@Q}; s=\$?; stty -g >$TMPDIR/after; echo status \$s; read -r _"
    eventually is_shown ' pid [0-9]' 'Nobody waits' && read -r server port < <(screen | sed -nE 's/.* pid ([0-9]+) +127.0.0.1:([0-9]+).*/\1 \2/p') &&
        window=$(pgrep -P "$(mux list-panes -t watch -F '#{pane_pid}')" watcher)
}
press() { mux send-keys -t watch "$1" && eventually is_shown "${@:2}"; }
closes() { # key: nothing is left of it
    press "$1" 'status 0' && [ ! -e "/proc/$server" ] && cmp -s "$TMPDIR/before" "$TMPDIR/after"
}
# Of the end with the first port: its Recv-Q, its Send-Q, and how many bytes have arrived there so far.
end_in_ss() {
    ss -Htni "sport = :$1 and dport = :$2" | awk 'NR == 1 { queues = $2 " " $3 } match($0, /bytes_received:[0-9]+/) { got = substr($0, RSTART + 15, RLENGTH - 15) } END { print queues, got + 0 }'
}
# Whether the row of a client, and the listen queue, have the numbers of ss: they are read one after the other, so they
# may differ until nothing moves any more.
agrees_with_ss() { # name
    local row client unread unsent arrived its_unread its_unsent its_arrived
    missing="the numbers that ss has for $1"
    row=$(screen | grep -E "^ $1 :[0-9]")
    client=$(grep -oE ':[0-9]+' <<<"$row")
    read -r unread unsent arrived < <(end_in_ss "$port" "${client#:}")
    read -r its_unread its_unsent its_arrived < <(end_in_ss "${client#:}" "$port")
    [ "$(awk '{ print $4, $5, $6, $7, $8, $9 }' <<<"$row")" = "$((arrived + its_unsent)) $its_unsent $unread $((its_arrived + unsent)) $unsent $its_unread" ] &&
        [ "$(screen | awk '/^ listen queue/ { print $3, $5 }')" = "$(ss -Hltn "sport = :$port" | awk '{ print $2, $3 }')" ]
}
# All but the numbers, as long as they are not 0. A long one may change where a line ends.
without_numbers() { sed -E 's/[0-9]+\.[0-9]+|[1-9][0-9]*/N/g' | tr -s '[:space:]' ' '; }
is_pictured() { # picture
    missing="this screen in $1 (make docs draws it again)"
    [[ $(without_numbers <"$1") == *"<desc>$(screen | without_numbers)</desc>"* ]]
}
picture() { # server
    local file=${1%/server}/watch.svg
    [ -n "${DRAW:-}" ] || { eventually is_pictured "$file"; return; }
    { [ "$DRAW" != all ] && is_pictured "$file"; } || { screen -e | awk -v title="make watch, ${1%/server}" -f tests/tools/watch/picture.awk >"$file"; echo "drawn    $file"; }
}
is_coloured() { screen -e | grep -qE $'\e\\[[0-9;]*3[1-7]m'; }

plays_the_chapter() { # server
    open "$watcher" start "$1" --port 0 || return
    case $1 in
        *01-*) press c 'in read\(4\), for A' && press h 'B waits .*in read for A, and A is silent' && eventually is_shown 'B waits [1-9]' 'for A, for [1-9]' && is_coloured && picture "$1" && press n 'C .*queued' 'queue +2 of' ;;
        *02-*) press c 'in read\(4\), for A' && press n 'B does not read\. Nobody waits' && press h 'C: hello came back' ;;
        *03-*) press h 'A: hello came back' && press n 'in write\(5\), for B' && press h 'C waits .* in write for B, and B does not read' ;;
        *) press h 'A: hello came back' && press n 'B does not read\. Nobody waits' && press h 'C: hello came back' '^ B does not' ;;
    esac && eventually agrees_with_ss B && eventually agrees_with_ss C && case $1 in 0[2-5]*) picture "$1" ;; esac &&
        press x '^ C :.*(TIME_WAIT|queued)' 'your clients +B' && press '?' 'The end .FIN.' && press '?' 'listener' && closes q || return
    case $1 in
        *01-*) open env NO_COLOR=1 "$watcher" start "$1" --port 0 --backlog 0 && press c ' A :' && press c 'B waits' && ! is_coloured && press c 'C .*SYN_SENT' 'C: silent' ;;
        *06-*) # for the picture, all of whose workers think for longer than this lasts
            rows=30 open "$watcher" start "$1" --port 0 --think 60000 && press c ' A :' && press h 'B waits' &&
                press h 'C waits' && press h 'D waits' && press h 'E waits' && press h 'F waits' && picture "$1" ;;
    esac
}
two_screens() { [ "$(screen | grep -c 'Nobody waits')" -ge 2 ]; }
can_be_dumb() {
    rows=70 open env TERM=dumb "$watcher" start "$1" --port 0 && eventually two_screens && ONCE=1 "$watcher" pid "$server" | grep -q 'in ' || return
    if unshare -m true 2>/dev/null; then
        # shellcheck disable=SC2016 # the other shell expands it
        unshare -m sh -c 'mount --bind /dev/null /proc/$1/syscall && ONCE=1 $2 pid $1' - "$server" "$watcher" |
            grep -q "not seen: system calls: /proc/$server/syscall" || return
    fi
    closes C-c
}
refuses() { # what is no number, or none that can be
    local words
    for words in '12x' '0' '-1' '99999999999' "$$ 70000" "$$ 7007x" ''; do
        missing="exit status 2 for the words '$words'"
        # shellcheck disable=SC2086 # they are words
        "$watcher" pid $words </dev/null >/dev/null 2>&1
        [ $? -eq 2 ] || return
    done
}
is_cheap() { # how often it looks in 2 s, at least; and its program uses less than 5 % of a core
    local before used looked time
    time=$(date +%s%N) looked=$(waits_of "$window")
    read -r before _ <"/proc/$window/schedstat"
    sleep 2
    read -r used _ <"/proc/$window/schedstat"
    time=$(($(date +%s%N) - time)) looked=$(($(waits_of "$window") - looked))
    missing="$1 looks in 2 s for less than 5 % of a core: $looked in $((time / 1000)) us for $(((used - before) / 1000)) us"
    [ $(((used - before) * 20)) -lt $time ] && [ $((looked * 2000000000)) -ge $(($1 * time)) ]
}
names_in_order() { # clients that come between two looks
    local -a ports
    rows=50 open "$watcher" start "$1" --port 0 && kill -STOP "$window" || return
    # Their ports are in no order, because the kernel gives random ones to bind.
    python3 -c 'import signal, socket, sys
clients = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), None, ("127.0.0.1", 0)) for _ in range(6)]
print(*[one.getsockname()[1] for one in clients], flush=True)
signal.pause()' "$port" >"$TMPDIR/ports" &
    eventually [ -s "$TMPDIR/ports" ] && read -ra ports <"$TMPDIR/ports" && kill -CONT "$window" || return
    eventually is_shown "^ A :${ports[0]} " "^ B :${ports[1]} " "^ C :${ports[2]} " "^ D :${ports[3]} " "^ E :${ports[4]} " "^ F :${ports[5]} " &&
        press c 'G: silent' && press h 'your clients +H: (hello|no).* G: silent' && closes q
}
stays_cheap() { # in a network of its own where that can be, because the sockets of others make each look longer
    local -a there=()
    ! unshare -n true 2>/dev/null || there=(unshare -n sh -c 'echo 65536 >/proc/sys/net/ipv4/tcp_child_ehash_entries; exec unshare -n sh -c "ip link set lo up; exec \"\$@\"" - "$@"' -)
    open "${there[@]}" "$watcher" start "$1" --port 0 && press cccccccccc 'J: silent' && { is_cheap 18 || is_cheap 18 || is_cheap 18; } || return
    [[ $1 != *02-* ]] || { closes C-c; return; } # a look at a thousand processes costs more than 4 % of two seconds
    # shellcheck disable=SC2016 # the other shell expands it
    ${there:+nsenter -t "$window" -n} bash -c 'ulimit -n 1400; for fd in {301..1300}; do eval "exec $fd<>/dev/tcp/127.0.0.1/$0"; done; exec sleep infinity' "$port" &
    eventually is_shown ' (99|100)[0-9] more .*together' && is_cheap 1 && closes C-c
}

play() { # name, test, server
    local start=$SECONDS verdict=ok
    [ -z "${ONLY:-}" ] || [ "$ONLY" = watch ] || [ "$ONLY" = "$1" ] || return
    missing=
    if ! command -v tmux >/dev/null; then verdict=skipped; else "${@:2}" || verdict=FAILED; fi
    printf '%-7s %4d s  %s\n' $verdict $((SECONDS - start)) "$1"
    ((++count[$verdict]))
    [ $verdict != FAILED ] || { echo "missing: $missing"; screen | sed 's/^/    /'; }
}
for one in "$@"; do
    play "watch: $one, who waits because of whom, the buffers of ss, and the page's picture" plays_the_chapter "$one"
done
if [ -z "${DRAW:-}" ]; then
    play 'watch: a plain screen each second on a dumb terminal, and no call where none can be read' can_be_dumb "$1"
    play 'watch: a PID or PORT that is no number is refused' refuses
    play 'watch: clients are named in the order in which they came, also those that came together' names_in_order "$1"
    play 'watch: ten looks per second for less than 5 % of a core with ten clients and (but for 02) with a thousand, and Ctrl-C leaves nothing' stays_cheap "$1"
fi
[ -z "${TALLY:-}" ] || echo "${count[ok]} ${count[FAILED]} ${count[skipped]}" >"$TALLY"
[ "${count[FAILED]}" -eq 0 ]
