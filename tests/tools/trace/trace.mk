# What strace shows: as text, as pictures, and in the READMEs. Included by the Makefile, whose variables it uses.

TRACER := $(BUILD)/tests/tools/trace/tracer
PAGES  := $(BUILD)/tests/tools/trace/pages
server_of = $(if $(SANITIZE),$(BUILD)/)$(1)/server

$(TRACER): $(patsubst %,$(BUILD)/tests/tools/trace/%.o,main scene svg timeline trace resolve traced_server) $(SUPPORT)
$(PAGES): $(patsubst %,$(BUILD)/tests/tools/trace/%.o,pages_main page shell) $(SUPPORT)
$(TRACER) $(PAGES):
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# RAW=1: strace's own words.
.PHONY: trace timeline need-strace
need-strace:
	@tests/need.sh strace
trace: need-strace $(TRACER) $(call folder,$(CHAPTER))
	@$(TRACER) $(if $(RAW),raw,trace) $(call server_of,$(call folder,$(CHAPTER)))

timeline: need-strace $(TRACER) $(TESTED)
	@$(TRACER) timeline $(BUILD)/timeline $(foreach one,$(TESTED),$(call server_of,$(one)))

# Draws the READMEs' pictures, and writes the blocks that stand between `made by make docs` and `end of what make docs
# made`, where they no longer are what is shown; REDRAW=1 draws all pictures, after a change of svg.cpp. The commands of the
# READMEs need what is in DOCS_NEED.
DOCS_NEED := strace netcat-openbsd ncat socat iproute2 procps perl
READMES   := README.md $(sort $(wildcard */README.md tests/*/README.md tests/tools/*/README.md))
.PHONY: docs docs-programs
docs-programs: $(TRACER) $(PAGES) all demo-program
docs: docs-programs
	@tests/need.sh $(DOCS_NEED)
	@mkdir -p $(BUILD)/logs
	@for chapter in $(CHAPTERS); do \
	    [ -z '$(REDRAW)' ] && $(TRACER) check $$chapter/server >$(BUILD)/logs/story && continue; \
	    $(TRACER) timeline $(BUILD)/timeline $$chapter/server && cp $(BUILD)/timeline/$$chapter.svg $$chapter/timeline.svg || exit; \
	done
	@$(PAGES) write tests/tools/trace/exempt.txt $(READMES)

# For tests/run.sh: whether the pictures tell what happens, and every command in the READMEs shows what is printed below
# it. With a sanitizer the servers would show more than that.
define docs_checks
pictures $(TRACER) check $(foreach one,$(TESTED),$(call server_of,$(one)))
docs $(PAGES) check tests/tools/trace/exempt.txt $(if $(filter command%,$(origin CHAPTER)),$(TESTED:%=%/README.md),$(READMES))
endef
export DOCS_CHECKS := $(if $(SANITIZE),,$(docs_checks))

.PHONY: test-docs
test-docs: docs-programs
	@tests/need.sh $(DOCS_NEED)
	@mkdir -p $(BUILD)/logs
	@echo "$$DOCS_CHECKS" | while read -r name command; do $$command || exit; done
