#include "tests/tools/trace/resolve.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace {

std::vector<Resolved> resolve_lines(const std::string& lines) {
    return resolve(read_strace(lines), {{38064, 'A'}, {38066, 'B'}});
}

} // namespace

TEST_CASE("strace: a clone has made a thread, and which") {
    const auto events =
        read_strace("1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[2767]}, 88) = 2767\n");
    CHECK(made_by(events.at(0)) == 2767);
    CHECK(makes_thread(events.at(0)));
}

TEST_CASE("strace: whose descriptor it is, also in a child, and after the number was used again") {
    const auto calls =
        resolve_lines("1 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n"
                      "1 listen(3, 4096) = 0\n"
                      "1 accept4(3, {sa_family=AF_INET, sin_port=htons(38064)}, [128 => 16], SOCK_CLOEXEC) = 4\n"
                      "1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 2\n"
                      "1 close(4) = 0\n"
                      "1 accept4(3, {sa_family=AF_INET, sin_port=htons(38066)}, [128 => 16], SOCK_CLOEXEC) = 4\n"
                      "2 read(4, \"a\", 65536) = 1\n"
                      "1 read(4, \"b\", 65536) = 1\n");
    CHECK(calls[2].waits == Waits::anyone);
    CHECK(calls[2].client == 'A');
    CHECK(calls[4].client == 'A');
    CHECK(calls[6].process == 2);
    CHECK(calls[6].client == 'A');
    CHECK(calls[6].waits == Waits::client);
    CHECK(calls[7].client == 'B');
}

TEST_CASE("strace: who is ready, in select and in both ways in which strace prints epoll's data") {
    const auto calls = resolve_lines(
        "1 socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 3\n"
        "1 listen(3, 4096) = 0\n"
        "1 accept4(3, {sa_family=AF_INET, sin_port=htons(38064)}, [128 => 16], SOCK_NONBLOCK) = 5\n"
        "1 accept4(3, {sa_family=AF_INET, sin_port=htons(38066)}, [128 => 16], SOCK_NONBLOCK) = 6\n"
        "1 pselect6(7, [3 5 6], NULL, NULL, NULL, NULL) = 2 (in [3 6])\n"
        "1 epoll_create1(EPOLL_CLOEXEC) = 4\n"
        "1 epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLIN, data={u32=50, u64=94261}}) = 0\n"
        "1 epoll_ctl(4, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data=0x55baa1}) = 0\n"
        "1 epoll_wait(4, [{events=EPOLLIN, data={u32=50, u64=94261}}, {events=EPOLLIN, data=0x55baa1}], 64, -1) = 2\n"
        "1 read(5, \"\", 65536) = 0\n");
    CHECK(calls[4].ready == "*B");
    CHECK(calls[8].ready == "AB");
    CHECK(calls[8].waits == Waits::anyone);
    CHECK(calls[9].waits == Waits::nothing); // it does not block
}
