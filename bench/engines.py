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
import hashlib
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
        self.name, self.prefix, self.work = name, shlex.split(command), work

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
    def fill(folder):
        for i in range(7000):
            os.makedirs(f"{folder}/src/{i // 100}", exist_ok=True)
            with open(f"{folder}/src/{i // 100}/{i}", "wb") as out:
                out.write(os.urandom(24 << 10))
    if not engine("images", "-q", "bench-big"):
        folder = context(engine, "big", f"FROM {IMAGE}\nCOPY src /src\n", fill)
        engine("build", "-q", "-t", "bench-big", folder)
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


@case
def load_new(engine):
    """Of an image that is not there."""
    image = big_image(engine)
    path = save(engine, image)
    engine("rmi", "-f", image)
    return timed(lambda: load(engine, path))


def gigabyte_archive(work):
    """`docker save` of an image of 10^9 bytes in 40,000 files, in two layers."""
    path = os.path.join(work, "gigabyte.tar")
    if os.path.exists(path):
        return path

    def add(archive, name, data):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))

    layers = []
    for number in range(2):
        layers.append(os.path.join(work, f"layer{number}.tar"))
        with tarfile.open(layers[-1], "w") as layer:
            for i in range(20_000):
                add(layer, f"data/{number}/{i // 200}/{i}", os.urandom(25_000))
    digests = []
    for layer in layers:
        with open(layer, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]}}
    manifest = [{"Config": "config.json", "RepoTags": ["bench-gigabyte:latest"],
                 "Layers": [os.path.basename(layer) for layer in layers]}]
    with tarfile.open(path, "w") as archive:
        for layer in layers:
            archive.add(layer, os.path.basename(layer))
            os.unlink(layer)
        add(archive, "config.json", json.dumps(config).encode())
        add(archive, "manifest.json", json.dumps(manifest).encode())
    return path


@case
def load_1g(engine):
    """10^9 bytes of files that are not there: 2500 ms are 400 MB/s."""
    path = gigabyte_archive(engine.work)
    engine.forget("bench-gigabyte")
    os.sync()  # what was written before is not this case's
    try:
        return timed(lambda: load(engine, path))
    finally:
        engine.forget("bench-gigabyte")


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
    """An image of a registry, into a store that has nothing of it."""
    name = pulled_image(engine.work)
    engine.forget(name)
    os.sync()
    try:
        return timed(lambda: engine.over_http("pull", "-q", name))
    finally:
        engine.forget(name)


def pulled_image(work):
    """SKIFF_BENCH_IMAGE, or one in a registry of ours, pushed there by the first engine, which is Skiff: as bench-debian, but
    for one file, so that nobody has its layer."""
    global PULLED
    if not PULLED:
        PULLED = STACK.enter_context(registry(work)) + "/bench/pulled"
        path = shutil.copy(os.environ["SKIFF_BENCH_ROOTFS"], os.path.join(work, "pulled.tar"))
        with tarfile.open(path, "a") as rootfs:
            rootfs.addfile(tarfile.TarInfo("pulled"))
        with open(path, "rb") as rootfs:
            FIRST[0]("import", "-", PULLED, stdin=rootfs)
        FIRST[0].over_http("push", "-q", PULLED)
    return PULLED


PULLED = os.environ.get("SKIFF_BENCH_IMAGE", "")
STACK = contextlib.ExitStack()  # what ends with the last case
FIRST = []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("engines", nargs="+")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="skiff-bench-")
    engines = [Engine(*text.split("=", 1), work) for text in options.engines]
    FIRST.append(engines[0])
    wanted = options.only.split(",") if options.only else list(CASES)
    figures = {}
    try:
        for name in wanted:
            samples = {engine.name: [] for engine in engines}
            for _ in range(options.runs if "build" not in name else max(3, options.runs // 2)):
                for engine in engines:
                    try:
                        samples[engine.name].append(CASES[name](engine))
                    except RuntimeError as error:
                        print(f"!! {name}: {error}", file=sys.stderr)
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
