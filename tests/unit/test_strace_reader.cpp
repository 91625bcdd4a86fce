#include "tests/catch.h"

#include <string>
#include <vector>

#include "tests/support/strace_reader.h"

namespace {

/// What the reader says of lines that it cannot read.
std::string complaint(const std::string& lines) {
    try {
        read_strace(lines);
    } catch (const UnreadableTrace& error) {
        return error.what();
    }
    return "none";
}

} // namespace

TEST_CASE("strace: a call has its thread, its times, its arguments and its result") {
    const auto events =
        read_strace("2755  1795527200.067000 read(4, \"hello\\n\", 65536) = 6 <0.000093>\n"
                    "2755  1795527200.068000 pselect6(5, [3 4], NULL, NULL, NULL, NULL) = 1 (in [4]) <0.500000>\n");
    REQUIRE(events.size() == 2);
    CHECK(events[0].is("read"));
    CHECK(events[0].thread == 2755);
    CHECK(events[0].begin == Approx(1795527200.067));
    CHECK(events[0].end - events[0].begin == Approx(0.000093).epsilon(0.01));
    CHECK(events[0].arguments == std::vector<std::string>{"4", "\"hello\\n\"", "65536"});
    CHECK(events[0].number(0) == 4);
    CHECK(events[0].value == 6);
    CHECK(events[0].error.empty());
    CHECK(events[0].text() == "read(4, \"hello\\n\", 65536) = 6");
    CHECK(events[1].result == "1 (in [4])");
    CHECK(events[1].arguments.at(1) == "[3 4]");
}

TEST_CASE("strace: with and without process numbers and times") {
    const auto events = read_strace("close(4)                                = 0\n"
                                    "24304 close(5)                          = 0\n"
                                    "58 1795527200.5 close(6) = 0 <0.1>\n"
                                    "1795527200.5 close(7) = 0\n");
    REQUIRE(events.size() == 4);
    CHECK(events[0].thread == 0);
    CHECK(events[1].thread == 24304);
    CHECK(events[2].thread == 58);
    CHECK(events[2].begin == Approx(1795527200.5));
    CHECK(events[3].thread == 0);
    CHECK(events[3].begin == Approx(1795527200.5));
    for (std::size_t i = 0; i < events.size(); ++i) CHECK(events[i].number(0) == static_cast<long>(4 + i));
}

TEST_CASE("strace: errors, calls that are restarted, calls without a result") {
    const auto events =
        read_strace("1 read(4, 0x7ffe, 65536) = -1 EAGAIN (Resource temporarily unavailable)\n"
                    "1 accept4(3, 0x7ffe, [128], SOCK_CLOEXEC) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)\n"
                    "1 exit_group(0)                     = ?\n"
                    "1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7fd546a19000\n");
    CHECK(events[0].value == -1);
    CHECK(events[0].error == "EAGAIN");
    CHECK(events[1].error == "ERESTARTSYS");
    CHECK(events[2].result == "?");
    CHECK(events[2].error.empty());
    CHECK(events[3].value == 0x7fd546a19000);
}

TEST_CASE("strace: a call that others interrupt is one event, where it began") {
    const auto events = read_strace("7 10.0 read(4,  <unfinished ...>\n"
                                    "8 10.5 write(5, \"x\", 1)         = 1 <0.000010>\n"
                                    "7 11.0 <... read resumed>\"hello\\n\", 65536) = 6 <1.000000>\n"
                                    "8 11.5 epoll_wait(4,  <unfinished ...>\n"
                                    "7 11.6 close(4 <unfinished ...>\n"
                                    "7 11.7 <... close resumed> )     = 0 <0.1>\n"
                                    "8 12.5 <... epoll_wait resumed>[{events=EPOLLIN, data=0x5}], 64, -1) = 1 <1.0>\n");
    REQUIRE(events.size() == 4);
    CHECK(events[0].text() == "read(4, \"hello\\n\", 65536) = 6");
    CHECK(events[0].begin == Approx(10.0));
    CHECK(events[0].end == Approx(11.0));
    CHECK(events[1].thread == 8);
    CHECK(events[2].arguments.at(1) == "[{events=EPOLLIN, data=0x5}]");
    CHECK(events[3].text() == "close(4) = 0");
}

TEST_CASE("strace: the stack that -k prints belongs to the call that has returned") {
    const auto events = read_strace("7 10.0 read(4,  <unfinished ...>\n"
                                    "8 10.5 close(5)         = 0 <0.000010>\n"
                                    " > /lib/libc.so.6(close+0x13) [0x13]\n"
                                    " > /home/me/server(main+0x5c0) [0x4260]\n"
                                    "7 11.0 <... read resumed>\"hello\\n\", 65536) = 6 <1.000000>\n"
                                    " > /lib/libc.so.6(read+0x1a) [0x1a]\n"
                                    "8 12.0 +++ exited with 0 +++\n");
    REQUIRE(events.size() == 3);
    CHECK(events[0].stack == std::vector<std::string>{" > /lib/libc.so.6(read+0x1a) [0x1a]"});
    CHECK(events[1].stack.size() == 2);
    CHECK(events[2].stack.empty());
}

TEST_CASE("strace: a call that never returns is there, with what is known of it") {
    const auto events = read_strace("7 10.0 read(4,  <unfinished ...>\n"
                                    "8 10.0 futex(0x7ffe, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>\n"
                                    "9 10.5 accept4(3,  <detached ...>\n"
                                    "8 12.0 <... futex resumed> <unfinished ...>) = ?\n"
                                    "7 13.0 +++ killed by SIGKILL +++\n"
                                    "9 14.0 +++ exited with 0 +++\n");
    REQUIRE(events.size() == 5);
    CHECK(events[0].result == "?");
    CHECK(events[0].number(0) == 4);
    CHECK(events[0].end == Approx(13.0));
    CHECK(events[1].result == "?");
    CHECK(events[1].end == Approx(12.0));
    CHECK(events[2].is("accept4"));
    CHECK(events[3].name == "killed by SIGKILL");
}

TEST_CASE("strace: signals and exits") {
    const auto events = read_strace(
        "7 1.0 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12613, si_uid=0, si_status=0} ---\n"
        "7 2.0 --- stopped by SIGSTOP ---\n"
        "7 3.0 +++ killed by SIGSEGV (core dumped) +++\n"
        "strace: Process 12613 attached\n"
        "8 4.0 +++ exited with 1 +++\n");
    REQUIRE(events.size() == 4);
    CHECK(events[0].kind == TraceEvent::Kind::signal);
    CHECK(events[0].name == "SIGCHLD");
    CHECK(events[0].result == "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12613, si_uid=0, si_status=0}");
    CHECK(events[1].name == "SIGSTOP");
    CHECK(events[2].kind == TraceEvent::Kind::exit);
    CHECK(events[2].name == "killed by SIGSEGV (core dumped)");
    CHECK(events[3].name == "exited with 1");
}

TEST_CASE("strace: what stands in strings is no punctuation") {
    const auto events =
        read_strace("1 write(4, \"a, b) = 7 <unfinished ...> \\\"resumed>\\\" (\", 37) = 37 <0.000010>\n"
                    "1 write(4, \"....................\"..., 65536) = 55808\n"
                    "1 read(4, \"ends with a backslash\\\\\", 65536) = 22\n"
                    "1 write(4, \"<unfinished ...>\", 16) = 16\n"
                    "1 write(4, \"one \\\", and no other\", 19) = 19\n");
    REQUIRE(events.size() == 5);
    CHECK(events[0].arguments.size() == 3);
    CHECK(events[0].value == 37);
    CHECK(events[1].arguments.at(1) == "\"....................\"...");
    CHECK(events[2].arguments.at(1) == "\"ends with a backslash\\\\\"");
    CHECK(events[3].value == 16);
    CHECK(events[4].arguments.size() == 3);
}

TEST_CASE("strace: lists and structures are one argument each, and may be empty") {
    const auto events = read_strace(
        "1 accept4(3, {sa_family=AF_INET, sin_port=htons(38064), sin_addr=inet_addr(\"127.0.0.1\")}, [128 => 16], "
        "SOCK_CLOEXEC|SOCK_NONBLOCK) = 5\n"
        "1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[2767]}, 88) = 2767\n"
        "1 getpid() = 7\n");
    REQUIRE(events.size() == 3);
    CHECK(events[0].arguments.size() == 4);
    CHECK(events[0].arguments.at(2) == "[128 => 16]");
    CHECK(events[1].arguments.size() == 2);
    CHECK(events[2].arguments.empty());
}

TEST_CASE("strace: what it did to a call is in the result") {
    const auto events = read_strace("1 read(4, 0x7ffe, 65536) = -1 EIO (Input/output error) (INJECTED)\n"
                                    "write(4, \"x\", 1) = 1 (DELAYED)\n"
                                    "1 --- SIGURG {si_signo=SIGURG, si_code=SI_KERNEL} ---\n");
    REQUIRE(events.size() == 3);
    CHECK(events[0].error == "EIO");
    CHECK(events[0].result.ends_with("(INJECTED)"));
    CHECK(events[1].value == 1);
    CHECK(events[1].result.ends_with("(DELAYED)"));
    CHECK(events[2].result == "{si_signo=SIGURG, si_code=SI_KERNEL}");
}

TEST_CASE("strace: a line that it has not ended yet is left out") {
    CHECK(read_strace("1 close(4) = 0\n1 read(5, \"hel").size() == 1);
    CHECK(read_strace("1 close(4) = 0\n1 close(5) = 1").size() == 1);
    CHECK(read_strace("").empty());
}

TEST_CASE("strace -c: how often a call was made, and how often it failed") {
    const std::string table = "% time     seconds  usecs/call     calls    errors syscall\n"
                              "------ ----------- ----------- --------- --------- ----------------\n"
                              " 81.40    0.000140           4        32         3 read\n"
                              " 18.60    0.000032           1        49           write\n"
                              "------ ----------- ----------- --------- --------- ----------------\n"
                              "100.00    0.000172           2        81         3 total\n";
    CHECK(counted_calls(table, "read").calls == 32);
    CHECK(counted_calls(table, "read").errors == 3);
    CHECK(counted_calls(table, "write").calls == 49);
    CHECK(counted_calls(table, "write").errors == 0);
    CHECK(counted_calls(table, "total").calls == 81);
    CHECK(counted_calls(table, "close").calls == 0);
    CHECK(counted_calls("", "total").calls == 0);
}

TEST_CASE("strace: what it cannot read it refuses, with the line") {
    CHECK(complaint("1 close(4) = 0\n1 what is this?\n").starts_with("line 2 "));
    CHECK_THAT(complaint("1 what is this?\n"), ContainsSubstring("what is this?"));
    CHECK(complaint("1 read(4, \"hel\n").starts_with("line 1 "));
    CHECK(complaint("1 read(4, \"hello\", 65536\n").starts_with("line 1 "));
    CHECK(complaint("1 read(4, {1], 2) =\n").starts_with("line 1 "));
    CHECK(complaint("1 read(4)\n").starts_with("line 1 "));
    CHECK(complaint("1 read(4) = six\n").starts_with("line 1 "));
    CHECK(complaint("1 <... read resumed>\"\", 1) = 0\n").starts_with("line 1 "));
    CHECK(complaint("1 read(4,  <unfinished ...>\n1 <... write resumed>) = 0\n").starts_with("line 2 "));
    CHECK(complaint("1 read(4,  <unfinished ...>\n1 read(4,  <unfinished ...>\n").starts_with("line 2 "));
    CHECK(complaint("1 --- SIGTERM {si_signo=SIG\n").starts_with("line 1 "));
    CHECK(complaint("1 +++ exited with\n").starts_with("line 1 "));
}
