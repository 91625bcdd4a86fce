#include "tests/tools/demo/scene.h"

#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "tests/support/crowd.h"
#include "tests/support/running_server.h"
#include "tests/support/served.h"

namespace {

const std::string line = "just my line, please\n";

/// The ordinary client.
Answer ask(const RunningServer& server) {
    const auto start = Clock::now();
    Client client(server.endpoint());
    client.send(line);
    if (!hears(client, server.pid())) return {};
    client.receive(line.size());
    return {Verdict::served, Clock::now() - start};
}

/// The silent one is connected first, so the server accepts it first.
Answer beside_silent(const RunningServer& server) {
    const Client silent(server.endpoint());
    return ask(server);
}

Answer beside_never_reading(const RunningServer& server, std::size_t& sent) {
    Client never_reading(server.endpoint());
    sent = send_and_never_read(never_reading, server.pid());
    return ask(server);
}

/// The ordinary one asks when the server works for another. Where it never works for two at once, that one is late.
Answer behind_slow(const RunningServer& server) {
    std::vector<Client> slow = connect_clients(server.endpoint(), 3);
    for (Client& client : slow) client.send("this takes a while\n");
    std::size_t at_once = 0;
    const auto works = [&] {
        at_once = std::max(at_once, tasks_in(server.pid(), SYS_clock_nanosleep));
        return at_once > 0;
    };
    wait_until("that the server works", works);
    const auto start = Clock::now();
    Client client(server.endpoint());
    client.send(line);
    const auto is_served = [](const Client& one) { return one.hears_within(milliseconds(0)); };
    wait_until("the first answer", [&] { return works() && std::any_of(slow.begin(), slow.end(), is_served); });
    if (!hears(client, server.pid())) return {};
    return {at_once > 1 ? Verdict::served : Verdict::late, Clock::now() - start};
}

/// First the crowd connects and then the ordinary client. All stay connected to the end.
CrowdAnswers behind_crowd(const RunningServer& server, std::size_t clients) {
    Crowd crowd(server.endpoint(), clients + 1);
    const auto is_busy = [&] {
        const std::vector<pid_t> tree = process_tree(server.pid());
        return std::any_of(tree.begin(), tree.end(), wants_the_cpu);
    };
    do {
        crowd.wait_for_lines(crowd_patience);
    } while (crowd.served() <= clients && is_busy());
    CrowdAnswers answers{clients, crowd.served(), crowd.time_of_all(), {}};
    if (const auto time = crowd.time_of(clients)) {
        --answers.served;
        answers.one_more = {Verdict::served, *time};
    }
    return answers;
}

/// Where the scene is played: the server's program, what was measured so far, and whom to tell how far it is.
struct Stage {
    std::string program;
    std::function<void(const std::string&)> say;
    Scene scene;

    void perform(const std::string& name, const std::vector<std::string>& options,
                 const std::function<void(const RunningServer&)>& act);
};

/// One act: starts a server, and ends it when the act, with all of its clients, is over.
void Stage::perform(const std::string& name, const std::vector<std::string>& options,
                    const std::function<void(const RunningServer&)>& act) {
    say(name);
    RunningServer server(program, options);
    try {
        act(server);
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
    stage.perform("idle client", {}, [&](const RunningServer& server) { scene.beside_silent = beside_silent(server); });
    stage.perform("never reads", {}, [&](const RunningServer& server) {
        scene.beside_never_reading = beside_never_reading(server, scene.never_reading_sent);
    });
    stage.perform("slow requests", slow, [&](const RunningServer& server) { scene.behind_slow = behind_slow(server); });
    stage.perform("crowd", {}, [&](const RunningServer& server) { scene.crowd = behind_crowd(server, crowd); });
    return std::move(stage.scene);
}
