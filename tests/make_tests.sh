#!/bin/bash
# Tests the Makefile and the manners of the tools, in a copy of the project whose path has a space in it.
# Usage: tests/make_tests.sh   (after make test-programs; `make test-make` does both)
set -u
cd "$(dirname "$0")/.." || exit 1
project=$PWD
# shellcheck source=tests/own_jobs.sh
. tests/own_jobs.sh # ends all that is still running, and removes $TMPDIR
unset MAKEFLAGS MFLAGS MAKELEVEL CHAPTER ONLY WERROR V
passed=0 failed=0

# What a command prints, in $out, and its status, in $status.
try() { out=$(timeout "${limit:-120}" "$@" 2>&1 </dev/null); status=$?; }

verdict() { # what is promised; the test before has just said whether it is kept
    if [ "$?" -eq 0 ]; then
        passed=$((passed + 1)); echo "ok      make  $1"
    else
        failed=$((failed + 1)); echo "FAILED  make  $1"; tail -n 20 <<<"$out" | sed 's/^/    /'
    fi
}

lines() { wc -l <<<"$out"; }
says() { grep -qE -- "$1" <<<"$out"; }

copy="$TMPDIR/a copy"
mkdir "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$copy" || exit
cd "$copy" || exit 1

# --- building ---------------------------------------------------------------------------------------------------------

try make 03
[ $status -eq 0 ] && [ -x 03-select-server/server ]; verdict 'make 03 builds a server, where the path has a space'
try make -s 03
[ $status -eq 0 ] && [ -z "$out" ]; verdict 'make 03 again does nothing'
touch common/fd.h
try make -n 03
says '-o 03-select-server/server '; verdict 'a header that has changed is noticed'
limit=20 try make -B -n # when it does not end, it fills the process table
[ $status -eq 0 ] && says '-o 06-epoll-threadpool/server' && ! says '^make\['; verdict 'make -B -n ends'
limit=60 try make -B 03
[ $status -eq 0 ] && says 'compile  03' && ! says '^make\[1\]'; verdict 'make -B builds, and calls no other make'
limit=20 try make -C 03-select-server -B -n
[ $status -eq 0 ] && says '-o 03-select-server/server' && ! says '^make\[2\]'; verdict 'make in a folder is about that chapter'
try make -j8 01 02
[ $status -eq 0 ] && [ -x 01-blocking-server/server ] && [ -x build/01-blocking-server/first ] && [ -x 02-fork-per-client/server ]; 
verdict 'make -j8 builds two chapters, and first.cpp with 01'
try make new-server NAME=mine FROM=first
[ $status -eq 0 ] && cmp -s mine/mine/server.cpp 01-blocking-server/first.cpp; verdict 'make new-server FROM=first lays out first.cpp'
try make -j1 04
[ $status -eq 0 ] && [ -x 04-nonblocking-fcntl/server ]; verdict 'make -j1'

try make V=1 05 CPPFLAGS=-DTHEIRS CXXFLAGS=-O1 LDFLAGS=-Wl,--as-needed
[ $status -eq 0 ] && says '-DTHEIRS -O1 -Wl,--as-needed -o 05'; verdict 'flags from the command line are added'
try env CPPFLAGS=-DTHEIRS CXXFLAGS=-O1 make V=1 05
[ $status -eq 0 ] && says '-DTHEIRS -O1 +-o 05'; verdict 'flags from the environment are added, and flags that differ rebuild'
try env CPPFLAGS=-DTHEIRS CXXFLAGS=-O1 make -s V=1 05
[ $status -eq 0 ] && [ -z "$out" ]; verdict 'the same flags do not'

for word in nonsense 07; do
    try make $word
    [ $status -eq 2 ] && says "no '$word' here" && says 'make help' && [ "$(lines)" -le 2 ]; verdict "make $word says what to do"
done
try make test CHAPTER=9
[ $status -eq 2 ] && says "no '9' here"; verdict 'CHAPTER=9 tests nothing'
try make watch PID=
[ $status -eq 2 ] && says 'PID is empty'; verdict 'make watch PID= watches nothing'

try make -n --warn-undefined-variables 01
out=$(grep "undefined variable" <<<"$out" | grep -vE "'(SANITIZE|WERROR|CPPFLAGS|LDFLAGS|BESIDE|PID|V)'") # what users set
[ -z "$out" ]; verdict 'no variable is used before it is set, in a file that is included earlier'

try make help
[ $status -eq 0 ] && [ "$(lines)" -gt 5 ] && [ "$(lines)" -le 24 ] && ! says '.{81}'; verdict 'make help fits a screen'
try make help-all
says "ONLY='" && says 'minutes' && says 'SANITIZE='; verdict 'make help-all says more'

# --- the step from chapter to chapter ---------------------------------------------------------------------------------

try make diff-03
[ $status -eq 0 ] && says '^\+\+\+ b/03-select-server/server.cpp' && ! says '^[-+]#include <sys/select' && ! says $'\e'
verdict 'make diff-03 leaves #include lines out'
says '^\+// .* Introduced by chapter 03'; verdict 'make diff-03 shows the header that is new'
try make diff-03 FROM=01
[ $status -eq 0 ] && says '^--- a/01-blocking-server/server.cpp'; verdict 'make diff-03 FROM=01'
try make diff-03 FROM=9
[ $status -eq 2 ] && says 'chapters are 01 to 06'; verdict 'make diff-03 FROM=9 says what to do'

# --- where there is something wrong with the machine ------------------------------------------------------------------

if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$TMPDIR"
    try setpriv --reuid=65534 --regid=65534 --clear-groups make 03
else
    chmod -w "$copy" && try make 03
    chmod +w "$copy"
fi
[ $status -eq 2 ] && says 'You may not write' && [ "$(lines)" -le 3 ]; verdict 'a folder without write permission gets a sentence'

git init -q "$TMPDIR/repository" && cp -a . "$TMPDIR/repository" && cd "$TMPDIR/repository" || exit 1
git add -A && git -c user.name=t -c user.email=t@example.com commit -q -m all &&
    try git clone -q -c core.autocrlf=true . ../windows
(cd ../windows && ! grep -rlI --exclude-dir=.git $'\r' .); verdict 'a checkout with core.autocrlf=true has no CR'

cd "$project" || exit 1
mkdir "$TMPDIR/bin" # everything but strace and what could install it
ln -s /usr/bin/* "$TMPDIR/bin"
rm -f "$TMPDIR"/bin/{strace,apt-get}
PATH=$TMPDIR/bin try tests/need.sh strace strace
[ $status -eq 1 ] && [ "$(grep -o strace <<<"$out" | wc -l)" -eq 1 ]; verdict 'need.sh names a missing package once'
PATH=$TMPDIR/bin try tests/need.sh 'strace?'
[ $status -eq 0 ] && says 'missing packages: strace'; verdict 'need.sh goes on without one that may be missing'

ptrace=$(echo '#include <sys/syscall.h>
SYS_ptrace' | ${CXX:-g++} -E -x c++ - | tail -n 1)
programs="CHECKS=unit build/tests/unit-tests Fd:*
pictures build/tests/tools/trace/tracer check 03-select-server/server
docs build/tests/tools/trace/pages check tests/tools/trace/exempt.txt 03-select-server/README.md
faults build/tests/faults/faults --few 03-select-server/server"
run=(tests/run.sh "$TMPDIR/logs" build/tests/server-tests)
for how in 'may not trace' 'is not installed'; do
    if [ "$how" = 'may not trace' ]; then
        try env "$programs" python3 tests/no_ptrace.py "$ptrace" "${run[@]}"
    else
        PATH=$TMPDIR/bin try env "$programs" "${run[@]}"
    fi
    [ $status -eq 0 ] && says ' passed, 0 failed, 3 skipped$' && says "^skipped 3: strace $how" && ! says '\(skipped:'
    verdict "where strace $how, what needs it is skipped, and the reason told once"
done

rm -f "$TMPDIR/bin/node"
PATH=$TMPDIR/bin try build/tests/tools/player/player check 02-fork-per-client/server
[ $status -eq 0 ] && says '^skipped .*02-fork.*: node is not installed'; verdict 'where there is no Node.js, the check of the player is skipped'

# --- what make test says of a failure ---------------------------------------------------------------------------------

try env "$programs" ONLY='one line' "${run[@]}" 03-select-server/server
[ $status -eq 0 ] && says '^1 passed, 0 failed$'; verdict 'ONLY plays one case'
try env "$programs" ONLY='no such case' "${run[@]}" 03-select-server/server
[ $status -eq 1 ] && says "no test is called 'no such case'"; verdict 'ONLY with a wrong name is no success'

cat >"$TMPDIR/fails" <<'END'
#!/bin/sh
echo "FAILED   0.1 s  ${CHAPTER:+$CHAPTER  }it's here: a promise"
echo 0 1 0 >"$TALLY"
END
chmod +x "$TMPDIR/fails"
try env CHECKS="unit $TMPDIR/fails" tests/run.sh "$TMPDIR/logs" "$TMPDIR/fails" 03-select-server/server
grep -v '^The machine is busy' <<<"$out" | tail -n 5 | diff - <(cat <<'END'
FAILED   0.1 s  it's here: a promise
        again: make test ONLY='it'\''s here: a promise'
FAILED   0.1 s  03  it's here: a promise
        again: make test CHAPTER=03 ONLY='it'\''s here'
0 passed, 2 failed
END
)
verdict 'failures are listed again at the end, with the command that runs them'

echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
