# make help lists what there is. The rules: a server is NN-name/server, everything else that is built is in build/.

CHAPTERS := 01-blocking-server 02-fork-per-client 03-select-server 04-nonblocking-fcntl 05-epoll-server 06-epoll-threadpool
CHAPTER  ?= 06
PORT     ?= 7007
ARGS     ?=

CXXFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion
CPPFLAGS += -I. -MMD -MP
override CXXFLAGS += -std=c++20 -pthread $(WARNINGS)
override LDFLAGS  += -pthread

# SANITIZE=address,undefined or SANITIZE=thread builds everything once more, into a folder of its own.
comma := ,
ifdef SANITIZE
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
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += --jobs=$(shell nproc)
endif

# The folder that a number, or the beginning of a name, stands for: $(call folder,03) is 03-select-server.
folder = $(or $(firstword $(filter $(1)%,$(CHAPTERS))),$(error there is no chapter '$(1)'; CHAPTER is one of: 01 02 03 04 05 06))
objects = $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.cpp)))

COMMON := $(BUILD)/libcommon.a

.PHONY: all
all: $(SERVERS)

# --- how things are built -------------------------------------------------------------------------------------------

define chapter_rules
$(1:%=$(if $(SANITIZE),$(BUILD)/)%/server): $(call objects,$(1)) $(COMMON)
	$$(CXX) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
.PHONY: $(firstword $(subst -, ,$(1))) $(1)
$(firstword $(subst -, ,$(1))) $(1): $(if $(SANITIZE),$(BUILD)/)$(1)/server
endef
$(foreach chapter,$(CHAPTERS),$(eval $(call chapter_rules,$(chapter))))

$(COMMON): $(call objects,common)
	$(RM) $@
	$(AR) rcs $@ $^

# The stamp is as old as the last change of compiler or flags; so a change of those rebuilds, too.
FLAGS_NOW := $(CXX) $(CPPFLAGS) $(CXXFLAGS) $(LDFLAGS)
$(shell mkdir -p $(BUILD); echo '$(FLAGS_NOW)' | cmp -s - $(BUILD)/flags || echo '$(FLAGS_NOW)' > $(BUILD)/flags)

$(BUILD)/%.o: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')

# --- the servers ----------------------------------------------------------------------------------------------------

.PHONY: run
run: $(call folder,$(CHAPTER))
	@echo '$(call folder,$(CHAPTER))/server --port $(PORT) $(ARGS)'
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

$(BUILD)/tests/demo/demo: $(call objects,tests/demo) $(SUPPORT)
	$(CXX) $(LDFLAGS) -o $@ $^

.PHONY: demo
demo: all $(BUILD)/tests/demo/demo
	@$(BUILD)/tests/demo/demo $(SERVERS)

# --- looking after the code -----------------------------------------------------------------------------------------

SOURCES := $(sort $(shell find $(CHAPTERS) common tests -name '*.cpp' -o -name '*.h'))
SCRIPTS := $(sort $(shell find tests .ci -name '*.sh' -o -path '.ci/run'))

.PHONY: format
format:
	clang-format -i $(SOURCES)

.PHONY: clean
clean:
	$(RM) -r build $(CHAPTERS:%=%/server)

.PHONY: help
help:
	@echo 'make                       builds all six servers: NN-name/server'
