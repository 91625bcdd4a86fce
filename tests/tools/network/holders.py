"""Clients that stay: IDLE ones, which have got one answer and say no more, and BUSY ones, which send without end and read
slowly, so that there are always answers on their way. Usage: holders.py HOST PORT IDLE BUSY"""
import socket
import sys
import threading
import time

host, port, idle, busy = sys.argv[1], *map(int, sys.argv[2:])


def send_without_end(connection):
    while True:
        connection.sendall(bytes(1 << 16))


def hold(is_busy):
    connection = socket.create_connection((host, port))
    connection.sendall(b"hi\n")
    connection.recv(3)
    if is_busy:
        threading.Thread(target=send_without_end, args=(connection,), daemon=True).start()
    while is_busy:
        connection.recv(1 << 14)
        time.sleep(0.02)
    threading.Event().wait()


for i in range(idle + busy):
    threading.Thread(target=hold, args=(i >= idle,), daemon=True).start()
threading.Event().wait()
