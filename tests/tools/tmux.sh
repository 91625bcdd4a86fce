# For scripts that look at a program in tmux, as a reader does, in a session called watch. They have read own_jobs.sh.
# shellcheck shell=bash disable=SC2034,SC2119,SC2120 # others use what is here
unset TMUX NO_COLOR ONCE

mux() { tmux -f /dev/null -S "$TMPDIR/tmux" "$@"; }
screen() { mux capture-pane -p -t watch "$@" 2>/dev/null; }
eventually() { # command: until it succeeds, for 20 s or a little longer
    for _ in {1..400}; do "$@" && return; sleep 0.05; done
    return 1
}
is_shown() { # regular expressions; the last one that was looked for is in $missing
    local text words
    text=$(screen)
    for words in "$@"; do missing=$words && grep -qE -- "$words" <<<"$text" || return 1; done
}
# How often a program has waited. make watch's window does so once after each look.
waits_of() { awk '/^voluntary/ { print $2 }' "/proc/$1/status"; }
mux new-session -d -s anchor 'exec sleep infinity' # or tmux ends with its first window
