# Breakages and exercises: reads what a patch in tests/breakages/ says of itself, and plays a case.
# shellcheck shell=bash
#
# What a patch says of itself, before the diff:
#     Exercise: 04-2              its number as an exercise: in each chapter they count from 1, and each is there once
#     Chapter: 04                 whose server is built
#     Suite: servers              who plays the case: build/tests/server-tests, or faults, by the name of the fault; without
#                                 this line build/tests/check
#     Sanitize: thread            the sanitizer with which the server is built; without this line none
#     Case: never-reading client  which case catches it
#     Expect: reads none; then    what the report of that failure must match, in what the client did, what was expected
#                                 and what it got: an extended regular expression, see grep(1)
#     Passes: one line            a case that the broken server still passes (so when there is no such line), or none:
#                                 it is not just dead
#     What: ...                   the mistake in words
#     Why: ...                    what happens, step by step, and why the real code is right
#     Player: yes                 two recordings, of the right and of the broken server, part where the mistake is
#     Wild: ...                   well-known software that had this bug; there may be several, or none
# Why and Wild may go on in the next lines, which then begin with spaces.

# A field that is there several times is that many paragraphs.
field() { # name, patch
    awk -v name="$1: " '/^--- / { exit }
        index($0, name) == 1 { if (seen++) print ""; ours = 1; print substr($0, length(name) + 1); next }
        ours && sub(/^ +/, "") { print; next }
        { ours = 0 }' "$2"
}

# Plays one case; all that is said of it goes to standard output. Gives 0 when it passed, 1 when it failed, else 2.
play() { # suite, chapter, server, case
    local out
    if [ "$1" = servers ]; then
        out=$(CHAPTER=$2 SERVER=$3 ONLY=$4 timeout 100 build/tests/server-tests 2>&1 | tr -d '\0')
        echo "$out"
        grep -qa "^ok .*  $2  $4: " <<<"$out" && return 0
        grep -qa "^FAILED .*  $2  $4: " <<<"$out" && return 1
    elif [ "$1" = faults ]; then
        out=$(timeout 100 build/tests/faults/faults --only "$4" "$3" 2>&1 | tr -d '\0')
        echo "$out"
        grep -qa '^ok ' <<<"$out" && return 0
        grep -qa '^FAILED ' <<<"$out" && return 1
    else
        out=$(ONLY=$4 timeout 100 build/tests/check "'$3' --port {port}" "$2" 2>&1 | tr -d '\0')
        echo "$out"
        grep -qa "^pass    $4: " <<<"$out" && return 0
        grep -qa "^FAIL    $4: " <<<"$out" && return 1
    fi
    return 2
}

# Of what play says: what the client did, what was expected, what came. Not the hints. (faults says all in one line.)
report() {
    sed -n '/: expected .*, got /p; /^ *the client /,/^ *hint /{ /^ *hint /d; /^====/q; p }'
}
