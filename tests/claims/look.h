// What the kernel says of a server while it runs: its threads and the calls they wait in, and its descriptors. (What it
// says of its sockets: tests/support/sockets.h.)
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/running_server.h"
#include "tests/support/sockets.h"

/// Whether there is such a program in PATH.
bool installed(const std::string& program);

// --- threads and the system calls that they are in: /proc/PID/task --------------------------------------------------

/// A thread; a process without threads has one.
struct Task {
    pid_t thread;
    char state;                           ///< 'R' runs or would like to, 'S' sleeps, ...
    unsigned long switches;               ///< how often it has gone to sleep or was put off
    long call = -1;                       ///< the system call that it waits in
    std::vector<unsigned long> arguments; ///< of the call
};

/// The threads of `root` and its descendants.
std::vector<Task> tasks(pid_t root);

/// How many of them wait in the system call: SYS_read, ...
std::size_t tasks_in(pid_t root, long call);

/// What a server's main thread waits in, by name: "accept4", "select", ...
std::string main_thread_waits_in(pid_t pid);

/// Whether all threads sleep and none of them has run for a tenth of a second. Then whatever has not come will not
/// come, unless somebody sends something. This does not depend on how busy the machine is: a thread that has something
/// to do and gets no CPU does not sleep.
bool at_rest(pid_t root);

/// Throws Failed when the server does not come to rest.
void wait_for_rest(pid_t root);

/// What `root` and its descendants have of their own: private memory and page tables, in bytes.
std::size_t memory_of(pid_t root);

// --- descriptors: /proc/PID/fd and fdinfo ---------------------------------------------------------------------------

/// How many descriptors this process, and a server that it starts, may have.
std::size_t descriptor_limit();

/// Throws Skipped when that is too few for so many clients.
void need_descriptors_for(std::size_t clients);

/// The flags of the descriptor's open file description: O_NONBLOCK, ...
int descriptor_flags(pid_t pid, int fd);

/// What an epoll instance watches.
struct Watched {
    int fd;
    std::uint32_t events;
    std::uint64_t data;
};

/// All that the process's epoll instances watch.
std::vector<Watched> watched_by_epoll(pid_t pid);

// --- clients that wait for the server to come to rest ---------------------------------------------------------------

/// Clients that connect and say nothing.
std::vector<Client> connect_clients(const Endpoint& server, std::size_t count);

/// Sends the line and waits until the server's kernel has it.
void send_line(Client& client, const std::string& line);

/// Whether anything comes for the client before the server comes to rest.
bool hears(Client& client, pid_t server);

/// Sends a line: whether it comes back before the server comes to rest.
bool is_served(Client& client, pid_t server);

/// Reads `size` bytes and looks at none of them.
void read_away(Client& client, std::size_t size);

/// Sends and never reads, until the server has come to rest, leaves input unread and there is no room to send more.
/// Gives how many bytes went.
std::size_t send_and_never_read(Client& client, const Endpoint& endpoint, pid_t server);
