#include "tests/tools/demo/scene.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "common/check.h"
#include "common/fd.h"
#include "tests/support/failed.h"
#include "tests/support/running_server.h"

namespace {

/// The ordinary client. Its own request takes `own_time`; it is late when it waited at least as long once more.
Answer ask(Endpoint server, milliseconds own_time = milliseconds(0)) {
    try {
        server.patience += own_time;
        const auto start = Clock::now();
        Client client(server);
        client.expect_echo("just my line, please\n");
        const auto after = Clock::now() - start;
        const bool late = own_time.count() > 0 && after >= 2 * own_time;
        return {late ? Verdict::late : Verdict::served, after, ""};
    } catch (const Failed& failed) {
        return {Verdict::not_served, {}, failed.got};
    }
}

/// The silent one is connected first, so the server accepts it first.
Answer beside_silent(const Endpoint& server) {
    const Client silent(server);
    return ask(server);
}

Answer beside_never_reading(const Endpoint& server, std::size_t& sent) {
    Client never_reading(server);
    sent = never_reading.send_until_stuck(random_bytes(1 << 20, 1), milliseconds(200));
    return ask(server);
}

Answer behind_slow(const Endpoint& server) {
    std::array slow{Client(server), Client(server), Client(server)};
    for (Client& client : slow) client.send("this takes a while\n");
    return ask(server, think_time);
}

/// One of the crowd.
struct Member {
    Fd socket;
    Clock::time_point connected_at;
    std::string line;
    bool sent = false;
    std::string received;
};

/// Connects without waiting: epoll says when it may send. `number` comes back with its events.
Member connect_member(const Endpoint& server, int epoll, std::size_t number) {
    const int family = server.address.storage.ss_family;
    Fd socket(check(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
    const auto now = Clock::now();
    if (connect(socket.get(), server.address.raw(), server.address.size) < 0 && errno != EINPROGRESS) {
        return {}; // refused: not served
    }
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.u64 = number;
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, socket.get(), &event), "epoll_ctl");
    return {std::move(socket), now, text("client ", number, "\n"), false, ""};
}

/// Sends the line; after that it waits for input. False when the connection is broken.
bool send_line(Member& member, int epoll, epoll_event event) {
    // A line fits into a fresh connection's send buffer.
    const ssize_t count = send(member.socket.get(), member.line.data(), member.line.size(), MSG_NOSIGNAL);
    member.sent = count == static_cast<ssize_t>(member.line.size());
    event.events = EPOLLIN;
    return member.sent && epoll_ctl(epoll, EPOLL_CTL_MOD, member.socket.get(), &event) == 0;
}

/// Receives what has arrived. False when the connection is broken or closed.
bool receive_some(Member& member) {
    std::array<char, 64> piece;
    const ssize_t count = recv(member.socket.get(), piece.data(), piece.size(), 0);
    if (count > 0) member.received.append(piece.data(), static_cast<std::size_t>(count));
    return count > 0;
}

/// First all of them connect, the ordinary client last, and then each sends its line. All stay connected to the end.
CrowdAnswers behind_crowd(const Endpoint& server, std::size_t clients) {
    const auto start = Clock::now();
    const Fd epoll(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    std::vector<Member> members;
    while (members.size() <= clients) members.push_back(connect_member(server, epoll.get(), members.size()));

    CrowdAnswers crowd{clients, 0, {}, {}};
    std::array<epoll_event, 64> events;
    for (;;) {
        const int ready =
            epoll_wait(epoll.get(), events.data(), events.size(), static_cast<int>(crowd_patience.count()));
        if (ready == 0) break;
        for (int i = 0; i < ready; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            Member& member = members[event.data.u64];
            if (!(member.sent ? receive_some(member) : send_line(member, epoll.get(), event))) {
                member.socket.reset(); // and so epoll forgets it
                continue;
            }
            if (member.received != member.line) continue; // not yet, or wrong
            if (event.data.u64 == clients) {
                crowd.one_more = {Verdict::served, Clock::now() - member.connected_at, ""};
            } else {
                ++crowd.served;
                crowd.after = Clock::now() - start;
            }
        }
        if (crowd.served == clients && crowd.one_more.verdict == Verdict::served) break;
    }
    return crowd;
}

/// Where the scene is played: the server's program, what was measured so far, and whom to tell how far it is.
struct Stage {
    std::string program;
    std::function<void(const std::string&)> say;
    Scene scene;

    void perform(const std::string& name, const std::vector<std::string>& options,
                 const std::function<void(const Endpoint&)>& act);
};

/// One act: starts a server, and ends it when the act, with all of its clients, is over.
void Stage::perform(const std::string& name, const std::vector<std::string>& options,
                    const std::function<void(const Endpoint&)>& act) {
    say(name);
    RunningServer server(program, options);
    try {
        act(server.endpoint(ordinary_patience));
    } catch (const Failed& failed) {
        scene.troubles.push_back(text("unexpected here: ", name, ": ", failed.did, ": ", failed.got));
    }
    // In good order if it can, so that a server with children collects them. If it cannot, its destructor kills it.
    server.process().signal(SIGTERM);
    const auto ended = server.process().wait(milliseconds(1000));
    if (ended && (ended->by_signal || ended->value != 0)) {
        scene.troubles.push_back(text("unexpected here: ", name, ": the server ", to_string(*ended)));
    }
}

} // namespace

Scene play(const std::string& program, std::size_t crowd, const std::function<void(const std::string&)>& say) {
    Stage stage{program, say, {}};
    Scene& scene = stage.scene;
    const std::vector<std::string> slow{"--think", std::to_string(think_time.count())};
    stage.perform("silent client", {}, [&](const Endpoint& server) { scene.beside_silent = beside_silent(server); });
    stage.perform("never reads", {}, [&](const Endpoint& server) {
        scene.beside_never_reading = beside_never_reading(server, scene.never_reading_sent);
    });
    stage.perform("slow requests", slow, [&](const Endpoint& server) { scene.behind_slow = behind_slow(server); });
    stage.perform("crowd", {}, [&](const Endpoint& server) { scene.crowd = behind_crowd(server, crowd); });
    return std::move(stage.scene);
}
