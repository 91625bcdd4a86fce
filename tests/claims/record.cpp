#include "tests/claims/record.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <sstream>

#include "tests/cases/case.h"
#include "tests/claims/look.h"
#include "tests/support/straced.h"

long Call::argument(std::size_t number) const {
    std::istringstream words(arguments);
    std::string word;
    for (std::size_t i = 0; i <= number; ++i) {
        if (!std::getline(words, word, ',')) return -1;
    }
    return std::strtol(word.c_str(), nullptr, 0);
}

std::optional<std::size_t> Record::find(const Wanted& wanted, std::size_t from) const {
    for (std::size_t i = from; i < calls.size(); ++i) {
        if (wanted(calls[i])) return i;
    }
    return std::nullopt;
}

namespace {

/// "read(4, ""..., 65536) = 6": nothing for other lines, about signals and exits.
std::optional<Call> parse_call(pid_t thread, const std::string& text) {
    const std::size_t open = text.find('(');
    const std::size_t equals = text.rfind(" = ");
    const std::size_t close = text.rfind(')', equals);
    if (open == std::string::npos || equals == std::string::npos || close == std::string::npos || close < open) {
        return std::nullopt;
    }
    const std::string name = text.substr(0, open);
    const std::string arguments = text.substr(open + 1, close - open - 1);
    const std::string result = text.substr(equals + 3);
    return Call{thread, name, arguments, result.starts_with('?') ? -1 : std::strtol(result.c_str(), nullptr, 0),
                name + "(" + arguments + ") = " + result};
}

} // namespace

std::vector<Call> parse_strace(std::istream& lines) {
    const std::string unfinished = "<unfinished ...>";
    const std::string resumed = " resumed>";
    std::map<pid_t, std::string> begun;
    std::vector<Call> calls;
    for (std::string line; std::getline(lines, line);) {
        // 24304 read(4,  <unfinished ...>
        // 24304 <... read resumed>""..., 65536) = 6
        const auto thread = static_cast<pid_t>(std::atol(line.c_str()));
        std::string text = line.substr(std::min(line.size(), line.find_first_not_of(" 0123456789")));
        if (text.ends_with(unfinished)) {
            begun[thread] = text.substr(0, text.size() - unfinished.size());
            continue;
        }
        const std::size_t second_half = text.find(resumed);
        if (text.starts_with("<... ") && second_half != std::string::npos) {
            text = begun[thread] + text.substr(second_half + resumed.size());
        }
        if (auto call = parse_call(thread, text)) calls.push_back(std::move(*call));
    }
    return calls;
}

namespace {

/// Three clients come while the server is stopped, so that they queue; then each gets a line back and leaves.
void three_clients(const Endpoint& endpoint, pid_t server, Record& record) {
    kill(server, SIGSTOP);
    eventually([&] { return process_state(server) == 't'; }, long_enough); // stopped, and strace knows
    std::vector<Client> clients = connect_clients(endpoint, 3);
    for (const Client& client : clients) record.clients.push_back(port_of(client.address()));
    record.queued = eventually([&] { return accept_queue(endpoint) == clients.size(); }, long_enough);
    kill(server, SIGCONT);
    for (Client& client : clients) {
        client.expect_echo("hello\n");
        client.close();
    }
}

void one_that_reads_late(const Endpoint& endpoint, pid_t server, Record& record) {
    wait_for_rest(server);
    Client client(endpoint);
    record.clients.push_back(port_of(client.address()));
    const std::size_t sent = send_and_never_read(client, endpoint, server);
    read_away(client, sent);
    client.finish_sending();
    client.receive_all();
}

Record make_record(const std::string& program) {
    if (!installed("strace")) throw Skipped{"strace is not installed"};
    // -s 16: little of the data; but with less there would be too little of lists, too.
    const auto traced = start_straced({"-s", "16"}, {program, "--port", "0"});
    const Endpoint endpoint{parse_address("127.0.0.1", traced->port()).value(), long_enough};
    Record record{{}, {}, false, traced->pid()};
    wait_for_rest(record.main);
    three_clients(endpoint, record.main, record);
    one_that_reads_late(endpoint, record.main, record);
    wait_for_rest(record.main);
    std::istringstream lines(traced->finish());
    record.calls = parse_strace(lines);
    return record;
}

} // namespace

const Record& record_of(const Chapter& chapter) {
    static std::map<int, Record> records;
    const auto found = records.find(chapter.number);
    if (found != records.end()) return found->second;
    return records.emplace(chapter.number, make_record(chapter.program)).first->second;
}
