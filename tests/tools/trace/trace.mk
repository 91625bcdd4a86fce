# What strace shows: as text, as pictures, and in the READMEs.

TRACER        := $(BUILD)/tests/tools/trace/tracer
PAGES         := $(BUILD)/tests/tools/trace/pages
TEST_PROGRAMS += $(TRACER) $(PAGES)
$(TRACER): $(patsubst %,$(BUILD)/tests/tools/trace/%.o,main scene svg timeline trace resolve traced_server) $(SUPPORT)
$(PAGES): $(patsubst %,$(BUILD)/tests/tools/trace/%.o,pages_main page shell) $(SUPPORT)

## make trace CHAPTER=03 play a scene under strace, and say what each call is
###                       RAW=1 prints strace's own words
.PHONY: trace timeline need-strace
need-strace:
	@tests/need.sh strace
trace: need-strace $(TRACER) $(one)
	@$(TRACER) $(if $(RAW),raw,trace) $(one)

## make timeline         draw who waits for whom in all six; CHAPTER=03 draws one
timeline: need-strace $(TRACER) $(tested)
	@$(TRACER) timeline $(BUILD)/timeline $(tested)

# Draws the READMEs' pictures, and writes the blocks that stand between `made by make docs` and `end of what make docs
# made`, where they no longer are what is shown. The commands of the READMEs need what is in DOCS_NEED.
### make docs             write the READMEs' pictures and excerpts again; REDRAW=1: all pictures, after a change of svg.cpp
DOCS_NEED := netcat-openbsd ncat socat iproute2 procps perl python3
READMES   := README.md $(sort $(wildcard 0*/*.md common/*.md tests/*.md tests/*/*.md tests/tools/*/*.md))
.PHONY: docs test-docs
docs: $(SERVERS) $(TRACER) $(PAGES) $(DEMO) $(BUILD)/tests/tools/watch/watcher
	@tests/need.sh strace tmux $(DOCS_NEED)
	@mkdir -p $(BUILD)/logs
	@for chapter in $(CHAPTERS); do \
	    [ -z '$(REDRAW)' ] && $(TRACER) check $$chapter/server >$(BUILD)/logs/story && continue; \
	    $(TRACER) timeline $(BUILD)/timeline $$chapter/server && cp $(BUILD)/timeline/$$chapter.svg $$chapter/timeline.svg || exit; \
	done
	@DRAW=$(if $(REDRAW),all,changed) tests/tools/watch/watch_test.sh $(WATCHER) $(SERVERS)
	@$(PAGES) write tests/tools/trace/exempt.txt $(READMES)

# For tests/run.sh: whether the pictures tell what happens, and every command in the READMEs shows what is printed below it.
pages = $(if $(filter command%,$(origin CHAPTER)),$(filter $(tested:%server=%)%,$(READMES)),$(READMES))
define docs_checks
pictures $(TRACER) check $(tested)
docs $(PAGES) check tests/tools/trace/exempt.txt $(pages)
text $(DOCS) check $(pages)
endef

### make test-docs        run every command of the READMEs, and compare (a part of make test)
test-docs: $(SERVERS) $(TRACER) $(PAGES) $(DEMO) $(DOCS)
	@tests/need.sh 'strace?' $(DOCS_NEED)
	@$(TRACER) check $(tested)
	@$(DOCS) check $(pages)
	@$(PAGES) check tests/tools/trace/exempt.txt $(pages)
