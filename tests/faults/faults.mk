# Faults injected into system calls: see tests/faults/README.md.

FAULTS := $(BUILD)/tests/faults/faults

$(FAULTS): $(call objects,tests/faults) $(SUPPORT)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# FEW=1: a few, in seconds. ONLY='read:error=EIO' those whose names contain that. OTHER='./mine {port}': a
# server of yours, or one of the peers (build/bench/peers/libuv_echo --port {port}).
.PHONY: faults
faults: $(TESTED) $(FAULTS)
	@tests/need.sh strace
	@$(FAULTS) $(if $(FEW),--few) $(if $(ONLY),--only '$(ONLY)') $(if $(OTHER),'$(OTHER)',$(foreach one,$(TESTED),$(call server_of,$(one))))

# A part of make test. The sanitizers change the calls, so with them there are no faults.
define fault_checks
$(if $(SANITIZE),,faults build/tests/faults/faults --few $(foreach one,$(TESTED),$(call server_of,$(one))))
soak build/tests/soak/soak --seconds 3 $(foreach one,$(TESTED),$(call server_of,$(one)))
endef
export FAULT_CHECKS = $(fault_checks)

.PHONY: fault-programs
fault-programs: $(FAULTS) $(BUILD)/tests/soak/soak
