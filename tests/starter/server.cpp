// My own echo server. Usage: server PORT
//
// The command line is done; the network part is yours. Begin with chapter 01's calls: socket, bind, listen, accept,
// read, write, close. Let the grader judge it whenever you like, also after each of these calls:
//
//     make check SERVER='mine/NAME/server {port}' LEVEL=00
//
// When it passes, go on to LEVEL=01, and so on up to 06. HINTS=1 gives a second hint for what fails.

#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string_view>

/// Listens on 127.0.0.1 and `port`, and sends back every byte that a client sends, in order, until the client closes.
void serve(std::uint16_t port) {
    std::cerr << "serve: nothing here yet, and port " << port << " is not listened on\n";
}

int main(int argc, char* argv[]) {
    std::uint16_t port = 0;
    const std::string_view text = argc == 2 ? argv[1] : "";
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
        std::cerr << "usage: server PORT\n";
        return 2;
    }
    serve(port);
    return 0;
}
