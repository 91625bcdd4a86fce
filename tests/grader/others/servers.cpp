// A process or a thread for each client. Usage: servers KIND PORT. `forks` and `threads` are right at level 02;
// `threads_kept` neither detaches nor joins its threads, so that their stacks stay.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace {

int listen_on(std::uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, SOMAXCONN) != 0)
        _exit(1);
    return listener;
}

void serve(int client) {
    std::array<char, 16384> buffer{};
    ssize_t count = 0;
    while ((count = read(client, buffer.data(), buffer.size())) > 0) {
        for (ssize_t done = 0, written = 0; done < count && written >= 0; done += written) {
            written = write(client, buffer.data() + done, static_cast<std::size_t>(count - done));
        }
    }
    close(client);
}

} // namespace

int main(int argc, char* argv[]) {
    signal(SIGPIPE, SIG_IGN);
    if (argc != 3) return 2;
    signal(SIGCHLD, SIG_IGN); // so there are no zombies
    const std::string kind = argv[1];
    const int listener = listen_on(static_cast<std::uint16_t>(std::stoi(argv[2])));
    std::vector<std::thread> all;
    for (;;) {
        const int client = accept(listener, nullptr, nullptr);
        if (client < 0) usleep(20000); // no descriptor
        if (client < 0) continue;
        if (kind == "forks") {
            if (fork() == 0) {
                close(listener);
                serve(client);
                _exit(0);
            }
            close(client);
            continue;
        }
        try {
            std::thread thread(serve, client);
            kind == "threads_kept" ? all.push_back(std::move(thread)) : thread.detach();
        } catch (const std::system_error&) {
            close(client);
        }
    }
}
