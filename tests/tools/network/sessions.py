#!/usr/bin/env python3
"""N clients, each with one session after the other, until a line comes: it connects, sends twenty messages and
gets each back, closes its sending side and waits for the end. Usage: sessions.py HOST PORT N
Prints "READY" when each client has got an answer, and at the end the number of whole sessions, of lost ones (with what
was lost in them) and the longest time that a client which lost nothing has waited for an answer."""
import collections
import os
import socket
import sys
import threading
import time

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
over = threading.Event()
ready = threading.Barrier(count + 1)
whole, lost, longest, total = 0, collections.Counter(), 0.0, 0
lock = threading.Lock()


def session(first):
    global whole, longest, total
    waited, step = 0.0, "connecting"
    try:
        with socket.create_connection((host, port), timeout=30) as connection:
            for _ in range(20):
                step = "a message"
                data = os.urandom(3000)
                begin = time.monotonic()
                connection.sendall(data)
                back = b""
                while len(back) < len(data):
                    part = connection.recv(1 << 16)
                    if not part:
                        raise OSError("the end")
                    back += part
                waited = max(waited, time.monotonic() - begin)
                if back != data:
                    raise OSError("other bytes")
                if first:
                    ready.wait()
                    first = False
                time.sleep(0.02)
            step = "half-close"
            connection.shutdown(socket.SHUT_WR)
            if connection.recv(1):
                raise OSError("more bytes")
        with lock:
            whole, longest, total = whole + 1, max(longest, waited), total + 20 * 3000
    except OSError as error:
        with lock:
            lost[f"{error} at {step}"] += 1


def client():
    session(True)
    while not over.is_set():
        session(False)


threads = [threading.Thread(target=client) for _ in range(count)]
for thread in threads:
    thread.start()
ready.wait()
print("READY", flush=True)
sys.stdin.readline()
over.set()
for thread in threads:
    thread.join()
print(f"{count} clients, {whole} sessions whole ({total // 1000000} MB), {sum(lost.values())} lost, "
      f"longest wait {longest * 1000:.0f} ms")
for what, times in lost.items():
    print(f"    {times} x {what}")
