#include "tests/tools/trace/resolve.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace {

/// What stands behind `label` in `text`, up to the comma or brace that ends it; braces in it may nest.
std::string value_behind(const std::string& label, const std::string& text, std::size_t from = 0) {
    const std::size_t found = text.find(label, from);
    if (found == std::string::npos) return "";
    const std::size_t start = found + label.size();
    std::size_t end = start;
    for (int depth = 0; end < text.size(); ++end) {
        if (text[end] == '{') ++depth;
        if (depth == 0 && (text[end] == '}' || text[end] == ',')) break;
        if (text[end] == '}') --depth;
    }
    return text.substr(start, end - start);
}

bool reads_or_writes(const TraceEvent& event) {
    return event.is_one_of({"read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg"});
}

/// Whether its first argument is no descriptor.
bool about_no_descriptor(const TraceEvent& event) {
    return event.is_select() ||
           event.is_one_of({"clone", "clone3", "fork", "vfork", "futex", "wait4", "clock_nanosleep", "exit_group",
                            "socket", "epoll_create", "epoll_create1", "poll", "ppoll"});
}

/// What a descriptor stands for.
struct Open {
    std::string name;
    char client = 0;
    bool blocking = true;
};

using Table = std::map<int, Open>;

class Resolver {
  public:
    explicit Resolver(const std::map<std::uint16_t, char>& clients) : clients_(clients) {}

    Resolved resolve(const TraceEvent& event);

  private:
    Table& table(pid_t thread) { return tables_[process_of(thread)]; }
    pid_t process_of(pid_t thread) const {
        const auto found = processes_.find(thread);
        return found == processes_.end() ? thread : found->second;
    }
    void name_descriptors(Resolved& resolved);
    void name_ready(Resolved& resolved);
    void say_what_it_waits_for(Resolved& resolved);
    void follow(const TraceEvent& event);
    void follow_new_descriptor(const TraceEvent& event);

    const std::map<std::uint16_t, char>& clients_;
    std::map<pid_t, pid_t> processes_;   // of threads
    std::map<pid_t, Table> tables_;      // of processes
    std::map<std::string, int> watched_; // the data that epoll gives back with an event: the descriptor
};

Resolved Resolver::resolve(const TraceEvent& event) {
    Resolved resolved{event, process_of(event.thread), 0, {}, Waits::nothing, ""};
    if (event.kind != TraceEvent::Kind::call) return resolved;
    if (!event.is("close")) follow(event);
    name_descriptors(resolved);
    say_what_it_waits_for(resolved);
    name_ready(resolved);
    if (event.is("close")) follow(event);
    for (const auto& [fd, one] : table(event.thread)) resolved.open[fd] = one.name;
    return resolved;
}

/// Keeps the tables of open descriptors as this call leaves them.
void Resolver::follow(const TraceEvent& event) {
    const int fd = static_cast<int>(event.number(0));
    if (const pid_t made = made_by(event); made > 0) {
        processes_[made] = makes_thread(event) ? process_of(event.thread) : made;
        if (!makes_thread(event)) tables_[made] = table(event.thread);
    } else if (event.value >= 0 && event.is_one_of({"socket", "accept", "accept4", "epoll_create", "epoll_create1"})) {
        follow_new_descriptor(event);
    } else if (event.is("close") && event.value == 0) {
        table(event.thread).erase(fd);
    } else if (event.is("listen")) {
        table(event.thread)[fd].name = "listener";
    } else if (event.is("fcntl") && event.has("F_SETFL")) {
        table(event.thread)[fd].blocking = !event.has("O_NONBLOCK");
    } else if (event.is("epoll_ctl") && event.arguments.size() == 4) {
        watched_[value_behind("data=", event.arguments[3])] = static_cast<int>(event.number(2));
    }
}

void Resolver::follow_new_descriptor(const TraceEvent& event) {
    Open open;
    const std::string arguments = event.all_arguments();
    open.blocking = !event.has("SOCK_NONBLOCK");
    if (event.name.starts_with("epoll")) open.name = "epoll";
    if (event.is("socket")) open.name = "socket";
    if (event.name.starts_with("accept")) {
        const std::size_t port = arguments.find("htons(");
        const int number = port == std::string::npos ? 0 : std::atoi(arguments.c_str() + port + 6);
        const auto client = clients_.find(static_cast<std::uint16_t>(number));
        open.client = client == clients_.end() ? '?' : client->second;
        open.name = std::string(1, open.client);
    }
    table(event.thread)[static_cast<int>(event.value)] = open;
}

void Resolver::name_descriptors(Resolved& resolved) {
    const TraceEvent& event = resolved.event;
    const Table& open = table(event.thread);
    const auto name = [&](long number) {
        const auto found = open.find(static_cast<int>(number));
        if (found == open.end()) return;
        if (!found->second.name.empty()) resolved.descriptors[found->first] = found->second.name;
        if (found->second.client != 0) resolved.client = found->second.client;
    };
    if (event.name.starts_with("accept") || event.name.starts_with("epoll_create") || event.is("socket")) {
        name(event.value);
    }
    if (event.is("epoll_ctl")) name(event.number(2));
    if (about_no_descriptor(event)) return;
    const char client = resolved.client;
    name(event.number(0));
    if (client != 0) resolved.client = client;
}

/// "1 (in [3 5], out [4])" and "[{events=EPOLLIN, data=0x5}, ...]".
void Resolver::name_ready(Resolved& resolved) {
    const TraceEvent& event = resolved.event;
    const Table& open = table(event.thread);
    const auto add = [&](int fd) {
        const auto found = open.find(fd);
        if (found == open.end()) return;
        resolved.descriptors[fd] = found->second.name;
        if (found->second.name == "listener") resolved.ready += '*';
        if (found->second.client != 0) resolved.ready += found->second.client;
    };
    if (event.is_select()) {
        std::string digits = event.result.substr(std::min(event.result.size(), event.result.find('(')));
        std::replace_if(
            digits.begin(), digits.end(), [](char c) { return c < '0' || c > '9'; }, ' ');
        std::istringstream numbers(digits);
        for (int fd = 0; numbers >> fd;) add(fd);
        for (const auto& [fd, one] : open) resolved.descriptors[fd] = one.name;
    } else if (event.is_epoll_wait() && event.arguments.size() > 1) {
        const std::string& events = event.arguments[1];
        for (std::size_t at = events.find("{events="); at != std::string::npos; at = events.find("{events=", at + 1)) {
            const auto watched = watched_.find(value_behind("data=", events, at));
            if (watched == watched_.end()) continue;
            add(watched->second);
            const std::string what = value_behind("events=", events, at);
            resolved.reported.push_back({watched->second, resolved.descriptors[watched->second], what});
        }
    }
}

void Resolver::say_what_it_waits_for(Resolved& resolved) {
    const TraceEvent& event = resolved.event;
    const Table& open = table(event.thread);
    const auto found = open.find(static_cast<int>(event.number(0)));
    const bool blocking = found == open.end() || found->second.blocking;
    if (event.is_select() || event.is_epoll_wait() || event.is_one_of({"poll", "ppoll"})) {
        resolved.waits = Waits::anyone;
    } else if (event.name.starts_with("accept")) {
        if (blocking) resolved.waits = Waits::anyone;
    } else if (reads_or_writes(event)) {
        if (blocking && resolved.client != 0) resolved.waits = Waits::client;
    } else if (event.is("clock_nanosleep")) {
        resolved.waits = Waits::time;
    } else if (event.is("futex")) {
        if (event.has("FUTEX_WAIT")) resolved.waits = Waits::work;
    } else if (event.is("wait4")) {
        if (!event.has("WNOHANG")) resolved.waits = Waits::child;
    }
}

} // namespace

pid_t made_by(const TraceEvent& event) {
    const bool makes = event.is_one_of({"clone", "clone3", "fork", "vfork"});
    return makes && event.value > 0 ? static_cast<pid_t>(event.value) : 0;
}

bool makes_thread(const TraceEvent& event) {
    return event.has("CLONE_THREAD");
}

std::vector<Resolved> resolve(const std::vector<TraceEvent>& events, const std::map<std::uint16_t, char>& clients) {
    Resolver resolver(clients);
    std::vector<Resolved> all;
    for (const TraceEvent& event : events) all.push_back(resolver.resolve(event));
    return all;
}
