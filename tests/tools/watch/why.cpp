// Who waits because of whom: read off from what the threads do.
#include <sys/epoll.h>

#include <algorithm>
#include <iomanip>

#include "tests/tools/watch/look.h"

namespace {

/// Shorter waits are the ordinary course of things, and nobody could read about them.
constexpr milliseconds worth_telling{200};

std::string joined(const std::set<std::string>& names, const std::string& between) {
    std::string all;
    for (const std::string& name : names) all += (all.empty() ? "" : between) + name;
    return all;
}

/// "the server is in write for A, and A does not read"
std::string what_it_does(const Thread& thread, const Snapshot& now) {
    if (thread.call.empty()) return "the server is busy";
    const std::string in = "the server is in " + thread.call + " for " + whom(thread, now);
    if (thread.for_clients.size() != 1) return in;
    const Connection& client = now.connections[thread.for_clients.front()];
    if (thread.reads()) return in + (client.server.receive_queue == 0 ? ", and " + client.name + " is silent" : "");
    return in + (client.does_not_read() ? ", and " + client.name + " does not read" : "");
}

/// Whether select or epoll has been told to look after the listener. True where that is not to be seen.
bool asks_for_clients(const Snapshot& now) {
    const auto is_listener = [&](int fd) { return name_of(fd, now) == "listener"; };
    if (now.select) return std::any_of(now.select->to_read.begin(), now.select->to_read.end(), is_listener);
    return std::none_of(now.epoll.begin(), now.epoll.end(),
                        [&](const Watched& one) { return is_listener(one.fd) && asked_for(one) == "nothing"; });
}

/// Why the client at `index` waits; empty when there is no reason to be seen, and then it will not wait for long.
std::string reason(std::size_t index, const Snapshot& now) {
    const Connection& client = now.connections[index];
    std::set<std::string> others;
    std::vector<const Thread*> busy;
    for (const Thread& thread : now.threads) {
        const bool could_serve = thread.process == client.owner.process || now.descriptors.empty() || // none to be seen
                                 (client.queued() && now.acceptors.contains(thread.process));
        if (!could_serve) continue;
        if (thread.call == "?") return "the call that the server is in is not to be seen";
        if (!thread.works()) continue;
        const auto& clients = thread.for_clients;
        if (std::find(clients.begin(), clients.end(), index) != clients.end()) {
            return thread.reads() ? "" : "the server is in " + thread.call + " for it";
        }
        busy.push_back(&thread);
        for (const std::size_t one : clients) others.insert(now.connections[one].name);
    }
    const bool unread = client.queued() || client.server.receive_queue > 0;
    if (busy.size() == 1 && unread) return what_it_does(*busy.front(), now);
    if (busy.size() > 1 && unread) return text(busy.size(), " threads are busy, for ", joined(others, ", "));
    return client.queued() && !asks_for_clients(now) ? "the server asks for no new client now" : "";
}

} // namespace

std::string seconds(milliseconds time) {
    return text(std::fixed, std::setprecision(1), static_cast<double>(time.count()) / 1000, " s");
}

std::string name_of(int fd, const Snapshot& now) {
    const auto found = now.descriptors.find({now.pid, fd});
    return found == now.descriptors.end() ? "" : found->second;
}

std::string whom(const Thread& thread, const Snapshot& now) {
    if (thread.for_clients.size() > 6) return text("one of ", thread.for_clients.size(), " clients");
    std::set<std::string> names;
    for (const std::size_t one : thread.for_clients) names.insert(now.connections[one].name);
    return names.empty() ? "a client" : joined(names, " or ");
}

std::string asked_for(const Watched& watched) {
    const auto asks = [&](std::uint32_t bit) { return (watched.events & bit) != 0; };
    // EPOLLERR and EPOLLHUP need not be asked for.
    std::set<std::string> names;
    if (asks(EPOLLIN)) names.insert("IN");
    if (asks(EPOLLOUT)) names.insert("OUT");
    if (asks(EPOLLRDHUP)) names.insert("RDHUP");
    if (names.empty()) return asks(EPOLLONESHOT) ? "disarmed" : "nothing";
    return joined(names, "|") + (asks(EPOLLONESHOT) ? " once" : "") + (asks(EPOLLET) ? " edge" : "");
}

std::vector<std::string> who_waits(const Snapshot& now) {
    std::multimap<std::pair<bool, milliseconds>, std::string> found; // those that wait for others first
    for (std::size_t i = 0; i < now.connections.size(); ++i) {
        const Connection& client = now.connections[i];
        const std::string why = client.waits >= worth_telling ? reason(i, now) : "";
        if (why.empty()) continue;
        found.emplace(std::pair(why.ends_with(" it"), -*client.waits),
                      client.name + " waits " + seconds(*client.waits) + (client.queued() ? " in the queue: " : ": ") +
                          why + ".");
    }
    std::vector<std::string> sentences;
    for (const auto& [order, sentence] : found) sentences.push_back(sentence);
    if (!sentences.empty()) return sentences;
    for (const Connection& client : now.connections) {
        if (!client.does_not_read()) continue;
        sentences.push_back(text(client.name, " does not read. Nobody waits because of that. The server keeps ",
                                 read_and_not_written(client.server), " bytes."));
    }
    return sentences.empty() ? std::vector<std::string>{"Nobody waits."} : sentences;
}
