#include "common/write_all.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "tests/catch.h"
#include "tests/support/client.h"
#include "tests/support/in_child.h"
#include "tests/unit/socket_pair.h"

namespace {

/// Reads until the end, or until there are `size` bytes.
std::string read_all(int fd, std::size_t size) {
    std::string all;
    std::array<char, 1000> buffer{};
    while (all.size() < size) {
        const ssize_t count = read(fd, buffer.data(), buffer.size());
        if (count <= 0) break;
        all.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return all;
}

int signal_handled[2]; // a pipe: a byte for each signal

void note_signal(int) {
    const int saved_errno = errno;
    [[maybe_unused]] const ssize_t ignored = write(signal_handled[1], "!", 1);
    errno = saved_errno;
}

} // namespace

TEST_CASE("write_all: nothing to write is all written") {
    CHECK(write_all(-1, nullptr, 0));
}

TEST_CASE("write_all: goes on after a short write, and after a signal") {
    // A signal makes a write that waits return with what it has written until then: a short write. Where that is
    // nothing, it fails with EINTR.
    const std::string data = random_bytes(100000, 2);
    SocketPair pair = socket_pair(SOCK_STREAM, 1);
    REQUIRE(pipe(signal_handled) == 0);
    const Fd handled(signal_handled[0]);
    Fd handled_end(signal_handled[1]);

    Child writer([&] {
        struct sigaction action {}; // without SA_RESTART
        action.sa_handler = note_signal;
        sigaction(SIGUSR1, &action, nullptr);
        std::cout << "writes" << std::endl;
        std::cout << write_all(pair.one.get(), data.data(), data.size());
    });
    handled_end.reset(); // now only the writer has it
    pair.one.reset();
    for (int i = 0; i < 3; ++i) {
        writer.wait_until_it_waits("writes");
        writer.signal(SIGUSR1);
        char byte = 0;
        REQUIRE(read(handled.get(), &byte, 1) == 1);
    }
    CHECK(difference(data, read_all(pair.other.get(), data.size())) == "the same");
    CHECK(writer.outcome().out == "writes\n1");
}

TEST_CASE("write_all: goes on after a short write until it is told why") {
    // A file that may not grow past 1000 bytes takes as much, and fails only at the next call.
    const Outcome child = in_child([] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit most{1000, 1000};
        check(setrlimit(RLIMIT_FSIZE, &most), "setrlimit");
        const Fd file(check(memfd_create("file", MFD_CLOEXEC), "memfd_create"));
        const std::string data(1500, 'x');
        const bool all = write_all(file.get(), data.data(), data.size());
        std::cout << all << ' ' << std::strerror(errno) << ", " << lseek(file.get(), 0, SEEK_END) << " bytes";
    });
    CHECK(child.out == "0 File too large, 1000 bytes");
}

TEST_CASE("write_all: is false when the reader is gone") {
    const Outcome child = in_child([] {
        ignore_write_signals();
        SocketPair pair = socket_pair(SOCK_STREAM, 1);
        pair.other.reset();
        std::cout << write_all(pair.one.get(), "hello", 5) << ' ' << std::strerror(errno);
    });
    CHECK(child.out == "0 Broken pipe");
    CHECK(child.ended == "exit status 0");
}
