# Measuring the servers, beside others': see tests/tools/bench/README.md.

ROUNDS  ?= 7
SECONDS ?= 0.15

BENCH := build/bench

# A peer's library, by the header that its package brings. A peer without its header is not built, and make bench says so.
PEERS := bare_epoll thread_per_client
PEERS += $(if $(wildcard /usr/include/event2/event.h),libevent_echo)
PEERS += $(if $(wildcard /usr/include/uv.h),libuv_echo)
PEERS += $(if $(wildcard /usr/include/boost/asio.hpp),asio_echo)
PEERS += $(if $(wildcard /usr/include/liburing.h),io_uring_echo)
PEERS := $(strip $(PEERS))
PEER_PROGRAMS := $(PEERS:%=$(BENCH)/peers/%)

$(BENCH)/peers/libevent_echo: private LIBS = -levent_core
$(BENCH)/peers/libuv_echo: private LIBS = -luv
$(BENCH)/peers/io_uring_echo: private LIBS = -luring

# With the flags of the six, so that the compiler does the same for all.
$(PEER_PROGRAMS): $(BENCH)/peers/%: tests/tools/bench/peers/%.cpp $(wildcard tests/tools/bench/peers/*.h) $(BUILD)/flags
	@mkdir -p $(@D); $(if $(V),,echo '  compile  $<')
	$(if $(V),,@)$(COMPILE) -o $@ $< $(LIBS)

bench_objects = $(1:%=$(BUILD)/tests/tools/bench/%.o)
BENCH_PARTS := $(call bench_objects,load statistics) $(SUPPORT)
PROGRAMS    += $(BENCH)/load $(BENCH)/bench $(BENCH)/check $(BENCH)/sweep
$(BENCH)/load: $(call bench_objects,load_main) $(BENCH_PARTS)
$(BENCH)/bench: $(call bench_objects,bench subject machine) $(BENCH_PARTS)
$(BENCH)/check: $(call bench_objects,check subject) $(BENCH_PARTS)
$(BENCH)/sweep: $(call bench_objects,sweep subject machine) $(BENCH_PARTS)

# What its unit tests need.
$(UNIT_TESTS): $(call bench_objects,load statistics)

### make bench            measure the six beside libevent, libuv, Boost.Asio and io_uring (three minutes);
###                       ROUNDS=3 SECONDS=0.1 for less; make bench-deps installs what they need
.PHONY: bench bench-programs bench-deps
bench-programs: $(SERVERS) $(PEER_PROGRAMS) $(BENCH)/load $(BENCH)/bench
bench: bench-programs
	@$(BENCH)/bench $(ROUNDS) $(SECONDS) $(BENCH)

bench-deps:
	@tests/need.sh strace valgrind libevent-dev libuv1-dev libboost-dev liburing-dev gnuplot-nox

### make bench-check      a few seconds: the figures that are the same on every machine, against their bounds
.PHONY: bench-check
bench-check:
	@tests/need.sh strace valgrind
	@$(MAKE) --no-print-directory 05 06 $(BENCH)/check
	@$(BENCH)/check

### make bench-watch CHAPTER=05
###                       what the window of make watch costs the server that it shows (half a minute)
.PHONY: bench-watch
bench-watch: SECONDS = 1
bench-watch: $(one) $$(WATCHER) $(BENCH)/load
	@tests/need.sh tmux procps
	@tests/tools/bench/watched.sh $(WATCHER) $(BENCH)/load $(ROUNDS) $(SECONDS) $(one)

### make bench-full       make bench, and then the sweeps; SWEEPS='a d' runs only those two
.PHONY: bench-full plots
bench-full: bench-programs $(BENCH)/sweep
	@$(BENCH)/bench $(ROUNDS) $(SECONDS) $(BENCH)
	@$(BENCH)/sweep $(ROUNDS) $(SECONDS) $(BENCH) $(SWEEPS)

### make plots            draw the pictures in tests/tools/bench/results; RESULTS=build/bench draws your own
RESULTS ?= tests/tools/bench/results
plots:
	@tests/need.sh gnuplot-nox
	@cd $(RESULTS) && gnuplot $(CURDIR)/tests/tools/bench/plots.gnuplot
	@ls $(RESULTS)/*.svg
