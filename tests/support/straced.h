// One of our servers under strace.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "tests/support/process.h"

/// Why strace cannot trace on this machine; empty when it can. Found out once, by letting it trace `true`.
const std::string& why_no_strace();

/// The server is our child, and strace is not its parent (-D): so it ends with this program, come what may.
class Straced {
  public:
    /// `options` are strace's; `server` is a program and its options, `--port 0` among them. Throws Failed when the
    /// server does not come to listen or is not traced; what strace says of that is then in `got`.
    Straced(const std::vector<std::string>& options, const std::vector<std::string>& server);

    [[nodiscard]] pid_t pid() const { return server_.pid(); }
    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// Stops the server with SIGTERM and gives what strace has written. Throws Failed when one of them goes on.
    std::string finish();

  private:
    Fd record_; // a file that nobody has to remove
    Process server_;
    pid_t strace_;
    std::uint16_t port_;
};

/// The same for a case. Throws Skipped where strace may not trace.
std::unique_ptr<Straced> start_straced(const std::vector<std::string>& options, const std::vector<std::string>& server);
