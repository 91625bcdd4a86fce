#!/usr/bin/env python3
"""Wrong echo servers, each with one fault, for the grader to find. Usage: wrong.py FAULT PORT [SIZE]"""
import os
import signal
import socket
import struct
import sys
import threading
import time

fault, port = sys.argv[1], int(sys.argv[2])


def hard_coded(client):
    while client.recv(65536):
        client.sendall(b"hello\n")


def drops_a_byte(client):
    count = 0
    while data := client.recv(65536):
        count += len(data)
        client.sendall(data[:-1] if count > 100000 else data)


def text_only(client):
    while data := client.recv(65536):
        client.sendall(data.split(b"\0")[0])


def whole_lines(client):
    for line in client.makefile("rb"):
        client.sendall(line)


def short_write(client):
    while data := client.recv(65536):
        client.setblocking(False)
        try:
            client.send(data)
        except BlockingIOError:
            pass
        client.setblocking(True)


def ignores_the_end(client):
    while True:
        data = client.recv(65536)
        client.sendall(data)
        if not data:
            time.sleep(0.01)


def closes_at_half_close(client):
    data = b""
    while piece := client.recv(65536):
        data += piece
        if len(data) < 100:
            client.sendall(data)
            data = b""
    client.close()


def unbounded(client):
    unsent = []
    ready = threading.Condition()

    def sender():
        while True:
            with ready:
                while not unsent:
                    ready.wait()
                piece = unsent.pop(0)
            if piece is None:
                client.shutdown(socket.SHUT_WR)
                return
            client.sendall(piece)

    threading.Thread(target=sender, daemon=True).start()
    while True:
        data = client.recv(65536)
        with ready:
            unsent.append(data or None)
            ready.notify()
        if not data:
            return


def mixes_clients_up(client):
    global last
    while data := client.recv(65536):
        client.sendall(last if len(data) > 5000 and last else data)
        last = data


def crashes(client):
    client.recv(1)
    os.abort()


def endless(client):
    client.recv(65536)
    while True:
        client.sendall(bytes(65536))


def ends_in_the_line(client):
    client.sendall(client.recv(65536)[:3])


def good(client):
    while data := client.recv(65536):
        client.sendall(data)


def spins(client):
    client.setblocking(False)
    while True:
        try:
            data = client.recv(65536)
        except BlockingIOError:
            continue
        if not data:
            return
        client.setblocking(True)
        client.sendall(data)
        client.setblocking(False)


def idle_close(client):  # a client that thinks for a second is thrown out
    client.settimeout(1)
    good(client)


def word(ends):  # as in many a tutorial
    def serve_until_word(client):
        while data := client.recv(65536):
            if ends(data):
                break
            client.sendall(data)

    return serve_until_word


quit = word(lambda data: data.startswith(b"quit"))
exit = word(lambda data: data.strip() == b"exit" and os._exit(0))  # one client ends the server for all
ctrl_c = word(lambda data: b"\x03" in data)
ctrl_d = word(lambda data: b"\x04" in data)
empty_line = word(lambda data: data in (b"\n", b"\r\n"))


def get(client):
    while data := client.recv(65536):
        if data.startswith(b"GET "):
            client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            return
        client.sendall(data)


def nagle(client):  # two small writes: 40 ms each time
    while data := client.recv(65536):
        client.sendall(data[:1])
        client.sendall(data[1:])


def slow(client):
    while data := client.recv(65536):
        if len(data) < 1000:
            time.sleep(0.04)
        client.sendall(data)


def no_loop(client):
    while data := client.recv(int(sys.argv[3])):
        client.send(data)


def leak_message(client):
    while data := client.recv(65536):
        kept.append(bytes(100))
        client.sendall(data)


def leak_client(client):
    kept.append(bytearray(b"x" * 1024))
    good(client)


last = b""
one_at_a_time = fault.startswith("one_at_a_time")
serve = globals().get(fault, good)
serve = serve if callable(serve) else good


def serve_quietly(client, number):
    try:
        serve(client)
    except OSError:
        pass
    if fault == "linger_0":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if fault == "one_at_a_time_closes_listener":
        listener.close()
    if fault == "leaks" or fault == "leaks_every_tenth" and number % 10 == 0:
        kept.append(client)
    else:
        client.close()


kept, served = [], 0
if fault == "slow_start":
    time.sleep(10)
if fault == "other_port":
    port = 0
if fault == "floods":
    print("x" * (20 << 20), flush=True)
    threading.Thread(target=lambda: [print("x" * 1000) for _ in iter(int, 1)], daemon=True).start()
if fault == "ignores_sigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if fault == "exit_status":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
if fault == "leaves_a_child" and os.fork() == 0:
    os.setsid()
    time.sleep(1000)
if fault == "wakes_up":
    threading.Thread(target=lambda: [time.sleep(0.001) for _ in iter(int, 1)], daemon=True).start()
listener = socket.socket()
if not fault.endswith("no_reuseaddr"):
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    listener.bind(("" if fault.endswith("any_address") else "127.0.0.1", port))
except OSError:
    if not fault.endswith("bind_unchecked"):
        raise
listener.listen(5 if fault == "short_backlog" else 4096)
while True:
    try:
        accepted, _ = listener.accept()
    except OSError:
        time.sleep({"emfile_sleeps_a_second": 1, "emfile_sleeps_half": 0.5}.get(fault, 0.05))
        continue
    served += 1
    if fault == "helper_with_listener" and served == 1 and os.fork() == 0:  # a log's process, say
        accepted.close()
        signal.pause()
    if fault == f"dies_at_{served}":
        os.abort()
    if fault == "short_backlog":
        time.sleep(0.01)
    if one_at_a_time:
        serve_quietly(accepted, served)
    else:
        threading.Thread(target=serve_quietly, args=(accepted, served), daemon=True).start()
        accepted = None
