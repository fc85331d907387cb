#!/usr/bin/env python3
"""A small object store that speaks what the registry needs of Amazon's S3 protocol, kept in memory. It checks every signature, and refuses what
the real one refuses: parts that are too small, copies onto themselves that change nothing.
usage: object_store.py ADDRESS-FILE   (listens on a free port of 127.0.0.1 and writes host:port there)
The bucket is "bucket", the key "id", its secret "secret". /fail?n=N lets the next N requests fail with 503.
"""
import hashlib
import hmac
import http.server
import os
import sys
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

BUCKET, KEY, SECRET, LEAST = "bucket", "id", "secret", 5 << 20
objects, uploads, lock, failures = {}, {}, threading.Lock(), [0]
quote = lambda text: urllib.parse.quote(text, safe="-_.~")


class Refused(Exception):
    def __init__(self, status, code):
        self.status, self.code = status, code


def sign(handler, path, query, body):
    """Amazon's Signature Version 4, as its documentation has it."""
    given = handler.headers.get("Authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        raise Refused(403, "AccessDenied")
    parts = dict(part.strip().split("=", 1) for part in given.split(" ", 1)[1].split(","))
    key, date, region, service, end = parts["Credential"].split("/")
    digest = hashlib.sha256(body).hexdigest()
    if handler.headers["x-amz-content-sha256"] != digest:
        raise Refused(400, "XAmzContentSHA256Mismatch")
    names = parts["SignedHeaders"].split(";")
    for name in handler.headers:
        if name.lower().startswith("x-amz-") and name.lower() not in names:
            raise Refused(403, "AccessDenied")
    canonical = "\n".join([handler.command, path, "&".join(f"{quote(k)}={quote(v)}" for k, v in sorted(query.items())),
                           "".join(f"{name}:{handler.headers[name].strip()}\n" for name in names), parts["SignedHeaders"], digest])
    text = "\n".join(["AWS4-HMAC-SHA256", handler.headers["x-amz-date"], f"{date}/{region}/{service}/{end}",
                      hashlib.sha256(canonical.encode()).hexdigest()])
    secret = ("AWS4" + SECRET).encode()
    for part in (date, region, service, end):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    if key != KEY or hmac.new(secret, text.encode(), hashlib.sha256).hexdigest() != parts["Signature"]:
        raise Refused(403, "SignatureDoesNotMatch")


def tag(data):
    return '"' + hashlib.md5(data).hexdigest() + '"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def serve(self):
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/fail":
            failures[0] = int(query["n"])
            return self.answer(200)
        try:
            if failures[0] > 0:
                failures[0] -= 1
                raise Refused(503, "SlowDown")
            sign(self, path, query, body)
            bucket, _, key = urllib.parse.unquote(path)[1:].partition("/")
            if bucket != BUCKET:
                raise Refused(404, "NoSuchBucket")
            with lock:
                answer = getattr(self, "do_" + self.command.lower())(key, query, body)
            self.answer(*answer)  # without the lock: a client that reads slowly holds nobody up
        except Refused as refused:
            self.answer(refused.status, f"<Error><Code>{refused.code}</Code><Message>no</Message></Error>".encode())

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def find(self, key):
        if key not in objects:
            raise Refused(404, "NoSuchKey")
        return objects[key]

    def source(self):
        return urllib.parse.unquote(self.headers["x-amz-copy-source"])[len(BUCKET) + 2:]

    def do_get(self, key, query, _):
        if not key:
            return 200, self.listing(query).encode()
        data = self.find(key)[0]
        if "Range" in self.headers:
            first, last = self.headers["Range"][6:].split("-")
            if int(first) >= len(data):
                raise Refused(416, "InvalidRange")
            return 206, data[int(first):int(last) + 1]
        return 200, data

    def do_head(self, key, *_):
        data, when = self.find(key)
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(when))
        return 200, b"", (("Content-Length", str(len(data))), ("Last-Modified", stamp))

    def do_delete(self, key, query, _):
        (uploads.pop(query["uploadId"], None) if "uploadId" in query else objects.pop(key, None))
        return (204,)

    def do_put(self, key, query, body):
        if "x-amz-copy-source" in self.headers:
            if self.source() == key and self.headers.get("x-amz-metadata-directive") != "REPLACE":
                raise Refused(400, "InvalidRequest")
            body = self.find(self.source())[0]
        if "uploadId" in query:
            if query["uploadId"] not in uploads:
                raise Refused(404, "NoSuchUpload")
            uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            objects[key] = (body, time.time())
        if "x-amz-copy-source" in self.headers:
            return 200, f"<CopyResult><ETag>{escape(tag(body))}</ETag></CopyResult>".encode()
        return 200, b"", (("ETag", tag(body)),)

    def do_post(self, key, query, body):
        if "uploads" in query:
            upload = os.urandom(8).hex()
            uploads[upload] = {}
            return 200, f"<Result><UploadId>{upload}</UploadId></Result>".encode()
        if query["uploadId"] not in uploads:
            raise Refused(404, "NoSuchUpload")
        parts = [data for _, data in sorted(uploads[query["uploadId"]].items())]
        if body.count(b"<PartNumber>") != len(parts) or any(tag(part).encode() not in body for part in parts):
            raise Refused(400, "InvalidPart")
        if any(len(part) < LEAST for part in parts[:-1]):
            raise Refused(400, "EntityTooSmall")
        del uploads[query["uploadId"]]
        objects[key] = (b"".join(parts), time.time())
        return 200, b"<Result></Result>"

    def listing(self, query):
        prefix, most, out, seen = query.get("prefix", ""), 7, [], set()  # pages are small, so that there are several
        names = [name for name in sorted(objects) if name.startswith(prefix) and name > query.get("continuation-token", "")]
        last = ""
        for count, name in enumerate(names):
            rest, delimiter = name[len(prefix):], query.get("delimiter")
            if delimiter and delimiter in rest:
                folder = prefix + rest[:rest.index(delimiter) + 1]
                if folder not in seen and not query.get("continuation-token", "").startswith(folder):
                    seen.add(folder)
                    out.append(f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>")
            else:
                data, when = objects[name]
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(when))
                out.append(f"<Contents><Key>{escape(name)}</Key><LastModified>{stamp}</LastModified><Size>{len(data)}</Size></Contents>")
            last = name
            if count + 1 == most:
                break
        more = len(names) > most
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(out)}</ListBucketResult>"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
with open(sys.argv[1] + ".new", "w") as out:
    out.write("127.0.0.1:%d" % server.server_port)
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
