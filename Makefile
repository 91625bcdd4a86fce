# How the six servers are built. Lines that begin with ## are what `make help` prints.
CHAPTERS := 01-blocking-server 02-fork-per-client 03-select-server 04-nonblocking-fcntl 05-epoll-server 06-epoll-threadpool
CHAPTER  ?= 06
MAKEFLAGS+= $(if $(MAKELEVEL:0=)$(filter -j%,$(MFLAGS)),,-j$(shell nproc))
# A server is NN-name/server. Everything else that is built is in build/; with SANITIZE=thread all is, in build/thread/.
BUILD    := build$(if $(SANITIZE),/$(shell echo $(SANITIZE) | tr , -))
OUT      := $(if $(SANITIZE),$(BUILD)/)
SERVERS  := $(CHAPTERS:%=$(OUT)%/server)
FIRST    := $(patsubst %.cpp,$(BUILD)/%,$(wildcard 01-blocking-server/first.cpp))

# CXX, CXXFLAGS, CPPFLAGS and LDFLAGS are yours to set. What COMPILE adds makes an undiscovered mistake harder to use.
CXXFLAGS ?= -O2 -g $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
FLAGS    := -std=c++20 -pthread -I. -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(WERROR),-Werror) \
            $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
COMPILE  := $(CXX) $(FLAGS) -fPIE -pie -fstack-protector-strong -Wl,-z,relro,-z,now $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)

## make                  build all six servers; V=1 shows the commands
all: $(SERVERS) $(FIRST)

## make 03               build 03-select-server/server; so does make in that folder
.SECONDEXPANSION: # so that $$@ is the target, 03 or 03-select-server: it needs the programs whose paths begin with it
01 02 03 04 05 06 $(CHAPTERS): $$(filter $(OUT)$$@% $(BUILD)/$$@%,$(SERVERS) $(FIRST))

# 03-select-server/server is made of 03-select-server/server.cpp and the headers. When one changes, all are built again.
$(SERVERS): $(OUT)%: %.cpp $(wildcard common/*.h 0?-*/*.h) $(BUILD)/flags
	$(if $(V),,@echo '  compile  $<'; )$(COMPILE) -o $@ $<
$(FIRST): $(BUILD)/%: %.cpp $(BUILD)/flags
	$(if $(V),,@echo '  compile  $<'; )$(COMPILE) -o $@ $<

# This file changes when the compiler or its flags do, and then everything is built again. (+: make -n does it, too.)
$(BUILD)/flags: always
	+@test -w . || { echo 'You may not write in this folder, so nothing can be built here. Copy it.' >&2; exit 1; }
	+@mkdir -p $(CHAPTERS:%=$(BUILD)/%); echo '$(COMPILE)' | cmp -s - $@ || echo '$(COMPILE)' > $@

## make run CHAPTER=03   build and start one, port 7007; PORT=7100, ARGS=--verbose
run: $(CHAPTER)
	$(strip $(filter $(OUT)$(CHAPTER)%,$(SERVERS)) --port $(or $(PORT),7007) $(ARGS))

## make demo             all six meet difficult clients, and you see who is served
demo: $(SERVERS) $(BUILD)/tests/tools/demo/demo
	@$(BUILD)/tests/tools/demo/demo $(SERVERS)

## make diff-03          what chapter 03 changed in 02's server; FROM=01: in 01's
diff-02 diff-03 diff-04 diff-05 diff-06: diff-%:
	@tests/tools/diff.sh $* $(FROM)

## make test             test everything (3 minutes); CHAPTER=03, ONLY='half-close'
test: test-programs
	@exec tests/run.sh $(BUILD)/tests/logs build/tests/server-tests $(tested) $(if $(filter %01-blocking-server/server,$(tested)),$(FIRST))

## make clean            remove everything that was built
clean:
	$(RM) -r build $(CHAPTERS:%=%/server)

## make help             this; make help-all lists the rest
help:
	@sed -n 's/^## //p' Makefile tests/tests.mk tests/tools/*/*.mk

.PHONY: all run demo test clean help always 01 02 03 04 05 06 $(CHAPTERS)
include tests/tests.mk
