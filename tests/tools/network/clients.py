#!/usr/bin/env python3
"""N clients, each with bytes of its own. When all are connected it says so, and waits until standard input ends. Then they
send at the same time, close their sending side, read to the end, and compare. It says what was wrong, and how often.
Usage: clients.py HOST PORT N BYTES LIMIT    (LIMIT: seconds without a byte)"""
import collections
import random
import socket
import sys
import threading

host, port, count, size, limit = sys.argv[1], *map(int, sys.argv[2:])
wrong = collections.Counter()


def send(connection, data):
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # then the reading side has an error as well, and counts it


def echo(seed, connection):
    data = random.Random(seed).randbytes(size)
    back = bytearray()
    threading.Thread(target=send, args=(connection, data), daemon=True).start()
    try:
        while part := connection.recv(1 << 16):
            back += part
        if back != data:
            wrong["other bytes" if data[: len(back)] != back else "the end too early"] += 1
    except OSError as error:
        wrong[f"{error} after {len(back)} of {size} bytes"] += 1


connections = [socket.create_connection((host, port), timeout=limit) for _ in range(count)]
print("connected", flush=True)
sys.stdin.read()
clients = [threading.Thread(target=echo, args=client) for client in enumerate(connections)]
for client in clients:
    client.start()
for client in clients:
    client.join()
print("; ".join(f"{times} x {what}" for what, times in wrong.items()), end="")
