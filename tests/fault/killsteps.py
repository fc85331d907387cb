#!/usr/bin/env python3
"""Kills skiffd with SIGKILL at chosen steps of pull, tag, load, commit, build, rmi and prune: a step is one of the system calls by which files
come, change, are synced and go, in the engine or in one of its workers. After every blow the engine starts again, every image that was
acknowledged is there, verifies (`skiff system fsck`) and runs, and nothing is left that no record names.

SKIFF_FAULT_KILLS says how often (default 60), SKIFF_FAULT_SEED in which order the steps of each verb have their turn. Some 2,500 are all of them.
"""
import collections
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Failure, check  # noqa: E402
from stores import STEPS, World, check_settled, verbs, verify_images  # noqa: E402

KILLS = int(os.environ.get("SKIFF_FAULT_KILLS", "60"))
seed = int(os.environ.get("SKIFF_FAULT_SEED", str(int(time.time()))))


class Blow:
    """Counts steps, and kills the engine at one of them."""

    def __init__(self, world):
        self.world, self.count, self.at, self.fallen = world, 0, 0, None

    def aim(self, at):
        self.count, self.at, self.fallen = 0, at, None

    def decide(self, event):
        if event.call == "execve":
            return 0
        self.count += 1
        if self.count == self.at:
            self.fallen = event.call
            os.kill(self.world.engine.supervised.pid, 9)
        return 0


class Run:
    def __init__(self, world):
        self.world, self.blow = world, Blow(world)
        self.there = set()
        self.steps = collections.defaultdict(lambda: 1)  # of each verb, as counted undisturbed
        self.left = collections.defaultdict(list)  # of each verb, the steps that it was not killed at yet in this round
        self.number = 0
        self.kills = collections.Counter()

    def start(self):
        self.world.engine.start_supervised(STEPS, self.blow.decide)

    def restart(self):
        self.world.engine.end_supervised()
        self.blow.aim(0)
        self.start()
        check_settled(self.world.engine.data)
        verify_images(self.world, sorted(self.there), self.number)

    def once(self, verb):
        """Undisturbed."""
        self.blow.aim(0)
        done = self.world.engine.call(*verb.arguments, check=False)
        check((done.returncode != 0) == verb.fails, f"{verb.title} ends with {done.returncode}: {done.stderr.decode()}")
        self.steps[verb.title] = max(self.blow.count, 1)
        self.acknowledge(verb)

    def next_step(self, verb):
        """Each step of a verb once before any of them twice."""
        left = self.left[verb.title]
        if not left:
            left += random.sample(range(1, self.steps[verb.title] + 1), self.steps[verb.title])
        return left.pop()

    def acknowledge(self, verb):
        self.there |= set(verb.made)
        self.there -= set(verb.gone)

    def struck(self, verb):
        at = self.next_step(verb)
        self.blow.aim(at)
        self.there -= set(verb.gone)  # from here on nobody knows
        done = self.world.engine.call(*verb.arguments, check=False)
        if done.returncode == 0:
            self.acknowledge(verb)
        if self.blow.fallen is None:
            check((done.returncode != 0) == verb.fails, f"{verb.title} ends with {done.returncode}: {done.stderr.decode()}")
            return False
        self.kills[verb.title] += 1
        call = self.blow.fallen
        try:
            self.restart()
        except Failure as failure:
            raise Failure(f"{verb.title}, killed at step {at}, {call}: {failure}") from failure
        return True


def main():
    random.seed(seed)
    world = World()
    run = Run(world)
    try:
        world.prepare()
        run.start()
        for verb in verbs(world, run.number):
            run.once(verb)
        while sum(run.kills.values()) < KILLS:
            run.number += 1
            if run.number % 50 == 0:
                print(f"{sum(run.kills.values())} of {KILLS} kills so far", flush=True)
            for verb in verbs(world, run.number):
                left = KILLS - sum(run.kills.values())
                struck = left > 0 and run.struck(verb)
                # What was struck did not come to be, or did: now it does, for the verbs that follow.
                if struck or left <= 0:
                    done = world.engine.call(*verb.arguments, check=False)
                    check(done.returncode == 0 or verb.gone or verb.fails, f"{verb.title} after a blow: {done.stderr.decode()}")
                    run.acknowledge(verb)
        counted = ", ".join(f"{title} {count}" for title, count in sorted(run.kills.items()))
        steps = ", ".join(f"{title} {count}" for title, count in sorted(run.steps.items()))
        print(f"{sum(run.kills.values())} kills survived ({counted}; steps: {steps}; seed {seed})")
    except Failure as failure:
        print(f"seed {seed}: {failure}\n{world.engine.log_tail() if world.engine.process else ''}", file=sys.stderr)
        return 1
    finally:
        world.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
