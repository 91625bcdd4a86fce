# A conversation at random: see tests/faults/README.md.

MINUTES ?= 1
SOAK := $(BUILD)/tests/soak/soak

$(SOAK): $(call objects,tests/soak) $(SUPPORT)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# MINUTES are those of all servers together. SEED=... repeats.
.PHONY: soak
soak: $(TESTED) $(SOAK)
	@$(SOAK) --seconds $(shell expr $(MINUTES) \* 60 / $(words $(TESTED))) $(if $(SEED),--seed $(SEED)) $(foreach one,$(TESTED),$(call server_of,$(one)))
