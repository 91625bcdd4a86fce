# A conversation at random: see tests/faults/README.md.

SOAK          := $(BUILD)/tests/soak/soak
TEST_PROGRAMS += $(SOAK)
$(SOAK): $(call objects,soak) $(SUPPORT)

### make soak MINUTES=10  clients at random, against all six; SEED=... repeats what has failed
MINUTES ?= 1
.PHONY: soak
soak: $(tested) $(SOAK)
	@$(SOAK) --seconds $(shell expr $(MINUTES) \* 60 / $(words $(tested))) $(if $(SEED),--seed $(SEED)) $(tested)
