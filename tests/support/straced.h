// Servers whose system calls strace writes down.
#pragma once

#include <string>
#include <vector>

#include "tests/support/memory_file.h"
#include "tests/support/running_server.h"

/// Why strace cannot trace on this machine; empty when it can. Found out once, by letting it trace `true`.
const std::string& why_no_strace();

/// One of our servers under strace from its start. The server is our child, and strace is not its parent (-D): so it
/// ends with this program, come what may.
class Straced {
  public:
    /// `options` are strace's; `program` and `more` are the server's, see RunningServer. Throws Skipped where strace is
    /// missing or may not trace, and Failed when the server does not come to listen.
    Straced(const std::vector<std::string>& options, const std::string& program,
            const std::vector<std::string>& more = {});

    [[nodiscard]] pid_t pid() const { return server_.pid(); }
    [[nodiscard]] Endpoint endpoint(milliseconds patience = long_enough) const { return server_.endpoint(patience); }

    /// Stops the server with SIGTERM and gives what strace has written. Throws Failed when one of them goes on.
    std::string finish();

  private:
    MemoryFile record_;
    RunningServer server_;
    pid_t strace_;
};

/// strace, attached to a process that runs already.
class AttachedStrace {
  public:
    /// Waits until it traces all these threads, which `options` name (-p). Throws Skipped where strace is missing or
    /// may not trace.
    AttachedStrace(const std::vector<std::string>& options, const std::vector<pid_t>& threads);

    /// Lets the process go on without it.
    void detach();

    /// What it has written so far.
    [[nodiscard]] std::string record() const { return record_.content(); }

  private:
    MemoryFile record_;
    Process strace_;
};
