# A window that shows a server from inside, while you talk to it in another.

WATCHER       := $(BUILD)/tests/tools/watch/watcher
TEST_PROGRAMS += $(WATCHER)
$(WATCHER): $(call objects,tools/watch) $(SUPPORT)
$(BUILD)/tests/tools/watch/%.o: OPTIMIZE := -O2
$(BUILD)/tests/tools/watch/window.o: | need-ncurses
$(WATCHER): LIBS = -lncurses
.PHONY: watch need-ncurses
need-ncurses:
	@tests/need.sh libncurses-dev

## make watch CHAPTER=03 start one and see inside it; PID=4711: one that runs
###                       PORT=7100, ARGS='--think 2000'; ONCE=1 prints one snapshot
watch: $(WATCHER) $(if $(PID),,$(one))
	@$(if $(filter undefined,$(origin PID)),,$(if $(PID),,echo 'PID is empty: which process? make watch PID=4711' >&2; exit 2;)) \
	    $(WATCHER) $(if $(PID),pid $(PID) $(PORT),start $(one) --port $(or $(PORT),7007) $(ARGS))

# For tests/run.sh: the window, driven in tmux, and whether the pages' screenshots show what is to be seen.
watch_checks = watch tests/tools/watch/watch_test.sh $(WATCHER) $(tested)
