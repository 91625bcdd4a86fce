// Boost.Asio; --threads N lets so many threads run the same io_context. Keeps the contract: a session reads a piece,
// writes all of it, and only then reads the next. There is one chain of calls a session, so no two threads meet in it.
#include <utility> // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "tests/tools/bench/peers/peer.h"

using boost::asio::ip::tcp;
using Error = boost::system::error_code;

namespace {

class Session : public std::enable_shared_from_this<Session> {
  public:
    // The piece is not initialised: pages of it that are never read into cost no memory.
    explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(boost::asio::buffer(piece_),
                                [self = shared_from_this()](const Error& error, std::size_t size) {
                                    if (!error) self->write(size);
                                });
    }

  private:
    void write(std::size_t size) {
        boost::asio::async_write(socket_, boost::asio::buffer(piece_, size),
                                 [self = shared_from_this()](const Error& error, std::size_t) {
                                     if (!error) self->read();
                                 });
    }

    tcp::socket socket_;
    char piece_[most_held];
};

class Acceptor {
  public:
    Acceptor(boost::asio::io_context& context, std::uint16_t port) : acceptor_(context), moment_(context) {
        const tcp::endpoint endpoint(boost::asio::ip::address_v4::loopback(), port);
        acceptor_.open(endpoint.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address(true));
        acceptor_.set_option(tcp::no_delay(true)); // the clients inherit it
        acceptor_.bind(endpoint);
        acceptor_.listen();
    }

    [[nodiscard]] int fd() { return acceptor_.native_handle(); }

    void accept() {
        acceptor_.async_accept([this](const Error& error, tcp::socket socket) {
            if (!error) {
                std::make_shared<Session>(std::move(socket))->read();
                return accept();
            }
            moment_.expires_after(std::chrono::milliseconds(100)); // no room for another client
            moment_.async_wait([this](const Error&) { accept(); });
        });
    }

  private:
    tcp::acceptor acceptor_;
    boost::asio::steady_timer moment_;
};

} // namespace

int main(int argc, char* argv[]) {
    const int threads = number_option(argc, argv, "--threads", 1);
    boost::asio::io_context context(threads); // 1: Asio leaves out what only several threads need
    Acceptor acceptor(context, static_cast<std::uint16_t>(number_option(argc, argv, "--port", 7007)));
    acceptor.accept();
    announce(acceptor.fd());
    std::vector<std::thread> more;
    for (int i = 1; i < threads; ++i) more.emplace_back([&context] { context.run(); });
    context.run();
}
