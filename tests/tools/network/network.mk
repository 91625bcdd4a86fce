# The six servers over a network that is not perfect.

WIRE     := build/tests/tools/network/wire
PROGRAMS += $(WIRE)
$(WIRE): build/tests/tools/network/wire.o

### make network          all six on a wire that loses, delays, reorders and changes packets (three minutes);
###                       ONLY='lossy_wire silence' plays those conditions
.PHONY: network
network: $(SERVERS) $(WIRE)
	@tests/need.sh iproute2 python3
	@tests/tools/network/network.sh $(ONLY)

### make proxies          three servers behind HAProxy, one killed, one drained, one hung; proxies and half-close; servers
###                       that share a port. ONLY='killed hung' plays those
.PHONY: proxies
proxies: $(SERVERS) $(WIRE)
	@tests/need.sh iproute2 python3 haproxy nginx-light libnginx-mod-stream stunnel4 socat netcat-openbsd
	@CXX='$(CXX)' tests/tools/network/proxies.sh $(ONLY)

### make test-beyond       run the pages' commands that need namespaces or proxies, which make test does not run
.PHONY: test-beyond
test-beyond: $(SERVERS) $(WIRE) $(BUILD)/tests/tools/trace/pages
	@tests/need.sh iproute2 python3 haproxy nginx-light libnginx-mod-stream stunnel4 socat netcat-openbsd strace
	@tests/tools/network/hosts.sh /dev/null; [ $$? != 3 ] || { echo '0 passed, 0 failed, 1 skipped'; exit 0; }; \
	$(PAGES) exempt tests/tools/trace/exempt.txt 'make test-beyond runs it'
