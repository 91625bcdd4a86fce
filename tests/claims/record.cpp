#include "tests/claims/record.h"

#include <algorithm>
#include <csignal>
#include <map>

#include "tests/support/straced.h"

const TraceEvent* Record::find(const Wanted& wanted, const TraceEvent* after) const {
    const auto from = after == nullptr ? calls.begin() : calls.begin() + (after - calls.data()) + 1;
    const auto found = std::find_if(from, calls.end(), wanted);
    return found == calls.end() ? nullptr : &*found;
}

const TraceEvent* Record::find(const std::string& beginning, const std::string& part, const TraceEvent* after) const {
    const auto is_wanted = [&](const TraceEvent& call) {
        return call.text().starts_with(beginning) && call.text().find(part) != std::string::npos;
    };
    return find(is_wanted, after);
}

namespace {

/// Three clients come while the server is stopped, so that they queue; then each gets a line back and leaves.
void three_clients(const Endpoint& endpoint, pid_t server, Record& record) {
    kill(server, SIGSTOP);
    wait_until("that strace has stopped it", [&] { return process_state(server) == 't'; });
    std::vector<Client> clients = connect_clients(endpoint, 3);
    for (const Client& client : clients) record.clients.push_back(port_of(client.address()));
    record.queued = eventually([&] { return accept_queue(endpoint) == clients.size(); });
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
    const std::size_t sent = send_and_never_read(client, server);
    client.receive(sent);
    client.finish_sending();
    client.receive_all();
}

Record make_record(const std::string& program) {
    // -s 16: little of the data; but with less there would be too little of lists, too.
    Straced traced({"-s", "16"}, program);
    Record record{{}, {}, false, traced.pid()};
    wait_for_rest(record.main);
    three_clients(traced.endpoint(), record.main, record);
    one_that_reads_late(traced.endpoint(), record.main, record);
    wait_for_rest(record.main);
    record.calls = read_strace(traced.finish());
    return record;
}

} // namespace

const Record& record_of(const Chapter& chapter) {
    static std::map<int, Record> records;
    if (!records.contains(chapter.number)) records.emplace(chapter.number, make_record(chapter.program));
    return records.at(chapter.number);
}
