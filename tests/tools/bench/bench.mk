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
$(BENCH)/peers/%: tests/tools/bench/peers/%.cpp $(wildcard tests/tools/bench/peers/*.h)
	@mkdir -p $(@D)
	$(call say,compile  $<)
	$(Q)$(CXX) -I. $(CXXFLAGS) $(LDFLAGS) -o $@ $< $(LIBS)

# The clients have to be fast as well.
$(BUILD)/tests/tools/bench/%.o: private override CXXFLAGS += -O2
$(BUILD)/tests/tools/bench/%.o: tests/tools/bench/%.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,compile  $<)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -o $@ $<

BENCH_PARTS := $(patsubst %,$(BUILD)/tests/tools/bench/%.o,load statistics) $(SUPPORT)
$(BENCH)/load: $(BUILD)/tests/tools/bench/load_main.o $(BENCH_PARTS)
$(BENCH)/bench: $(patsubst %,$(BUILD)/tests/tools/bench/%.o,bench subject machine) $(BENCH_PARTS)
$(BENCH)/load $(BENCH)/bench:
	@mkdir -p $(@D)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

.PHONY: bench bench-programs bench-deps
bench-programs: $(SERVERS) $(PEER_PROGRAMS) $(BENCH)/load $(BENCH)/bench
bench: bench-programs
	@$(BENCH)/bench $(ROUNDS) $(SECONDS) $(BENCH)

bench-deps:
	@tests/need.sh strace valgrind libevent-dev libuv1-dev libboost-dev liburing-dev gnuplot-nox

# The few seconds that a change is checked with: counts that are the same on every machine.
$(BENCH)/check: $(patsubst %,$(BUILD)/tests/tools/bench/%.o,check subject) $(BENCH_PARTS)
	@mkdir -p $(@D)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^
.PHONY: bench-check
bench-check:
	@tests/need.sh strace valgrind
	@$(MAKE) --no-print-directory 05 06 $(BENCH)/check
	@$(BENCH)/check

# The unit tests of the load generator are with the others.
$(BUILD)/tests/unit-tests: $(patsubst %,$(BUILD)/tests/tools/bench/%.o,load statistics)

# --- the sweeps, and their plots ------------------------------------------------------------------------------------

$(BENCH)/sweep: $(patsubst %,$(BUILD)/tests/tools/bench/%.o,sweep subject machine) $(BENCH_PARTS)
	@mkdir -p $(@D)
	$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^

# SWEEPS='a d' runs only those two.
.PHONY: bench-full plots
bench-full: bench-programs $(BENCH)/sweep
	@$(BENCH)/bench $(ROUNDS) $(SECONDS) $(BENCH)
	@$(BENCH)/sweep $(ROUNDS) $(SECONDS) $(BENCH) $(SWEEPS)

# Draws what is in tests/tools/bench/results; RESULTS=build/bench draws your own.
RESULTS ?= tests/tools/bench/results
plots:
	@tests/need.sh gnuplot-nox
	@cd $(RESULTS) && gnuplot $(CURDIR)/tests/tools/bench/plots.gnuplot
	@ls $(RESULTS)/*.svg
