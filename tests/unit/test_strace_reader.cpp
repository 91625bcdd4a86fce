#include "tests/catch.h"

#include <sstream>
#include <string>
#include <vector>

#include "tests/support/strace_reader.h"

namespace {

/// What the reader makes of a record, an event per line: its thread, its times, its arguments with bars between them,
/// its result, and in brackets the number and the error in that.
std::string told(const std::string& record) {
    std::ostringstream out;
    out.precision(17);
    for (const TraceEvent& event : read_strace(record)) {
        out << event.thread << ' ' << event.begin << '-' << event.end << ' ';
        out << (event.kind == TraceEvent::Kind::signal ? "signal "
                : event.kind == TraceEvent::Kind::exit ? "exit "
                                                       : "");
        out << event.name;
        for (const std::string& argument : event.arguments) out << '|' << argument;
        out << " = " << event.result << " [" << event.value << ' ' << event.error << "]\n";
    }
    return out.str();
}

} // namespace

TEST_CASE("strace: a call has its thread, its times, its arguments and its result") {
    const std::string record =
        "2755  1795527200.250000 read(4, \"hello\\n\", 65536) = 6 <0.125000>\n"
        "2755  1795527200.500000 pselect6(5, [3 4], NULL, NULL, NULL, NULL) = 1 (in [4]) <0.500000>\n";
    CHECK(told(record) == "2755 1795527200.25-1795527200.375 read|4|\"hello\\n\"|65536 = 6 [6 ]\n"
                          "2755 1795527200.5-1795527201 pselect6|5|[3 4]|NULL|NULL|NULL|NULL = 1 (in [4]) [1 ]\n");
    const TraceEvent read = read_strace(record).front();
    CHECK(read.is("read"));
    CHECK(read.number(0) == 4);
    CHECK(read.text() == "read(4, \"hello\\n\", 65536) = 6");
}

TEST_CASE("strace: what a line may look like") {
    const auto [line, expected] = GENERATE(table<std::string, std::string>({
        // with and without process numbers and times
        {"close(4)                                = 0", "0 0-0 close|4 = 0 [0 ]"},
        {"24304 close(5)                          = 0", "24304 0-0 close|5 = 0 [0 ]"},
        {"58 1795527200.5 close(6) = 0 <0.25>", "58 1795527200.5-1795527200.75 close|6 = 0 [0 ]"},
        {"1795527200.5 close(7) = 0", "0 1795527200.5-1795527200.5 close|7 = 0 [0 ]"},
        // errors, calls that are restarted, calls without a result
        {"1 read(4, 0x7ffe, 65536) = -1 EAGAIN (Resource temporarily unavailable)",
         "1 0-0 read|4|0x7ffe|65536 = -1 EAGAIN (Resource temporarily unavailable) [-1 EAGAIN]"},
        {"1 accept4(3, 0x7ffe, [128], SOCK_CLOEXEC) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)",
         "1 0-0 accept4|3|0x7ffe|[128]|SOCK_CLOEXEC = ? ERESTARTSYS (To be restarted if SA_RESTART is set) "
         "[-1 ERESTARTSYS]"},
        {"1 exit_group(0)                     = ?", "1 0-0 exit_group|0 = ? [-1 ]"},
        {"1 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) = 0x100000000",
         "1 0-0 mmap|NULL|4096|PROT_READ|MAP_PRIVATE|-1|0 = 0x100000000 [4294967296 ]"},
        // what stands in strings is no punctuation
        {"1 write(4, \"a, b) = 7 <unfinished ...> \\\"resumed>\\\" (\", 37) = 37 <0.000000>",
         "1 0-0 write|4|\"a, b) = 7 <unfinished ...> \\\"resumed>\\\" (\"|37 = 37 [37 ]"},
        {"1 write(4, \"....\"..., 65536) = 55808", "1 0-0 write|4|\"....\"...|65536 = 55808 [55808 ]"},
        {"1 read(4, \"a backslash\\\\\", 65536) = 12", "1 0-0 read|4|\"a backslash\\\\\"|65536 = 12 [12 ]"},
        {"1 write(4, \"<unfinished ...>\", 16) = 16", "1 0-0 write|4|\"<unfinished ...>\"|16 = 16 [16 ]"},
        {"1 write(4, \"one \\\", no other\", 15) = 15", "1 0-0 write|4|\"one \\\", no other\"|15 = 15 [15 ]"},
        // lists and structures are one argument each, and may be empty
        {"1 accept4(3, {sa_family=AF_INET, sin_addr=inet_addr(\"127.0.0.1\")}, [128 => 16], SOCK_CLOEXEC) = 5",
         "1 0-0 accept4|3|{sa_family=AF_INET, sin_addr=inet_addr(\"127.0.0.1\")}|[128 => 16]|SOCK_CLOEXEC = 5 [5 ]"},
        {"1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[2767]}, 88) = 2767",
         "1 0-0 clone3|{flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[2767]}|88 = 2767 [2767 ]"},
        {"1 getpid() = 7", "1 0-0 getpid = 7 [7 ]"},
        // what strace did to a call is in the result
        {"1 read(4, 0x7ffe, 65536) = -1 EIO (Input/output error) (INJECTED)",
         "1 0-0 read|4|0x7ffe|65536 = -1 EIO (Input/output error) (INJECTED) [-1 EIO]"},
        {"write(4, \"x\", 1) = 1 (DELAYED)", "0 0-0 write|4|\"x\"|1 = 1 (DELAYED) [1 ]"},
        // signals and exits
        {"7 1.0 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12613, si_uid=0, si_status=0} ---",
         "7 1-1 signal SIGCHLD = {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12613, si_uid=0, si_status=0} [-1 ]"},
        {"7 2.0 --- stopped by SIGSTOP ---", "7 2-2 signal SIGSTOP =  [-1 ]"},
        {"7 3.0 +++ killed by SIGSEGV (core dumped) +++", "7 3-3 exit killed by SIGSEGV (core dumped) =  [-1 ]"},
        {"8 4.0 +++ exited with 1 +++", "8 4-4 exit exited with 1 =  [-1 ]"},
    }));
    CHECK(told(line + "\n") == expected + "\n");
}

TEST_CASE("strace: what it says of itself is left out, and so is a line that it has not ended yet") {
    CHECK(told("strace: Process 12613 attached\n1 \?\?\?( <unfinished ...>\n1 <... \?\?\? resumed>) = ?\n").empty());
    CHECK(told("1 close(4) = 0\n1 read(5, \"hel") == "1 0-0 close|4 = 0 [0 ]\n");
    CHECK(told("1 close(4) = 0\n1 close(5) = 1") == "1 0-0 close|4 = 0 [0 ]\n");
    CHECK(told("").empty());
}

TEST_CASE("strace: a call that others interrupt is one event, where it began") {
    CHECK(told("7 10.0 read(4,  <unfinished ...>\n"
               "8 10.5 write(5, \"x\", 1)         = 1 <0.250000>\n"
               "7 11.0 <... read resumed>\"hello\\n\", 65536) = 6 <1.000000>\n"
               "8 11.5 epoll_wait(4,  <unfinished ...>\n"
               "7 11.75 close(4 <unfinished ...>\n"
               "7 12.0 <... close resumed> )     = 0 <0.25>\n"
               "8 12.5 <... epoll_wait resumed>[{events=EPOLLIN, data=0x5}], 64, -1) = 1 <1.0>\n") ==
          "7 10-11 read|4|\"hello\\n\"|65536 = 6 [6 ]\n"
          "8 10.5-10.75 write|5|\"x\"|1 = 1 [1 ]\n"
          "8 11.5-12.5 epoll_wait|4|[{events=EPOLLIN, data=0x5}]|64|-1 = 1 [1 ]\n"
          "7 11.75-12 close|4 = 0 [0 ]\n");
}

TEST_CASE("strace: a call that never returns is there, with what is known of it") {
    CHECK(told("7 10.0 read(4,  <unfinished ...>\n"
               "8 10.0 futex(0x7ffe, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>\n"
               "9 10.5 accept4(3,  <detached ...>\n"
               "8 12.0 <... futex resumed> <unfinished ...>) = ?\n"
               "7 13.0 +++ killed by SIGKILL +++\n"
               "9 14.0 +++ exited with 0 +++\n") == "7 10-13 read|4| = ? [-1 ]\n"
                                                    "8 10-12 futex|0x7ffe|FUTEX_WAIT_PRIVATE|0|NULL = ? [-1 ]\n"
                                                    "9 10.5-14 accept4|3| = ? [-1 ]\n"
                                                    "7 13-13 exit killed by SIGKILL =  [-1 ]\n"
                                                    "9 14-14 exit exited with 0 =  [-1 ]\n");
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

TEST_CASE("strace: what it cannot read it refuses, with the line") {
    CHECK_THROWS_WITH(read_strace("1 what is this?\n"), ContainsSubstring("what is this?"));
    for (const std::string first :
         {"what is this?", "read(4, \"hel", "read(4, \"hello\", 65536", "read(4, {1], 2) =", "read(4)", "read(4) = six",
          "<... read resumed>\"\", 1) = 0", "--- SIGTERM {si_signo=SIG", "+++ exited with"}) {
        CHECK_THROWS_WITH(read_strace("1 " + first + "\n"), StartsWith("line 1 "));
    }
    CHECK_THROWS_WITH(read_strace("1 close(4) = 0\n1 what is this?\n"), StartsWith("line 2 "));
    for (const std::string second : {"<... write resumed>) = 0", "read(4,  <unfinished ...>"}) {
        CHECK_THROWS_WITH(read_strace("1 read(4,  <unfinished ...>\n1 " + second + "\n"), StartsWith("line 2 "));
    }
}
