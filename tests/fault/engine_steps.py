#!/usr/bin/env python3
"""Fails the system calls of skiffd and of its monitors in turn, each in a command of its own: those of a container's start up to its
program's execve, of an exec, of a removal.

A step is a program's call about an object ("skiff-monitor openat DIR/run/containers/ID/monitor.log"), and which time. A command that ends
well must have done its work: the step did not matter. One that fails must say why, with the errno that was given to it. Nothing of it may
be left either way, neither in the engine's own view nor on the machine; the engine answers on, and another container runs on.
usage: engine_steps.py [--all | --every N] [--of OPERATION] [--match TEXT]   (by default every SKIFF_STEPS_EVERY-th step, or every 40th)
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import BIN, IMAGE, Engine, Failure  # noqa: E402
from interrupt import CALLS, Supervised, number_of  # noqa: E402
import errno  # noqa: E402

GIVEN = errno.EIO
SAID = re.compile("input/output error|disk I/O error")  # the second is SQLite's word for the first
# Steps by which the failure itself would be told, and what is said by those who wait at the other end.
SPEECHLESS = [("skiff-monitor sendmsg socket", "the monitor of container "),
              ("skiff-monitor write socket", "the container's first process ended during its set-up")]
# What the kernel never fails this way, what only ends the supervision, and what tells of calls that failed before. What cannot be removed
# stays until the engine's next start (killsteps.py looks at that), so removing does not fail here.
LEFT_OUT = {"execve", "recvmsg", "recvfrom", "lseek", "getcwd", "unlink", "unlinkat", "rmdir"}
OPERATION_LIMIT = 60


class SupervisedProcess:
    """What the harness asks of subprocess.Popen, of a command whose calls are answered by a thread of ours."""

    def __init__(self, command, decide):
        self.supervised = Supervised(command, [call for call in CALLS if call not in LEFT_OUT - {"execve"}], decide)
        self.pid = self.supervised.pid
        self.over = False
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while not self.over and self.supervised.turn(0.05):
            pass

    def poll(self):
        return self.supervised.ended()

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=30):
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("skiffd", timeout)
            time.sleep(0.02)
        return self.poll()

    def close(self):
        self.over = True
        self.thread.join(5)
        self.supervised.close()


class Steps:
    """Sees every call, counts those of the command that is being watched, and fails the one that is wanted."""

    def __init__(self, engine):
        self.engine = engine
        self.armed = False
        self.until = ""
        self.seen = collections.Counter()
        self.wanted = None
        self.hit = False
        self.names = {}
        self.sockets = {}

    def watch(self, until, wanted=None):
        self.seen.clear()
        self.sockets.clear()
        self.until, self.wanted, self.hit, self.armed = until, wanted, False, True

    def decide(self, event):
        if not self.armed:
            return 0
        text = event.object()
        if event.call == "execve":
            self.armed = self.armed and text != self.until
            return 0
        name = self.name_of(event, text)
        if not name:
            return 0
        self.seen[name] += 1
        if self.wanted == (name, self.seen[name]):
            self.hit = True
            return GIVEN
        return 0

    def name_of(self, event, text):
        if text.startswith("anon_inode:") and event.call in ("read", "write"):
            return None  # of an eventfd and its like: wakes somebody up, and cannot fail
        if text.startswith("socket:") and self.is_ours(text):
            return None  # the client's own connection: nobody could be told
        if event.call == "fcntl" and "/meta.db" in text:
            return None  # SQLite's locks: no local file system fails to give one back, and SQLite does not ask
        text = text.replace(self.engine.dir, "DIR")
        text = re.sub(r"[0-9a-f]{64}", "ID", text)
        text = re.sub(r"/proc/\d+", "/proc/PID", text)
        text = re.sub(r":\[\d+\]", "", text)
        text = re.sub(r"\.tmp\w*|-[0-9a-f]{8,}|\b[0-9a-f]{12,}\b", "*", text)
        text = re.sub(r"\d{3,}", "N", text)
        return f"{self.program(event.pid)} {event.call} {text}".strip()

    def program(self, pid):
        try:
            with open(f"/proc/{pid}/comm") as comm:
                return comm.read().strip()
        except OSError:
            return "?"

    def is_ours(self, text):
        """Whether a socket is one of the API's: its path stands in the list of the client's network namespace."""
        if text not in self.sockets:
            inode = text[len("socket:["):-1]
            with open("/proc/self/net/unix") as table:
                self.sockets[text] = any(line.split()[6] == inode and line.rstrip().endswith(self.engine.socket) for line in table)
        return self.sockets[text]


class WatchedEngine(Engine):
    """In a network namespace of its own, where every interface and every table is its own."""

    def __init__(self):
        super().__init__()
        self.steps = Steps(self)

    def start(self):
        command = (f"ip link set lo up; exec '{BIN}/skiffd' -H 'unix://{self.socket}' --data-root '{self.data}' "
                   f"--exec-root '{self.dir}/run' --pidfile '{self.dir}/pid' --bridge {self.bridge} >>'{self.dir}/log' 2>&1")
        self.process = SupervisedProcess(["/usr/bin/unshare", "-n", "/bin/sh", "-c", command], self.steps.decide)
        self.await_answer(lambda: self.process.poll() is None)

    def stop(self):
        process = self.process
        try:
            super().stop()
        finally:
            if process:
                process.close()

    def inside(self, *command):
        return subprocess.run(["nsenter", "-t", str(self.process.pid), "-n", *command], stdout=subprocess.PIPE, check=True,
                              stdin=subprocess.DEVNULL, text=True).stdout.splitlines()

    def monitors(self):
        """Command lines of its descendants that are monitors, without the one that waits for a container; zombies too."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as stat:
                    parent = stat.read().rpartition(")")[2].split()[1]
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if parent == str(self.process.pid) and "waits for a container" not in words:
                yield re.sub(r"[0-9a-f]{64}", lambda found: found[0][:12], words) or "a zombie"

    def descriptors(self):
        kinds = collections.Counter()
        for fd in os.listdir(f"/proc/{self.process.pid}/fd"):
            try:
                target = os.readlink(f"/proc/{self.process.pid}/fd/{fd}")
            except OSError:
                continue
            if target.startswith(("net:", "mnt:", "/sys/fs/cgroup", f"{self.dir}/data/containers", f"{self.dir}/run/containers")):
                kinds[target] += 1
        return [f"descriptor {target} {count}" for target, count in sorted(kinds.items())]

    def left(self):
        """Everything that a container could have left, in the engine's view and in the machine's."""
        found = [f"container {line}" for line in self.out("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.State}}").splitlines()]
        found += [f"volume {name}" for name in self.out("volume", "ls", "-q").splitlines()]
        found += [f"address {self.out('network', 'inspect', '-f', '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{end}}', 'bridge')}"]
        found += [f"exec of {name}: {self.out('inspect', '-f', '{{.ExecIDs}}', name)}" for name in ("keeper",)]
        found += [f"processes in {name}: {len(self.out('top', name).splitlines()) - 1}" for name in ("keeper",)]
        found += [f"monitor {words}" for words in self.monitors()]
        found += [f"interface {line.split(': ')[1].split('@')[0]}" for line in self.inside("ip", "-o", "link")]
        found += [f"firewall {line.strip()}" for line in self.inside("nft", "list", "ruleset") if "elements" in line]
        for root in (f"{self.dir}/run", f"{self.data}/containers", f"{self.data}/volumes", f"{self.data}/snapshots", f"{self.data}/tmp"):
            found += [f"file {line}" for line in subprocess.run(
                ["find", root, "-mindepth", "1", "-maxdepth", "2", "!", "-path", "*/seccomp/*", "!", "-path", "*/keeper/*"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.splitlines()]
        for parent in set(self.cgroups):
            found += [f"cgroup {os.path.join(parent, name)}" for name in os.listdir(parent) if os.path.isdir(os.path.join(parent, name))]
        with open(f"/proc/{self.process.pid}/mountinfo") as table:
            found += [f"mount {line.split()[4]}" for line in table if self.dir in line]
        return sorted(found + self.descriptors())

    def start_keeper(self):
        """A container that must not notice anything; where it lies, the others' cgroups do."""
        self.call("run", "-d", "--name", "keeper", IMAGE, "sleep", "100000")
        pid = self.inspect("keeper")["State"]["Pid"]
        self.keeper = pid
        self.cgroups = []
        with open(f"/proc/{pid}/cgroup") as file:
            own = {line.split(":", 2)[2].strip().rpartition("/")[0] for line in file} - {"", "/"}
        for parent in own:
            for folder, names, _ in os.walk("/sys/fs/cgroup"):
                if folder.endswith(parent):
                    self.cgroups.append(folder)
                    names.clear()


class Operation:
    """One command line whose steps fail in turn."""

    title = "run"
    until = "/bin/echo"  # the execve that ends it
    said = "ran\n"

    def __init__(self, engine):
        self.engine = engine

    def prepare(self):
        pass

    def command(self):
        return ["run", "--rm", "--name", "steps", "-p", "127.0.0.1::80", "-v", "/anonymous", IMAGE, "/bin/echo", "ran"]

    def settle(self):
        """Back to where prepare() began, by the means that a user has."""

    def run(self):
        return self.engine.call(*self.command(), check=False, timeout=OPERATION_LIMIT)


class Start(Operation):
    """Of a container that stays when it could not be started, and can be removed then."""

    title = "start"

    def prepare(self):
        self.engine.call("create", "--name", "steps", "--init", IMAGE, "/bin/echo", "ran")

    def command(self):
        return ["start", "-a", "steps"]

    def settle(self):
        self.engine.call("rm", "-f", "-v", "steps")


class Exec(Operation):
    title = "exec"

    def command(self):
        return ["exec", "--user", "1:1", "-w", "/tmp", "keeper", "/bin/echo", "ran"]


class Remove(Operation):
    """Which may fail, and then be asked for again. What it could not delete behind the user's back goes with the next removal."""

    title = "rm"
    until = ""
    said = "steps\n"

    def prepare(self):
        self.engine.call("run", "-d", "--name", "steps", "-p", "127.0.0.1::80", "-v", "/anonymous", IMAGE, "sleep", "100000")

    def command(self):
        return ["rm", "-f", "-v", "steps"]

    def settle(self):
        self.engine.call("rm", "-f", "-v", "steps", check=False)
        self.engine.call("create", "--name", "steps", "-v", "/anonymous", IMAGE, "true")
        self.engine.call("rm", "-v", "steps")


class Sweep:
    """All steps of one operation."""

    def __init__(self, engine, operation):
        self.engine, self.operation, self.steps = engine, operation, engine.steps
        self.bad = []

    def attempt(self, wanted):
        self.operation.prepare()
        self.steps.watch(self.operation.until, wanted)
        try:
            return self.operation.run()
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.steps.armed = False

    def wait_until_clean(self, clean, patience=10):
        deadline = time.monotonic() + patience
        while (left := self.engine.left()) != clean and time.monotonic() < deadline:
            time.sleep(0.1)
        return [f"+ {line}" for line in left if line not in clean] + [f"- {line}" for line in clean if line not in left]

    def judge(self, name, done):
        if done is None:
            return [f"{name}: no answer in {OPERATION_LIMIT} s"]
        # An exec's refusal comes by its stream, and the line that Docker's client adds is none of the engine's.
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        said = re.sub(r"\n\nRun '.*' for more information$", "", said)
        if done.returncode == 0:
            return [] if done.stdout.decode() == self.operation.said else [f"{name}: ends well, but without having done it: {done.stdout!r}"]
        wrong = [] if SAID.search(said) or any(step in name and words in said for step, words in SPEECHLESS) else [f"{name}: code {done.returncode}, says: {said!r}"]
        return wrong + ([f"{name}: more than one sentence: {said!r}"] if "\n" in said else [])

    def settled(self):
        """What is there once nothing goes any more of what went before."""
        left, since = self.engine.left(), time.monotonic()
        while time.monotonic() < since + 0.5:
            time.sleep(0.1)
            if (now := self.engine.left()) != left:
                left, since = now, time.monotonic()
        return left

    def run(self, every, match):
        clean = self.settled()
        for _ in range(2):  # the second time with everything cached, as in the runs that follow
            done = self.attempt(None)
            if done is None or done.returncode != 0 or done.stdout.decode() != self.operation.said:
                raise Failure(f"not even an undisturbed {self.operation.title} succeeds: {done}")
            steps = [(name, time) for name, count in sorted(self.steps.seen.items()) for time in range(1, count + 1)]
            self.operation.settle()
            if difference := self.wait_until_clean(clean):
                raise Failure(f"an undisturbed {self.operation.title} leaves {difference}")
        steps = [step for step in steps if match in step[0]][::every]
        fatal = missed = 0
        for step in steps:
            name = f"{self.operation.title}: {step[0]} #{step[1]}"
            done = self.attempt(step)
            missed += not self.steps.hit
            if self.steps.hit:
                self.bad += self.judge(name, done)
            fatal += done is None or done.returncode != 0
            self.operation.settle()
            if difference := self.wait_until_clean(clean):
                self.bad.append(f"{name}: code {done and done.returncode}, left: {difference}")
                clean = self.settled()
            if not os.path.exists(f"/proc/{self.engine.keeper}"):
                raise Failure(f"{name}: another container has ended")
        print(f"{self.operation.title}: {len(steps)} steps failed in turn: {fatal} ended it, {missed} were not reached again; "
              f"{len(self.bad)} wrong", flush=True)
        return self.bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--every", type=int, default=int(os.environ.get("SKIFF_STEPS_EVERY", "40")))
    parser.add_argument("--of", choices=[kind.title for kind in (Operation, Start, Exec, Remove)])
    parser.add_argument("--match", default="")
    arguments = parser.parse_args()
    engine, bad = WatchedEngine(), []
    try:
        engine.start()
        engine.base_image()
        engine.start_keeper()
        for kind in (Operation, Start, Exec, Remove):
            if arguments.of in (None, kind.title):
                bad += Sweep(engine, kind(engine)).run(1 if arguments.all else arguments.every, arguments.match)
    except Failure as failure:
        bad.append(f"{failure}\n{engine.log_tail()}")
    finally:
        engine.stop()
    for line in bad:
        print("  " + line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
