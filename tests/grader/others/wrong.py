#!/usr/bin/env python3
"""Wrong echo servers, each with one fault, for the grader to find. Usage: wrong.py FAULT PORT"""
import os
import signal
import socket
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


last = b""
one_at_a_time = fault == "one_at_a_time"
serve = good if one_at_a_time else globals().get(fault, good)


def serve_quietly(client):
    try:
        serve(client)
    except OSError:
        pass
    if fault != "leaks":
        client.close()
    else:
        kept.append(client)


kept = []
if fault == "slow_start":
    time.sleep(10)
if fault == "other_port":
    port = 0
if fault == "floods":
    print("x" * (2 << 20), flush=True)
    threading.Thread(target=lambda: [print("x" * 1000) for _ in iter(int, 1)], daemon=True).start()
if fault == "ignores_sigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if fault == "leaves_a_child" and os.fork() == 0:
    os.setsid()
    time.sleep(1000)
listener = socket.create_server(("127.0.0.1", port), backlog=2000)
while True:
    try:
        accepted, _ = listener.accept()
    except OSError:
        time.sleep(0.1)
        continue
    if one_at_a_time:
        serve_quietly(accepted)
    else:
        threading.Thread(target=serve_quietly, args=(accepted,), daemon=True).start()
        accepted = None
