#include "common/narrate.h"

#include <unistd.h>

#include <mutex>
#include <new>
#include <string>
#include <unordered_map>

namespace {

std::mutex addresses_mutex;
std::unordered_map<int, std::string> addresses; // of the clients now connected; filled only when verbose

} // namespace

void write_line(const std::string& line) {
    // If it fails there is nobody left to tell. (A pipe whose reader has stopped is full at some time, and then this
    // waits.)
    [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, line.data(), line.size());
}

void narrate_connected(int client, const Address& address) try {
    if (!verbose) return;
    const std::string text = to_string(address);
    {
        const std::lock_guard lock(addresses_mutex);
        addresses[client] = text;
    }
    narrate("fd ", client, ": ", text, " connected");
} catch (const std::bad_alloc&) {
}

void narrate_left(int client, const char* why) try {
    if (!verbose) return;
    std::string text;
    {
        const std::lock_guard lock(addresses_mutex);
        text = addresses[client];
        addresses.erase(client);
    }
    narrate("fd ", client, ": ", text, " left: ", why);
} catch (const std::bad_alloc&) {
}
