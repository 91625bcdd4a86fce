# For scripts that test: however the script ends, all that it has started ends with it, and nothing stays in /tmp.
# shellcheck shell=bash

# Who has this folder in the environment, and only they, has been started here, by whomever.
TMPDIR=$(mktemp -d) || exit
export TMPDIR

# The shells around the programs first, which are about to start something. Then rounds, as others may be, too.
end_all() {
    local pids
    pids=$(jobs -p)
    disown -a # or bash says of each that it was killed
    # shellcheck disable=SC2086 # several numbers
    kill -KILL $pids 2>/dev/null
    for _ in {1..100}; do
        pids=$(env -u TMPDIR grep -lszxF "TMPDIR=$TMPDIR" /proc/[0-9]*/environ |
            env -u TMPDIR tr -dc '0-9\n')
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
    done
    rm -rf "$TMPDIR"
}
trap end_all EXIT
# Ctrl-C reaches only the script: what bash starts in the background ignores it.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
