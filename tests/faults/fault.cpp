#include "tests/faults/fault.h"

#include <set>

#include "tests/support/failed.h"

namespace {

/// A line of the plan: `calls` of the chapters in `chapters` ("0123456"; 0 is a stranger's server).
struct Line {
    const char* chapters;
    const char* calls;
    const char* errors;
    Fault kind; // its flags and options
    const char* whens = "1 2 5";
};

const Fault plain{};
const Fault connection{.may_lose = true};
const Fault stop{.at_stop = true};
const Fault stop_one{.may_lose = true, .at_stop = true};
const Fault crowded{.may_lose = true, .crowd = 900}; // few need no more memory than a server has from the start
const Fault very_crowded{.may_lose = true, .crowd = 3000};
const Fault worker{.in_a_worker = true};
const Fault listener{.ends_it = true};
const Fault thinking{.options = {"--think", "1"}};

// What the man pages name, and for accept the network errors that it hands on. What is at_stop is tried at a stop,
// where only an error of ioctl excuses a loss: then the server does not know what is still on its way. Not here:
// - close: strace keeps the call from being made and reports the error; the kernel closes even when it says EINTR.
//   So strace would leave a descriptor open for which the server is right not to call close a second time.
// - EINTR for fcntl: it is for the waiting for a lock, F_SETLKW.
// - munmap, sched_yield, getppid: nothing is done about their results, and the last two have no error.
// - EAGAIN for read and write of 01 to 03: their sockets wait, and have no time limit, so there it cannot come.
// - errors for futex wherever it wakes: the call is not made, so a thread would be left asleep, which no kernel does.
//   A worker's first futex is a wait; that one may say EAGAIN and EINTR.
// - rt_sigprocmask: the servers call it before the first client. Later libc does, in fork, where it cannot fail.
// - an error for brk: the kernel never gives one, it gives the old end of the heap. See `no_heap`.
// Errors "2+" stay for a while: no spinning, and everyone is served when they are gone.
const std::vector<Line> plan = {
    {"0123456", "accept,accept4",
     "EAGAIN EINTR ECONNABORTED EMFILE ENFILE ENOBUFS ENOMEM EPROTO EPERM EOPNOTSUPP ENETDOWN ENETUNREACH "
     "EHOSTDOWN EHOSTUNREACH ENONET ENOPROTOOPT ETIMEDOUT ENOSR ESOCKTNOSUPPORT EPROTONOSUPPORT EFAULT",
     plain},
    {"0123456", "accept,accept4", "EMFILE ENFILE ENOBUFS ENOMEM", plain, "2+"},
    {"123456", "accept,accept4", "EINVAL EBADF ENOTSOCK ENOSYS", listener},
    {"0123456", "read,recvfrom,readv,recvmsg", "EINTR", plain},
    {"0456", "read,recvfrom,readv,recvmsg", "EAGAIN", plain},
    {"0123456", "read,recvfrom,readv,recvmsg",
     "ECONNRESET ETIMEDOUT EHOSTUNREACH ENOTCONN ENOMEM ENOBUFS EIO EFAULT EINVAL EBADF EISDIR", connection},
    {"0123456", "write,sendto,writev,sendmsg", "EINTR", plain},
    {"0456", "write,sendto,writev,sendmsg", "EAGAIN", plain},
    {"0123456", "write,sendto,writev,sendmsg",
     "EPIPE ECONNRESET ETIMEDOUT EHOSTUNREACH ENOMEM ENOBUFS EIO ENOSPC EDQUOT EPERM EINVAL EBADF EFAULT EFBIG "
     "EDESTADDRREQ",
     connection},
    {"0", "shutdown", "ENOTCONN ENOBUFS EBADF EINVAL ENOTSOCK", connection},
    {"02", "clone,clone3,fork,vfork", "EAGAIN ENOMEM", plain},
    {"02", "clone,clone3,fork,vfork", "EAGAIN", plain, "1+"},
    {"02", "wait4", "EINTR ECHILD", plain},
    {"2", "prctl", "EINVAL EPERM", plain},
    {"034", "select,pselect6", "EINTR ENOMEM EINVAL EBADF", plain},
    {"034", "select,pselect6", "ENOMEM", plain, "2+"},
    {"04", "fcntl", "EINVAL EBADF EPERM", connection},
    {"056", "epoll_ctl", "ENOMEM ENOSPC EPERM EEXIST ENOENT EINVAL EBADF ELOOP", connection},
    {"056", "epoll_wait,epoll_pwait", "EINTR EINVAL EBADF EFAULT", plain},
    {"06", "futex", "EAGAIN EINTR", worker, "1"},
    {"123456", "clock_nanosleep", "EINTR EINVAL EFAULT", thinking},
    {"123456", "ioctl", "EBADF EINVAL ENOTTY EFAULT", stop_one},
    {"2", "wait4", "EINTR", stop},
    {"123456", "poll", "EINTR ENOMEM EINVAL EFAULT", stop},
    {"123456", "shutdown", "ENOTCONN EBADF EINVAL ENOTSOCK", stop},
    {"2", "kill", "ESRCH EPERM EINVAL", stop},
    {"2", "rt_sigaction", "EINVAL EFAULT", connection},
    {"0123456", "mmap,mremap,mprotect", "ENOMEM", connection},
    {"0234", "mmap,mremap,mprotect", "ENOMEM", crowded, "1 2 1+"},
    {"56", "mmap,mremap,mprotect", "ENOMEM", very_crowded, "1 2 1+"},
};

/// Such faults of this kind, each at each of these occurrences of the call: "EIO ENOMEM", "1 2 5".
void add(std::vector<Fault>& all, Fault kind, const std::string& prefix, const std::string& whats,
         const std::string& whens) {
    for (const std::string& what : words_of(whats)) {
        kind.what = prefix + what;
        for (const std::string& when : words_of(whens)) {
            kind.when = when;
            all.push_back(kind);
        }
    }
}

/// A signal that is handled or does nothing, at the call; and a call that takes long, before and after its work.
void add_signals_and_delays(std::vector<Fault>& all, Fault kind, int chapter) {
    kind.may_lose = false;
    kind.in_a_worker = false;
    add(all, kind, "signal=", "SIGCHLD SIGCONT SIGWINCH SIGURG", "1 2 5");
    if (chapter > 0)
        add(all, kind, "signal=", "SIGPIPE", "1 2 5"); // one that writes with MSG_NOSIGNAL need not expect it
    add(all, kind, "delay_", "enter=20000 exit=20000", "1 2 1+3");
}

/// SIGTERM at the call: whatever the server is doing, it delivers what it has read, and ends.
void add_stops(std::vector<Fault>& all, Fault kind, int chapter) {
    kind.may_lose = true;
    kind.in_a_worker = false;
    if (chapter == 6) kind.options.insert(kind.options.end(), {"--read-workers", "1", "--write-workers", "1"});
    add(all, kind, "signal=", "SIGTERM", "1 2 3 5 8 20");
}

/// The one of each kind besides the errors that come once.
bool is_sample(const Fault& fault, int chapter) {
    const bool reads = fault.calls.starts_with("read,");
    const bool writes = fault.calls.starts_with("write,");
    if (fault.stops()) return writes && fault.when == "5";
    if (fault.ends_it) return fault.what == "error=ENOSYS" && fault.when == "2";
    if (fault.what == "signal=SIGCHLD") return reads && fault.when == "2";
    // With threads, others overtake the one that is held up: so there it is done at each call.
    if (fault.what == "delay_exit=20000") return (reads || chapter == 6) && fault.when == "1+3";
    if (fault.what == "error=EMFILE") return fault.when == "2+";
    return fault.name() == "poll:error=EINTR:when=1" && fault.at_stop;
}

} // namespace

std::vector<Fault> all_faults(int chapter) {
    std::vector<Fault> all;
    std::set<std::string> seen; // lines of the same calls: signals and delays once
    for (const Line& line : plan) {
        if (std::string(line.chapters).find(std::to_string(chapter)) == std::string::npos) continue;
        Fault kind = line.kind;
        kind.calls = line.calls;
        add(all, kind, "error=", line.errors, line.whens);
        if (kind.at_stop || !seen.insert(kind.calls).second) continue;
        add_signals_and_delays(all, kind, chapter);
        if (chapter > 0 && !kind.no_heap()) add_stops(all, kind, chapter);
    }
    return all;
}

std::vector<Fault> few_faults(int chapter) {
    // Of every call the first error and the one that is forgotten most easily, and the samples of all else.
    std::vector<Fault> few;
    std::string last;
    for (const Fault& fault : all_faults(chapter)) {
        const bool new_call = fault.calls != last;
        const bool telling = fault.what == "error=ENOMEM" && fault.when == "2";
        if (((new_call || telling) && !fault.at_stop) || is_sample(fault, chapter)) few.push_back(fault);
        last = fault.calls;
    }
    return few;
}
