#!/usr/bin/env python3
"""Fails every system call of a set-up once, each in a run of its own, and looks at what skiff-runtime makes of it: first of a container's,
then of a further program's (exec) in one that runs.

A run that ends well must have run its program: the call did not matter. One that fails must say why, with the errno that was given to
it, in one sentence about the step. Nothing may be left either way: no state, no cgroup, no process, no mount, no temporary file; and the
container of an exec runs on.
usage: steps.py [--every N] [--of run|exec] [CALL ...]   (every N-th occurrence of each call; every one by default)
"""
import argparse
import collections
import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from interrupt import CALLS, Supervised  # noqa: E402

RUNTIME = os.path.join(os.environ["SKIFF_BIN"], "skiff-runtime")
ID = f"skiff-steps-{os.getpid()}"
# What no program's start depends on, or what ends the supervision itself.
LEFT_OUT = {"execve", "recvmsg", "recvfrom", "fsync", "fdatasync"}
GIVEN = errno.EIO
SAID = "input/output error"

# Calls on the very socket that reports: all that can be said then is that the process has ended.
EXCUSED = [("read", "socket:"), ("write", "socket:")]


class SetUp:
    """Tells the calls before the program's execve, from whichever process, from those after it."""

    def __init__(self):
        self.over = False

    def has(self, event):
        self.over = self.over or (event.call == "execve" and event.object() == "/bin/echo")
        return not self.over


def make_bundle(work, *program):
    bundle = os.path.join(work, "bundle")
    root = os.path.join(bundle, "rootfs")
    for folder in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin/busybox"))
    for applet in ("echo", "sleep"):
        os.symlink("busybox", os.path.join(root, "bin", applet))
    subprocess.run([RUNTIME, "spec", "-b", bundle], check=True)
    path = os.path.join(bundle, "config.json")
    config = json.loads(pathlib.Path(path).read_text())
    config["process"].update(terminal=False, args=program, oomScoreAdj=100)
    config["root"]["readonly"] = True
    config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=1m"]})
    config["mounts"].append({"destination": "/etc/motd", "type": "bind", "source": path, "options": ["bind", "ro"]})
    config["linux"]["sysctl"] = {"net.ipv4.ping_group_range": "0 1"}
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}
    pathlib.Path(path).write_text(json.dumps(config))
    return bundle


class Runs:
    """Of a container, each with its own."""

    title, program = "run", ("/bin/echo", "ran")

    def __init__(self, work):
        self.work, self.bundle, self.state = work, make_bundle(work, *self.program), os.path.join(work, "state")
        os.mkdir(self.state)
        self.prepare()
        self.clean = self.leftovers()

    def prepare(self):
        pass

    def command(self):
        return [RUNTIME, "--root", self.state, "run", "-b", self.bundle, ID]

    def remove(self):
        subprocess.run([RUNTIME, "--root", self.state, "delete", "-f", ID], stderr=subprocess.DEVNULL)

    def clear(self):
        """Away with what a bad run has left, for the next one."""
        self.remove()
        for path in self.leftovers():
            if path.startswith(self.state):
                shutil.rmtree(path, ignore_errors=True)
            elif path.startswith("/sys/fs/cgroup"):
                os.rmdir(path)

    def leftovers(self):
        """Everything that a container could have left behind, by name."""
        found = [os.path.join(self.state, name) for name in os.listdir(self.state) if name != ".seccomp"]
        for folder, _, _ in os.walk("/sys/fs/cgroup"):
            if os.path.basename(folder) == ID:
                found.append(folder)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if ID.encode() in text and int(pid) != os.getpid():
                found.append(f"process {pid}: {text.decode(errors='replace')}")
        found += [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if self.work in line]
        found += [name for name in os.listdir(self.bundle) if name not in ("config.json", "rootfs")]
        return sorted(found)

    def run(self, decide):
        supervised = Supervised(self.command(), [call for call in CALLS if call not in LEFT_OUT - {"execve"}], decide)
        try:
            return supervised.run(timeout=30), supervised.output.decode(errors="replace")
        finally:
            supervised.close()


class Execs(Runs):
    """In one container, with every step that a process can ask for."""

    title, program = "exec", ("/bin/sleep", "100000")

    def prepare(self):
        with open(os.devnull, "r+") as null:
            subprocess.run([RUNTIME, "--root", self.state, "run", "-d", "-b", self.bundle, ID], stdin=null, stdout=null, check=True)

    def command(self):
        return [RUNTIME, "--root", self.state, "exec", "--user", "1:1", "--additional-gids", "2", "--cwd", "/tmp", "--cap", "CAP_NET_RAW",
                "--env", "A=b", ID, "/bin/echo", "ran"]

    def leftovers(self):
        shown = subprocess.run([RUNTIME, "--root", self.state, "ps", "--format", "json", ID], capture_output=True, text=True)
        state = subprocess.run([RUNTIME, "--root", self.state, "state", ID], capture_output=True, text=True)
        return super().leftovers() + [f"processes {shown.stdout}", f"status {json.loads(state.stdout or '{}').get('status')}"]

    def clear(self):
        super().clear()
        self.prepare()
        self.clean = self.leftovers()


def every_call(runs, arguments):
    """Fails each in turn; what was wrong."""
    counts = collections.Counter()
    for _ in range(2):  # the second time with everything cached, as in the runs that follow
        counts.clear()
        set_up = SetUp()

        def count(event):
            if set_up.has(event):
                counts[event.call] += 1
            return 0

        code, output = runs.run(count)
    if (code, output) != (0, "ran\n"):
        sys.exit(f"not even an undisturbed {runs.title} succeeds: {code}, {output}")
    wanted = arguments.calls or [call for call in sorted(counts) if call not in LEFT_OUT]
    bad, fatal, harmless = [], 0, 0
    for call in wanted:
        for nth in range(1, counts[call] + 1, arguments.every):
            seen, what, set_up = 0, [""], SetUp()

            def decide(event):
                nonlocal seen
                if not set_up.has(event) or event.call != call:
                    return 0
                seen += 1
                if seen != nth:
                    return 0
                what[0] = event.object()
                return GIVEN

            try:
                code, output = runs.run(decide)
            except TimeoutError:
                code, output = None, "it did not end"
            name = f"{runs.title}: {call} #{nth} ({what[0]})"
            left = runs.leftovers()
            if left != runs.clean:
                bad.append(f"{name}: code {code}, left: {left}")
                runs.clear()
            if code == 0:
                harmless += 1
                if "ran" not in output:
                    bad.append(f"{name}: ends well, but the program did not run: {output!r}")
                continue
            fatal += 1
            excused = (call, what[0][:7]) in EXCUSED
            if SAID not in output and not excused:
                bad.append(f"{name}: code {code}, says: {output.strip()!r}")
            elif output.strip().count("\n") > 2:
                bad.append(f"{name}: more than one sentence: {output!r}")
    print(f"{runs.title}: {fatal + harmless} calls failed in turn: {fatal} ended the set-up, {harmless} did not matter; {len(bad)} wrong")
    for line in bad:
        print("  " + line)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--of", choices=("run", "exec"))
    parser.add_argument("calls", nargs="*")
    arguments = parser.parse_args()
    bad = []
    for kind in (Runs, Execs):
        if arguments.of not in (None, kind.title):
            continue
        work = tempfile.mkdtemp(prefix="skiff-steps-", dir="/tmp")
        try:
            runs = kind(work)
            try:
                bad += every_call(runs, arguments)
            finally:
                runs.remove()
        finally:
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if bad else 0)


main()
