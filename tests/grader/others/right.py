#!/usr/bin/env python3
"""Right echo servers, as Python's own libraries have them. Usage: right.py KIND PORT"""
import asyncio
import os
import select
import selectors
import signal
import socket
import socketserver
import sys
import threading
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


def double_fork():  # the grandchild is nobody's child, so nobody need wait for it
    listener = socket.create_server(address, backlog=4096)
    while True:
        client, _ = listener.accept()
        if (child := os.fork()) == 0:
            listener.close()
            if os.fork() == 0:
                serve(client)
            os._exit(0)
        client.close()
        os.waitpid(child, 0)


def prefork(listen):  # eight processes; each serves a client to its end, so this is level 01
    for _ in range(8):
        if os.fork() == 0:
            with listen() as listener:
                while True:
                    serve(listener.accept()[0])
    while True:
        signal.pause()


def preforked():
    listener = socket.create_server(address)
    prefork(lambda: listener)


def reuse_port():  # each of them has a queue of its own, and the kernel distributes the clients
    prefork(lambda: socket.create_server(address, reuse_port=True))


def polls():  # right at level 04, wrong at 05: poll looks at all of them each time
    listener = socket.create_server(address, backlog=4096)
    poll, clients, unsent = select.poll(), {}, {}
    poll.register(listener, select.POLLIN)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                try:
                    client, _ = listener.accept()
                except OSError:
                    time.sleep(0.02)
                    continue
                client.setblocking(False)
                clients[client.fileno()], unsent[client.fileno()] = client, b""
                poll.register(client, select.POLLIN)
                continue
            client = clients[number]
            try:
                data = unsent[number] or client.recv(65536)
                unsent[number] = data[client.send(data):]
            except BlockingIOError:
                unsent[number] = data
            except OSError:
                data = b""
            if data:
                poll.modify(client, select.POLLOUT if unsent[number] else select.POLLIN)
            else:
                poll.unregister(client)
                clients.pop(number).close()


def blocking_pool():  # wrong from level 04 on: four clients that never read keep all of its four workers
    listener = socket.create_server(address, backlog=4096)
    poller, clients = select.epoll(), {}

    def work():
        while True:
            for number, _ in poller.poll(maxevents=1):
                try:
                    data = clients[number].recv(16384)
                    clients[number].sendall(data)
                except OSError:
                    data = b""
                if data:
                    poller.modify(number, select.EPOLLIN | select.EPOLLONESHOT)
                else:
                    clients.pop(number).close()

    for _ in range(4):
        threading.Thread(target=work, daemon=True).start()
    while True:
        client, _ = listener.accept()
        clients[client.fileno()] = client
        poller.register(client, select.EPOLLIN | select.EPOLLONESHOT)


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


class Protocol(asyncio.Protocol):
    drains = True

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        if self.drains:
            self.transport.pause_reading()

    def resume_writing(self):
        if self.drains:
            self.transport.resume_reading()


class NoDrain(Protocol):  # wrong: what a client does not take is kept, however much it is
    drains = False


async def serve_protocol(protocol):
    server = await asyncio.get_running_loop().create_server(protocol, *address)
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
elif issubclass(type(server := globals()[kind]), type) and issubclass(server, Protocol):
    asyncio.run(serve_protocol(server))
elif isinstance(server, type):
    with server(address, Echo) as running:
        running.serve_forever()
else:
    server()
