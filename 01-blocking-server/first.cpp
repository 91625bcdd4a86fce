// The article's calls and nothing else. Type it, run it and break it, but don't copy it into a program of yours: the
// README.md of this chapter shows, one thing at a time, what it lacks.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

int main(int argc, char* argv[]) {
    if (argc != 2) return 2; // usage: first PORT

    const int listener = socket(AF_INET, SOCK_STREAM, 0);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK); // 127.0.0.1
    bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener, SOMAXCONN);

    for (;;) {
        const int client = accept(listener, nullptr, nullptr);
        char buffer[64 * 1024];
        ssize_t count = 0;
        while ((count = read(client, buffer, sizeof buffer)) > 0) {
            if (write(client, buffer, static_cast<std::size_t>(count)) < 0) break;
        }
        close(client);
    }
}
