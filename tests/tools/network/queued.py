#!/usr/bin/env python3
"""N clients connect to a port on which several servers listen, and send a line each. Usage, as one of two:
queued.py PORT N connect PID PID    waits for all answers, and prints how many connections each of the servers has
queued.py PORT N end PID            kills the stopped server PID while clients are in its queue, and prints how many of
                                    all clients get an answer"""
import os
import signal
import socket
import sys

port, count, what, servers = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], [int(pid) for pid in sys.argv[4:]]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def answered(client):
    try:
        client.sendall(b"hello")
        return client.recv(5) == b"hello"
    except OSError:
        return False


before = [descriptors(pid) for pid in servers]
clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]
if what == "end":
    os.kill(servers[0], signal.SIGKILL)
    print(sum(answered(client) for client in clients))
else:
    assert all(answered(client) for client in clients)
    print(*(descriptors(pid) - old for pid, old in zip(servers, before)), sep=" and ")
