#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker in Python that speaks perch's channel: it greets each client with its generation.

    perch run --listen /tmp/hello.sock --handover channel -- ./channel_worker.py
"""
import os
import selectors
import socket

channel = socket.socket(fileno=int(os.environ.pop("PERCH_CHANNEL")))
channel.setblocking(False)
channel.send(b"HELLO=1\n")
loop = selectors.DefaultSelector()
loop.register(channel, selectors.EVENT_READ)
listeners = {}
draining = False


def serve(listener):
    while True:
        try:  # another generation may have taken the connection: the listener never blocks
            client, _ = listener.accept()
        except BlockingIOError:
            return
        with client:
            client.sendall(b"hello from %s\n" % os.environb.get(b"PERCH_GENERATION", b"?"))


while not draining:
    for key, _ in loop.select():
        if key.fileobj is not channel:
            serve(key.fileobj)
            continue
        text, fds, _, _ = socket.recv_fds(channel, 65536, 253)
        message = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
        for name, fd in zip(message.get("LISTEN_FDNAMES", "").split(":"), fds):
            listeners[name] = socket.socket(fileno=fd)
            loop.register(listeners[name], selectors.EVENT_READ)
            channel.send(b"READY=1\n")
        if message.get("RETIRE") == "1":
            retired = listeners.pop(message["FDNAME"])
            loop.unregister(retired)
            serve(retired)  # nobody new can connect, but some may wait
            retired.close()
        draining = not text or message.get("DRAIN") == "1"  # no text: perch is gone
