#!/usr/bin/env python3
"""Times whole commands of Skiff, and of the peers that are there, in turn.

usage: engines.py [--runs N] [--only CASE,...] [--json FILE] NAME=COMMAND ...

COMMAND is a command line prefix such as `docker` or `build/release/bin/skiff -H unix:///x`. Every engine needs an
image called bench-busybox (bench/run makes it). Runs go A B A B, so that a slow moment of the machine
hits all engines alike. Prints the median in ms for each case and the ratio to the first engine.
"""
import argparse
import concurrent.futures
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
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

    def __call__(self, *arguments):
        done = subprocess.run(self.prefix + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=dict(os.environ, DOCKER_BUILDKIT="0", DOCKER_CLI_HINTS="false"))
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} {' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode()[-400:]}")
        return done.stdout.decode().strip()

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
    path = os.path.join(engine.work, "saved.tar")
    return timed(lambda: (engine("save", "-o", path, big_image(engine)), engine("load", "-i", path)))


@case
def load_new(engine):
    """Of an image that is not there."""
    path = os.path.join(engine.work, "saved.tar")
    image = big_image(engine)
    engine("save", "-o", path, image)
    engine("rmi", "-f", image)
    return timed(lambda: engine("load", "-i", path))


def pull(engine):
    """An image from a registry into a store that has nothing of it."""
    subprocess.run(engine.prefix + ["rmi", "-f", PULLED], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return timed(lambda: engine("pull", "-q", PULLED))


# A registry is not everywhere: SKIFF_BENCH_IMAGE names what is pulled, "localhost:5000/debian:bookworm".
PULLED = os.environ.get("SKIFF_BENCH_IMAGE", "")
if PULLED:
    case(pull)


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
        shutil.rmtree(work)
    if options.json:
        with open(options.json, "w") as out:
            json.dump(figures, out, indent=2)


if __name__ == "__main__":
    main()
