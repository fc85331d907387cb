#!/usr/bin/env python3
"""Stands in for systemd's manager behind a message bus: units are cgroups, what it is asked goes to a file, a line each.

usage: systemd.py SOCKET FILE [--fail RESULT]     Says "listening" when it does.
It knows the calls of org.freedesktop.systemd1(5) that a runtime makes; with --fail jobs that start a unit end with that result.
"""
import os
import signal
import socket
import struct
import sys
import threading
import time

ERROR, SIGNAL = 3, 4
ROOTS = [root for root in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup") if os.path.exists(root + "/cgroup.procs")]
units = {}


class Reader:
    """Little-endian values, by their types' signature."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def align(self, size):
        self.at += -self.at % size

    def fixed(self, form, size):
        self.align(size)
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += size
        return value

    def take(self, size):
        self.at += size + 1
        return self.data[self.at - size - 1:self.at - 1].decode()

    def one(self, signature):
        """A value of the first type in the signature, and the rest of that."""
        kind, rest = signature[0], signature[1:]
        if kind == "y":
            return self.fixed("B", 1), rest
        if kind in "bu":
            return self.fixed("I", 4), rest
        if kind == "t":
            return self.fixed("Q", 8), rest
        if kind in "so":
            return self.take(self.fixed("I", 4)), rest
        if kind == "g":
            return self.take(self.fixed("B", 1)), rest
        if kind == "v":
            return self.one(self.one("g")[0])[0], rest
        if kind == "a":
            length, values = self.fixed("I", 4), []
            self.align(8 if rest[0] in "(t{" else 1 if rest[0] in "yg" else 4)
            end, after = self.at + length, self.skip(rest)
            while self.at < end:
                values.append(self.one(rest)[0])
            assert self.at == end, "an array ends within a value"
            return values, after
        assert kind == "(", kind
        self.align(8)
        values = []
        while rest[0] != ")":
            value, rest = self.one(rest)
            values.append(value)
        return tuple(values), rest[1:]

    @staticmethod
    def skip(signature):
        if signature[0] == "a":
            return Reader.skip(signature[1:])
        if signature[0] != "(":
            return signature[1:]
        depth = 0
        for i, kind in enumerate(signature):
            depth += (kind == "(") - (kind == ")")
            if depth == 0:
                return signature[i + 1:]
        raise ValueError(signature)

    def all(self, signature):
        values = []
        while signature:
            value, signature = self.one(signature)
            values.append(value)
        return values


def text(value, long=True):
    return struct.pack("<I" if long else "<B", len(value)) + value.encode() + b"\0"


def pad(data, size):
    return data + b"\0" * (-len(data) % size)


def message(kind, serial, fields, signature="", body=b""):
    packed = b""
    for code, form, value in fields + ([(8, "g", signature)] if signature else []):
        # The code and the signature of one type are four bytes: what is aligned to four follows at once.
        packed = pad(packed, 8) + struct.pack("<B", code) + text(form, False)
        packed += text(value, False) if form == "g" else struct.pack("<I", value) if form == "u" else text(value)
    head = struct.pack("<cBBBIII", b"l", kind, 1, 1, len(body), serial, len(packed)) + packed
    return pad(head, 8) + body


def strings(*values):
    body = b""
    for value in values:
        body = pad(body, 4) + text(value)
    return body


def cgroups(slice_name, unit):
    path, prefix = "", ""
    for part in slice_name.removesuffix(".slice").split("-"):
        prefix += part
        path += f"/{prefix}.slice"
        prefix += "-"
    return [root + path + "/" + unit for root in ROOTS]


class Peer:
    def __init__(self, connection, told, fail):
        self.connection, self.told, self.fail, self.serial, self.matched = connection, told, fail, 0, set()

    def tell(self, line):
        with open(self.told, "a") as out:
            out.write(line + "\n")

    def send(self, kind, fields, signature="", body=b""):
        self.serial += 1
        self.connection.sendall(message(kind, self.serial, fields, signature, body))

    def job(self, reply_to, unit, result):
        """The answer, and the news that the job is done; in the wrong order now and then, as it happens."""
        path = f"/org/freedesktop/systemd1/job/{self.serial}"
        news = ([(1, "o", "/org/freedesktop/systemd1"), (2, "s", "org.freedesktop.systemd1.Manager"), (3, "s", "JobRemoved")], "uoss",
                struct.pack("<I", self.serial) + strings(path, unit, result))
        assert self.matched == {"AddMatch", "Subscribe"}, "nobody asked for news of jobs"
        early = self.serial % 2 == 0
        if early:
            self.send(SIGNAL, *news)
        self.send(2, [(5, "u", reply_to)], "o", strings(path))
        if not early:
            self.send(SIGNAL, *news)

    def refuse(self, reply_to, name, why):
        self.send(ERROR, [(5, "u", reply_to), (4, "s", "org.freedesktop." + name)], "s", strings(why))

    def call(self, serial, member, values):
        if member == "StartTransientUnit":
            unit, mode, properties, _ = values
            named = dict(properties)
            self.tell(f"start {unit} {mode}")
            for name, value in properties:
                self.tell(f"  {name}={value}")
            if self.fail:
                return self.job(serial, unit, self.fail)
            units[unit] = cgroups(named["Slice"], unit)
            for path in units[unit]:
                os.makedirs(path, exist_ok=True)
                for pid in named["PIDs"]:
                    with open(path + "/cgroup.procs", "w") as procs:
                        procs.write(str(pid))
            return self.job(serial, unit, "done")
        if member == "StopUnit":
            unit = values[0]
            self.tell(f"stop {unit}")
            if unit not in units:
                return self.refuse(serial, "systemd1.NoSuchUnit", f"Unit {unit} not loaded.")
            for path in units.pop(unit):
                for _ in range(100):
                    with open(path + "/cgroup.procs") as procs:
                        pids = procs.read().split()
                    if not pids:
                        break
                    for pid in pids:
                        os.kill(int(pid), signal.SIGTERM)
                    time.sleep(0.02)
                os.rmdir(path)
            return self.job(serial, unit, "done")
        if member == "SetUnitProperties":
            self.tell(f"set {values[0]} {values[1]}")
            for name, value in values[2]:
                self.tell(f"  {name}={value}")
            return self.send(2, [(5, "u", serial)])
        if member == "Get":
            return self.send(2, [(5, "u", serial)], "v", pad(text("s", False), 4) + text("252.39-1"))
        if member in ("AddMatch", "Subscribe"):
            self.matched.add(member)
        if member == "ResetFailedUnit":
            return self.refuse(serial, "systemd1.NoSuchUnit", f"Unit {values[0]} not loaded.")
        return self.send(2, [(5, "u", serial)], *(("s", strings(":1.7")) if member == "Hello" else ()))

    def serve(self):
        stream = self.connection.makefile("rb")
        assert stream.read(1) == b"\0"
        claim = stream.readline().decode().split()
        assert claim[:2] == ["AUTH", "EXTERNAL"] and bytes.fromhex(claim[2]).decode() == str(os.geteuid()), claim
        self.connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        assert stream.readline() == b"BEGIN\r\n"
        while head := stream.read(16):
            body_size, serial, fields_size = struct.unpack("<III", head[4:])
            fields = Reader(head + stream.read(fields_size + -fields_size % 8))
            fields.at = 12
            named = dict(fields.one("a(yv)")[0])
            body = Reader(stream.read(body_size))
            values = body.all(named.get(8, ""))
            assert body.at == body_size, "more in the body than its signature says"
            self.call(serial, named[3], values)


def main():
    path, told = sys.argv[1:3]
    fail = sys.argv[4] if len(sys.argv) > 4 else ""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    print("listening", flush=True)
    while True:
        threading.Thread(target=Peer(listener.accept()[0], told, fail).serve, daemon=True).start()


main()
