# make help lists what there is. The rules: a server is NN-name/server, everything else that is built is in build/.

CHAPTERS := 01-blocking-server 02-fork-per-client 03-select-server 04-nonblocking-fcntl 05-epoll-server 06-epoll-threadpool
CHAPTER  ?= 06
PORT     ?= 7007
ARGS     ?=

# What the compiler adds against mistakes that we have not found, where it costs next to nothing: buffers are checked where
# their size is known, a stack that has been written over ends the program, and addresses differ each time.
CXXFLAGS  ?= -O2 -g $(if $(SANITIZE),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
CPPFLAGS += -I. -MMD -MP
override CXXFLAGS += -std=c++20 -pthread -fPIE -fstack-protector-strong $(WARNINGS)
override LDFLAGS  += -pthread -pie -Wl,-z,relro,-z,now

# SANITIZE=address,undefined or SANITIZE=thread builds everything once more, into a folder of its own.
comma := ,
ifneq ($(SANITIZE),)
BUILD   := build/$(subst $(comma),-,$(SANITIZE))
SERVERS := $(CHAPTERS:%=$(BUILD)/%/server)
override CXXFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
override LDFLAGS  += -fsanitize=$(SANITIZE)
else
BUILD   := build
SERVERS := $(CHAPTERS:%=%/server)
endif
ifdef WERROR
override CXXFLAGS += -Werror
endif

# As many jobs as there are processors, unless -j says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += --jobs=$(shell nproc)
endif

# The folder that a number, or the beginning of a name, stands for: $(call folder,03) is 03-select-server.
folder = $(or $(firstword $(filter $(1)%,$(CHAPTERS))),$(error there is no chapter '$(1)'; CHAPTER is one of: 01 02 03 04 05 06))
objects = $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.cpp)))

COMMON := $(BUILD)/libcommon.a

.PHONY: all
all: $(SERVERS)

# A line a file; V=1 shows the whole commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)')

# --- how things are built -------------------------------------------------------------------------------------------

define chapter_rules
$(1:%=$(if $(SANITIZE),$(BUILD)/)%/server): $(call objects,$(1)) $(COMMON)
	$$(call say,link     $$@)
	$$(Q)$$(CXX) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
.PHONY: $(firstword $(subst -, ,$(1))) $(1)
$(firstword $(subst -, ,$(1))) $(1): $(if $(SANITIZE),$(BUILD)/)$(1)/server
endef
$(foreach chapter,$(CHAPTERS),$(eval $(call chapter_rules,$(chapter))))

$(COMMON): $(call objects,common)
	@$(RM) $@
	$(Q)$(AR) rcs $@ $^

# The stamp is as old as the last change of compiler or flags; so a change of those rebuilds, too.
FLAGS_NOW := $(CXX) $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)
$(shell mkdir -p $(BUILD); echo '$(FLAGS_NOW)' | cmp -s - $(BUILD)/flags || echo '$(FLAGS_NOW)' > $(BUILD)/flags)

# Most of the time goes into reading the standard library's headers; so they are read once and kept in the compiler's own
# form. Every file still includes what it uses, and clang++ does without this.
STD_HEADERS   := algorithm array chrono functional iostream sstream string system_error unordered_map vector
TESTS_HEADERS := $(STD_HEADERS) filesystem fstream map optional random thread

# $(1): a name, $(2): what is to be included
define headers_rule
$(BUILD)/headers/$(1).h: Makefile
	@mkdir -p $$(@D)
	@printf '#include %s\n' $(foreach one,$(2),'$(one)') > $$@
$(BUILD)/headers/$(1).h.gch: $(BUILD)/headers/$(1).h $(BUILD)/flags
	$$(call say,compile  the headers in $$<)
	$$(Q)$$(CXX) $$(CPPFLAGS) $$(CXXFLAGS) -x c++-header -c -o $$@ $$<
endef
$(eval $(call headers_rule,std,$(STD_HEADERS:%=<%>)))
$(eval $(call headers_rule,tests,$(TESTS_HEADERS:%=<%>)))
$(eval $(call headers_rule,catch,$(TESTS_HEADERS:%=<%>) "tests/catch.h"))

compiled = $(if $(findstring clang,$(CXX)),,$(BUILD)/headers/$(1).h.gch)
include_compiled = $(if $(findstring clang,$(CXX)),,-include $(BUILD)/headers/$(1).h)

# The tests are compiled for quick building: it is the servers that have to be fast.
$(BUILD)/tests/%.o $(BUILD)/headers/tests.h.gch $(BUILD)/headers/catch.h.gch: private override CXXFLAGS += -O0 -U_FORTIFY_SOURCE

$(BUILD)/%.o: %.cpp $(BUILD)/flags $(call compiled,std)
	@mkdir -p $(@D)
	$(call say,compile  $<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(call include_compiled,std) -c -o $@ $<
$(BUILD)/tests/%.o: tests/%.cpp $(BUILD)/flags $(call compiled,tests)
	@mkdir -p $(@D)
	$(call say,compile  $<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(call include_compiled,tests) -c -o $@ $<
$(BUILD)/tests/unit/%.o: tests/unit/%.cpp $(BUILD)/flags $(call compiled,catch)
	@mkdir -p $(@D)
	$(call say,compile  $<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) $(call include_compiled,catch) -c -o $@ $<

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')

# --- the servers ----------------------------------------------------------------------------------------------------

.PHONY: run
run: $(call folder,$(CHAPTER))
	@echo '$(call folder,$(CHAPTER))/server --port $(PORT)$(if $(ARGS), $(ARGS))'
	@exec $(if $(SANITIZE),$(BUILD)/)$(call folder,$(CHAPTER))/server --port $(PORT) $(ARGS)

# What a chapter changed in the server of the chapter before.
define diff_rule
.PHONY: diff-$(firstword $(subst -, ,$(2)))
diff-$(firstword $(subst -, ,$(2))):
	@git --no-pager diff --no-index --minimal --color=$$(if $$(MAKE_TERMOUT),always,never) $(1)/server.cpp $(2)/server.cpp || true
endef
$(eval $(call diff_rule,01-blocking-server,02-fork-per-client))
$(eval $(call diff_rule,02-fork-per-client,03-select-server))
$(eval $(call diff_rule,03-select-server,04-nonblocking-fcntl))
$(eval $(call diff_rule,04-nonblocking-fcntl,05-epoll-server))
$(eval $(call diff_rule,05-epoll-server,06-epoll-threadpool))

# --- the demonstration and the tests --------------------------------------------------------------------------------

SUPPORT := $(call objects,tests/support) $(COMMON)

$(BUILD)/tests/tools/demo/demo: $(call objects,tests/tools/demo) $(SUPPORT)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

.PHONY: demo demo-program
demo-program: $(BUILD)/tests/tools/demo/demo
demo: all demo-program
	@$(BUILD)/tests/tools/demo/demo $(SERVERS)

# All chapters, unless CHAPTER is given on the command line. ThreadSanitizer is for the one that has threads: in the others
# it finds nothing, and holds signals back.
TESTED := $(if $(filter command%,$(origin CHAPTER)),$(call folder,$(CHAPTER)),$(if $(filter thread,$(SANITIZE)),$(call folder,06),$(CHAPTERS)))

# Each kind of tool in tests/ brings its own rules.
include $(wildcard tests/*/*.mk tests/tools/*/*.mk)

TEST_MAIN := $(BUILD)/tests/main.o
$(BUILD)/tests/unit-tests: $(TEST_MAIN) $(call objects,tests/unit) $(SUPPORT) \
    $(patsubst %,$(BUILD)/tests/tools/trace/%.o,resolve page) $(BUILD)/tests/claims/matrix.o
$(BUILD)/tests/server-tests: $(TEST_MAIN) $(call objects,tests/servers) $(call objects,tests/cases) $(SUPPORT)
$(BUILD)/tests/unit-tests $(BUILD)/tests/server-tests:
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(CATCH_LIBS)

# Version 3 of Catch2 has a library, version 2 has none.
CATCH_LIBS = $(shell echo 'int main() {}' | $(CXX) -x c++ - -lCatch2 -o /dev/null 2>/dev/null && echo -lCatch2)

# The article's statements are measured when all is tested, and on the servers as a reader builds them.
CLAIMS := $(if $(SANITIZE)$(filter command%,$(origin CHAPTER)),,build/tests/claims-program)

# exec: so that a SIGTERM that make passes on reaches the script, not a shell in between.
.PHONY: test test-programs
test:
	@CXX='$(CXX)' tests/need.sh catch2 strace netcat-openbsd ncat socat python3 $(DOCS_NEED)
	@$(MAKE) --no-print-directory test-programs
	@MORE="$$(printf '%s\n' "$$DOCS_CHECKS" "$$FAULT_CHECKS")" exec tests/run.sh $(BUILD)/tests/unit-tests build/tests/server-tests '$(CLAIMS)' $(foreach one,$(TESTED),$(firstword $(subst -, ,$(one)))=$(if $(SANITIZE),$(BUILD)/)$(one)/server)

# The clients of the server tests need no sanitizer, so there is one program of them.
test-programs: $(SERVERS) $(BUILD)/tests/unit-tests
	$(if $(SANITIZE),@$(MAKE) --no-print-directory SANITIZE= build/tests/server-tests build/tests/soak/soak)
ifeq ($(SANITIZE),)
test-programs: $(BUILD)/tests/server-tests $(CLAIMS) docs-programs fault-programs
endif

# --- the grader -----------------------------------------------------------------------------------------------------

$(BUILD)/tests/check: $(call objects,tests/grader) $(call objects,tests/cases) $(SUPPORT)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# Your own server: make new-server NAME=echo lays it out in mine/echo, and make check builds it when it has changed.
mine = $(filter mine/%,$(SERVER))
.PHONY: check
check: $(BUILD)/tests/check $(mine)
	@$(BUILD)/tests/check '$(SERVER)' '$(LEVEL)'

mine/%/server: mine/%/server.cpp
	$(call say,compile  $<)
	$(Q)$(CXX) $(CXXFLAGS) $(LDFLAGS) -o $@ $<

NAME ?= server
.PHONY: new-server
new-server:
	@if [ -e 'mine/$(NAME)' ]; then echo "mine/$(NAME) is there already; choose another NAME=..." >&2; exit 2; fi
	@mkdir -p 'mine/$(NAME)'
	@sed 's|NAME|$(NAME)|' tests/starter/server.cpp > 'mine/$(NAME)/server.cpp'
	@echo "Yours to write: mine/$(NAME)/server.cpp. Then: make check SERVER='mine/$(NAME)/server {port}' LEVEL=01"

# The grader's own test: right servers of others (those of the benchmark among them), and wrong ones.
.PHONY: test-grader
test-grader:
	@tests/need.sh socat python3 libevent-dev libuv1-dev libboost-dev
	@$(MAKE) --no-print-directory SANITIZE= build/tests/check $(addprefix build/bench/peers/,libevent_echo libuv_echo asio_echo)
	@tests/grader/grader_tests.sh build

# The test of the tests: each breakage of a server is caught by the case that it names.
.PHONY: breakages
breakages:
	@tests/need.sh strace netcat-openbsd catch2
	@$(MAKE) --no-print-directory SANITIZE= all build/tests/check build/tests/server-tests build/tests/faults/faults
	@tests/breakages.sh

# --- the article's statements ---------------------------------------------------------------------------------------

$(BUILD)/tests/claims-program: $(call objects,tests/claims) $(call objects,tests/cases) $(SUPPORT)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

.PHONY: claims
claims: all $(BUILD)/tests/claims-program
	@$(BUILD)/tests/claims-program $(if $(SANITIZE),--servers $(BUILD))

# --- looking after the code -----------------------------------------------------------------------------------------

SOURCES := $(sort $(shell find $(CHAPTERS) common tests -name '*.cpp' -o -name '*.h'))
SCRIPTS := $(sort $(shell find tests .ci -name '*.sh') .ci/run)

# clang-tidy reads the code that readers copy: the servers and common/. It is slow, so its verdict on a file is kept until
# the file, a header or the rules change.
TIDY := $(patsubst %.cpp,build/lint/%.ok,$(filter-out tests/%,$(filter %.cpp,$(SOURCES))))
build/lint/%.ok: %.cpp .clang-tidy $(filter-out tests/%,$(filter %.h,$(SOURCES)))
	@mkdir -p $(@D)
	@echo 'clang-tidy $<'
	@clang-tidy --quiet $< -- -std=c++20 -I. 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

.PHONY: lint lint-tools
lint-tools:
	@tests/need.sh clang-format clang-tidy shellcheck catch2
lint: lint-tools
	@clang-format --dry-run -Werror $(SOURCES)
	@shellcheck $(SCRIPTS)
	@$(MAKE) --no-print-directory $(TIDY)
	@echo 'clang-format, clang-tidy and shellcheck find nothing'

.PHONY: format
format:
	clang-format -i $(SOURCES)

.PHONY: clean
clean:
	$(RM) -r build $(CHAPTERS:%=%/server)

.PHONY: help
help:
	@echo 'make                       build all six servers; the server of 03 is then 03-select-server/server'
	@echo 'make 03                    build one; so does make typed in its folder'
	@echo 'make run CHAPTER=03        build and start one, on port 7007; PORT=7100 and ARGS="--verbose" change that'
	@echo 'make demo                  let all six meet the same difficult clients, and see who gets served'
	@echo 'make trace CHAPTER=03      play a short scene under strace, and say what each system call is for; RAW=1 is strace alone'
	@echo 'make timeline CHAPTER=03   draw who waits for whom, as SVG; without CHAPTER all six, and a page with all of them'
	@echo 'make diff-04               what chapter 04 changed in the server of chapter 03'
	@echo 'make test                  test everything; CHAPTER=03 tests one server'
	@echo "make check SERVER='./mine {port}' LEVEL=03   let the grader judge a server of yours, in any language"
	@echo 'make new-server NAME=echo  lay out a server for you to write, in mine/echo'
	@echo 'make breakages             test the tests: break each server on purpose, and see that it is noticed'
	@echo 'make claims                measure every statement of the article on all six, and print the matrix'
	@echo 'make faults CHAPTER=03     let strace make every call of the servers fail, in the middle of a conversation; FEW=1 for less,'
	@echo "                           OTHER='./mine {port}' for a server of yours"
	@echo 'make soak MINUTES=10       clients at random against all six; SEED=... repeats what has failed'
	@echo 'make test-grader           test the grader itself, with servers of others'
	@echo 'make bench                 measure the six beside libevent, libuv, Boost.Asio and io_uring: about three minutes;'
	@echo '                           ROUNDS=3 SECONDS=0.1 for less. make bench-deps installs what they need'
	@echo 'make bench-check           a few seconds: the figures that are the same on every machine, against their bounds'
	@echo 'make bench-full            make bench, then the sweeps; make plots draws the pictures in tests/tools/bench/results'
	@echo 'make lint                  check the style: clang-format, clang-tidy, shellcheck'
	@echo 'make format                bring the code into the style'
	@echo 'make docs                  write the pictures and the strace excerpts of the READMEs anew'
	@echo 'make test-docs             run every command of the READMEs, and compare (a part of make test)'
	@echo 'make clean                 remove all that was built'
	@echo
	@echo 'SANITIZE=address,undefined or SANITIZE=thread, behind any of them, builds into a folder of its own.'
	@echo 'V=1 shows the compiler commands.'

# A word that is none of the above.
.DEFAULT:
	@echo "make: there is no '$@' here. What there is:" >&2
	@$(MAKE) --no-print-directory help >&2
	@exit 2
