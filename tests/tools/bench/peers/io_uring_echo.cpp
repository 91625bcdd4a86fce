// io_uring with liburing: one request accepts all clients, one a client receives all of its pieces, into buffers that
// all clients share; what has been received is sent from there. A submission and a wait are one system call, for as
// many messages as there are.
//
// Half-close as it should be. The bound on memory is looser than the contract's: from 64 KiB on nothing more is
// received from a client, but what the kernel has received meanwhile stays; and the buffers that all share are 16 MiB,
// which a few hundred clients that do not read can hold among them.
#include <liburing.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <vector>

#include "tests/tools/bench/peers/plain.h"

namespace {

constexpr unsigned buffers = 1024;
constexpr unsigned buffer_size = 16 * 1024;
constexpr int group = 1;

struct Piece {
    unsigned short buffer;
    unsigned begin;
    unsigned end;
};

struct Client {
    int fd;
    bool receiving = false; // there is a request to receive, or it waits for buffers
    bool sending = false;
    bool stopping = false; // receiving is being cancelled
    bool ended = false;    // no more comes from the client
    bool broken = false;
    unsigned held = 0;
    std::deque<Piece> pieces{};
};

enum Kind : std::uintptr_t { accepted, received, sent, cancelled };

class Server {
  public:
    explicit Server(int listener) : listener_(listener) {}

    /// Why not, or null.
    const char* set_up();
    void run();

  private:
    io_uring ring_{};
    io_uring_buf_ring* pool_ = nullptr;
    char* memory_ = nullptr;
    int listener_;
    bool accepting_ = false;
    std::vector<Client*> hungry_{}; // for buffers

    io_uring_sqe* request(Kind kind, Client* client);
    void give_back(unsigned short buffer);
    void accept_clients();
    void receive(Client* client);
    void send(Client* client);
    void stop_receiving(Client* client);
    void on_received(Client* client, const io_uring_cqe& result);
    void on_sent(Client* client, int count);
    void close_if_done(Client* client);
    void handle(const io_uring_cqe& result);
};

const char* Server::set_up() {
    constexpr unsigned entries = 4096;
    const unsigned quick = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int error = io_uring_queue_init(entries, &ring_, quick);
    if (error == -EINVAL) error = io_uring_queue_init(entries, &ring_, 0);
    if (error < 0) return std::strerror(-error);

    const std::size_t size = buffers * sizeof(io_uring_buf);
    pool_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, size));
    memory_ = static_cast<char*>(std::aligned_alloc(4096, std::size_t{buffers} * buffer_size));
    std::memset(memory_, 0, std::size_t{buffers} * buffer_size); // not one page fault after the other while it serves
    io_uring_buf_reg reg{};
    reg.ring_addr = reinterpret_cast<std::uintptr_t>(pool_);
    reg.ring_entries = buffers;
    reg.bgid = group;
    error = io_uring_register_buf_ring(&ring_, &reg, 0);
    if (error < 0) return "no provided buffers (they came with Linux 5.19)";
    io_uring_buf_ring_init(pool_);
    for (unsigned i = 0; i < buffers; ++i) give_back(static_cast<unsigned short>(i));
    return nullptr;
}

io_uring_sqe* Server::request(Kind kind, Client* client) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) {
        io_uring_submit(&ring_);
        entry = io_uring_get_sqe(&ring_);
    }
    // The kind is in the lowest bits of the pointer, which are 0. liburing's prep functions leave user_data alone.
    entry->user_data = reinterpret_cast<std::uintptr_t>(client) | kind;
    return entry;
}

void Server::give_back(unsigned short buffer) {
    io_uring_buf_ring_add(pool_, memory_ + std::size_t{buffer} * buffer_size, buffer_size, buffer,
                          io_uring_buf_ring_mask(buffers), 0);
    io_uring_buf_ring_advance(pool_, 1);
}

void Server::accept_clients() {
    io_uring_prep_multishot_accept(request(accepted, nullptr), listener_, nullptr, nullptr, SOCK_CLOEXEC);
    accepting_ = true;
}

void Server::receive(Client* client) {
    io_uring_sqe* entry = request(received, client);
    io_uring_prep_recv_multishot(entry, client->fd, nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = group;
    client->receiving = true;
    client->stopping = false;
}

void Server::send(Client* client) {
    const Piece& piece = client->pieces.front();
    const char* data = memory_ + std::size_t{piece.buffer} * buffer_size + piece.begin;
    io_uring_prep_send(request(sent, client), client->fd, data, piece.end - piece.begin, MSG_NOSIGNAL);
    client->sending = true;
}

void Server::stop_receiving(Client* client) {
    if (client->stopping || !client->receiving) return;
    io_uring_prep_cancel64(request(cancelled, nullptr), reinterpret_cast<std::uintptr_t>(client) | received, 0);
    client->stopping = true;
}

void Server::on_received(Client* client, const io_uring_cqe& result) {
    if ((result.flags & IORING_CQE_F_MORE) == 0) client->receiving = false;
    if (result.res > 0) {
        const auto size = static_cast<unsigned>(result.res);
        client->pieces.push_back({static_cast<unsigned short>(result.flags >> IORING_CQE_BUFFER_SHIFT), 0, size});
        client->held += size;
        if (!client->sending) send(client);
        if (client->held > most_held - buffer_size) stop_receiving(client);
    } else if (result.res == 0) {
        client->ended = true;
    } else if (result.res == -ENOBUFS) {
        client->receiving = true; // in a moment
        hungry_.push_back(client);
    } else if (result.res != -ECANCELED) {
        client->broken = true;
    }
    close_if_done(client);
}

void Server::on_sent(Client* client, int count) {
    client->sending = false;
    if (count < 0) {
        client->broken = true;
        shutdown(client->fd, SHUT_RDWR); // ends the receiving
        return close_if_done(client);
    }
    Piece& piece = client->pieces.front();
    piece.begin += static_cast<unsigned>(count);
    client->held -= static_cast<unsigned>(count);
    if (piece.begin == piece.end) {
        give_back(piece.buffer);
        client->pieces.pop_front();
    }
    if (!client->pieces.empty() && !client->broken) send(client);
    close_if_done(client);
}

/// Closes a client that is done; receives on from one that was not received from.
void Server::close_if_done(Client* client) {
    if (client->sending || client->receiving) return;
    if (!client->broken && !client->pieces.empty()) return;
    if (!client->broken && !client->ended) return receive(client);
    for (const Piece& piece : client->pieces) give_back(piece.buffer);
    close(client->fd);
    delete client;
}

void Server::handle(const io_uring_cqe& result) {
    auto* client = reinterpret_cast<Client*>(result.user_data & ~std::uintptr_t{3});
    switch (static_cast<Kind>(result.user_data & 3)) {
    case accepted:
        if ((result.flags & IORING_CQE_F_MORE) == 0) accepting_ = false;
        if (result.res >= 0) receive(new Client{result.res});
        break;
    case received:
        return on_received(client, result);
    case sent:
        return on_sent(client, result.res);
    case cancelled:
        break;
    }
}

void Server::run() {
    for (;;) {
        if (!accepting_) accept_clients();
        io_uring_submit_and_wait(&ring_, 1);
        io_uring_cqe* result = nullptr;
        unsigned head = 0;
        unsigned count = 0;
        io_uring_for_each_cqe(&ring_, head, result) {
            handle(*result);
            ++count;
        }
        io_uring_cq_advance(&ring_, count);
        std::vector<Client*> hungry;
        hungry.swap(hungry_);
        for (Client* client : hungry) receive(client);
    }
}

} // namespace

int main(int argc, char* argv[]) {
    const int listener = open_plain_listener(argc, argv);
    if (listener < 0) return 1;
    Server server(listener);
    if (const char* why = server.set_up()) {
        std::fprintf(stderr, "io_uring can't be used here: %s\n", why);
        return 1;
    }
    announce(listener);
    server.run();
}
