# Faults injected into system calls: see tests/faults/README.md.

FAULTS := $(BUILD)/tests/faults/faults

$(FAULTS): $(call objects,tests/faults) $(patsubst %,$(BUILD)/tests/support/%.o,client process running_server talker idle) $(COMMON)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# FEW=1: a few of every kind, in seconds. PEERS_TOO=1: the peers that the project builds beside them.
.PHONY: faults
faults: $(foreach one,$(TESTED),$(one)) $(FAULTS)
	@tests/need.sh strace
	@$(FAULTS) $(if $(FEW),--few) $(if $(ONLY),--only '$(ONLY)') $(foreach one,$(TESTED),$(if $(SANITIZE),$(BUILD)/)$(one)/server)
