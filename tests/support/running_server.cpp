#include "tests/support/running_server.h"

#include "tests/support/failed.h"

namespace {

std::vector<std::string> command(const std::string& program, const std::vector<std::string>& more) {
    std::vector<std::string> words{program, "--port", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

} // namespace

RunningServer::RunningServer(const std::string& program, const std::vector<std::string>& more,
                             std::optional<unsigned long> most_descriptors)
    : process_(Launch{command(program, more), most_descriptors, true}) {
    const std::string greeting = "listening on ";
    const auto line = process_.read_line(milliseconds(20000));
    if (!line || !line->starts_with(greeting)) {
        throw Failed{"started " + program, "the line 'listening on ADDRESS:PORT'",
                     line ? "'" + *line + "'" : "no line; stderr: " + process_.standard_error()};
    }
    listening_line_ = *line;
    const std::string where = line->substr(greeting.size());
    const std::size_t colon = where.rfind(':');
    std::string host = where.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    const auto address = parse_address(host, static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1))));
    if (!address) throw Failed{"started " + program, "an address and a port", "'" + *line + "'"};
    address_ = *address;
}
