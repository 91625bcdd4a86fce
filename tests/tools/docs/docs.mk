# The text of the pages: the code that they show.

DOCS          := $(BUILD)/tests/tools/docs/docs
TEST_PROGRAMS += $(DOCS)
$(DOCS): $(patsubst %,$(BUILD)/tests/tools/docs/%.o,main excerpt links prose) $(SUPPORT)

### make excerpts         put the code that the READMEs show into them again (make docs does it, too)
.PHONY: excerpts
excerpts: $(DOCS)
	@$(DOCS) write $(READMES)
docs: excerpts

### make prose            measure the READMEs' text: words, colons, sentences; CHAPTER=03 for one
.PHONY: prose
prose: $(DOCS)
	@$(DOCS) prose $(pages)
