#include "tests/grader/symptoms.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>

#include "tests/support/sockets.h"

namespace {

/// The server at the moment of the failure.
struct Scene {
    bool listens = false;
    std::size_t waiting = 0;     ///< clients that nobody has accepted yet
    std::size_t backlog = 0;     ///< how many may wait, and one more
    std::size_t accepted = 0;    ///< connections that belong to the server
    std::size_t unread = 0;      ///< bytes that have arrived on those and that it has not read
    std::size_t left_open = 0;   ///< connections that the client has ended and the server has not closed
    bool others_have_it = false; ///< one of those is open in more than one process, or there are several processes
    bool works = false;          ///< it uses the CPU
    bool edge_triggered = false;
    bool has_epoll = false;
    bool non_blocking = false; ///< the listener, or a client's socket that is still open
    std::string waits_in{};    ///< the call in which its only thread waits
};

Subject* looked_at = nullptr;
std::optional<Scene> scene;

/// Whether the socket waits in read and write; so does one that cannot be looked at any more.
bool waits(const std::vector<pid_t>& tree, const TcpSocket& socket) {
    for (const pid_t pid : tree) {
        const int number = descriptor_of(pid, socket.inode);
        if (number >= 0) return (descriptor_flags({pid, number}) & O_NONBLOCK) == 0;
    }
    return true;
}

void look_around() {
    const RunningServer& server = looked_at->server();
    const Endpoint endpoint = server.endpoint();
    const std::vector<pid_t> tree = process_tree(server.pid());
    for (const TcpSocket& socket : tcp_sockets(port_of(endpoint.address))) {
        if (socket.state == TcpState::listening) {
            scene->listens = true;
            scene->waiting = socket.receive_queue;
            scene->backlog = socket.send_queue;
        } else if (socket.inode != "0") {
            ++scene->accepted;
            constexpr std::size_t enough = 20; // a look at a thousand would take its time
            if (scene->accepted < enough && !waits(tree, socket)) scene->non_blocking = true;
            scene->unread += socket.receive_queue;
            if (socket.state == TcpState::close_wait) ++scene->left_open;
        }
    }
    scene->others_have_it = scene->left_open > 0 && tree.size() > 1;
    scene->works = std::any_of(tree.begin(), tree.end(), wants_the_cpu);
    for (const pid_t pid : tree) {
        for (const Watched& watched : watched_by_epoll(pid)) {
            scene->has_epoll = true;
            if ((watched.events & EPOLLET) != 0) scene->edge_triggered = true;
        }
    }
    const bool is_one = tree.size() == 1 && threads_of(server.pid()).size() == 1 && !scene->works;
    if (is_one) scene->waits_in = main_thread_waits_in(server.pid());
}

/// Looks only once: what is thrown on the way up from the first failure comes too late.
void look() {
    if (scene || looked_at == nullptr || !looked_at->started()) return;
    scene.emplace();
    try {
        look_around();
    } catch (const std::exception&) {
        return; // a process or a descriptor has gone meanwhile; what has been seen is seen
    }
}

bool says(const std::string& text, std::initializer_list<const char*> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return text.find(word) != std::string::npos; });
}

std::string hint_at_end(const Ended& ended) {
    if (!ended.by_signal) {
        return "The server has ended, although nobody told it to. Which return or exit did it reach? What happens to "
               "one client must end that client's connection only, and after it comes the next accept(2).";
    }
    if (ended.value == SIGPIPE) {
        return "SIGPIPE killed the server: that is what a write to a client that is gone does by default. Ignore the "
               "signal, signal(7), or send(2) with MSG_NOSIGNAL; then the write fails with EPIPE.";
    }
    return "The server crashed. Build it with -g -fsanitize=address,undefined and play this case again: then it prints "
           "where.";
}

std::string hint_at_silence(const std::string& got) {
    // The kernel takes in one more than the backlog.
    if (scene->waiting > scene->backlog || says(got, {"(backlog "})) {
        return text("The queue of clients that wait to be accepted was full, with a backlog of ", scene->backlog,
                    ", and then the kernel turns others away. The second argument of listen(2), the backlog, says how "
                    "many may wait: let it be SOMAXCONN. And accept them soon.");
    }
    if (scene->edge_triggered && scene->unread > 0) {
        return text("The server watches edge-triggered (EPOLLET), and ", scene->unread,
                    " bytes that have arrived are unread. epoll tells of them once: read until EAGAIN, and write until "
                    "EAGAIN, or leave EPOLLET out, epoll(7).");
    }
    if (scene->edge_triggered) {
        return "The server watches edge-triggered (EPOLLET): epoll tells of an arrival once, and of room once. Read "
               "until EAGAIN, write until EAGAIN, accept until EAGAIN, or leave EPOLLET out, epoll(7).";
    }
    if (scene->waiting > 0 && scene->accepted == 0 && scene->works) {
        return "The client waits in the listener's queue, and the server uses the CPU. Perhaps accept(2) or select(2) "
               "fails again and again: look whether it returns -1, and print why with perror(3).";
    }
    if (scene->waiting > 0 && scene->accepted == 0) {
        return "The kernel has completed the connection, but the server has not taken it: it waits in the listener's "
               "queue. Call accept(2), which returns the client's own descriptor. (If select(2) or epoll_wait(2) is to "
               "say when: is the listener watched, each time?)";
    }
    if (scene->unread > 0 && scene->waits_in.starts_with("accept")) {
        return text("The server waits in accept, and a client that it has accepted has sent ", scene->unread,
                    " bytes. Read from the descriptor that accept(2) returned. (accept until EAGAIN is for a listener "
                    "that does not block.)");
    }
    const bool one_has_ended = scene->left_open > 0 && !says(got, {"still wait"});
    if (one_has_ended && scene->others_have_it) {
        return "The client has ended, and its connection is still open in a process of the server's. If the server "
               "forks: a connection ends when the last copy of its descriptor is closed, and the parent has one, too. "
               "close(2) it there, right after fork(2).";
    }
    if (one_has_ended && scene->works) {
        return "The client has ended, and the server works on and on. At the end read(2) returns 0, again and again: "
               "leave the loop then, and close the connection.";
    }
    if (one_has_ended) {
        return "The client has ended, but the server has not closed its side, so the client waits for the end. When "
               "read(2) returns 0, close(2) the client's descriptor. (A parent closes its copy right after fork.)";
    }
    return "";
}

} // namespace

void look_for_symptoms(Subject& subject) {
    looked_at = &subject;
    look_at_failure = look;
}

std::string where_it_waits(const Failed& failed) {
    const bool is_known = scene && !scene->waits_in.empty() && says(failed.got, {"nothing"});
    return is_known ? "; the server waits in " + scene->waits_in : "";
}

std::string hint_by_symptom(const Failed& failed, const std::optional<Ended>& ended, bool first_steps) {
    if (says(failed.got, {" failed: "})) {
        return "A call that fails returns -1. Compare what each of your calls returns with -1, print why it has "
               "failed, with perror(3), and do not go on as if it had not.";
    }
    if (ended && !ended->by_signal && first_steps) return ""; // the step itself says more
    if (ended) return says(failed.did, {"SIGTERM", "was killed"}) ? "" : hint_at_end(*ended); // or we have ended it
    if (says(failed.got, {"was not done", "more are coming"})) {
        return "The server was still busy with this when the time for it was over; a right one needs a few seconds at "
               "most. Does it sleep before it answers, or send and send without an end?";
    }
    if (!scene) return "";
    if (!scene->listens && says(failed.got, {"nothing", "reset by peer", "refused", "works on"})) {
        return "The server does not listen any more. Has close(2) got the listener instead of the client, or both?";
    }
    if (says(failed.got, {"it took them all"})) {
        return "The client takes nothing, and the server reads on: it keeps ever more, or throws it away. Stop reading "
               "from a client while there are unsent bytes for it; then TCP makes the client wait.";
    }
    if (says(failed.got, {"nothing", "none in a second", "still wait", "only "})) {
        if (const std::string hint = hint_at_silence(failed.got); !hint.empty()) return hint;
    }
    const bool cut_off = says(failed.got, {"reset by peer", "the end of file", "Broken pipe"});
    if (cut_off && (scene->non_blocking || scene->has_epoll)) {
        return "The server closed a connection in the middle. On a non-blocking socket read and write fail with EAGAIN "
               "when there is nothing to read or no room to write: that is not an error, so keep the connection and "
               "wait until it is ready. (Nor is EPOLLRDHUP a reason to close it: the client may still read.)";
    }
    if (says(failed.got, {"reset by peer"})) {
        return "The kernel reset the connection. It does so when a server closes it while bytes of the client's are "
               "unread, or are still to come, and with SO_LINGER 0. Close it when read(2) has returned 0, not before.";
    }
    return "";
}
