# The exercises: tests/tools/exercise/exercise.sh plays them, and tests/README.md tells how they work.

## make exercise N=04-2  break a server, say what you expect, see; without N: all
.PHONY: exercise
exercise: export COMPILE := $(COMPILE)
exercise:
	@tests/tools/exercise/exercise.sh "$$N"

# The cases of the exercises in which one builds something.
EXERCISE_CASES := $(BUILD)/tests/exercise-cases
PROGRAMS       += $(EXERCISE_CASES)
$(EXERCISE_CASES): $(call objects,tools/exercise) $(SUPPORT)

### make test-exercise    test make exercise (2 minutes)
.PHONY: test-exercise
test-exercise:
	@tests/need.sh catch2 patch procps
	@$(MAKE) --no-print-directory SANITIZE= build/tests/check build/tests/server-tests $(EXERCISE_CASES)
	@tests/tools/exercise/exercise_tests.sh
