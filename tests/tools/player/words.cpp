// What a step is called, what it says, and what is asked before it.

#include <algorithm>

#include "tests/support/failed.h"
#include "tests/tools/player/model.h"

namespace {

std::string bytes(long number) {
    return with_commas(number) + (number == 1 ? " byte" : " bytes");
}

Json question(const std::string& ask, const std::vector<std::string>& wrong, const std::string& right,
              const std::string& why) {
    Json choices = wrong;
    std::erase_if(choices.get_ref<Json::array_t&>(), [&](const Json& one) { return one == right; });
    choices.push_back(right);
    std::sort(choices.begin(), choices.end());
    choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
    return {{"ask", ask}, {"choices", choices}, {"right", right}, {"why", why}};
}

std::string letter(const Resolved& call) {
    return std::string(1, call.client);
}

/// The thread has slept in this call until now.
bool slept(const Call& call) {
    const Json thread = call.before["threads"].value(std::to_string(call.call.event.thread), Json::object());
    return thread.value("waits", false);
}

/// The connection that the call is about, before it.
Json conn_of(const Call& call) {
    return call.before["conns"].value(letter(call.call), Json::object());
}

const std::string none_sleeps = "none yet: it sleeps";

Words socket_words(const Call& call) {
    const long fd = call.call.event.value;
    return {
        "socket() = " + with_commas(fd),
        text("The server asks the kernel for a TCP socket and gets file descriptor ", fd, ". Nobody can connect yet."),
        "S1",
        {}};
}

Words accept_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    const std::string title = "accept4(" + with_commas(event.number(0)) + ")";
    const Json& queue = call.before["queue"];
    std::vector<std::string> wrong{"EAGAIN: the queue is empty", "it sleeps until a client connects"};
    if (!queue.empty()) wrong.push_back("a new file descriptor for " + queue.back().get<std::string>());
    const std::string ask = slept(call) ? "accept wakes up. What happens?" : "accept is called. What happens?";
    if (call.sleeps) {
        wrong.emplace_back("it returns -1, because nobody is there");
        return {title + " sleeps", "The listen queue is empty, so accept sleeps until a client connects.", "S4",
                question(ask, wrong, "it sleeps until a client connects",
                         "The queue is empty, and the listener is a blocking socket.")};
    }
    if (event.error == "EAGAIN") {
        return {
            title + " = EAGAIN",
            "The listen queue is empty. The listener is non-blocking, so accept returns EAGAIN instead of sleeping. "
            "Now the server knows that it has taken every client.",
            "S10, T12",
            question(ask, wrong, "EAGAIN: the queue is empty",
                     "The queue is empty, and a non-blocking socket never makes the thread sleep.")};
    }
    if (event.value < 0)
        return {title + " = " + event.error, "accept is interrupted by a signal, and it will be called again.", "", {}};
    const std::string who = letter(call.call);
    std::string more = queue.size() > 1 ? " The others stay in the queue, in the order in which they connected." : "";
    return {
        title + " = " + with_commas(event.value),
        text("accept takes ", who, " out of the listen queue and returns a new file descriptor, ", event.value,
             ". The listener, ", event.number(0), ", stays as it is.", more),
        call.chapter >= 4 ? "S4, T12" : "S4",
        question(ask, wrong, "a new file descriptor for " + who,
                 "accept takes the first client of the queue. It returns a new file descriptor for that client, and "
                 "the listener goes on listening.")};
}

Words read_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    const std::string who = letter(call.call);
    const std::string title = text("read(", event.number(0), ", up to ", with_commas(event.number(2)), " bytes)");
    if (call.sleeps) {
        return {title + " sleeps",
                text(who, " has sent nothing more, so read sleeps until something arrives from ", who, ". ",
                     call.chapter == 1 ? "This is the only thread: until then it serves nobody else."
                                       : "Only this process sleeps."),
                call.chapter == 1 ? "S5, C1" : "S6",
                question("read is called, and " + who + " has sent nothing more. What happens?",
                         {"it returns 0", "it returns EAGAIN", "the server goes on with the next client"},
                         "it sleeps until " + who + " sends or leaves",
                         "The socket is blocking. 0 would mean end of file, and that comes only when " + who +
                             " closes its side.")};
    }
    if (event.value == 0) {
        return {title + " = 0", "0 means end of file: " + who + " has closed its side and will send nothing more.", "",
                question(who + " has left. What does read return?", {"-1 and an error", "it sleeps forever"}, "0",
                         "The other side's close arrives as end of file, and read says so with 0.")};
    }
    if (event.value < 0) {
        const bool again = event.error == "EAGAIN";
        return {title + " = " + event.error,
                again ? "There is nothing to read. The socket is non-blocking, so read returns EAGAIN: not now."
                      : "This one connection is broken, so the server closes it and goes on.",
                again ? "S10" : "",
                {}};
    }
    const long there = conn_of(call).value("up", 0L);
    const long left = there - event.value;
    std::string rest = left > 0 ? text(" Another ", bytes(left), " are still in the kernel.") : "";
    if (left > 0 && call.chapter >= 3) rest += " As long as they are there, the socket stays ready to be read.";
    return {title + " = " + with_commas(event.value),
            text("read moves ", bytes(event.value), " from the server's receive buffer into the program.", rest),
            "S5",
            {}};
}

Words write_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    const std::string who = letter(call.call);
    const long size = event.number(2);
    const std::string title = text("write(", event.number(0), ", ", bytes(size), ")");
    const std::string ask =
        text("write is called with ", bytes(size), " for ", who, ". How many does the kernel take?");
    const std::vector<std::string> wrong{"all of them", "a part of them", "none: EAGAIN", "it sleeps first"};
    if (call.sleeps) {
        return {title + " sleeps",
                text("The kernel takes what fits into the buffers. The rest has no room, because ", who,
                     " does not read, so write sleeps.",
                     call.chapter == 2 ? "" : " This is the only thread, so from now on nobody is served."),
                "S9, C2",
                question(ask, wrong, "it sleeps first",
                         text("The socket is blocking, so write returns only when all ", bytes(size),
                              " are in the kernel, and ", who, " makes no room."))};
    }
    if (event.value == size && slept(call)) {
        return {title + " = " + with_commas(event.value),
                who + " has made room. The last of the " + bytes(size) +
                    " are in the kernel now, so write returns at last and the server can go on.",
                "S9",
                {}};
    }
    if (event.value == size) {
        const bool rest = conn_of(call).value("unsent", false);
        return {title + " = " + with_commas(event.value),
                text(rest ? "Now there is room for all unsent bytes. " : "", "The kernel takes all ", bytes(size),
                     " and write returns. That ", who, " has read them is not certain: they are in the buffers now."),
                "S9",
                question(ask, wrong, "all of them",
                         "There is room for all of them in the send buffer, and write waits for no acknowledgement.")};
    }
    if (event.value > 0) {
        return {title + " = " + with_commas(event.value),
                text("The kernel has room for ", bytes(event.value), " and says so. The other ",
                     bytes(size - event.value), " stay in the program as unsent bytes."),
                "S9, S10",
                question(ask, wrong, "a part of them",
                         "The socket is non-blocking. The kernel takes what it has room for and returns.")};
    }
    const bool again = event.error == "EAGAIN";
    return {title + " = " + event.error,
            again ? "The send buffer is full. The socket is non-blocking, so write returns EAGAIN: not now. All " +
                        bytes(size) + " stay in the program."
                  : "The client is gone. Only this connection ends.",
            again ? "S10" : "", again ? question(ask, wrong, "none: EAGAIN", "The send buffer is full.") : Json()};
}

std::string join(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& one : words) all += (all.empty() ? "" : ", ") + one;
    return all.empty() ? "none" : all;
}

std::string named(const Call& call, long fd) {
    const auto found = call.call.descriptors.find(static_cast<int>(fd));
    return text(fd, found == call.call.descriptors.end() ? "" : " (" + found->second + ")");
}

/// What select and epoll_wait return, and what a reader may expect instead.
Words ready_words(const Call& call, const std::string& name, const std::string& asked,
                  const std::vector<std::string>& all, const std::vector<std::string>& ready) {
    const std::string ask =
        name + (slept(call) ? " wakes up" : " is called") + ". Which file descriptors does it report?";
    std::vector<std::string> wrong{"all that it watches: " + join(all)};
    if (!slept(call)) wrong.push_back(none_sleeps);
    if (ready.size() > 1) wrong.push_back("only one of them: " + ready.front());
    for (const std::string& one : all) wrong.push_back(one);
    if (wrong.size() > 5) wrong.resize(5);
    const std::string ids = call.chapter >= 5 ? "S14" : "S11";
    if (call.sleeps) {
        return {name + "(" + asked + ") sleeps",
                "Nothing that " + name +
                    " watches is ready, so the thread sleeps. It uses no CPU until something happens "
                    "with any of them.",
                ids, question(ask, wrong, none_sleeps, "There is no input, no new client and no awaited room.")};
    }
    if (call.call.event.value < 0)
        return {name + " = " + call.call.event.error, "A signal interrupts it. It is called again.", "", {}};
    const bool one = ready.size() == 1;
    return {name + "(" + asked + ") = " + join(ready),
            name + " returns: " + join(ready) + (one ? " is" : " are") + " ready. " +
                (call.chapter >= 5 ? "The others are not even looked at."
                                   : "It has overwritten the sets, and the server looks at every bit of them."),
            ids,
            question(ask, wrong, join(ready),
                     "It reports what is ready at this moment, and nothing else. Being watched is not being ready.")};
}

Words select_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    std::vector<std::string> all;
    std::vector<std::string> ready;
    for (const int fd : descriptors_in(event.arguments.at(1), "")) all.push_back(named(call, fd) + " to read");
    for (const int fd : descriptors_in(event.arguments.at(2), "")) all.push_back(named(call, fd) + " to write");
    if (!call.sleeps && event.value > 0) {
        for (const int fd : descriptors_in(event.result, "in [")) ready.push_back(named(call, fd) + " to read");
        for (const int fd : descriptors_in(event.result, "out [")) ready.push_back(named(call, fd) + " to write");
    }
    return ready_words(call, "select",
                       event.arguments.at(2) == "NULL" || event.arguments.at(2) == "[]"
                           ? "read " + event.arguments.at(1)
                           : "read " + event.arguments.at(1) + ", write " + event.arguments.at(2),
                       all, ready);
}

Words epoll_wait_words(const Call& call, const Json& returned) {
    std::vector<std::string> all;
    std::vector<std::string> ready;
    const auto say = [](const std::string& fd, const std::string& name, const std::string& what) {
        return fd + " (" + name + ") " + what.substr(0, what.find(" once"));
    };
    for (const auto& [fd, one] : call.before["epoll"]["list"].items()) {
        all.push_back(say(fd, one["name"], one["events"]));
    }
    for (const Json& one : returned) ready.push_back(say(one[0], one[2], one[1]));
    Words words = ready_words(call, "epoll_wait", with_commas(call.call.event.number(0)), all, ready);
    if (call.chapter == 6 && !ready.empty() && words.text.find("listener") == std::string::npos) {
        words.text += " The main thread puts each ready client into a queue and does not serve it.";
        words.ids = "S14, T13, T14";
    }
    return words;
}

Words epoll_ctl_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    const std::string fd = named(call, event.number(2));
    const auto given = events_in(event.arguments.at(3));
    const std::string events = given.empty() ? "" : epoll_events(given[0].first);
    const std::string title = "epoll_ctl(" + event.arguments.at(1).substr(10) + ", " + fd +
                              (event.has("CTL_DEL") ? "" : ", " + (events.empty() ? "nothing" : events)) + ")";
    const bool once = events.ends_with("once");
    const std::string what = events.find("OUT") != std::string::npos && events.find("IN") != std::string::npos
                                 ? "input and about room to write"
                             : events.find("OUT") != std::string::npos ? "room to write, and no longer about input"
                                                                       : "input";
    if (event.has("CTL_DEL")) {
        return {title,
                fd + " leaves the interest list before it is closed, so that no event of it can come any more.",
                "S13, T15",
                {}};
    }
    const std::string again = once ? " Only once: after that it leaves this client alone until it is armed again." : "";
    if (event.has("CTL_ADD")) {
        return {title,
                fd + " goes into the interest list. From now on epoll tells the server about " + what + "." + again,
                fd.find("listener") != std::string::npos ? "S13, T6" : "S13, T12",
                {}};
    }
    return {title, "From now on epoll tells the server about " + what + " of " + fd + "." + again, "S13", {}};
}

Words made_words(const Call& call) {
    if (makes_thread(call.call.event)) {
        return {"clone: a new thread",
                "A worker thread starts. It shares everything with the main thread: memory and file descriptors.",
                "T8, T10",
                {}};
    }
    return {
        "fork() = " + std::to_string(call.call.event.value),
        "fork makes a child process. It gets a copy of every file descriptor, so now two processes have the listener, "
        "and two have the client's connection. Each closes the copy that it does not need.",
        "S6, C5",
        question("fork is called. Which of the two processes has the client's file descriptor then?",
                 {"only the child", "only the parent"}, "both",
                 "The child gets copies of all file descriptors. The connection stays open until both are closed.")};
}

Words close_words(const Call& call) {
    const long fd = call.call.event.number(0);
    int copies = 0;
    const auto found = call.call.descriptors.find(static_cast<int>(fd));
    const std::string what = found == call.call.descriptors.end() ? "?" : found->second;
    for (const auto& [pid, process] : call.before["procs"].items()) {
        for (const auto& [number, name] : process["fds"].items()) copies += name == what ? 1 : 0;
    }
    const std::string name = what == "listener" ? "the listener" : what;
    return {text("close(", fd, ")"),
            copies > 1 ? text("This closes only this process's copy of ", name, ". Another process has one, so the ",
                              what == "listener" ? "listener goes on listening." : "connection stays open.")
                       : text("The server closes its side of ", name, ". The number ", fd, " is free again."),
            copies > 1 ? "S6" : "",
            {}};
}

Words futex_words(const Call& call) {
    const TraceEvent& event = call.call.event;
    if (event.has("FUTEX_WAKE")) {
        return {"futex(WAKE): notify_one",
                "A client has gone into an empty queue, so this thread wakes one worker.",
                "T13",
                {}};
    }
    if (call.sleeps) {
        return {"futex(WAIT) sleeps",
                "The queue is empty. The worker sleeps on the condition variable and uses no CPU.",
                "T8, T10",
                {}};
    }
    return {"futex(WAIT) returns", "The worker wakes up and looks into its queue.", "T8, T10", {}};
}

} // namespace

std::string with_commas(long number) {
    std::string digits = std::to_string(number);
    for (long at = static_cast<long>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

Words words_for(const Call& call) {
    const TraceEvent& event = call.call.event;
    if (event.kind == TraceEvent::Kind::signal) {
        return {"SIGCHLD",
                "The kernel tells the parent that a child has exited. Until the parent takes its exit status, "
                "the child is a zombie.",
                "S6",
                {}};
    }
    if (event.kind == TraceEvent::Kind::exit) {
        return {"+++ " + event.name + " +++",
                "The process exits. The kernel closes its copies of all file descriptors.",
                "S6",
                {}};
    }
    if (event.is("socket")) return socket_words(call);
    if (event.is("bind")) {
        return {"bind(3)", "The socket gets its address and port. If another socket has them, bind fails.", "S2", {}};
    }
    if (event.is("listen")) {
        return {
            "listen(3, " + event.arguments.at(1) + ")",
            "From now on the kernel completes connections by itself and keeps them in the listen queue until they are "
            "accepted.",
            "S3",
            {}};
    }
    if (event.name.starts_with("epoll_create")) {
        return {"epoll_create1() = " + std::to_string(event.value),
                "The kernel makes an epoll instance: a list of what interests us. The list is empty.",
                "S12, T5",
                {}};
    }
    if (event.name.starts_with("accept")) return accept_words(call);
    if (event.is_one_of({"read", "recvfrom"})) return read_words(call);
    if (event.is_one_of({"write", "sendto"})) return write_words(call);
    if (event.is_select()) return select_words(call);
    if (event.is_epoll_wait()) {
        Json returned = Json::array();
        if (!call.sleeps && event.value > 0) {
            // The model has looked up what the data stands for; here the names are enough.
            const auto events = events_in(event.arguments.at(1));
            for (std::size_t i = 0; i < events.size(); ++i) {
                for (const auto& [fd, one] : call.before["epoll"]["list"].items()) {
                    if (one.value("data", "") == events[i].second) {
                        returned.push_back({fd, epoll_events(events[i].first), one["name"]});
                    }
                }
            }
        }
        return epoll_wait_words(call, returned);
    }
    if (event.is("epoll_ctl")) return epoll_ctl_words(call);
    if (made_by(event) > 0) return made_words(call);
    if (event.is("close")) return close_words(call);
    if (event.is("futex")) return futex_words(call);
    if (event.is("fcntl")) {
        return {text("fcntl(", event.number(0), ", O_NONBLOCK)"),
                "The socket becomes non-blocking: from now on no call on it makes the thread sleep.",
                "S10, T2",
                {}};
    }
    if (event.is("wait4")) {
        return {"waitpid() = " + std::to_string(event.value),
                "The parent takes the exit status, and the zombie is gone from the process table.",
                "S6",
                {}};
    }
    if (event.is("clock_nanosleep")) {
        return call.sleeps ? Words{"the request takes its time",
                                   "The request is slow (--think), so this thread sleeps.",
                                   "C8",
                                   {}}
                           : Words{"the slow request is done", "The thread has its answer ready now.", "C8", {}};
    }
    return {event.name + "() = " + event.result, event.text(), "", {}};
}

Words words_for(const Segment& segment, const Json& before) {
    const std::string who(1, segment.action.client);
    const Json one = before["conns"].value(who, Json::object());
    const std::string done = bytes(static_cast<long>(segment.done));
    switch (segment.action.what) {
    case Do::connects:
        if (!segment.failed.empty()) {
            return {who + " tries to connect",
                    "The server's kernel takes no more connections, so " + who + " waits.",
                    "S3",
                    {}};
        }
        return {who + " connects",
                text("The kernel completes the connection by itself and puts ", who,
                     " into the listen queue. No program has done anything for that."),
                "S3",
                question(who + " connects, and nobody has called accept for it yet. What happens?",
                         {who + " is refused", "connect waits for accept"}, "it succeeds: the kernel queues it",
                         "The kernel completes connections without the program, as long as the queue has room.")};
    case Do::sends:
        if (!segment.failed.empty())
            return {who + " wants to send", "It cannot: its connection is broken or not there.", "", {}};
        return {who + " sends " + done,
                segment.done < segment.action.bytes
                    ? text(who, " wants to send ", bytes(static_cast<long>(segment.action.bytes)),
                           ", and its kernel takes ", done, " of them.")
                    : text(who, "'s kernel takes them all. As far as there is room, they are in the server's receive "
                                "buffer now. The server's program has not seen them yet."),
                "",
                {}};
    case Do::reads:
        if (segment.done == 0) {
            const Json client = before["clients"].value(who, Json::object());
            const bool waits = client.value("sent", 0L) > client.value("got", 0L);
            return {who + " looks for an answer",
                    waits ? "Nothing has arrived for " + who + ", so it goes on waiting."
                          : who + " has got all of its answers already.",
                    waits && before.contains("select") ? "C2" : "",
                    {}};
        }
        return {who + " reads " + done,
                one.value("down", 0L) > static_cast<long>(segment.done)
                    ? text(who,
                           " takes what is in its receive buffer. That makes room for what is still in the server's "
                           "send buffer.")
                    : text(who, " takes what is in its receive buffer, and has got all that was written for it."),
                "",
                {}};
    case Do::ends:
        return {who + " closes its writing side", "It will send nothing more, but it still reads.", "", {}};
    case Do::leaves:
        return {
            who + " closes its connection", "The end of file travels to the server's kernel, behind all data.", "", {}};
    case Do::resets:
        return {who + " resets its connection", "", "", {}};
    case Do::watches:
        break;
    }
    return {"time passes", "No client does anything. The slow requests go on until they are done.", "", {}};
}
