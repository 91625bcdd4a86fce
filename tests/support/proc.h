// What /proc says of processes: their children and threads, the calls that these wait in, their memory and descriptors.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// --- processes ------------------------------------------------------------------------------------------------------

/// `pid` and all of its descendants that exist now, zombies included.
std::vector<pid_t> process_tree(pid_t pid);

/// The state letter of /proc/PID/status: 'R', 'S', 'Z' ...; '-' when there is no such process.
char process_state(pid_t pid);

/// Whether it is gone, or is only a zombie, which somebody else may have to wait for.
bool has_ended(pid_t pid);

/// Who traces this process or thread; 0 is nobody.
pid_t tracer_of(pid_t thread);

/// CPU time used so far by `pid` and its descendants, in all their threads.
std::chrono::microseconds cpu_time(pid_t pid);

/// Memory that `pid` and its descendants have written and share with nobody, in bytes (Private_Dirty in
/// /proc/PID/smaps_rollup). What they have only read, such as a library, is private while no other process uses it.
std::size_t private_memory(pid_t pid);

/// The same and their page tables: all that they have of their own.
std::size_t memory_of(pid_t pid);

/// Whether it has loaded a library whose name contains this: "libtsan"; "san.so" is that of any sanitizer.
bool has_library(pid_t pid, const std::string& name);

/// A number behind `name` in a file of lines "name: number ..."; 0 when there is no such line.
std::size_t number_in(const std::string& file, const std::string& name, int base = 10);

// --- threads, and the system calls that they are in -----------------------------------------------------------------

/// The threads of the process, in the order in which they were started.
std::vector<pid_t> threads_of(pid_t pid);

/// Whether one of its threads runs or is ready to run.
bool wants_the_cpu(pid_t pid);

/// Empty when the file of a process or thread may be read; else which it is, and why not.
std::string unreadable(pid_t thread, const std::string& file);

/// A thread; a process without threads has one.
struct Task {
    pid_t thread;
    char state;                             ///< 'R' runs or would like to, 'S' sleeps, ...
    std::size_t switches;                   ///< how often it has gone to sleep or was put off
    long call = -1;                         ///< the system call that it waits in
    std::vector<unsigned long> arguments{}; ///< of the call
};

/// The threads of `root` and its descendants. Throws Skipped where nobody may see their calls.
std::vector<Task> tasks(pid_t root);

/// How many of them wait in the system call: SYS_read, ...
std::size_t tasks_in(pid_t root, long call);

/// One thread; the main thread has the number of its process. Nothing when it has ended. Throws Skipped as `tasks`
/// does.
std::optional<Task> task_of(pid_t thread);

/// A system call by the name that the servers' code gives it: "accept4", "select", "epoll_wait"; else "call 123".
std::string call_name(long call);

/// The name of the call that its main thread waits in.
std::string main_thread_waits_in(pid_t pid);

// --- descriptors ----------------------------------------------------------------------------------------------------

/// How many descriptors the process has open.
std::size_t open_descriptors(pid_t pid);

/// The descriptors of the process, and what they are: "socket:[4711]", "anon_inode:[eventpoll]", "/dev/null", ...
std::map<int, std::string> descriptors_of(pid_t pid);

/// The descriptor of `pid` itself that the socket with this inode has; -1 when it has none.
int descriptor_of(pid_t pid, const std::string& inode);

/// A descriptor, and the process that has it.
struct Descriptor {
    pid_t process;
    int number;
    auto operator<=>(const Descriptor&) const = default;
};

/// That of `root` or one of its descendants. Throws Failed when none has one for this socket.
Descriptor find_descriptor(pid_t root, const std::string& inode);

/// The flags of the descriptor's open file description, and O_CLOEXEC.
int descriptor_flags(const Descriptor& descriptor);

/// What an epoll instance watches.
struct Watched {
    int fd;
    std::uint32_t events;
    std::uint64_t data;
    int epoll = -1; ///< the instance's own descriptor
    bool operator==(const Watched&) const = default;
};

/// All that the process's epoll instances watch. Only their own fdinfo is read: reading that of a socket keeps a
/// reference to it for a moment, so that a close meanwhile would not take it out of epoll.
std::vector<Watched> watched_by_epoll(pid_t pid);
