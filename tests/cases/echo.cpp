// Every byte comes back, in order, until the client closes.
#include "tests/cases/case.h"
#include "tests/support/crowd.h"
#include "tests/support/sockets.h"

namespace {

/// A server that listens on 127.0.0.1 only does not answer at 127.0.0.2.
void remark_on_other_addresses(Subject& subject) {
    try {
        const Client elsewhere({parse_address("127.0.0.2", port_of(subject.endpoint().address)).value()});
        subject.remark("It listens on all addresses, so anyone who can reach this machine can talk to it. Give bind "
                       "127.0.0.1 (INADDR_LOOPBACK) unless that is what you want.");
    } catch (const Failed&) { // refused, as it should be
    }
}

void one_line(Subject& subject) {
    {
        Client client = subject.served_client();
        client.expect_echo("and again\n");
    }
    remark_on_other_addresses(subject);
}

void two_halves(Subject& subject) {
    Client client = subject.connect();
    client.expect_echo("hel");
    client.expect_echo("lo\n");
}

void half_close(Subject& subject) {
    Client client = subject.connect();
    const std::string data = random_bytes(200000, 3);
    client.send(data);
    client.finish_sending();
    const std::string back = client.receive_all();
    expect(back == data, "sent 200,000 bytes, closed its writing side, then read", "all of them, then the end of file",
           difference(data, back));
}

void half_close_slow_reader(Subject& subject) {
    Client client = subject.connect(4096);
    const std::string data = random_bytes(3 << 20, 4);
    const std::size_t sent = client.send_until_stuck(data);
    client.finish_sending();
    const std::string expected = repeated(data, sent);
    const std::string back = client.receive_all();
    expect(back == expected, text("sent ", sent, " bytes until there was no room, closed its writing side, then read"),
           "all of them, then the end of file", difference(expected, back));
}

/// Small packets and a small window make the server's send buffer small, too; and the client reads little at a time.
void drop_by_drop(Subject& subject) {
    Client client = subject.connect(1, 200); // 1 stands for the least that the kernel grants
    const std::string data = random_bytes(1 << 18, 14);
    client.send(data);
    client.finish_sending();
    std::string back;
    for (std::string piece = client.receive_some(4096); !piece.empty(); piece = client.receive_some(4096)) {
        back += piece;
        pause_a_millisecond();
    }
    expect(back == data, "sent 256 KiB, closed its writing side, then read at most 4 KiB at a time, slowly",
           "all of it, then the end of file", difference(data, back));
}

void nothing_at_all(Subject& subject) {
    Client client = subject.connect();
    client.finish_sending();
    const std::string back = client.receive_all();
    expect(back.empty(), "closed its writing side without a byte", "the end of file", "'" + back + "'");
}

void one_after_the_other(Subject& subject) {
    for (int i = 0; i < 20; ++i) {
        Client client = subject.connect();
        client.expect_echo(text("client ", i, "\n"));
    }
}

void in_order_of_arrival(Subject& subject) {
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

} // namespace

std::vector<Case> echo_cases() {
    return {
        {"one line", "a line comes back, and the next one", one_line,
         Lesson{
             "An echo server that echoes: everything else builds on this.",
             "Read what has come, and write the same bytes back, no more and no less, before you wait for the next. Is "
             "the answer still in a buffer that is not flushed?",
             "read(2) gives how many bytes came; write(2) takes exactly that many."}},
        {"every byte value", "1 MiB of every byte value comes back unchanged",
         [](Subject& subject) { exchange(subject.endpoint(), random_bytes(1 << 20, 1)); },
         Lesson{
             "Data is bytes, not text: a 0 byte is data like any other.",
             "Is the data treated as text somewhere? Write as many bytes as were read, and not up to the first 0 byte. "
             "(Or do two threads read from the same connection?)",
             "read(2) returns the count. strlen(3), strcpy(3) and std::string(char*) stop at the first 0."}},
        {"a lot both ways", "16 MiB come back while more is still being sent",
         [](Subject& subject) { exchange(subject.endpoint(), random_bytes(16 << 20, 2)); },
         Lesson{"A write may take only a part. A server that forgets the unsent bytes loses data, but only under load.",
                "What happens to the bytes that a write did not take? And to what comes in the meantime?",
                "write(2) returns how many bytes it took: go on from there. On a non-blocking socket EAGAIN means not "
                "now; keep the unsent bytes and wait for EPOLLOUT, epoll_ctl(2), or select's write set."}},
        {"two halves", "the first half of a message is answered before the second is sent", two_halves,
         Lesson{
             "TCP carries a stream of bytes: where a message ends is not its business, and one read may bring a part.",
             "Does the server wait for a full line or a full buffer before it answers?",
             "read(2) returns what has arrived, at least one byte. recv(2) with MSG_WAITALL, fgets(3) and std::getline "
             "wait for more."}},
        {"half-close", "after the client's end of file all that it sent still comes back, then the server closes",
         half_close,
         Lesson{"A client may say that it is done and still want its answers: `printf hi | nc -N` does just that.",
                "Read gave 0. Has everything been written back before the connection is closed?",
                "read(2) gives 0 when the client has shut down its writing side, shutdown(2); its reading side is "
                "still open. close(2) comes after the last write."}},
        {"half-close, slow reader", "the same when the client reads only after there was no room left",
         half_close_slow_reader,
         Lesson{"The client has finished sending, but it still wants everything that it has not got yet.",
                "The client's end came while there was unsent data. Close only when that is gone.",
                "close(2) drops nothing that write(2) has taken; but what write did not take is still yours. Wait for "
                "room with epoll_wait(2) or select(2), or in a blocking write(2)."}},
        {"drop by drop", "the same when the way back is narrow: what did not fit takes several writes", drop_by_drop,
         Lesson{"What one write left over, the next may again take only in part. Servers have had a wrong offset here "
                "for years.",
                "Where does the second write of the same unsent bytes begin?",
                "write(2) returns how much it took each time: add it up, and go on from there."}},
        {"nothing at all", "a client that sends nothing gets nothing, and the end", nothing_at_all,
         Lesson{"End of file is no data, so it must not be answered, only closed.",
                "The first read gives 0. Is the connection closed then?",
                "read(2) gives 0 at the end; then close(2)."}},
        {"one after the other", "when a client has left, the next one is served", one_after_the_other,
         Lesson{"Serving one client is a program, serving the next one as well is a server.",
                "When a client has left, does the server come back to accept?",
                "accept(2) in a loop, and close(2) on each client's descriptor."}},
        {"in order of arrival", "waiting clients are served in the order in which they came", in_order_of_arrival,
         Lesson{"The kernel queues the clients that wait, first come first served.",
                "Do waiting clients get lost? Is the backlog long enough for three? Does a thread get the address of a "
                "variable that the next accept overwrites?",
                "listen(2) sets how many may wait, accept(2) takes the first of them."}},
        {"fifty clients", "50 clients get 5 MiB each back at the same time, sent in random pieces, byte for byte",
         [](Subject& subject) { exchange_at_once(subject.endpoint(), 50, 5 << 20); },
         Lesson{"Each client's bytes go back to that client, in order, whatever the others do meanwhile.",
                "Do the clients share a buffer, a place where unsent data is kept, or a variable whose address their "
                "threads get? Is part of a write forgotten under load?",
                "Each connection needs its own unsent bytes. write(2) may take a part; the rest goes first the next "
                "time."}},
    };
}
