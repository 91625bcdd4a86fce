echo nproc $(nproc) $(make --version | head -1); cd /tmp/h/makes-work/par; ln -sf /tmp/h/makes-work/cxx.sh /tmp/h/makes-work/bin/fakecxx; PATH=/tmp/h/makes-work/bin:$PATH
par() { make -s clean >/dev/null; rm -f /tmp/h/makes-work/fake.log; eval "$1" >/dev/null 2>/tmp/h/makes-work/fake.err; rc=$?; awk '/s/{c++}/e/{c--}c>m{m=c}END{printf "max at once %d  ",m}' /tmp/h/makes-work/fake.log 2>/dev/null; echo "rc $rc: $1"; head -3 /tmp/h/makes-work/fake.err; }
for c in "CXX=fakecxx make -e" "make CXX=fakecxx" "CXX=fakecxx make" "CXX=fakecxx make PORT=3" "CXX=fakecxx make -B" "CXX=fakecxx make -s" "CXX=fakecxx make V=1" "CXX=fakecxx make -C 03-select-server 01 02 03"; do par "$c"; done
cat > /tmp/h/makes-work/m.mk <<'F'
$(info at parse: [$(MAKEFLAGS)])
MAKEFLAGS:= $(MAKEFLAGS) $(if $(MAKELEVEL:0=)$(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
$(info then: [$(MAKEFLAGS)])
all: ; @echo 'in recipe: [$(MAKEFLAGS)]'
F
make -f /tmp/h/makes-work/m.mk; make -f /tmp/h/makes-work/m.mk A=1; make -B -f /tmp/h/makes-work/m.mk A=1; make -j3 -f /tmp/h/makes-work/m.mk A=1
