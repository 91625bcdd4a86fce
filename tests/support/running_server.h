// A server, started for a test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/process.h"

/// A port that is free now, also with its two bytes swapped: a server that forgets htons listens there.
std::uint16_t free_port();
std::uint16_t swapped(std::uint16_t port);
inline const std::string byte_order = "the port goes into the address in network byte order, as htons(3) gives it";

/// The command of a stranger's server, with `port` where it says {port}.
std::vector<std::string> with_port(std::vector<std::string> command, std::uint16_t port);

/// Starts a server on a free port and waits until it listens. It ends with this object.
class RunningServer {
  public:
    /// One of the six, or another that keeps their contract: `--port 0` and then `more` stand behind `program` on its
    /// command line, and it says where it listens. `wrapper` stands before it: strace and its options, say.
    /// `before_exec`: see Launch. Throws Failed when it does not come up.
    explicit RunningServer(const std::string& program, const std::vector<std::string>& more = {},
                           const std::function<void()>& before_exec = {}, std::vector<std::string> wrapper = {});

    /// Starts a stranger's server: `command` with `{port}` standing for the port. Waits until the kernel says that the
    /// port is listened on; no connection is made for that. Throws Failed when it does not come to that.
    /// `port` 0: one that is free now.
    RunningServer(const std::vector<std::string>& command, milliseconds start_limit,
                  const std::function<void()>& before_exec = {}, std::uint16_t port = 0);

    /// Where to connect to, for clients with this patience.
    [[nodiscard]] Endpoint endpoint(milliseconds patience = long_enough) const {
        return {address_, patience, 0, port_ != 0, overflown_before_};
    }
    [[nodiscard]] std::string port() const;
    [[nodiscard]] const std::string& listening_line() const { return listening_line_; }
    Process& process() { return process_; }
    [[nodiscard]] pid_t pid() const { return process_.pid(); }

  private:
    std::uint16_t port_ = 0; // a stranger's
    std::size_t overflown_before_ = 0;
    Process process_;
    std::string listening_line_;
    Address address_;
};

/// Whether that is a stranger's server: "./mine --port {port}", and not "03-select-server/server".
bool is_strangers(const std::string& server);

/// Starts either of the two; `more` is for one of the six.
std::unique_ptr<RunningServer> start_server(const std::string& server, const std::vector<std::string>& more = {});

/// "03-select-server", the folder that the server is in.
std::string chapter_of(const std::string& program);
