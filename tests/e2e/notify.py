#!/usr/bin/env python3
"""Stands in for a service manager: listens at a datagram socket and writes what it is told to a file, a line each.

usage: notify.py SOCKET FILE       (SOCKET: a path, or @NAME)
Descriptors that come along are closed at once, as a manager does that has come to the message (sd_notify_barrier(3)). Says
"listening" when it does.
"""
import os
import socket
import sys

name, target = sys.argv[1:]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + name[1:] if name.startswith("@") else name)
print("listening", flush=True)
with open(target, "a") as out:
    while True:
        text, descriptors, _, _ = socket.recv_fds(manager, 4096, 16)
        out.write(text.decode().rstrip("\n") + (f" +{len(descriptors)} descriptor" if descriptors else "") + "\n")
        out.flush()
        for descriptor in descriptors:
            os.close(descriptor)
