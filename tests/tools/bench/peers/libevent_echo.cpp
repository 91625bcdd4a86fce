// libevent's bufferevents. Keeps the contract: it stops reading while what waits to be sent could grow past 64 KiB, and
// after the client's end of file it sends all before it closes.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>

#include <csignal>

#include "tests/tools/bench/peers/peer.h"

namespace {

constexpr std::size_t one_read = 4096; // libevent 2.1 takes at most so much with one read

void on_sent_after_end(bufferevent* events, void*) {
    bufferevent_free(events);
}

void on_readable(bufferevent* events, void*) {
    bufferevent_write_buffer(events, bufferevent_get_input(events));
    if (evbuffer_get_length(bufferevent_get_output(events)) > most_held - one_read) {
        bufferevent_disable(events, EV_READ);
    }
}

void on_sent(bufferevent* events, void*) {
    if ((bufferevent_get_enabled(events) & EV_READ) == 0) bufferevent_enable(events, EV_READ);
}

void on_event(bufferevent* events, short what, void*) {
    if ((what & BEV_EVENT_EOF) != 0 && evbuffer_get_length(bufferevent_get_output(events)) > 0) {
        bufferevent_disable(events, EV_READ);
        bufferevent_setcb(events, nullptr, on_sent_after_end, on_event, nullptr);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        bufferevent_free(events);
    }
}

void on_accept(evconnlistener* listener, evutil_socket_t fd, sockaddr*, int, void*) {
    bufferevent* events = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(events, on_readable, on_sent, on_event, nullptr);
    bufferevent_enable(events, EV_READ | EV_WRITE);
}

/// No room for another client: leave the listener alone for a moment.
void on_accept_error(evconnlistener* listener, void*) {
    evconnlistener_disable(listener);
    const timeval moment{0, 100000};
    event_base_once(
        evconnlistener_get_base(listener), -1, EV_TIMEOUT,
        [](evutil_socket_t, short, void* again) { evconnlistener_enable(static_cast<evconnlistener*>(again)); },
        listener, &moment);
}

} // namespace

int main(int argc, char* argv[]) {
    std::signal(SIGPIPE, SIG_IGN);
    event_base* base = event_base_new();
    sockaddr_in address = address_option(argc, argv);
    evconnlistener* listener =
        evconnlistener_new_bind(base, on_accept, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
                                reinterpret_cast<sockaddr*>(&address), sizeof address);
    if (listener == nullptr) return 1;
    evconnlistener_set_error_cb(listener, on_accept_error);
    const int on = 1;
    setsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // the clients inherit it
    announce(evconnlistener_get_fd(listener));
    return event_base_dispatch(base);
}
