// Every byte comes back, in order, until the client closes.
#include "tests/cases/case.h"
#include "tests/support/crowd.h"

namespace {

void one_line(Subject& subject) {
    subject.start();
    Client client = subject.connect();
    client.expect_echo("hello\n");
    client.expect_echo("and again\n");
}

void every_byte_value(Subject& subject) {
    subject.start();
    subject.connect().exchange(random_bytes(1 << 20, 1));
}

void a_lot_both_ways(Subject& subject) {
    subject.start();
    subject.connect().exchange(random_bytes(16 << 20, 2));
}

void two_halves(Subject& subject) {
    subject.start();
    Client client = subject.connect();
    client.expect_echo("hel");
    client.expect_echo("lo\n");
}

void half_close(Subject& subject) {
    subject.start();
    Client client = subject.connect();
    const std::string data = random_bytes(200000, 3);
    client.send(data);
    client.finish_sending();
    const std::string back = client.receive_all();
    expect(back == data, "sent 200,000 bytes, closed its writing side, then read", "all of them, then the end of data",
           difference(data, back));
}

void half_close_slow_reader(Subject& subject) {
    subject.start();
    Client client = subject.connect(4096);
    const std::string data = random_bytes(3 << 20, 4);
    const std::size_t sent = client.send_until_stuck(data);
    client.finish_sending();
    std::string expected;
    while (expected.size() < sent) expected += data.substr(0, sent - expected.size());
    const std::string back = client.receive_all();
    expect(back == expected, text("sent ", sent, " bytes until there was no room, closed its writing side, then read"),
           "all of them, then the end of data", difference(expected, back));
}

void nothing_at_all(Subject& subject) {
    subject.start();
    Client client = subject.connect();
    client.finish_sending();
    const std::string back = client.receive_all();
    expect(back.empty(), "closed its writing side without a byte", "the end of data", "'" + back + "'");
}

void one_after_the_other(Subject& subject) {
    subject.start();
    for (int i = 0; i < 20; ++i) {
        Client client = subject.connect();
        client.expect_echo(text("client ", i, "\n"));
    }
}

void in_order_of_arrival(Subject& subject) {
    subject.start();
    Client first = subject.connect();
    Client second = subject.connect();
    Client third = subject.connect();
    third.send("third\n");
    second.send("second\n");
    first.expect_echo("first\n");
    first.close();
    expect(second.receive(7) == "second\n", "came second", "its line, once the first has left", "another");
    second.close();
    expect(third.receive(6) == "third\n", "came third", "its line, once the two before have left", "another");
}

void fifty_clients(Subject& subject) {
    subject.start();
    exchange_at_once(subject.endpoint(), 50, 5 << 20);
}

} // namespace

std::vector<Case> echo_cases() {
    return {
        {"one line", "a line comes back, and the next one", one_line},
        {"every byte value", "1 MiB of every byte value comes back unchanged", every_byte_value},
        {"a lot both ways", "16 MiB come back while more is still being sent", a_lot_both_ways},
        {"two halves", "the first half of a message is answered before the second is sent", two_halves},
        {"half-close", "after the client's end of data all that it sent still comes back, then the server closes",
         half_close},
        {"half-close, slow reader", "the same when the client reads only after there was no room left",
         half_close_slow_reader},
        {"nothing at all", "a client that sends nothing gets nothing, and the end", nothing_at_all},
        {"one after the other", "when a client has left, the next one is served", one_after_the_other},
        {"in order of arrival", "waiting clients are served in the order in which they came", in_order_of_arrival},
        {"fifty clients", "50 clients at once get 5 MiB each back, sent in random pieces, byte for byte",
         fifty_clients},
    };
}
