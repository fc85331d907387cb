#!/usr/bin/env python3
"""Times whole commands of Skiff, and of the peers that are there, in turn.

usage: engines.py [--runs N] [--only CASE,...] [--json FILE] NAME=COMMAND ...

COMMAND is a command line prefix such as `docker` or `build/release/bin/skiff -H unix:///x`. Every engine needs an
image called bench-busybox, and bench-debian for push, of the tar SKIFF_BENCH_ROOTFS (bench/run makes them).
pull and push speak with `skiff registry serve` on loopback (SKIFF_BIN has the program). Runs go A B A B, so that a slow moment of the machine
hits all engines alike. Prints the median in ms for each case and the ratio to the first engine.
"""
import argparse
import concurrent.futures
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

IMAGE = "bench-busybox"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Engine:
    def __init__(self, name, command, work):
        self.name, self.prefix, self.work, self.run = name, shlex.split(command), work, 0

    def __call__(self, *arguments, stdin=None, stdout=subprocess.PIPE):
        done = subprocess.run(self.prefix + list(arguments), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                              env=dict(os.environ, DOCKER_BUILDKIT="0", DOCKER_CLI_HINTS="false"))
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode()[-400:]}")
        return done.stdout.decode().strip() if done.stdout else ""

    def over_http(self, verb, *arguments):
        """pull or push of a registry without TLS, which the others find out by themselves on loopback."""
        return self(verb, *(["--tls-verify=false"] if "podman" in self.name else []), *arguments)

    def forget(self, *images):
        subprocess.run(self.prefix + ["rmi", "-f", *images], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def detached(self, *arguments):
        return self("run", "-d", IMAGE, *arguments).splitlines()[-1]


def timed(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


@case
def run_bridge(engine):
    return timed(lambda: engine("run", "--rm", IMAGE, "true"))


@case
def run_none(engine):
    return timed(lambda: engine("run", "--rm", "--network", "none", IMAGE, "true"))


@case
def exec_true(engine):
    container = engine.detached("sleep", "100")
    try:
        return statistics.median(timed(lambda: engine("exec", container, "true")) for _ in range(5))
    finally:
        engine("rm", "-f", container)


@case
def rm_running(engine):
    container = engine.detached("sleep", "100")
    return timed(lambda: engine("rm", "-f", container))


@case
def start20_by4(engine):
    containers = []

    def all_of_them():
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            containers.extend(pool.map(lambda _: engine.detached("sleep", "100"), range(20)))

    try:
        return timed(all_of_them)
    finally:
        engine("rm", "-f", *containers)


@case
def ps_20(engine):
    containers = [engine("create", IMAGE, "true").splitlines()[-1] for _ in range(20)]
    try:
        return statistics.median(timed(lambda: engine("ps", "-a")) for _ in range(5))
    finally:
        engine("rm", "-f", *containers)


def context(engine, name, dockerfile, fill=None):
    folder = os.path.join(engine.work, f"{name}-{engine.name}")
    if not os.path.isdir(folder):
        os.makedirs(folder)
        with open(os.path.join(folder, "Dockerfile"), "w") as out:
            out.write(dockerfile)
        if fill:
            fill(folder)
    return folder


def ten_runs(engine):
    return context(engine, "ten", f"FROM {IMAGE}\n" + "".join(f"RUN echo {i} > /f{i}\n" for i in range(10)))


@case
def build_10_runs(engine):
    folder = ten_runs(engine)
    return timed(lambda: engine("build", "-q", "--no-cache", "-t", "bench-ten", folder))


@case
def build_cached(engine):
    folder = ten_runs(engine)
    engine("build", "-q", "-t", "bench-ten", folder)
    return timed(lambda: engine("build", "-q", "-t", "bench-ten", folder))


@case
def build_5000_files(engine):
    def fill(folder):
        for i in range(5000):
            os.makedirs(f"{folder}/src/{i // 100}", exist_ok=True)
            with open(f"{folder}/src/{i // 100}/{i}", "wb") as out:
                out.write(os.urandom(2048))
    folder = context(engine, "files", f"FROM {IMAGE}\nCOPY src /src\n", fill)
    return timed(lambda: engine("build", "-q", "--no-cache", "-t", "bench-files", folder))


@case
def build_256mb(engine):
    def fill(folder):
        with open(f"{folder}/blob", "wb") as out:
            out.write(os.urandom(256 << 20))
    folder = context(engine, "blob", f"FROM {IMAGE}\nCOPY blob /blob\n", fill)
    return timed(lambda: engine("build", "-q", "--no-cache", "-t", "bench-blob", folder))


def big_image(engine):
    """160 MB in 7000 files, as a Debian has them."""
    if not engine("images", "-q", "bench-big"):
        path = os.path.join(engine.work, "big.tar")
        if not os.path.exists(path):
            with tarfile.open(path, "w") as archive:
                for i in range(7000):
                    add(archive, f"src/{i // 100}/{i}", os.urandom(24 << 10))
        with open(path, "rb") as archive:
            engine("import", "-", "bench-big", stdin=archive)
    return "bench-big"


def save(engine, image):
    path = os.path.join(engine.work, f"saved-{engine.name}.tar")
    with open(path, "wb") as out:
        engine("save", image, stdout=out)
    return path


def load(engine, path):
    with open(path, "rb") as archive:
        return engine("load", stdin=archive)


@case
def logs_200k(engine):
    name = "bench-logs"
    try:
        return timed(lambda: engine("run", "--name", name, IMAGE, "sh", "-c", f"yes {'0123456789' * 7} | head -200000"))
    finally:
        engine("rm", "-f", name)


@case
def cp_256mb(engine):
    container = engine("create", "bench-blob", "true").splitlines()[-1]
    try:
        return timed(lambda: engine("cp", f"{container}:/blob", os.path.join(engine.work, "blob.out")))
    finally:
        engine("rm", "-f", container)


@case
def save_and_load(engine):
    """Of an image that is there already, as the figures of the design mean it."""
    image = big_image(engine)
    return timed(lambda: load(engine, save(engine, image)))


class Archive:
    """`docker save` of an image that nobody has, and of another one with the same files after each renew(). Images of
    earlier runs stay meanwhile: ext4 is slow for minutes where many files were deleted, which would be all that is measured."""

    def __init__(self, work, name, layers, files, size):
        self.name, self.path, self.markers = name, os.path.join(work, f"{name}.tar"), []
        with tarfile.open(self.path, "w") as archive:
            for number in range(layers):
                layer = os.path.join(work, f"layer{number}.tar")
                with tarfile.open(layer, "w") as tar:
                    add(tar, "marker", bytes(16))
                    for i in range(files // layers):
                        add(tar, f"data/{number}/{i // 200}/{i}", os.urandom(size))
                archive.add(layer, os.path.basename(layer))
                os.unlink(layer)
            self.end = archive.offset
        with tarfile.open(self.path) as archive:
            self.layers = [(member.name, member.offset_data, member.size) for member in archive]

    def renew(self):
        digests = []
        with open(self.path, "r+b") as file:
            for _, start, size in self.layers:
                file.seek(start + tarfile.BLOCKSIZE)  # the marker's data
                file.write(os.urandom(16))
                file.seek(start)
                digest = hashlib.sha256()
                for at in range(0, size, 1 << 20):
                    digest.update(file.read(min(1 << 20, size - at)))
                digests.append(f"sha256:{digest.hexdigest()}")
            file.truncate(self.end)
            file.seek(self.end)
            config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": digests}}
            manifest = [{"Config": "config.json", "RepoTags": [f"{self.name}:{digests[0][-12:]}"],
                         "Layers": [name for name, _, _ in self.layers]}]
            with tarfile.open(fileobj=file, mode="w") as archive:
                add(archive, "config.json", json.dumps(config).encode())
                add(archive, "manifest.json", json.dumps(manifest).encode())
        os.sync()  # what was written before is not what is timed
        return manifest[0]["RepoTags"][0]


def add(archive, name, data):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def load_of(engine, *archive):
    if archive[0] not in ARCHIVES:
        ARCHIVES[archive[0]] = Archive(engine.work, *archive)
    STACK.callback(engine.forget, ARCHIVES[archive[0]].renew())
    return timed(lambda: load(engine, ARCHIVES[archive[0]].path))


@case
def load_new(engine):
    """160 MB in 7,000 files, that are not there."""
    return load_of(engine, "bench-new", 1, 7_000, 24 << 10)


@case
def load_1g(engine):
    """10^9 bytes in 40,000 files, that are not there: 2500 ms are 400 MB/s."""
    return load_of(engine, "bench-gigabyte", 2, 40_000, 25_000)


@contextlib.contextmanager
def registry(work):
    """A registry that has nothing, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    root = tempfile.mkdtemp(dir=work)
    program = os.path.join(os.environ.get("SKIFF_BIN", "build/release/bin"), "skiff")
    process = subprocess.Popen([program, "registry", "serve", "--listen", address, "--root", root],
                               stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(address.split(":")):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root)


@case
def push(engine):
    """An image to a registry that has nothing of it."""
    with registry(engine.work) as address:
        name = f"{address}/bench/debian"
        engine("tag", "bench-debian", name)
        try:
            return timed(lambda: engine.over_http("push", "-q", name))
        finally:
            engine("rmi", name)


@case
def pull(engine):
    """An image of a registry that nobody has."""
    name = pulled_image(engine)  # that nobody has
    STACK.callback(engine.forget, name)
    os.sync()
    return timed(lambda: engine.over_http("pull", "-q", name))


def pulled_image(engine):
    """The run's own image in a registry: the tar SKIFF_BENCH_ROOTFS and one more file, so that nobody has its layer."""
    if "registry" not in PULLED:
        PULLED["registry"] = STACK.enter_context(registry(engine.work))
        with open(os.environ["SKIFF_BENCH_ROOTFS"], "rb") as rootfs:
            PULLED["tar"] = rootfs.read().rstrip(b"\0")
        PULLED["tar"] += bytes(-len(PULLED["tar"]) % tarfile.BLOCKSIZE)
        PULLED["gzip"] = gzip.compress(PULLED["tar"], 6)
    name = f"bench/pulled:{engine.run}"
    if name not in PULLED:
        more = io.BytesIO()
        with tarfile.open(fileobj=more, mode="w") as archive:
            add(archive, "marker", os.urandom(16))
        diff_id = hashlib.sha256(PULLED["tar"] + more.getvalue()).hexdigest()
        put_image(PULLED["registry"], name, PULLED["gzip"] + gzip.compress(more.getvalue()), diff_id)
        PULLED[name] = f"{PULLED['registry']}/{name}"
    return PULLED[name]


def put_image(address, name, layer, diff_id):
    """An image of one layer, in the way of the distribution specification."""
    repository, tag = name.split(":")
    connection = http.client.HTTPConnection(address)

    def call(method, path, body=b"", **headers):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return answer.headers.get("Location")

    def blob(content, media_type):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        place = call("POST", f"/v2/{repository}/blobs/uploads/")
        call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]}}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type,
                "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [blob(layer, "application/vnd.oci.image.layer.v1.tar+gzip")]}
    call("PUT", f"/v2/{repository}/manifests/{tag}", json.dumps(manifest), **{"Content-Type": media_type})


PULLED = {}
ARCHIVES = {}
STACK = contextlib.ExitStack()  # what ends with each case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("engines", nargs="+")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="skiff-bench-")
    engines = [Engine(*text.split("=", 1), work) for text in options.engines]
    wanted = options.only.split(",") if options.only else list(CASES)
    figures = {}
    try:
        for name in wanted:
            samples = {engine.name: [] for engine in engines}
            os.sync()
            for run in range(options.runs if "build" not in name else max(3, options.runs // 2)):
                for engine in engines:
                    engine.run = run
                    try:
                        samples[engine.name].append(CASES[name](engine))
                    except RuntimeError as error:
                        print(f"!! {name}: {error}", file=sys.stderr)
            STACK.close()
            PULLED.clear()
            medians = {who: statistics.median(values) if values else float("nan") for who, values in samples.items()}
            first = medians[engines[0].name]
            print(f"{name:18}" + "  ".join(
                f"{who} {value:9.1f} ms" + (f" (x{value / first:.1f})" if who != engines[0].name else "")
                for who, value in medians.items()), flush=True)
            figures[name] = medians
    finally:
        STACK.close()
        shutil.rmtree(work)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(figures, out, indent=2)


if __name__ == "__main__":
    main()
