# Step through a real recording, call by call.

PLAYER   := $(BUILD)/tests/tools/player/player
PROGRAMS += $(PLAYER)
$(PLAYER): $(patsubst %,$(BUILD)/tests/tools/player/%.o,main model words scene stacks) $(BUILD)/tests/tools/trace/resolve.o $(SUPPORT)
$(patsubst %,$(BUILD)/tests/tools/player/%.o,main model words): | need-player
.PHONY: player need-player
need-player:
	@tests/need.sh strace binutils nlohmann-json3-dev

## make player CHAPTER=05
##                       write a page on which you step through a recorded scene
###                       (build/player/05-epoll-server.html)
###                       BREAKAGE=05-epollout-always: beside the server that is broken on purpose
###                       BESIDE=03: beside chapter 03; without a CHAPTER: all six
PAIR := $(filter $(OUT)$(or $(BESIDE),none)%,$(SERVERS))
player: $(PLAYER) $(tested) $(PAIR)
ifdef BREAKAGE
	@tests/tools/player/broken.sh $(BREAKAGE) '$(COMPILE)' $(PLAYER)
else ifdef BESIDE
	@$(PLAYER) pair $(BUILD)/player $(PAIR) $(one) $(BESIDE)-beside-$(CHAPTER) 'chapter $(BESIDE)' 'chapter $(CHAPTER)'
else
	@$(PLAYER) write $(BUILD)/player $(tested)
endif
