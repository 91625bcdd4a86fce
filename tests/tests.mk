# What tests, measures and shows the servers. The Makefile includes this, and its variables are used here.
# `make help` prints the lines that begin with ##, and `make help-all` also those that begin with ###.

# The server that a command is about, and the servers that are tested: all, or the one of the CHAPTER on the command line.
# ThreadSanitizer is for the one that has threads: in the others it finds nothing, and it keeps signals back.
one    = $(or $(filter $(OUT)$(CHAPTER)%,$(SERVERS)),$(CHAPTER))
tested = $(if $(filter command%,$(origin CHAPTER)),$(one),$(filter $(OUT)$(if $(filter thread,$(SANITIZE)),06)%,$(SERVERS)))

# --- how a test program is built --------------------------------------------------------------------------------------

# The objects of some folders of tests/. A program names its objects; how it is linked stands once, below.
objects = $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard $(1:%=tests/%/*.cpp))))
SUPPORT := $(call objects,support)

# Tests are compiled for quick building; the benchmark's clients have to be as fast as the servers.
$(BUILD)/tests/%.o: OPTIMIZE := -O0 -U_FORTIFY_SOURCE
$(BUILD)/tests/tools/bench/%.o: OPTIMIZE := -O2
$(BUILD)/tests/%.o: tests/%.cpp $(BUILD)/flags
	@mkdir -p $(@D); $(if $(V),,echo '  compile  $<')
	$(if $(V),,@)$(CXX) $(FLAGS) -MMD -MP $(CPPFLAGS) $(CXXFLAGS) $(OPTIMIZE) -c -o $@ $<
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# --- make test --------------------------------------------------------------------------------------------------------

UNIT_TESTS   := $(BUILD)/tests/unit-tests
SERVER_TESTS := $(BUILD)/tests/server-tests
CLAIMS       := $(BUILD)/tests/claims-program
TEST_PROGRAMS := $(UNIT_TESTS) $(SERVER_TESTS) $(CLAIMS)
# The unit tests of a tool are beside it.
TOOLS_TESTS := $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard tests/tools/*/test_*.cpp)))
$(UNIT_TESTS): $(BUILD)/tests/main.o $(call objects,unit) $(TOOLS_TESTS) $(SUPPORT) \
    $(patsubst %,$(BUILD)/tests/%.o,$(addprefix tools/trace/,resolve trace page) \
        $(addprefix tools/docs/,excerpt links prose) claims/matrix)
$(SERVER_TESTS): $(call objects,servers cases) $(SUPPORT)
$(CLAIMS): $(call objects,claims cases) $(SUPPORT)

# Version 3 of Catch2 has a library, version 2 has none.
$(UNIT_TESTS): LIBS = $(shell echo 'int main() {}' | $(CXX) -x c++ - -lCatch2 -o /dev/null 2>/dev/null && \
    echo -lCatch2)
$(BUILD)/tests/main.o $(call objects,unit) $(TOOLS_TESTS): | need

# The tools have their rules in their own folders, and add what make test needs to TEST_PROGRAMS, and the rest to PROGRAMS.
include $(wildcard tests/*/*.mk tests/tools/*/*.mk)

# With a sanitizer, the servers and the unit tests are built with it; the servers' clients do without.
.PHONY: need test-programs
test-programs: $(SERVERS) $(FIRST) $(tested) $(if $(SANITIZE),$(UNIT_TESTS),$(TEST_PROGRAMS))
	$(if $(SANITIZE),@$(MAKE) --no-print-directory SANITIZE= build/tests/server-tests build/tests/soak/soak)
need:
	@CXX='$(CXX)' tests/need.sh catch2 'strace?' 'tmux?' 'iproute2?' python3 $(DOCS_NEED)

# What tests/run.sh runs beside the cases, a name and a command on each line. The article's statements, the pictures, the
# pages and the calls that fail are about the servers as a reader builds them.
define checks
unit $(UNIT_TESTS)
$(if $(SANITIZE)$(filter command%,$(origin CHAPTER)),,claims $(CLAIMS) compare $(SERVERS))
$(if $(SANITIZE),,$(docs_checks))
$(if $(SANITIZE),,$(watch_checks))
$(if $(SANITIZE),,$(player_checks))
$(if $(SANITIZE),,faults $(FAULTS) --few $(tested))
soak build/tests/soak/soak --seconds 3 $(tested)
endef
test: export CHECKS = $(checks)

###                       ONLY='half-close' plays what is called so, as each failure is told; SANITIZE=thread: see below

# --- the grader, and the tests of the tests -----------------------------------------------------------------------------

## make check SERVER='./mine {port}' LEVEL=03
##                       let the grader judge your server, in any language (30 s)
##                       LEVEL=00: the first steps; ONLY='half-close': one case
###                       HINTS=1 gives a second hint
CHECK    := $(BUILD)/tests/check
PROGRAMS += $(CHECK)
$(CHECK): $(call objects,grader cases) $(SUPPORT)

# A server in mine/, where make new-server lays it out, is built when it has changed.
mine := $(foreach word,$(subst ',,$(value SERVER)),$(if $(filter mine/%,$(word)),$(if $(wildcard $(word).cpp),$(word))))
$(mine): %: %.cpp
	@echo '  compile  $<'
	@$(COMPILE) -o $@ $<
.PHONY: check check-first-time
check-first-time:
	@test -e $(CHECK) || echo 'The grader itself is compiled first. That takes about a minute, and happens once.'
$(if $(filter check,$(MAKECMDGOALS)),$(call objects,grader cases) $(SUPPORT)): | check-first-time
# Through the environment, so that quotes in them do not meet those of the recipe. PWD is where make was typed.
unexport SERVER LEVEL NAME
check: export CHECK_SERVER  = $(value SERVER)
check: export CHECK_LEVEL   = $(value LEVEL)
check: export CHECK_FOLDERS = $(PWD):$(CURDIR):$(CURDIR)/$(CHAPTER)
check: $(CHECK) $(mine)
	@exec $(CHECK) "$$CHECK_SERVER" "$$CHECK_LEVEL"

## make new-server NAME=echo
##                       lay out a server for you to write, in mine/echo
###                       FROM=first begins with chapter 01's first.cpp
# Only a NAME on make's command line counts: some systems have one in the environment.
.PHONY: new-server
new-server: export NEW_SERVER = $(if $(filter command%,$(origin NAME)),$(value NAME),server)
new-server:
	@case "$$NEW_SERVER" in ''|-*|*[!A-Za-z0-9_-]*) \
	    echo 'NAME may have letters, digits, - and _ in it, and nothing else: make new-server NAME=echo' >&2; exit 2;; esac; \
	if [ -e "mine/$$NEW_SERVER" ]; then echo "mine/$$NEW_SERVER is there already; choose another NAME=..." >&2; exit 2; fi; \
	mkdir -p "mine/$$NEW_SERVER" && sed "s|NAME|$$NEW_SERVER|" $(if $(filter first,$(FROM)),01-blocking-server/first.cpp,tests/starter/server.cpp) > "mine/$$NEW_SERVER/server.cpp" && \
	echo "Yours to write: mine/$$NEW_SERVER/server.cpp. Then: make check SERVER='mine/$$NEW_SERVER/server {port}' LEVEL=00"

### make test-grader      test the grader with servers of others, right and wrong ones (4 minutes)
###                       FULL=1 grades each of them whole, and writes the table in tests/grader/README.md (20 minutes);
###                       WRITE=1 writes it from the cases that decide
.PHONY: test-grader
test-grader:
	@tests/need.sh socat python3 patch libevent-dev libuv1-dev libboost-dev
	@$(MAKE) --no-print-directory SANITIZE= 01 05 06 build/tests/check build/grader/servers \
	    $(addprefix build/bench/peers/,libevent_echo libuv_echo asio_echo)
	@tests/grader/grader_tests.sh build
	@tests/grader/path_tests.sh build
	@tests/grader/manners_tests.sh build

build/grader/servers: tests/grader/others/servers.cpp
	@mkdir -p $(@D); echo '  compile  $<'
	@$(COMPILE) -o $@ $<

### make test-make        test the Makefile, and make test where there is no strace
.PHONY: test-make
test-make: test-programs
	@tests/make_tests.sh

### make breakages        break each server on purpose, and check that a case notices (7 minutes); ONLY=03 for some
.PHONY: breakages
breakages:
	@tests/need.sh strace netcat-openbsd catch2
	@$(MAKE) --no-print-directory SANITIZE= all build/tests/check build/tests/server-tests build/tests/faults/faults
	@$(MAKE) --no-print-directory SANITIZE=thread 06
	@ONLY= tests/breakages.sh $(ONLY)

### make claims           measure every statement of the article on all six (a minute)
###                       WRITE=1 writes the table into tests/claims/README.md
.PHONY: claims
claims: $(SERVERS) $(CLAIMS)
	@$(CLAIMS) $(if $(WRITE),write,show) $(SERVERS)

# --- looking after the code -----------------------------------------------------------------------------------------

SOURCES := $(sort $(shell find $(CHAPTERS) common tests -name '*.cpp' -o -name '*.h'))
SCRIPTS := $(sort $(shell find tests .ci -name '*.sh') .ci/run)

# clang-tidy reads the code that readers copy: the chapters, and through them common/. It is slow, so its verdict on a file
# is kept until the file, a header or the rules change. first.cpp is not to be copied, and checks nothing on purpose.
TIDY := $(patsubst %.cpp,build/lint/%.ok,$(filter-out tests/% $(FIRST:$(BUILD)/%=%.cpp),$(filter %.cpp,$(SOURCES))))
build/lint/%.ok: %.cpp .clang-tidy $(filter-out tests/%,$(filter %.h,$(SOURCES)))
	@mkdir -p $(@D)
	@echo 'clang-tidy $<'
	@clang-tidy --quiet $< -- -std=c++20 -I. 2>$@.log || { cat $@.log; exit 1; }
	@touch $@

### make lint             check the style: clang-format, clang-tidy, shellcheck
.PHONY: lint lint-tools format
lint-tools:
	@tests/need.sh clang-format clang-tidy shellcheck catch2
lint: lint-tools
	@clang-format --dry-run -Werror $(SOURCES)
	@shellcheck $(SCRIPTS)
	@$(MAKE) --no-print-directory $(TIDY)
	@echo 'clang-format, clang-tidy and shellcheck find nothing'

### make format           bring the code into the style
format:
	clang-format -i $(SOURCES)

# --- what holds for all of it -----------------------------------------------------------------------------------------

$(PROGRAMS) $(TEST_PROGRAMS):
	@mkdir -p $(@D); $(if $(V),,echo '  link     $@')
	$(if $(V),,@)$(CXX) $(FLAGS) $(CXXFLAGS) -o $@ $(filter %.o,$^) $(LDFLAGS) $(LIBS)

.PHONY: help-all
help-all:
	@sed -n 's/^###* \?//p' Makefile tests/tests.mk tests/*/*.mk tests/tools/*/*.mk
	@echo
	@echo 'SANITIZE=address,undefined or SANITIZE=thread, after any of them, builds into a folder of its own, build/thread.'
	@echo "V=1 shows the compiler's commands. WERROR=1 makes its warnings errors."

# A word that make does not know, or a file that is missing. (With -B make comes here for each file that it finds, too.)
.DEFAULT:
	@test -e '$@' || { echo "make: there is no '$@' here. The chapters are 01 to 06, and make help lists the commands." >&2; exit 2; }
