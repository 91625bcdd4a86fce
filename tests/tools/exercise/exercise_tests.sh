#!/bin/bash
# Tests make exercise in a copy of the project, in a path with a space and without git. Two breakages are played, of
# those that take little time, and each of the three exercises that build something: the starting point and a wrong
# solution must fail, the solution must pass. (make breakages plays all the patches.)
# Usage: tests/tools/exercise/exercise_tests.sh   (`make test-exercise` builds what it needs, and calls it)
set -u
cd "$(dirname "$0")/../../.." || exit 1
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh # ends all that is still running, and removes $TMPDIR
unset MAKEFLAGS MFLAGS MAKELEVEL CHAPTER ONLY WERROR V N
export SEARCH=2 # seconds
passed=0 failed=0

# What a command prints, in $out, and its status, in $status.
try() { out=$(timeout 300 "$@" 2>&1 </dev/null); status=$?; }

verdict() { # what is promised; the test before has just said whether it is kept
    if [ "$?" -eq 0 ]; then
        passed=$((passed + 1)); echo "ok      exercise  $1"
    else
        failed=$((failed + 1)); echo "FAILED  exercise  $1"; tail -n 20 <<<"$out" | sed 's/^/    /'
    fi
}

says() { grep -qE -- "$1" <<<"$out"; }

copy="$TMPDIR/a copy"
mkdir "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$copy" || exit
find build/flags build/tests -type f ! -name '*.log' -print0 | xargs -0 cp -p --parents -t "$copy" || exit
cd "$copy" || exit 1

# All files but those that were built, with their contents.
tree() { find . -path ./build -prune -o -type f -print0 | sort -z | xargs -0 sha256sum; }
before=$(tree)
untouched() { diff <(echo "$before") <(tree); }

# --- the list, and numbers that there are not -------------------------------------------------------------------------

try make exercise
[ $status -eq 0 ] && says '^      04-2 +ask about room' && says '^0 done' &&
    [ "$(grep -cE '^      0[1-6]-[0-9]+ ' <<<"$out")" -eq "$(find tests/breakages -name '*.patch' | wc -l)" ]
verdict 'without a number it lists them all'
complete=yes
# shellcheck disable=SC2016 # make is to expand it
for number in x 04-99 '4-2' "1'2" '04-2 ' '../04-2' '03-../03-poll' '04-*' '$$(touch here)' '--help'; do
    try make exercise N="$number"
    [ $status -eq 2 ] && says 'There is no exercise' && [ "$(wc -l <<<"$out")" -le 2 ] && continue
    complete=$number
    break
done
[ "$complete" = yes ] && untouched; verdict 'a number that there is not gets a sentence, and nothing is created'

# --- a breakage -------------------------------------------------------------------------------------------------------

try make exercise N=03-7
[ $status -eq 0 ] && says '^-    if \(select\(highest \+ 1' && says "^The lesson is the case 'one line'" &&
    says '^ +expected ' && says '^Why' && says 'counted from 0'
verdict 'an exercise shows the change, plays the lesson, and explains'
[ -x build/exercise/03-7/03-select-server/server ] && untouched; verdict 'the tree is untouched, and the broken server is kept'
try make exercise N=01-12
[ $status -eq 0 ] && says 'all that the server had read' && says '^After 2 s the search was ended' &&
    ! sed -n '/^What else/,$p' <<<"$out" | grep -q '^  '
verdict 'an exercise with a case that only the tests of the servers have'
try make exercise
says '^done  03-7 ' && says '^done  01-12 ' && says '^2 done'; verdict 'they are remembered as done'

out=$(printf 'nobody is served\n' | timeout 100 script -qec 'make exercise N=03-7' /dev/null 2>&1)
says $'\e\[31m-' && says $'\e\[32m\+' && says 'You expected: nobody is served'
verdict 'on a terminal it waits for an answer, and the change has colours'

sed -i '1i // A note of mine.' 03-select-server/server.cpp
try make exercise N=03-7
[ $status -eq 0 ] && grep -q 'note of mine' build/exercise/03-7/03-select-server/server.cpp; verdict 'an edit elsewhere is in the copy'
sed -i 's/select(highest + 1,/select(1 + highest,/' 03-select-server/server.cpp
try make exercise N=03-7
[ $status -ne 0 ] && says 'cannot be made in your files' && says 'git stash' && [ ! -e build/exercise/03-7 ]
verdict 'an edit of the same lines is refused with a sentence, and no copy stays'
sed -i -e 1d -e 's/select(1 + highest,/select(highest + 1,/' 03-select-server/server.cpp
untouched; verdict 'the edits were still there'

# --- Ctrl-C -----------------------------------------------------------------------------------------------------------

# In the middle of a case that takes seconds. (env: bash lets what it starts in the background ignore SIGINT.)
env --default-signal=INT setsid make exercise N=04-1 >"$TMPDIR/log" 2>&1 &
make=$!
until grep -q 'The lesson' "$TMPDIR/log" && pgrep -f '^build/exercise/04-1/.*server ' >/dev/null; do
    kill -0 $make 2>/dev/null || break
    sleep 0.02
done
kill -INT -- -$make
wait $make
out=$(cat "$TMPDIR/log"; pgrep -af 'build/exercise/04-1')
! says '^[0-9]+ .*build/exercise/04-1' && [ ! -e build/exercise/04-1 ] && untouched; verdict 'Ctrl-C leaves nothing behind'
try make exercise
! says '^done  04-1 '; verdict 'and what was not finished is not done'

# --- the exercises that build something -------------------------------------------------------------------------------

judged() { # NAME, file: what the exercise's own cases say of this server
    # shellcheck disable=SC2086 # it may be ccache g++
    try ${CXX:-g++} -std=c++20 -pthread -O1 -I. -o "$TMPDIR/server" "$2"
    [ $status -ne 0 ] || try build/tests/exercise-cases "$1" "$TMPDIR/server"
}

for name in 03-poll 05-idle 06-write-queue; do
    try make exercise N=$name
    [ $status -eq 0 ] && says "Yours to change: mine/$name/server.cpp" && [ -e mine/$name/server.cpp ]
    verdict "$name lays out where to begin"
    judged $name mine/$name/server.cpp; [ $status -eq 1 ] && says '^FAIL '; verdict "$name: the beginning fails"
    cp mine/$name/server.cpp "$TMPDIR/$name.cpp"
    if [ -e tests/tools/exercise/$name/solution.patch ]; then
        patch -s -F0 "$TMPDIR/$name.cpp" tests/tools/exercise/$name/solution.patch
    else
        cp 06-epoll-threadpool/server.cpp "$TMPDIR/$name.cpp"
    fi
    judged $name "$TMPDIR/$name.cpp"; [ $status -eq 0 ] && ! says '^FAIL'; verdict "$name: the solution passes"
done

wrong() { # NAME, the case that must fail, what sed does to the solution
    sed -E "$3" "$TMPDIR/$1.cpp" >"$TMPDIR/wrong.cpp"
    out='sed has changed nothing' status=0
    cmp -s "$TMPDIR/$1.cpp" "$TMPDIR/wrong.cpp" || ONLY=$2 judged "$1" "$TMPDIR/wrong.cpp"
    [ $status -eq 1 ] && says "^FAIL    $2: "; verdict "$1: '$2' fails where it has to"
}
wrong 03-poll '1,100 clients' 's/limit_descriptors\(RLIM_INFINITY\)/limit_descriptors(1024)/'
wrong 03-poll 'full but not busy' 's/paused \? -1 : listener/listener/'
wrong 05-idle 'without the option' 's/idle_time.count\(\) == 0 \|\| //; s/if \(idle_time.count\(\) == 0\) return;//'
wrong 05-idle 'deaf is closed' 's/(last_served \+ idle_time) <= now\)/\1 <= now \&\& !by_idleness.front()->has_unsent())/'
wrong 05-idle 'silent is closed' 's/last_served \+ idle_time/last_served + idle_time \/ 2/'
wrong 05-idle 'busy is kept' '/client.last_served = Clock::now\(\)/d'
wrong 05-idle 'each at its own time' '/if \(!stopping.*close_idle_clients/s/close_idle_clients\(now\);/{ auto one = by_idleness.begin(); if (one != by_idleness.end() \&\& (*one)->last_served + idle_time <= now \&\& clients.size() > 1) clients.erase((*one)->fd()); }/'
wrong 05-idle 'asked in time' 's/close_idle_clients\(now\);/close_idle_clients(Clock::now());/'
wrong 05-idle 'idle costs no CPU' 's/most, time_to_wait\(\)/most, idle_time.count() > 0 ? 0 : time_to_wait()/'
wrong 06-write-queue 'others send while it thinks' 's/^( +)push\(.*T14.*/\1push(read_queue, *client);/; s/!client->echo_buffer\(think_time\)/!(client->has_unsent() ? client->send_unsent() : client->echo_buffer(think_time))/'
wrong 06-write-queue 'nothing is lost' 's/\(client.has_unsent\(\) \? EPOLLOUT : EPOLLIN\)/(client.has_unsent() ? EPOLLOUT : 0)/'
wrong 06-write-queue 'ends in good order' '/write_queue.close\(\)/d'

try make exercise N=05-idle
[ $status -ne 0 ] && says '^FAIL    silent is closed' && says 'Not yet'; verdict 'an unfinished one is told what is missing'
cp "$TMPDIR/05-idle.cpp" mine/05-idle/server.cpp
try make exercise N=05-idle
[ $status -eq 0 ] && says 'It works' && says 'solution.patch'; verdict 'a finished one passes all of its chapter, too'
try make exercise
says '^done  05-idle ' && ! says '^done  03-poll'; verdict 'and is remembered as done'

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
