#!/usr/bin/env python3
"""Kills skiffd with SIGKILL 50 times at random instants, while containers run, log, start, end and are removed.
After every restart: what ran runs on with the same pid, every log line is there, exit codes are right, exec and attach work.
"""
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import IMAGE, Engine, Failure, check  # noqa: E402

ROUNDS = int(os.environ.get("SKIFF_KILL9_ROUNDS", "50"))
seed = int(os.environ.get("SKIFF_KILL9_SEED", str(int(time.time()))))
random.seed(seed)


def check_lines(engine, name):
    lines = engine.out("logs", name).splitlines()
    numbers = [int(line) for line in lines]
    check(numbers == list(range(1, len(numbers) + 1)),
          f"{name}: lines are missing or doubled around {next((i for i, n in enumerate(numbers) if n != i + 1), None)}")
    return len(numbers)


def one_round(engine, number, loggers, pids, ended):
    # Work of all kinds is in flight when the blow falls.
    code = random.randint(0, 100)
    name = f"short{number}"
    engine.call("run", "-d", "--name", name, IMAGE, "sh", "-c", f"sleep 0.{random.randint(0, 3)}; echo bye; exit {code}")
    ended[name] = code
    flights = [engine.background("run", "--rm", "--name", f"flight{number}", IMAGE, "true"),
               engine.background("exec", loggers[0], "true")]
    if number % 5 == 4:
        flights.append(engine.background("rm", "-f", f"short{number - 4}"))
        ended.pop(f"short{number - 4}", None)
    time.sleep(random.random() * 0.15)
    engine.kill()
    time.sleep(random.random() * 0.1)
    engine.start()
    for flight in flights:
        flight.wait(60)
    for logger in loggers:
        state = engine.inspect(logger)["State"]
        check(state["Running"] and state["Pid"] == pids[logger], f"{logger} does not run as before: {state}")
        check(engine.out("exec", logger, "echo", "here") == "here", f"exec in {logger} fails")
        check_lines(engine, logger)
    for short in list(ended)[-3:]:
        got = engine.out("wait", short)
        check(got == str(ended[short]), f"{short} ended with {got}, not {ended[short]}")
        check(engine.out("logs", short) == "bye", f"the log of {short} is not whole")


def main():
    engine = Engine()
    try:
        engine.start()
        engine.base_image()
        loggers = [f"logger{i}" for i in range(3)]
        for logger in loggers:
            engine.call("run", "-d", "--name", logger, IMAGE, "sh", "-c",
                        "i=0; while [ ! -e /stop ]; do i=$((i+1)); echo $i; usleep 5000; done; exit 42")
        pids = {logger: engine.inspect(logger)["State"]["Pid"] for logger in loggers}
        ended = {}
        for number in range(ROUNDS):
            one_round(engine, number, loggers, pids, ended)
        for logger in loggers:
            engine.call("exec", logger, "touch", "/stop")
            check(engine.out("wait", logger) == "42", f"{logger} did not end with 42")
            print(f"{logger}: {check_lines(engine, logger)} lines, none lost")
        names = set(engine.out("ps", "-a", "--format", "{{.Names}}").split())
        strays = {n for n in names if n.startswith("flight") and engine.inspect(n)["State"]["Running"]}
        check(not strays, f"--rm containers still run: {strays}")
        print(f"{ROUNDS} kills survived (seed {seed})")
    except Failure as failure:
        print(f"seed {seed}: {failure}\n{engine.log_tail()}", file=sys.stderr)
        return 1
    finally:
        engine.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
