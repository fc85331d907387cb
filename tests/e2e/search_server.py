#!/usr/bin/env python3
"""A registry that can be searched, as Docker Hub can: GET /v1/_ping and /v1/search?q=TERM&n=LIMIT, on a loopback port.

usage: search_server.py PORT-FILE LOG-FILE

Its port is written to PORT-FILE; every request's line and credentials are added to LOG-FILE. What it finds is made up from the
term: "many" finds a hundred images, "none" none, "fails" is answered 500, "garbage" with what is no JSON, and "login" wants to know
who asks: user "user", password "secret".
"""
import base64, http.server, json, os, sys, urllib.parse

PORT_FILE, LOG_FILE = sys.argv[1:]
LOGIN = "Basic " + base64.b64encode(b"user:secret").decode()


def found(term, limit):
    if term == "none":
        return []
    if term == "many":
        return [{"name": f"many-{i:03}", "star_count": i, "description": ""} for i in range(limit)]
    return [
        {"name": f"someone/{term}", "description": "Second by stars,\nand said in\rmore words than a table has room for",
         "star_count": 12, "is_official": False, "is_automated": True},
        {"name": term, "description": "The <first> one", "star_count": 3000, "is_official": True, "is_automated": False},
        {"name": f"other/{term}", "description": "", "star_count": 0, "is_official": False},
    ]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(LOG_FILE, "a") as log:
            log.write(f"{self.path} {self.headers.get('Authorization', '-')}\n")
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/v1/_ping":
            return self.answer(200, "true")
        if url.path != "/v1/search":
            return self.answer(404, "404 page not found")
        term, limit = query.get("q", ""), int(query.get("n", "0"))
        if term == "fails":
            return self.answer(500, '{"errors":"not today"}')
        if term == "garbage":
            return self.answer(200, "<html>")
        if term == "login" and self.headers.get("Authorization") != LOGIN:
            return self.answer(401, '{"errors":"who are you"}')
        results = found(term, limit)
        self.answer(200, json.dumps({"query": term, "num_results": len(results), "results": results}))

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(PORT_FILE + ".new", "w") as file:
    file.write(str(server.server_address[1]))
os.rename(PORT_FILE + ".new", PORT_FILE)
server.serve_forever()
