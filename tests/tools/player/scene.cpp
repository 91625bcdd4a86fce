#include "tests/tools/player/scene.h"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "common/listener.h"
#include "tests/tools/connections.h"
#include "tests/tools/trace/traced_server.h"

namespace {

/// The calls that are shown or that the model needs. What a strace does not know (after ?) it leaves out.
const char* const traced_calls = "trace=%network,?read,?write,?close,/select,/epoll,/fork,/clone,?wait4,"
                                 "?clock_nanosleep,?futex,?fcntl,?exit_group";

/// Connections of a client that will not read: small enough that `much` does not fit into them, however much the
/// server's kernel adds to its send buffer. On a busy machine it has added enough for 145,000.
constexpr int small_buffer = 8 * 1024;
constexpr int small_segment = 500;
constexpr int send_room = 200 * 1024; // with small segments its own kernel would take no more than a half of it
constexpr std::size_t much = 150000;
constexpr std::size_t too_much_at_once = 45000; // one write takes 32,696; a second one has room for the rest
constexpr milliseconds quiet(400); // an acknowledgement arrives up to 200 ms late, and later on a busy machine
/// A loop that never rests soon has so many switches of threads. What an action causes is far below it.
constexpr std::size_t too_often = 600;

std::size_t switches_of(pid_t root) {
    std::size_t sum = 0;
    for (const Task& task : tasks(root)) sum += task.switches;
    return sum;
}

class Player {
  public:
    Player(const Scene& scene, const std::string& program)
        : scene_(scene), program_(program), traced_(options(), program, scene.options) {
        tape_.server = traced_.pid();
    }

    Tape play() {
        play({"", Do::watches}, "start");
        for (const Part& part : scene_.parts) {
            for (const Action& action : part.actions) {
                play(action, part.name);
                while (action.what == Do::reads && action.bytes > 0 && more_to_read()) play(action, part.name, true);
            }
        }
        tape_.stop = now() - 0.1; // strace may say of the calls that this ends that they ended a moment before
        std::vector<TraceEvent> events = read_strace(traced_.finish());
        const auto is_socket = [](const TraceEvent& event) { return event.is("socket"); };
        events.erase(events.begin(), std::find_if(events.begin(), events.end(), is_socket));
        tape_.calls = resolve(events, names_);
        return std::move(tape_);
    }

  private:
    static std::vector<std::string> options() {
        std::vector<std::string> words{"-ttt", "-T", "-s", "16", "-e", traced_calls};
        const std::string abilities = Process({{"strace", "-V"}}).outcome().out;
        if (abilities.find("stack-trace=") != std::string::npos) words.emplace_back("-k");
        return words;
    }

    void play(const Action& action, const std::string& part, bool again = false) {
        Segment& segment = tape_.segments.emplace_back(Segment{action, part, settled_, again});
        act(segment);
        settle(segment);
    }

    void act(Segment& segment);
    /// The first client of a scene with a part about not reading has small buffers.
    void connect(const std::string& name) {
        const bool difficult = name == "A" && program_.find("01-") == std::string::npos;
        Client client(traced_.endpoint(milliseconds(5000)), difficult ? small_buffer : 0,
                      difficult ? small_segment : 0);
        if (difficult) set_option(client.fd(), SOL_SOCKET, SO_SNDBUF, send_room, "SO_SNDBUF");
        names_[port_of(client.address())] = name[0];
        clients_.emplace(name, std::move(client));
    }
    /// Whether the client that has just read will get more, as far as it is in the buffers already.
    [[nodiscard]] bool more_to_read() const {
        const Segment& last = tape_.segments.back();
        const auto buffers = last.after.buffers.find(last.action.client);
        return last.done > 0 && buffers != last.after.buffers.end() && buffers->second.to_client[1] > 0;
    }
    Reading read() const;
    void settle(Segment& segment);

    const Scene& scene_;
    std::string program_;
    Straced traced_;
    std::map<std::string, Client> clients_;
    std::map<std::uint16_t, char> names_; // of the clients, by their ports
    Tape tape_;
    Seconds settled_ = 0; // what happens from then on belongs to the next action
};

void Player::act(Segment& segment) {
    const auto& [name, what, bytes, ignored] = segment.action;
    if (what == Do::watches) return;
    try {
        if (what == Do::connects) return connect(name);
        Client& client = clients_.at(name);
        if (what == Do::sends) {
            const long went = client.send_some(bytes == 6 ? "hello\n" : std::string(bytes, '.'));
            if (went < 0) segment.failed = std::strerror(errno);
            segment.done = std::max(0L, went);
        } else if (what == Do::reads) {
            // Once, and exactly what is there: what its kernel gets while the program reads is left for the next time.
            std::string buffer(client_end(client).receive_queue, '\0');
            const ssize_t count = recv(client.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (count < 0 && errno != EAGAIN) segment.failed = std::strerror(errno);
            segment.done = std::max<ssize_t>(0, count);
        } else {
            client.close();
            clients_.erase(name);
        }
    } catch (const std::exception& error) {
        segment.failed = error.what();
    }
}

Reading Player::read() const {
    Reading reading;
    const std::uint16_t port = port_of(traced_.endpoint().address);
    const std::vector<TcpSocket> sockets = sockets_with_port(port);
    for (const TcpSocket& ours : sockets) {
        if (ours.local_port == port && ours.state == listening) reading.queue = ours.receive_queue;
    }
    for (const auto& [client, ends] : connections_of(port, sockets)) {
        const auto found = names_.find(client.second);
        const std::string name(1, found == names_.end() ? '?' : found->second);
        if (!clients_.contains(name) || ends.server.state == 0 || ends.client.state == 0) continue;
        reading.buffers[name] = {{ends.client.send_queue, ends.server.receive_queue},
                                 {ends.server.send_queue, ends.client.receive_queue}};
    }
    for (const pid_t pid : process_tree(traced_.pid())) {
        if (!has_ended(pid)) reading.descriptors[pid] = descriptors_of(pid);
    }
    reading.epoll = watched_by_epoll(traced_.pid());
    return reading;
}

/// Waits until all that the action caused is over: every thread sleeps, and the buffers have stopped moving, too.
void Player::settle(Segment& segment) {
    const std::size_t thinking = segment.action.thinking;
    const std::size_t before = switches_of(traced_.pid());
    Rest rest(traced_.pid());
    Reading last;
    auto since = Clock::now();
    wait_until("that the server rests, or never will", [&] {
        std::this_thread::sleep_for(milliseconds(10));
        if (switches_of(traced_.pid()) > before + too_often) return true;
        const bool rests = has_ended(traced_.pid()) ||
                           (rest.has_lasted(milliseconds(60)) && (thinking > 0 || !rest.is_in(SYS_clock_nanosleep)));
        Reading next = read();
        if (!rests || !(next == last)) since = Clock::now();
        last = std::move(next);
        return Clock::now() - since > quiet;
    });
    segment.after = std::move(last);
    segment.after.rests = Clock::now() - since > quiet;
    settled_ = now();
    if (thinking == 0 || !segment.after.rests || has_ended(traced_.pid())) return;
    const auto has_answer = [](const auto& client) { return client.second.to_client != std::array<std::size_t, 2>{}; };
    const auto& all = segment.after.buffers;
    if (std::any_of(all.begin(), all.end(), has_answer) || !(read() == segment.after)) {
        throw Missed{"the answer came before the server was seen to think"};
    }
}

} // namespace

Scene scene_of(const std::string& chapter) {
    using enum Do;
    if (chapter.starts_with("01")) {
        return {{},
                {{"A is served", {{"A", connects}, {"A", sends, 6}, {"A", reads}}},
                 {"A says nothing", {{"B", connects}, {"B", sends, 6}, {"C", connects}}},
                 {"A leaves", {{"A", leaves}, {"B", reads}}},
                 {"B leaves, then C", {{"B", leaves}, {"C", leaves}}}}};
    }
    if (chapter.starts_with("02")) {
        return {{},
                {{"A gets a process", {{"A", connects}, {"A", sends, 6}, {"A", reads}}},
                 {"B need not wait for A", {{"B", connects}, {"B", sends, 6}, {"B", reads}}},
                 {"both leave", {{"A", leaves}, {"B", leaves}}}}};
    }
    if (chapter.starts_with("06")) {
        return {
            {"--think", "2500", "--read-workers", "2", "--write-workers", "1"},
            {{"two clients", {{"A", connects}, {"B", connects}}},
             {"two slow requests", {{"A", sends, 6, 1}, {"B", sends, 6, 2}, {"", watches}, {"A", reads}, {"B", reads}}},
             {"too much for one write", {{"A", sends, too_much_at_once, 1}, {"", watches}}},
             {"A reads at last", {{"A", reads, too_much_at_once}}},
             {"A leaves", {{"A", leaves}}}}};
    }
    return {{},
            {{"two clients", {{"A", connects}, {"B", connects}, {"B", sends, 6}, {"B", reads}}},
             {"A does not read", {{"A", sends, much}, {"B", sends, 6}, {"B", reads}}},
             {"A reads at last", {{"A", reads, much}, {"B", reads}}},
             {"both leave", {{"A", leaves}, {"B", leaves}}}}};
}

Tape play(const Scene& scene, const std::string& program) {
    for (int left = 4;; --left) {
        try {
            return Player(scene, program).play();
        } catch (const Missed&) {
            if (left == 0) throw;
        }
    }
}
