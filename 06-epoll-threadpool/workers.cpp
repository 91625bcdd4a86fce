#include "06-epoll-threadpool/workers.h"

#include <sys/epoll.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "common/narrate.h"
#include "common/piece.h"

std::uint32_t events_for(const Session& session) {
    if (session.connection.interest() == Interest::write) return EPOLLET | EPOLLOUT;
    std::uint32_t events = EPOLLET | EPOLLIN | EPOLLRDHUP;
    // The first urgent byte tells all. It may lie there for long, and each look would find it again.
    if (!session.baton.more_than_input()) events |= EPOLLPRI;
    return events;
}

Workers::Workers(int read_workers, int write_workers, int epoll, std::chrono::milliseconds think_time)
    : epoll_(epoll), think_time_(think_time) {
    try {
        for (int i = 0; i < read_workers; ++i) threads_.emplace_back(&Workers::read_and_answer, this); // T8
        for (int i = 0; i < write_workers; ++i) threads_.emplace_back(&Workers::send_rest, this);      // T10
    } catch (const std::system_error& error) {
        stop();
        throw std::system_error(error.code(), "starting a worker thread");
    } catch (...) {
        stop();
        throw;
    }
}

void Workers::stop() {
    read_queue_.close();
    write_queue_.close();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

/// Where the session's next task is done.
Queue<Session>& Workers::queue_for(const Session& session) {
    return session.connection.interest() == Interest::read ? read_queue_ : write_queue_;
}

void Workers::push(Session& session) {
    queue_for(session).push(session); // T13, T14
}

void Workers::wake() {
    read_queue_.wake();
    write_queue_.wake();
}

/// What a read worker does.
void Workers::read_and_answer() {
    while (Session* const next = read_queue_.pop()) {
        Session& session = *next;
        session.baton.about_to_look();
        const std::size_t count = session.connection.on_readable(think_time_);
        if (count == piece_size && session.connection.interest() == Interest::read) {
            queue_again(session);
        } else {
            // A read that does not fill its buffer has taken all there was, unless there is more than input.
            hand_back(session, count > 0 && count < piece_size && !session.baton.more_than_input());
        }
    }
}

/// What a write worker does.
void Workers::send_rest() {
    while (Session* const next = write_queue_.pop()) {
        Session& session = *next;
        session.baton.about_to_look();
        session.connection.on_writable();
        hand_back(session, false);
    }
}

/// There is more to do, but others have their turn first.
void Workers::queue_again(Session& session) {
    Queue<Session>& queue = queue_for(session);
    queue.push(session);
    queue.wake();
}

/// Ends the ownership of a session. Where all the input was taken, there will be an event when there is more. Otherwise
/// the kernel is asked to look at it again, and reports at once what it finds.
void Workers::hand_back(Session& session, bool took_all) {
    const Interest interest = session.connection.interest();
    if (interest == Interest::none) return finish(session);
    if (interest == Interest::write || !took_all) {
        epoll_event event{};
        event.events = events_for(session);
        event.data.ptr = &session;
        if (epoll_ctl(epoll_, EPOLL_CTL_MOD, session.connection.fd(), &event) < 0) {
            narrate_left(session.connection.fd(), std::strerror(errno));
            return finish(session);
        }
    }
    if (!session.baton.let_go()) queue_again(session);
}

/// Closes the connection, and what is closed epoll forgets (T15). It is not let go: an event that main has got already
/// finds it owned. Main deletes it when it can have no such event left.
void Workers::finish(Session& session) {
    session.connection.close();
    finished_.push(session);
}
