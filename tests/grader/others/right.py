#!/usr/bin/env python3
"""Right echo servers, as Python's own libraries have them. Usage: right.py KIND PORT"""
import asyncio
import os
import selectors
import signal
import socket
import socketserver
import sys
import time
from concurrent.futures import ThreadPoolExecutor

kind, port = sys.argv[1], int(sys.argv[2])
address = ("127.0.0.1", port)


def serve(client):
    with client:
        try:
            while data := client.recv(65536):
                client.sendall(data)
        except ConnectionError:
            pass


def one_at_a_time():  # the backlog is 128, the default
    with socket.create_server(address) as listener:
        while True:
            serve(listener.accept()[0])


def pool_of_64():  # right at level 01; at 02 the 65th silent client keeps everyone waiting
    listener = socket.create_server(address, backlog=4096)
    with ThreadPoolExecutor(64) as pool:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                time.sleep(0.05)
            else:
                pool.submit(serve, client)


def os_fork():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.create_server(address, backlog=4096)
    while True:
        client, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            serve(client)
            os._exit(0)
        client.close()


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Forking(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 4096
    max_children = 100000


class Threading(socketserver.ThreadingTCPServer):  # out of descriptors it spins, which is wrong from level 02 on
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096


class ThreadingAsItIs(socketserver.ThreadingTCPServer):  # its backlog is 5, which is wrong from level 02 on
    allow_reuse_address = True
    daemon_threads = True


async def echo_stream(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def asyncio_streams():
    async with await asyncio.start_server(echo_stream, *address) as server:
        await server.serve_forever()


def forty_ms_per_piece():  # wrong, and so slow that fifty clients with 5 MiB each would take ten minutes
    with selectors.DefaultSelector() as selector, socket.create_server(address, backlog=4096) as listener:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                    continue
                try:
                    data = key.fileobj.recv(16384)
                    time.sleep(0.04)
                    key.fileobj.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


if kind == "asyncio_streams":
    asyncio.run(asyncio_streams())
elif isinstance(server := globals()[kind], type):
    with server(address, Echo) as running:
        running.serve_forever()
else:
    server()
