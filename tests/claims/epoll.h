// An epoll instance of our own, for the experiments with the calls themselves.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "common/check.h"
#include "common/fd.h"

/// Has it watch the descriptor, whose number comes back with each event.
inline void watch(const Fd& epoll, int fd, std::uint32_t events) {
    epoll_event watched{};
    watched.events = events;
    watched.data.fd = fd;
    check(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &watched), "epoll_ctl");
}

/// One that watches this descriptor.
inline Fd epoll_watching(int fd, std::uint32_t events) {
    Fd epoll(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    watch(epoll, fd, events);
    return epoll;
}
