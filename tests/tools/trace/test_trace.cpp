#include "tests/tools/trace/trace.h"

#include "tests/catch.h"

TEST_CASE("trace: an address is named, and what stands beside it is as strace wrote it") {
    Recording recording;
    recording.events = read_strace(
        "1 1.0 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3 <0.1>\n"
        "1 1.2 bind(3, {sa_family=AF_INET, sin_port=htons(7007)}, 16) = 0 <0.1>\n"
        "1 1.4 listen(3, 4096) = 0 <0.1>\n"
        "1 1.6 accept4(3, {sa_family=AF_INET, sin_port=htons(38064)}, [128 => 16], SOCK_CLOEXEC) = 4 <0.1>\n");
    recording.marks = {{9, 0, "SIGTERM"}};
    recording.clients = {{38064, 'A'}};
    recording.port = 7007;
    const std::string trace = annotated_trace("01-blocking-server", recording);
    CHECK_THAT(trace, ContainsSubstring("bind(3<socket>, 127.0.0.1:PORT, 16) = 0\n"));
    CHECK_THAT(trace, ContainsSubstring("accept4(3<listener>, A's address, [128 => 16], SOCK_CLOEXEC) = 4<A>\n"));
}
