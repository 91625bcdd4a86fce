# The exercises: tests/tools/exercise/exercise.sh plays them, and tests/README.md tells how they work.

## make exercise N=04-2   break a server, say what you expect, and see; without N: all
.PHONY: exercise
exercise: export COMPILE := $(COMPILE)
exercise:
	@tests/tools/exercise/exercise.sh "$$N"
