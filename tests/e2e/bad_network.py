#!/usr/bin/env python3
"""A proxy in front of a registry that breaks what it is told to break.
usage: bad_network.py ADDRESS-FILE UPSTREAM-PORT [CERTIFICATE KEY [CLIENT-AUTHORITIES]]   (writes its host:port into the file;
listens on $BAD_NETWORK_ADDRESS, else on 127.0.0.1)
PUT /_break with JSON sets the rules, and forgets the requests; GET /_seen gives those that came since, as "METHOD PATH [Range] [auth]" a line.
A rule is {"match": REGEX of "METHOD PATH", "times": N, "do": WHAT, ...}; the first that fits and has times left is applied:
  status    answers "status" with "headers" and "body", without asking the registry
  drop      closes the connection before the answer
  head      closes it in the middle of the answer's head
  cut       closes it after "after" bytes of the answer's body
  stall     stops after "after" bytes of the body, and goes on when the client has gone or "seconds" are over
  flip      changes the byte at "after" of the body
  short     sends "after" bytes of the body and says that this is all
  garbage   answers what is not HTTP
  take      closes it after "after" bytes of the request's body
  lose      lets the registry do it, and closes before the answer
Without "times" a rule holds for ever. As a proxy (absolute addresses) it serves the same registry, whatever host is named.
"""
import http.client
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse

rules, seen, lock = [], [], threading.Lock()
PIECE = 64 << 10
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "server", "date"}


class Cut(Exception):
    """The connection is to be closed."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=None):
        self.send_response(status)
        if body.startswith(b"{"):  # as registries do, and without it Docker reads no list of errors
            headers = {"Content-Type": "application/json"} | (headers or {})
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def rule(self):
        line = f"{self.command} {self.path}"
        with lock:
            seen.append(line + "".join(" " + self.headers[name] for name in ("Range", "Authorization") if self.headers[name]))
            for rule in rules:
                if re.search(rule["match"], line) and rule.get("times", 1) > 0:
                    if "times" in rule:
                        rule["times"] -= 1
                    return rule
        return {"do": "pass"}

    def pieces(self):
        """The request's body as it comes."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                raise Cut
            left -= len(piece)
            yield piece

    def body(self, rule):
        whole = b""
        for piece in self.pieces():
            whole += piece
            if rule["do"] == "take" and len(whole) > rule["after"]:
                raise Cut
        if rule["do"] == "take":
            raise Cut
        return whole

    def control(self):
        if self.command == "PUT":
            with lock:
                rules[:] = json.loads(self.body({"do": "pass"}))
                seen.clear()
            return self.reply(204)
        with lock:
            return self.reply(200, ("\n".join(seen) + "\n").encode())

    def serve(self):
        if self.path.startswith("/_"):
            return self.control()
        if "://" in self.path:  # as a proxy
            self.path = "/" + self.path.split("://", 1)[1].partition("/")[2]
        rule = self.rule()
        try:
            self.answer(rule)
        except (Cut, BrokenPipeError, ConnectionResetError, socket.timeout):
            self.close_connection = True
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def answer(self, rule):
        what = rule["do"]
        if what == "status":
            self.body({"do": "pass"})
            return self.reply(rule["status"], rule.get("body", "").encode(), rule.get("headers"))
        if what == "drop":
            raise Cut
        if what == "garbage":
            self.wfile.write(b"SSH-2.0-nobody\r\n" * 3)
            raise Cut
        body = self.body(rule)
        upstream = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]), timeout=60)
        # Docker says what it accepts in several lines.
        headers = {name: ", ".join(self.headers.get_all(name)) for name in self.headers.keys() if name.lower() not in HOP}
        if isinstance(self.connection, ssl.SSLSocket):
            headers["X-Forwarded-Proto"] = "https"
        upstream.request(self.command, self.path, body if body or self.command in ("PUT", "POST", "PATCH") else None, headers)
        response = upstream.getresponse()
        data = response.read()
        upstream.close()
        if what == "lose":
            raise Cut
        if what == "flip":
            data = data[: rule["after"]] + bytes([data[rule["after"]] ^ 1]) + data[rule["after"] + 1 :]
        if what == "short":
            data = data[: rule["after"]]
        self.send(rule, response, data)

    def send(self, rule, response, data):
        self.send_response(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        length = response.getheader("Content-Length", "0") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length))
        if rule["do"] == "head":
            self.wfile.write(b"".join(self._headers_buffer)[:-30])
            raise Cut
        self.end_headers()
        if self.command == "HEAD":
            return
        if rule["do"] in ("cut", "stall"):
            self.wfile.write(data[: rule["after"]])
            self.wfile.flush()
            if rule["do"] == "cut":
                raise Cut
            self.connection.settimeout(rule["seconds"])
            try:
                self.connection.recv(1)
            except TimeoutError:
                pass
            data = data[rule["after"] :]
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that does not believe our certificate


def main():
    address = os.environ.get("BAD_NETWORK_ADDRESS", "127.0.0.1")
    server = Server((address, 0), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        if len(sys.argv) > 5:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(sys.argv[5])
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(sys.argv[1] + ".new", "w") as out:
        out.write(f"{address}:{server.server_address[1]}")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
