// Who waits because of whom: read off from what the threads do.
#include <iomanip>

#include "tests/tools/watch/look.h"

namespace {

/// "the server is in write for A, and A does not read"
std::string what_it_does(const Thread& thread, const Snapshot& now) {
    if (thread.call.empty()) return "the server is busy";
    const std::string in = "the server is in " + thread.call + " for " + whom(thread.clients, now);
    if (thread.clients.size() != 1) return in;
    const Connection& client = now.connections[*thread.clients.begin()];
    if (thread.reads()) return in + (client.server.receive_queue == 0 ? ", and " + client.name + " is silent" : "");
    return in + (client.does_not_read() ? ", and " + client.name + " does not read" : "");
}

/// Why the client at `index` waits; empty when there is no reason to be seen, and then it will not wait for long.
std::string reason(std::size_t index, const Snapshot& now) {
    const Connection& client = now.connections[index];
    const bool unread = client.queued() || client.server.receive_queue > 0;
    std::vector<const Thread*> busy;
    std::set<std::size_t> others;
    for (const Thread& thread : now.threads) {
        const bool could_serve = thread.process == client.owner.process || now.descriptors.empty() || // none to be seen
                                 (client.queued() && now.acceptors.contains(thread.process));
        if (!could_serve) continue;
        if (thread.call == "?") return "the call that the server is in is not to be seen";
        if (thread.clients.contains(index)) return thread.reads() ? "" : "the server is in " + thread.call + " for it";
        if (!thread.works()) continue;
        busy.push_back(&thread);
        others.insert(thread.clients.begin(), thread.clients.end());
    }
    if (busy.size() == 1 && unread) return what_it_does(*busy.front(), now);
    if (busy.size() > 1 && unread) return text(busy.size(), " threads are busy, each for ", whom(others, now));
    return client.queued() ? "the server accepts no client now" : "";
}

} // namespace

std::string whom(const std::set<std::size_t>& clients, const Snapshot& now) {
    if (clients.size() > 6) return text("one of ", clients.size(), " clients");
    std::string names;
    for (const std::size_t one : clients) names += (names.empty() ? "" : " or ") + now.connections[one].name;
    return names.empty() ? "a client" : names;
}

std::vector<std::string> who_waits(const Snapshot& now) {
    std::multimap<std::pair<bool, Seconds>, std::string> found; // those that wait for others first
    std::vector<std::string> sentences;
    for (std::size_t i = 0; i < now.connections.size(); ++i) {
        const Connection& client = now.connections[i];
        // Shorter waits are the ordinary course of things, and nobody could read about them.
        const std::string why = client.waits >= milliseconds(200) ? reason(i, now) : "";
        if (why.empty()) continue;
        found.emplace(std::pair(why.ends_with(" it"), -*client.waits),
                      text(std::fixed, std::setprecision(1), client.name, " waits ", client.waits->count(),
                           client.queued() ? " s in the queue: " : " s: ", why, "."));
    }
    for (const auto& [order, sentence] : found) sentences.push_back(sentence);
    for (const Connection& client : now.connections) {
        if (!found.empty() || !client.does_not_read()) continue;
        sentences.push_back(text(client.name, " does not read. Nobody waits because of that. The server keeps ",
                                 read_and_not_written(client.server), " bytes."));
    }
    return sentences.empty() ? std::vector<std::string>{"Nobody waits."} : sentences;
}
