// libuv. Keeps the contract: it tries to write at once, keeps what had no room, and does not read until that is sent.
#include <uv.h>

#include <csignal>
#include <vector>

#include "tests/tools/bench/peers/peer.h"

namespace {

struct Client {
    uv_tcp_t stream{};
    uv_write_t request{};
    std::vector<char> unsent{};
};

char piece[most_held]; // one for all: what is read is sent or copied before the next read

Client* client_of(uv_handle_t* handle) {
    return static_cast<Client*>(handle->data);
}

void close_client(Client* client) {
    uv_close(reinterpret_cast<uv_handle_t*>(&client->stream), [](uv_handle_t* handle) { delete client_of(handle); });
}

void give_piece(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
    *buffer = uv_buf_init(piece, sizeof piece);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);

void on_sent(uv_write_t* request, int status) {
    auto* client = static_cast<Client*>(request->data);
    if (status < 0) return; // it is being closed
    client->unsent = std::vector<char>();
    uv_read_start(reinterpret_cast<uv_stream_t*>(&client->stream), give_piece, on_read);
}

/// Sends later what had no room, and reads nothing until then.
void keep(Client* client, const char* rest, std::size_t size) {
    auto* stream = reinterpret_cast<uv_stream_t*>(&client->stream);
    uv_read_stop(stream);
    client->unsent.assign(rest, rest + size);
    client->request.data = client;
    const uv_buf_t buffer = uv_buf_init(client->unsent.data(), static_cast<unsigned>(size));
    if (uv_write(&client->request, stream, &buffer, 1, on_sent) < 0) close_client(client);
}

void on_read(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    auto* client = client_of(reinterpret_cast<uv_handle_t*>(stream));
    if (count == 0) return; // "not now"
    if (count < 0) return close_client(client);
    const uv_buf_t answer = uv_buf_init(buffer->base, static_cast<unsigned>(count));
    const int taken = uv_try_write(stream, &answer, 1);
    if (taken < 0 && taken != UV_EAGAIN) return close_client(client);
    const int sent = taken < 0 ? 0 : taken;
    if (sent < count) keep(client, buffer->base + sent, static_cast<std::size_t>(count - sent));
}

void on_connection(uv_stream_t* listener, int status) {
    if (status < 0) return;
    auto* client = new Client;
    uv_tcp_init(listener->loop, &client->stream);
    client->stream.data = client;
    auto* stream = reinterpret_cast<uv_stream_t*>(&client->stream);
    if (uv_accept(listener, stream) < 0) return close_client(client);
    uv_tcp_nodelay(&client->stream, 1);
    uv_read_start(stream, give_piece, on_read);
}

} // namespace

int main(int argc, char* argv[]) {
    std::signal(SIGPIPE, SIG_IGN);
    uv_loop_t* loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    const sockaddr_in address = address_option(argc, argv);
    if (uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0) < 0) return 1;
    if (uv_listen(reinterpret_cast<uv_stream_t*>(&listener), SOMAXCONN, on_connection) < 0) return 1;
    uv_os_fd_t fd = -1;
    uv_fileno(reinterpret_cast<uv_handle_t*>(&listener), &fd);
    announce(fd);
    return uv_run(loop, UV_RUN_DEFAULT);
}
