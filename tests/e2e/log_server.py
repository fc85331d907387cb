#!/usr/bin/env python3
"""A log server on loopback for the tests of log drivers: writes each message that it gets as one line.

usage: log_server.py FORM ADDRESS OUTPUT [CERTIFICATE KEY]
FORM     lines, fluentd, gelf or journald
ADDRESS  tcp:PORT, tls:PORT (with the files of a certificate and its key), udp:PORT, unix:PATH or unixgram:PATH; port 0 takes a free one
OUTPUT   a file; OUTPUT.address has the address once it listens
"""
import json
import os
import socket
import ssl
import struct
import sys
import threading
import zlib

FORM, ADDRESS, OUTPUT = sys.argv[1:4]
out = open(OUTPUT, "w", buffering=1)
lock = threading.Lock()


def tell(text):
    with lock:
        out.write(text + "\n")


class Short(Exception):
    """The message is not whole yet."""


class Unpacker:
    """As much of MessagePack as the forward protocol needs."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise Short
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def value(self):
        kind = self.number(1)
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return self.map(kind & 15)
        if kind < 0xa0:
            return [self.value() for _ in range(kind & 15)]
        if kind < 0xc0:
            return self.take(kind & 31).decode(errors="replace")
        if kind in (0xd9, 0xda, 0xdb):
            return self.take(self.number(1 << (kind - 0xd9))).decode(errors="replace")
        if kind in (0xcc, 0xcd, 0xce, 0xcf):
            return self.number(1 << (kind - 0xcc))
        if kind in (0xd2, 0xd3):
            return self.number(4 if kind == 0xd2 else 8)
        if kind == 0xd7:  # an EventTime
            self.take(1)
            return self.number(4) + self.number(4) / 1e9
        if kind == 0xde:
            return self.map(self.number(2))
        raise ValueError(hex(kind))

    def map(self, count):
        return {self.value(): self.value() for _ in range(count)}


def take_fluentd(data, connection):
    while data:
        unpacker = Unpacker(data)
        try:
            tag, time, record, option = unpacker.value()
        except Short:
            break
        data = data[unpacker.at:]
        tell(json.dumps({"tag": tag, "time": time, **record}, sort_keys=True))
        if "chunk" in option:
            chunk = option["chunk"].encode()
            connection.sendall(b"\x81\xa3ack\xd9" + bytes([len(chunk)]) + chunk)
    return data


def take_ended(data, end):
    *whole, rest = data.split(end)
    for message in whole:
        tell(message.decode(errors="replace"))
    return rest


chunks = {}


def gelf_datagram(data):
    if data[:2] == b"\x1e\x0f":
        name, number, count = data[2:10], data[10], data[11]
        chunks.setdefault(name, {})[number] = data[12:]
        if len(chunks[name]) < count:
            return
        parts = chunks.pop(name)
        data = b"".join(parts[i] for i in range(count))
    if data[:1] != b"{":
        data = zlib.decompress(data, 47)
    tell(data.decode())


def journal_datagram(data):
    fields = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, (size,) = line, struct.unpack("<Q", data[:8])
            value, data = data[8:8 + size], data[9 + size:]
        fields[name.decode()] = value.decode(errors="replace")
    tell(json.dumps(fields, sort_keys=True))


def serve(connection, security):
    data = b""
    if security:
        try:
            connection = security.wrap_socket(connection, server_side=True)
        except OSError as error:
            return tell(f"handshake: {error}")
    while True:
        more = connection.recv(65536)
        if not more:
            return
        data += more
        if FORM == "fluentd":
            data = take_fluentd(data, connection)
        else:
            data = take_ended(data, b"\0" if FORM == "gelf" else b"\n")


def main():
    network, place = ADDRESS.split(":", 1)
    datagrams = network in ("udp", "unixgram")
    local = network.startswith("unix")
    security = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if network == "tls" else None
    if security:
        security.load_cert_chain(*sys.argv[4:6])
    server = socket.socket(socket.AF_UNIX if local else socket.AF_INET,
                           socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(place if local else ("127.0.0.1", int(place)))
    if not datagrams:
        server.listen(10)
    where = place if local else "127.0.0.1:%d" % server.getsockname()[1]
    with open(OUTPUT + ".tmp", "w") as file:
        file.write(f"{network}://{where}")
    os.rename(OUTPUT + ".tmp", OUTPUT + ".address")
    while True:
        if not datagrams:
            threading.Thread(target=serve, args=(server.accept()[0], security), daemon=True).start()
            continue
        data = server.recv(1 << 20)
        if FORM == "gelf":
            gelf_datagram(data)
        elif FORM == "journald":
            journal_datagram(data)
        else:
            tell(data.decode(errors="replace").rstrip("\n"))


main()
