# One scene against all six, and one table. `make demo` itself is in the Makefile.

DEMO          := $(BUILD)/tests/tools/demo/demo
TEST_PROGRAMS += $(DEMO)
$(DEMO): $(call objects,tools/demo) $(SUPPORT)

# Compiling comes first, and takes longer than the demonstration itself.
$(if $(filter demo,$(MAKECMDGOALS)),$(if $(wildcard $(DEMO)),,$(info First make compiles the six servers and the demonstration, which takes about half a minute.)))
