# What strace shows: as text, as pictures, and in the READMEs. Needs the variables of the Makefile that includes it.

TRACER := $(BUILD)/tests/trace/tracer
PAGES  := $(BUILD)/tests/trace/pages
TRACER_PARTS := main scene svg timeline trace resolve strace_reader traced_server

# Which of the servers is meant: CHAPTER from the command line, or from the chapter's folder; else none.
ONE_CHAPTER := $(if $(filter command% environment%,$(origin CHAPTER)),$(call folder,$(CHAPTER)))
server_of = $(if $(SANITIZE),$(BUILD)/)$(1)/server

$(TRACER): $(TRACER_PARTS:%=$(BUILD)/tests/trace/%.o) $(patsubst %,$(BUILD)/tests/support/%.o,client process) $(COMMON)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^
$(PAGES): $(patsubst %,$(BUILD)/tests/trace/%.o,pages_main page shell) $(BUILD)/tests/support/process.o $(COMMON)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

.PHONY: trace timeline docs test-docs need-strace
need-strace:
	@tests/need.sh strace

# RAW=1: strace's own words.
trace: need-strace $(TRACER) $(call folder,$(CHAPTER))
	@$(TRACER) $(if $(RAW),raw,trace) $(call server_of,$(call folder,$(CHAPTER)))

timeline: need-strace $(TRACER) $(or $(ONE_CHAPTER),all)
	@$(TRACER) timeline $(BUILD)/timeline $(foreach one,$(or $(ONE_CHAPTER),$(CHAPTERS)),$(call server_of,$(one)))

# Draws the READMEs' pictures, and writes what stands in them between "made by make docs" and "end of what make docs made".
DOCS_NEED := strace netcat-openbsd ncat socat iproute2 procps perl
docs: $(TRACER) $(PAGES) all demo-program
	@tests/need.sh $(DOCS_NEED)
	@$(TRACER) timeline $(BUILD)/timeline $(foreach one,$(CHAPTERS),$(call server_of,$(one)))
	@for chapter in $(CHAPTERS); do cp $(BUILD)/timeline/$$chapter.svg $$chapter/timeline.svg; done
	@$(PAGES) write tests/trace/exempt.txt $(sort $(wildcard */README.md) README.md)

# Whether the pictures tell what happens, and every command in the READMEs shows what is printed below it.
test-docs: $(TRACER) $(PAGES) all demo-program
	@tests/need.sh $(DOCS_NEED)
	@$(TRACER) check $(foreach one,$(CHAPTERS),$(call server_of,$(one)))
	@$(PAGES) check tests/trace/exempt.txt $(sort $(wildcard */README.md) README.md)
