// Signals: stopping in good order, and not dying of a gone client. Introduced by chapter 01.
#pragma once

/// A write to a client that is gone shall fail with EPIPE and not kill the whole server with SIGPIPE: signal(7).
/// Throws std::system_error.
void ignore_sigpipe();

/// What a second SIGINT or SIGTERM does.
enum class SecondSignal { ends_at_once, changes_nothing };

/// From now on SIGINT and SIGTERM stop the server in good order: `stopping()` becomes true and whatever waits on `fd`
/// is woken (see `wake_on_stop`). After 5 seconds at most the process ends by itself, with exit status 0: sigaction(2),
/// alarm(2). Throws std::system_error.
void stop_on_signals(int fd, SecondSignal second = SecondSignal::ends_at_once);

/// Whether a signal to stop has come.
bool stopping() noexcept;

/// Names the descriptor that the program may be waiting on from now on. A stop shuts down its reading side, or has
/// already done so when this returns, shutdown(2): a waiting accept(2) then fails with EINVAL, a waiting read(2)
/// returns what has arrived and then 0, and select and epoll report the descriptor as ready. That holds for calls made
/// later, too. So no stop is lost, however narrow the gap between looking at `stopping()` and waiting; a flag alone can
/// be lost there. The descriptor may be closed while it is named here, as long as nothing is opened before another one
/// is named.
void wake_on_stop(int fd);
