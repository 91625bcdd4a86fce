// What to do about a failed accept. Introduced by chapter 01; the pause by chapter 03.
#pragma once

#include <chrono>
#include <optional>

/// How long to leave the waiting clients in the kernel's queue when there is no room for another one.
constexpr std::chrono::milliseconds accept_pause_time{100};

enum class AfterFailedAccept {
    go_on, ///< this call found nobody, or only this one client is lost: look for the next one
    pause, ///< no room (EMFILE, ENFILE, ENOBUFS, ENOMEM): the next call would fail as well, so wait until a client
           ///< leaves or a moment has passed. An error that nobody expects counts as this too: no spinning, no dying.
};

/// Sorts what accept(2) left in errno. Neither kind ends the server.
AfterFailedAccept after_failed_accept(int error);

/// A pause in accepting. While it lasts, do not ask select or epoll about the listener: it stays ready, and asking
/// would return at once, again and again, at 100 % of the CPU. The clients meanwhile wait in the kernel's queue.
class AcceptPause {
  public:
    /// There is no room: pause for `accept_pause_time`.
    void begin();

    /// A client has left, so there may be room: what is left of the pause is dropped.
    void end();

    /// Whether the pause still lasts: for select, which is told anew each time what to ask.
    bool active();

    /// True once, when a pause has ended: for epoll, which has to be told that it may ask again.
    bool over();

    /// How long select(2) or epoll_wait(2) may wait, in milliseconds: to the end of the pause, or for ever (-1).
    [[nodiscard]] int timeout_ms() const;

  private:
    std::optional<std::chrono::steady_clock::time_point> until_;
};
