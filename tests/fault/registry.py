#!/usr/bin/env python3
"""Kills `skiff registry serve` with SIGKILL 30 times at random instants, while clients push, delete and resume.
After every restart: what was acknowledged is there byte by byte, what was deleted stays away, every tag leads to an image that is whole, and
interrupted uploads go on where the registry says they stand.
"""
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, Failure, check  # noqa: E402

ROUNDS = int(os.environ.get("SKIFF_KILL9_ROUNDS", "30"))
seed = int(os.environ.get("SKIFF_KILL9_SEED", str(int(time.time()))))
TYPE = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="skiff-fault-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen([f"{BIN}/skiff", "registry", "serve", "--listen", f"127.0.0.1:{self.port}",
                                             "--root", os.path.join(self.dir, "root")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for _ in range(400):
            try:
                if self.request("GET", "/healthz")[0] == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise Failure("the registry did not come up:\n" + open(os.path.join(self.dir, "log")).read()[-2000:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class Client(threading.Thread):
    """Pushes images into a repository of its own until the registry is gone, and notes what was acknowledged."""

    def __init__(self, registry, name):
        super().__init__()
        self.registry, self.name = registry, name
        self.random = random.Random(f"{seed}{name}{time.time()}")
        self.blobs, self.manifests, self.tags, self.deleted, self.uploads = {}, {}, {}, set(), {}
        self.in_doubt = set()  # tags whose change was not acknowledged
        self.error = None

    def run(self):
        try:
            while True:
                self.push_image()
        except (OSError, http.client.HTTPException):
            pass  # the blow has fallen
        except Failure as failure:
            self.error = failure

    def ask(self, wanted, method, path, body=None, headers=None):
        status, fields, data = self.registry.request(method, path, body, headers)
        check(status == wanted, f"{method} {path} answered {status}: {data[:200]}")
        return fields

    def push_blob(self, data):
        place = self.ask(202, "POST", f"/v2/{self.name}/blobs/uploads/")["Location"]
        self.uploads[place] = data
        cut = self.random.randrange(len(data) + 1) if self.random.random() < 0.5 else 0
        if cut:
            self.ask(202, "PATCH", place, data[:cut], {"Content-Range": f"0-{cut - 1}"})
        self.ask(201, "PUT", f"{place}?digest={digest(data)}", data[cut:])
        del self.uploads[place]
        self.blobs[digest(data)] = data
        return {"mediaType": "application/octet-stream", "digest": digest(data), "size": len(data)}

    def push_image(self):
        config = self.push_blob(json.dumps({"n": self.random.random()}).encode())
        layers = [self.push_blob(self.random.randbytes(self.random.choice((1, 5000, 300000)))) for _ in range(2)]
        data = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "config": config, "layers": layers}).encode()
        tag = f"t{self.random.randrange(5)}"
        self.in_doubt.add(tag)
        self.ask(201, "PUT", f"/v2/{self.name}/manifests/{tag}", data, {"Content-Type": TYPE})
        self.manifests[digest(data)] = data
        self.tags[tag] = digest(data)
        self.in_doubt.discard(tag)
        if self.random.random() < 0.2:
            victim = self.tags.pop(tag)
            self.in_doubt.add(tag)
            del self.manifests[victim]
            self.ask(202, "DELETE", f"/v2/{self.name}/manifests/{victim}")
            self.in_doubt.discard(tag)
            self.deleted.add(victim)


def get(registry, path):
    return registry.request("GET", path, headers={"Accept": TYPE})


def verify(registry, client):
    name = client.name
    for what, known in (("blobs", client.blobs), ("manifests", client.manifests)):
        for key, data in known.items():
            status, _, body = get(registry, f"/v2/{name}/{what}/{key}")
            check(status == 200 and body == data, f"{name}: {what} {key} was acknowledged and is {status}, {len(body)} bytes")
    for victim in client.deleted:
        check(get(registry, f"/v2/{name}/manifests/{victim}")[0] == 404, f"{name}: {victim} was deleted and is back")
    for tag, target in client.tags.items():
        if tag not in client.in_doubt:
            check(get(registry, f"/v2/{name}/manifests/{tag}")[1]["Docker-Content-Digest"] == target, f"{name}:{tag} has moved")
    status, _, body = get(registry, f"/v2/{name}/tags/list")
    for tag in json.loads(body)["tags"] if status == 200 else []:
        status, _, body = get(registry, f"/v2/{name}/manifests/{tag}")
        check(status == 200, f"{name}:{tag} is listed and answers {status}")
        for blob in [json.loads(body)["config"], *json.loads(body)["layers"]]:
            status, _, data = get(registry, f"/v2/{name}/blobs/{blob['digest']}")
            check(status == 200 and digest(data) == blob["digest"], f"{name}:{tag} is not whole")
    return resume(registry, client)


def resume(registry, client):
    """Ends the uploads that the blow has interrupted, from where the registry says they stand."""
    resumed = 0
    for place, data in client.uploads.items():
        status, fields, _ = registry.request("GET", place)
        if status == 404:
            continue  # it was whole, and only the answer was lost
        check(status == 204, f"{place} answers {status}")
        there = 0 if fields["Range"] == "0-0" else int(fields["Range"].split("-")[1]) + 1
        if fields["Range"] == "0-0":
            there = next(n for n in (0, 1) if registry.request("PATCH", place, b"", {"Content-Range": f"{n}-{n}"})[0] != 416)
        check(there <= len(data), f"{place} has {there} of {len(data)} bytes")
        status, _, body = registry.request("PUT", f"{place}?digest={digest(data)}", data[there:])
        check(status == 201, f"{place} resumed at {there} ends with {status}: {body}")
        resumed += 1
    return resumed


def main():
    random.seed(seed)
    registry = Registry()
    total = resumed = 0
    try:
        registry.start()
        history = []
        for number in range(ROUNDS):
            clients = [Client(registry, f"r{number}/c{i}") for i in range(4)]
            for client in clients:
                client.start()
            time.sleep(0.05 + random.random() * 0.4)
            registry.kill()
            for client in clients:
                client.join(60)
                if client.error:
                    raise client.error
            registry.start()
            for client in clients:
                resumed += verify(registry, client)
                client.uploads = {}
                total += len(client.blobs) + len(client.manifests)
            history.append(clients)
            for client in random.choice(history):
                verify(registry, client)
        left = os.listdir(os.path.join(registry.dir, "root", "tmp"))
        check(len(left) == 0, f"half-written files are left: {left}")
        print(f"{ROUNDS} kills survived, {total} acknowledged objects there, {resumed} uploads resumed (seed {seed})")
    except Failure as failure:
        print(f"seed {seed}: {failure}", file=sys.stderr)
        return 1
    finally:
        registry.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
