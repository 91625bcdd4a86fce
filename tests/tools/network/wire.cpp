// A bad wire between two network interfaces: it copies every frame from one to the other, late, twice, changed or
// never. wire IF_A IF_B    standard input says how, and the last line counts until the next one:
//                   DELAY JITTER LOSS TWICE OVERTAKES CHANGED SILENT    (ms, ms, four percentages, 0 or 1)
//                   For each line it prints "done" when that is so.
// wire --plain IF   turns off what a network card would do for the kernel (large packets, checksums), so that the
//                   frames of this interface are as they would be on a cable
// It needs CAP_NET_RAW and CAP_NET_ADMIN in its network namespace, and no module of the kernel's. At the line "end", or
// when standard input ends, it prints what it has done to the frames, and exits.

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <exception>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include "common/check.h"
#include "common/fd.h"

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Conditions {
    double delay, jitter;                   // ms
    double loss, twice, overtakes, changed; // percent of the frames
    bool silent;                            // nothing passes
};

/// A frame on its way, and which of the two interfaces it leaves by.
struct Frame {
    std::string bytes;
    std::size_t to;
};

/// A packet(7) socket that sees every frame of the interface.
Fd open_interface(const char* name) {
    Fd interface(check(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
    const int room = 64 << 20; // a burst of many clients; without the right to force it, we get what we may have
    if (setsockopt(interface.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0) {
        setsockopt(interface.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(if_nametoindex(name));
    check(bind(interface.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), "bind ", name);
    packet_mreq all{};
    all.mr_ifindex = address.sll_ifindex;
    all.mr_type = PACKET_MR_PROMISC;
    check(setsockopt(interface.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all), "setsockopt ", name);
    return interface;
}

void make_plain(const char* name) {
    const Fd any(check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
    for (const auto what : {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO}) {
        ethtool_value off{static_cast<__u32>(what), 0};
        ifreq request{};
        std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
        request.ifr_data = reinterpret_cast<char*>(&off);
        check(ioctl(any.get(), SIOCETHTOOL, &request), "ioctl SIOCETHTOOL ", name);
    }
}

struct Wire {
    std::array<Fd, 2> ends;
    Conditions now{};
    std::multimap<Clock::time_point, Frame> under_way{}; // by the time at which they arrive
    std::mt19937 random{7};                              // the same misfortunes in every run, as far as the frames are
    struct Counts {
        long frames = 0, lost = 0, twice = 0, overtook = 0, changed = 0;
    } counts{};

    bool happens(double percent) { return std::uniform_real_distribution<>(0, 100)(random) < percent; }
    void take(std::string frame, std::size_t to);
    void take_all(std::size_t from);
    void deliver_due();
    void run();
};

/// Decides what becomes of a frame.
void Wire::take(std::string frame, std::size_t to) {
    ++counts.frames;
    const bool is_ip = frame.size() > 34 && frame[12] == 0x08 && frame[13] == 0x00; // addresses (ARP) are found always
    if (now.silent || (is_ip && happens(now.loss))) {
        ++counts.lost;
        return;
    }
    if (is_ip && happens(now.changed)) {
        frame[34 + random() % (frame.size() - 34)] ^=
            static_cast<char>(1 << random() % 8); // a bit behind the IP header
        ++counts.changed;
    }
    double delay = now.delay + now.jitter * std::uniform_real_distribution<>(-1, 1)(random);
    if (is_ip && happens(now.overtakes)) {
        delay = now.delay > 0 ? 0 : 3; // the others overtake it where there is no delay
        ++counts.overtook;
    }
    const auto arrival = Clock::now() + std::chrono::duration_cast<Clock::duration>(Milliseconds(std::max(0.0, delay)));
    if (is_ip && happens(now.twice)) {
        under_way.emplace(arrival, Frame{frame, to});
        ++counts.twice;
    }
    under_way.emplace(arrival, Frame{std::move(frame), to});
}

void Wire::take_all(std::size_t from) {
    static std::array<char, 65536> buffer;
    for (int burst = 0; burst < 64; ++burst) {
        sockaddr_ll sender{};
        socklen_t size = sizeof sender;
        const ssize_t count =
            recvfrom(ends[from].get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&sender), &size);
        if (count < 0) return;
        if (sender.sll_pkttype == PACKET_OUTGOING) continue; // our own
        take({buffer.data(), static_cast<std::size_t>(count)}, 1 - from);
    }
}

void Wire::deliver_due() {
    while (!under_way.empty() && under_way.begin()->first <= Clock::now()) {
        const Frame& frame = under_way.begin()->second;
        // An interface that is down refuses it. Then the frame is lost, as on a cable.
        if (now.silent || send(ends[frame.to].get(), frame.bytes.data(), frame.bytes.size(), 0) < 0) ++counts.lost;
        under_way.erase(under_way.begin());
    }
}

void Wire::run() {
    std::string line;
    for (;;) {
        const auto until = under_way.empty() ? Clock::duration::max() : under_way.begin()->first - Clock::now();
        const int wait = under_way.empty() ? -1 : std::max(0, static_cast<int>(std::ceil(Milliseconds(until).count())));
        std::array<pollfd, 3> ready{
            {{ends[0].get(), POLLIN, 0}, {ends[1].get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}}};
        if (poll(ready.data(), ready.size(), wait) < 0 && errno != EINTR) check(-1, "poll");
        for (std::size_t i = 0; i < 2; ++i) {
            if (ready[i].revents != 0) take_all(i);
        }
        deliver_due();
        while (ready[2].revents != 0) {
            if (!std::getline(std::cin, line) || line == "end") return;
            std::istringstream(line) >> now.delay >> now.jitter >> now.loss >> now.twice >> now.overtakes >>
                now.changed >> now.silent;
            std::cout << "done" << std::endl;
            if (std::cin.rdbuf()->in_avail() <= 0) break; // or poll would not tell us of the lines already read
        }
    }
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        if (argc != 3) throw std::runtime_error("usage: wire IF_A IF_B, or wire --plain IF");
        std::ios::sync_with_stdio(false); // or nobody could say whether more lines have been read
        if (std::string(argv[1]) == "--plain") return make_plain(argv[2]), 0;
        Wire wire{{open_interface(argv[1]), open_interface(argv[2])}};
        wire.run();
        const auto& did = wire.counts;
        std::cout << did.frames << " frames: " << did.lost << " lost, " << did.twice << " twice, " << did.overtook
                  << " out of order, " << did.changed << " changed\n";
    } catch (const std::exception& error) {
        std::cerr << "wire: " << error.what() << '\n';
        return 1;
    }
}
