# Step through a real recording, call by call.

PLAYER   := $(BUILD)/tests/tools/player/player
TEST_PROGRAMS += $(PLAYER)
$(PLAYER): $(patsubst %,$(BUILD)/tests/tools/player/%.o,main scene) $(patsubst %,$(BUILD)/tests/tools/trace/%.o,resolve traced_server) $(SUPPORT)
$(BUILD)/tests/tools/player/main.o: | need-player
.PHONY: player need-player player-stills test-player
need-player: # make test can do without Node.js
	@tests/need.sh 'strace?' 'nodejs$(if $(filter player%,$(MAKECMDGOALS)),,?)' binutils nlohmann-json3-dev

## make player CHAPTER=05
##                       write a page on which you step through a recorded scene
###                       (build/player/05-epoll-server.html)
###                       BREAKAGE=05-epollout-always: beside the server that is broken on purpose
###                       BESIDE=03: beside chapter 03; without a CHAPTER: all six
PAIR := $(filter $(OUT)$(or $(BESIDE),none)%,$(SERVERS))
player: $(PLAYER) $(tested) $(PAIR)
ifdef BREAKAGE
	@tests/tools/player/broken.sh $(BREAKAGE) '$(COMPILE)' $(PLAYER) $(BUILD)/player
else ifdef BESIDE
	@$(PLAYER) pair $(BUILD)/player $(PAIR) $(one) $(BESIDE)-beside-$(CHAPTER) 'chapter $(BESIDE)' 'chapter $(CHAPTER)'
else
	@$(PLAYER) write $(BUILD)/player $(tested)
endif

# For tests/run.sh: whether the model of the pages agrees with the kernel. Of all six, that is for make test-player.
player_checks = player $(PLAYER) check $(if $(filter command%,$(origin CHAPTER)),$(tested),$(filter 02% 05%,$(tested)))

### make test-player      record all six, and walk through each page in a browser (2 minutes)
test-player: $(PLAYER) $(SERVERS)
	@tests/need.sh nodejs chromium chromium-driver
	@rm -rf $(BUILD)/player-test
	@$(PLAYER) write $(BUILD)/player-test $(SERVERS)
	@$(PLAYER) pair $(BUILD)/player-test $(filter $(OUT)03% $(OUT)05%,$(SERVERS)) 03-beside-05 'chapter 03' 'chapter 05'
	@tests/tools/player/broken.sh 06-no-oneshot '$(COMPILE)' $(PLAYER) $(BUILD)/player-test
	@node tests/tools/player/page_test.js $(BUILD)/player-test

# The best moment of each recording, as a picture for the chapter's page.
player-stills: player
	@tests/need.sh nodejs chromium pngquant
	@node tests/tools/player/stills.js $(BUILD)/player
