# Faults injected into system calls: see tests/faults/README.md.

FAULTS        := $(BUILD)/tests/faults/faults
TEST_PROGRAMS += $(FAULTS)
$(FAULTS): $(call objects,faults) $(SUPPORT)

### make faults CHAPTER=03
###                       let strace make each call of a server fail (all six: five minutes); FEW=1 for less,
###                       ONLY=read:error=EIO for some, OTHER='./mine {port}' for a server of yours
.PHONY: faults
faults: $(tested) $(FAULTS)
	@tests/need.sh strace
	@$(FAULTS) $(if $(FEW),--few) $(if $(ONLY),--only '$(ONLY)') $(if $(OTHER),'$(OTHER)',$(tested))
