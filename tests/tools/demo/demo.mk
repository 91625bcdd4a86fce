# One scene against all six, and one table. `make demo` itself is in the Makefile.

DEMO          := $(BUILD)/tests/tools/demo/demo
TEST_PROGRAMS += $(DEMO)
$(DEMO): $(call objects,tools/demo) $(SUPPORT)
