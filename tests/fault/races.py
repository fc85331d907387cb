#!/usr/bin/env python3
"""Brings an image by a load, a pull and a build at once, of layers that they share, while others remove images and prune: what one found must not
be taken away by another. Each of them must do its work; afterwards everything that is there verifies and runs, and nothing is left that no record names.

SKIFF_FAULT_RACES says how often (default 20), SKIFF_FAULT_SEED in which order they begin.
"""
import collections
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Failure, check  # noqa: E402
from stores import BASE, World, check_settled, verify_images  # noqa: E402

RACES = int(os.environ.get("SKIFF_FAULT_RACES", "20"))
seed = int(os.environ.get("SKIFF_FAULT_SEED", str(int(time.time()))))
LIMIT = 60
# What somebody who removes may be told: another one was faster, or it is in use.
EXCUSES = ("No such image", "conflict: ", "a build is running")


def racers(world, number):
    """Command lines and whether they may be refused. The build makes the very layers of what is pulled, or such as stand on the first of them."""
    app = f"{world.host}/app:v1"
    between = f"RUN echo {number // 4} >/number\n" if number % 2 else ""
    folder = world.context("race", f"FROM {BASE}\nCOPY data /data\n{between}COPY word /word\n", "pulled")
    archive = os.path.join(world.engine.dir, "loaded.tar")
    return [
        (["load", "-i", archive], False),
        (["load", "-i", archive], False),
        (["pull", app], False),
        (["build", "--network", "none", "-t", "built", folder], False),
        (["image", "prune", "-af"], True),
        (["builder", "prune", "-af"], True),
        (["rmi", "loaded"], True),
        (["rmi", app], True),
        (["rmi", "built"], True),
    ]


def race(world, number):
    todo = racers(world, number)
    random.shuffle(todo)
    running = [(arguments, refusable, world.engine.background(*arguments)) for arguments, refusable in todo]
    bad = []
    for arguments, refusable, process in running:
        try:
            said = process.communicate(timeout=LIMIT)[1].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            bad.append(f"{arguments}: no answer in {LIMIT} s")
            continue
        if process.returncode != 0 and not (refusable and any(excuse in said for excuse in EXCUSES)):
            bad.append(f"{arguments}: {process.returncode}: {said}")
    check(not bad, "\n".join(bad))


def main():
    random.seed(seed)
    world = World()
    number, there = 0, collections.Counter()
    try:
        world.prepare()
        world.engine.start_plain()
        for number in range(RACES):
            race(world, number)
            check_settled(world.engine.data)
            names = world.engine.out("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
            there.update(names)
            verify_images(world, [name for name in names if name == "loaded:latest" or name.startswith(world.host)], number)
            if "built:latest" in names:
                got = world.engine.out("run", "--rm", "--network", "none", "built")
                check(got == "pulled", f"built says {got!r}")
        counted = ", ".join(f"{name} {count}" for name, count in sorted(there.items()))
        print(f"{RACES} races run (there afterwards: {counted}; seed {seed})")
    except Failure as failure:
        print(f"seed {seed}, race {number}: {failure}\n{world.engine.log_tail()}", file=sys.stderr)
        return 1
    finally:
        world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
