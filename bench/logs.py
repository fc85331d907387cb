#!/usr/bin/env python3
"""Times what containers write to their logs, and how soon `logs` shows the first line of a large one.

usage: logs.py [--runs N] [--megabytes N] NAME=COMMAND ...     (as engines.py; bench/run makes the image)

Writing is timed by the engine's own clock, from the start of the program to its end, without the command line and
the start of the container; the measure beside it is a bare copy of as much through a pipe into a file. Reading is
timed by ours, from calling the command line to the first byte.
"""
import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

import engines

DRIVERS = ("local", "json-file")
MEGABYTES = 256
LINE = b"0123456789" * 9 + b"abcdefghi\n"
IMAGE = "bench-lines"


def image(engine):
    """bench-busybox and a large file of lines."""
    def fill(folder):
        with open(f"{folder}/lines", "wb") as out:
            for _ in range(MEGABYTES):
                out.write(LINE * ((1 << 20) // len(LINE)))
    folder = engines.context(engine, "lines", f"FROM {engines.IMAGE}\nCOPY lines /lines\n", fill)
    engine("build", "-q", "-t", IMAGE, folder)
    return os.path.join(folder, "lines")


def moment(text):
    return datetime.datetime.fromisoformat(text.rstrip("Z")[:26].ljust(26, "0"))


def ran_for(engine, driver, *program):
    """Milliseconds between the start and the end of a container."""
    container = engine("run", "-d", "--network", "none", "--log-driver", driver, IMAGE, *program).splitlines()[-1]
    try:
        engine("wait", container)
        state = json.loads(engine("inspect", container))[0]["State"]
        return (moment(state["FinishedAt"]) - moment(state["StartedAt"])).total_seconds() * 1000
    finally:
        engine("rm", "-f", container)


def bare_copy(source):
    with tempfile.NamedTemporaryFile() as target:
        return engines.timed(lambda: subprocess.run(f"cat {source} | cat >{target.name}", shell=True, check=True))


def first_byte(engine, *arguments):
    begin = time.perf_counter()
    with subprocess.Popen(engine.prefix + list(arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asked:
        asked.stdout.read(1)
        took = (time.perf_counter() - begin) * 1000
        asked.kill()
    return took


def race(title, runs, contestants, unit=lambda ms: f"{ms:8.1f} ms"):
    """contestants: NAME, FUNCTION; in turn, A B A B."""
    samples = {name: [] for name, _ in contestants}
    for _ in range(runs):
        for name, function in contestants:
            samples[name].append(function())
    print(f"{title:36}" + "  ".join(f"{name} {unit(statistics.median(values))}" for name, values in samples.items()), flush=True)


def write(all_engines, sources, runs):
    size = os.path.getsize(sources[0])
    rate = lambda ms: f"{ms:8.1f} ms, {size / ms / 1000:6.0f} MB/s"  # noqa: E731
    race("a bare copy through a pipe", runs, [("cat", lambda: bare_copy(sources[0]))], rate)
    for driver in DRIVERS:
        race(f"{driver}: cat of a large file", runs,
             [(engine.name, lambda engine=engine: ran_for(engine, driver, "cat", "/lines")) for engine in all_engines], rate)
        race(f"{driver}: 200,000 short lines", runs,
             [(engine.name, lambda engine=engine: ran_for(engine, driver, "sh", "-c", f"yes {'0123456789' * 7} | head -200000"))
              for engine in all_engines])


def read(all_engines, runs, megabytes):
    """Of a log that was written in two halves, the moment between them being known."""
    half = " ".join(["/lines"] * max(1, megabytes // MEGABYTES // 2))
    program = f"cat {half}; sleep 1; date -u +%FT%TZ >/middle; sleep 1; cat {half}; sleep 1000"
    for driver in DRIVERS:
        made, middle = {}, {}
        options = ("--log-opt", "max-size=250m", "--log-opt", "max-file=20", "--log-opt", "compress=false")
        for engine in all_engines:
            made[engine] = engine("run", "-d", "--network", "none", "--log-driver", driver, *options, IMAGE, "sh", "-c", program).splitlines()[-1]
        try:
            for engine, container in made.items():
                # The shell's own line ends so, too.
                while not any(line.endswith("sleep 1000") and "cat" not in line for line in engine("top", container).splitlines()):
                    time.sleep(0.2)
                middle[engine] = engine("exec", container, "cat", "/middle")
            for name, flags in (("--tail 10", lambda _: ("--tail", "10")), ("--tail 10 -f", lambda _: ("--tail", "10", "-f")),
                                ("--tail 100000", lambda _: ("--tail", "100000")),
                                ("--since the middle", lambda engine: ("--since", middle[engine])),
                                ("--until the middle", lambda engine: ("--until", middle[engine]))):
                race(f"{driver}: logs {name}", runs,
                     [(engine.name, lambda engine=engine: first_byte(engine, "logs", *flags(engine), made[engine])) for engine in all_engines])
        finally:
            for engine, container in made.items():
                engine("rm", "-f", container)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1024, help="size of the log that is read")
    parser.add_argument("engines", nargs="+")
    options = parser.parse_args()
    work = tempfile.mkdtemp(prefix="skiff-bench-")
    all_engines = [engines.Engine(*text.split("=", 1), work) for text in options.engines]
    try:
        sources = [image(engine) for engine in all_engines]
        write(all_engines, sources, options.runs)
        read(all_engines, options.runs, options.megabytes)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
