#include "tests/tools/bench/load.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "common/check.h"
#include "common/nonblocking.h"

namespace {

// Every stream is the same endless repetition of `period` random bytes, each connection's from a place of its own. A
// prime period, so that no message size divides it: a message is like another one only after `period` messages.
constexpr std::size_t period = 262139;

/// Two periods in a row, so that from every place in the first there are `period` bytes without a turn.
const std::string& pattern() {
    static const std::string twice = [] {
        const std::string once = random_bytes(period, 5);
        return once + once;
    }();
    return twice;
}

const char* pattern_at(std::uint64_t place) {
    return pattern().data() + place % period;
}

Clock::duration seconds_of(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// With a reset, so that the ports of a run are free for the next one.
void close_with_reset(int fd) {
    const linger no_wait{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof no_wait);
}

/// Connections that come and go would use up the 28,000 ports of one address, so they come from several.
void bind_to_one_of_several(int fd, std::size_t number) {
    sockaddr_in source{};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(number % 64));
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    check(bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source), "bind 127.0.0.x");
}

} // namespace

Load::Load(const Address& server, const LoadOptions& options)
    : server_(server), options_(options), epoll_(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      buffer_(256 * 1024) {
    open_all(idle_, options.idle);
    open_all(flows_, options.connections);
}

bool Load::is_active(const Flow& flow) const {
    return &flow >= flows_.data() && &flow < flows_.data() + flows_.size();
}

std::string Load::name(const Flow& flow) const {
    const bool active = is_active(flow);
    return text(active ? "connection " : "idle connection ", &flow - (active ? flows_ : idle_).data());
}

void Load::open(Flow& flow) {
    flow = Flow{};
    // Places far from each other: multiples of the golden section of the period.
    flow.place = opened_ * 162011 % period;
    flow.socket = Fd(check(socket(server_.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const int fd = flow.socket.get();
    const int on = 1;
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt TCP_NODELAY");
    if (options_.churn && server_.any.sa_family == AF_INET) bind_to_one_of_several(fd, opened_);
    if (!options_.churn) close_with_reset(fd);
    ++opened_;
    if (connect(fd, &server_.any, server_.size) < 0) {
        throw Failed{text("connected ", name(flow)), "a connection", std::strerror(errno)};
    }
    check(set_nonblocking(fd), "fcntl O_NONBLOCK");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &flow;
    check(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

/// A few hundred at a time, which any queue of waiting clients holds; each has an answer before the next ones connect.
void Load::open_all(std::vector<Flow>& flows, std::size_t count) {
    constexpr std::size_t at_once = 400;
    flows.resize(count);
    if (options_.churn && &flows == &flows_) return; // they connect when they run
    endless_ = false;
    to_start_ = 0;
    for (std::size_t begin = 0; begin < count && !interrupted; begin += at_once) {
        const std::size_t end = std::min(begin + at_once, count);
        for (std::size_t i = begin; i < end; ++i) {
            open(flows[i]);
            start(flows[i], 1, Clock::now());
        }
        wait_until_answered();
    }
}

/// Sends so many messages more, or as much of them as there is room for now.
void Load::start(Flow& flow, std::size_t messages, Clock::time_point when) {
    flow.started.insert(flow.started.end(), messages, when);
    flow.due += messages * options_.message;
    unanswered_ += messages;
    if (!flow.waits_for_room) send(flow);
}

void Load::send(Flow& flow) {
    bool room = true;
    while (room && flow.sent < flow.due) {
        const std::size_t size = std::min<std::uint64_t>(flow.due - flow.sent, period);
        const ssize_t count =
            ::send(flow.socket.get(), pattern_at(flow.place + flow.sent), size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            throw Failed{text("sent on ", name(flow)), "that the server takes it", std::strerror(errno)};
        }
        flow.sent += count < 0 ? 0 : static_cast<std::uint64_t>(count);
        room = count == static_cast<ssize_t>(size);
    }
    if (flow.waits_for_room != room) return;
    flow.waits_for_room = !room;
    epoll_event event{};
    event.events = EPOLLIN | (flow.waits_for_room ? EPOLLOUT : 0U);
    event.data.ptr = &flow;
    check(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, flow.socket.get(), &event), "epoll_ctl");
}

void Load::receive(Flow& flow) {
    const ssize_t count = recv(flow.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count == 0 && options_.churn && flow.started.size() == 1 && flow.received == flow.due) return end_of_life(flow);
    if (count <= 0) {
        throw Failed{text("waited for the echo on ", name(flow)),
                     text(flow.sent - flow.received, " bytes more, after ", flow.received),
                     count == 0 ? "the server closed" : std::strerror(errno)};
    }
    compare(flow, static_cast<std::size_t>(count));
    const std::uint64_t before = flow.received / options_.message;
    flow.received += static_cast<std::uint64_t>(count);
    if (options_.churn && is_active(flow)) {
        if (flow.received == flow.due) shutdown(flow.socket.get(), SHUT_WR);
        return;
    }

    const std::uint64_t back = flow.received / options_.message - before;
    const auto now = Clock::now();
    for (std::uint64_t i = 0; i < back; ++i) completed(flow, now);
    std::uint64_t next = back;
    if (!endless_) {
        next = std::min(next, to_start_);
        to_start_ -= next;
    }
    if (next > 0) start(flow, next, now);
}

/// Compares what has come with what was sent on this connection, at this place.
void Load::compare(const Flow& flow, std::size_t count) const {
    if (const std::uint64_t expected = flow.sent - flow.received; count > expected) {
        throw Failed{text("sent ", flow.sent, " bytes on ", name(flow)), "so many, and no more",
                     text(flow.received + count, "; the last ones are ",
                          whose(flow, flow.sent, buffer_.data() + expected, count - expected))};
    }
    for (std::size_t done = 0; done < count;) {
        const std::size_t size = std::min(count - done, period);
        const char* expected = pattern_at(flow.place + flow.received + done);
        const char* got = buffer_.data() + done;
        if (std::memcmp(expected, got, size) != 0) {
            const auto same = static_cast<std::size_t>(std::mismatch(expected, expected + size, got).first - expected);
            throw Failed{text("compared the echo on ", name(flow)),
                         text("byte ", flow.received + done + same, " of what was sent"),
                         "another byte; from there on it is " +
                             whose(flow, flow.received + done + same, got + same, size - same)};
        }
        done += size;
    }
}

/// For people: where the bytes come from that are at this position of the stream and should not be.
std::string Load::whose(const Flow& flow, std::uint64_t position, const char* bytes, std::size_t count) const {
    const std::size_t sure = 8; // so many random bytes are not there twice by chance
    if (count < sure) return "too little to say whose";
    const std::size_t place = std::string_view(pattern()).find(std::string_view(bytes, sure));
    if (place == std::string::npos) return "nothing that anybody sent";
    const auto sent_by = [&](const Flow& one) { return (place + period - one.place) % period < one.sent; };
    if (sent_by(flow)) {
        const std::uint64_t at = (place + period - flow.place) % period;
        return text(at < position % period ? "repeated: " : "a later part, so some is lost: ", "byte ", at);
    }
    for (const Flow& other : flows_) {
        if (sent_by(other)) return "what was sent on " + name(other);
    }
    return "what was sent on another connection";
}

void Load::completed(Flow& flow, Clock::time_point now) {
    const auto took = now - flow.started.front();
    flow.started.pop_front();
    --unanswered_;
    ++result_.messages;
    result_.latency.record(static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count()));
}

/// The server has closed, after the last byte: the next connection takes its place.
void Load::end_of_life(Flow& flow) {
    completed(flow, Clock::now());
    if (!endless_ && to_start_ == 0) return flow.socket.reset();
    if (!endless_) --to_start_;
    const auto when = Clock::now();
    open(flow);
    start(flow, 1, when);
}

/// Handles what is ready, waiting for it at most so long. False: nothing was.
bool Load::serve_events(std::chrono::nanoseconds most) {
    std::array<epoll_event, 512> events;
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(most);
    const timespec wait{whole.count(), (most - whole).count()};
    const int ready = epoll_pwait2(epoll_.get(), events.data(), events.size(), &wait, nullptr);
    for (int i = 0; i < ready; ++i) {
        auto& flow = *static_cast<Flow*>(events[static_cast<std::size_t>(i)].data.ptr);
        const std::uint32_t what = events[static_cast<std::size_t>(i)].events;
        if ((what & EPOLLOUT) != 0) send(flow);
        if ((what & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive(flow);
    }
    return ready > 0;
}

void Load::wait_until_answered() {
    while (unanswered_ > 0 && !interrupted) {
        if (!serve_events(options_.patience) && !interrupted) {
            throw Failed{text("waited for ", unanswered_, " messages"), "their echo",
                         text("nothing for ", options_.patience.count() / 1000, " s")};
        }
    }
}

/// Fills each connection with as many messages as may be on their way, one round of all after the other.
void Load::first_messages() {
    for (std::size_t round = 0; round < options_.in_flight; ++round) {
        for (Flow& flow : flows_) {
            if (flow.started.size() > round || (!endless_ && to_start_ == 0)) continue;
            if (!endless_) --to_start_;
            const auto when = Clock::now();
            if (options_.churn) open(flow);
            start(flow, 1, when);
        }
    }
}

/// With a rate: starts what is due by now, connection after connection.
void Load::start_due(Clock::time_point begin, std::uint64_t& started) {
    const double since = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto due = static_cast<std::uint64_t>(since * options_.rate);
    for (; started < due; ++started) {
        const auto when = begin + seconds_of(static_cast<double>(started) / options_.rate);
        start(flows_[started % flows_.size()], 1, when);
    }
}

LoadResult Load::run_for(double seconds) {
    const auto begin = Clock::now();
    const auto end = begin + seconds_of(seconds);
    auto heard = begin;
    std::uint64_t started = 0;
    result_ = LoadResult{};
    endless_ = options_.rate == 0;
    to_start_ = 0;
    if (endless_) first_messages();
    for (auto now = begin; now < end && !interrupted; now = Clock::now()) {
        auto wait = std::min<Clock::duration>(end - now, milliseconds(100));
        if (options_.rate > 0) {
            start_due(begin, started);
            wait = std::min(wait, begin + seconds_of(static_cast<double>(started + 1) / options_.rate) - Clock::now());
        }
        if (serve_events(std::max<std::chrono::nanoseconds>(wait, std::chrono::nanoseconds(0)))) heard = now;
        if (unanswered_ > 0 && now - heard > options_.patience) wait_until_answered();
    }
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    endless_ = false;
    return result_;
}

LoadResult Load::run_count(std::uint64_t messages) {
    const auto begin = Clock::now();
    result_ = LoadResult{};
    endless_ = false;
    to_start_ = messages;
    first_messages();
    wait_until_answered();
    result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return result_;
}

void Load::finish() {
    endless_ = false;
    to_start_ = 0;
    wait_until_answered();
    if (interrupted) return;
    char byte = 0;
    for (const Flow& flow : idle_) {
        const ssize_t count = recv(flow.socket.get(), &byte, 1, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) continue;
        throw Failed{text(name(flow), " said nothing"), "to hear nothing", count == 0 ? "the server closed" : "a byte"};
    }
    for (const Flow& flow : flows_) {
        if (flow.socket) shutdown(flow.socket.get(), SHUT_WR);
    }
    for (const Flow& flow : flows_) {
        if (!flow.socket) continue;
        pollfd readable{flow.socket.get(), POLLIN, 0};
        poll(&readable, 1, static_cast<int>(options_.patience.count()));
        const ssize_t count = recv(flow.socket.get(), &byte, 1, MSG_DONTWAIT);
        if (count == 0) continue;
        throw Failed{text("closed the writing side of ", name(flow)), "that the server closes, too",
                     count > 0 ? "a byte more" : std::strerror(errno)};
    }
}
