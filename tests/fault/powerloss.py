#!/usr/bin/env python3
"""Loses power: takes from a data root everything that was not synced, at every moment at which something was, and starts an engine on the rest.

An engine does its work once under supervision (interrupt.py). Whenever it or a worker of its is about to sync, what that makes durable is
noted: of fsync(2) and fdatasync(2) of a file its bytes, of fsync(2) of a folder its entries, of syncfs(2) everything. That is all that POSIX
promises, and less than any file system does. From these notes states of the disk are made:

- strict: exactly what was synced. Entries and bytes that were not are missing.
- mixed: what was not synced got there or not, each entry and each 4 KiB by chance, as when a disk reorders what it was given.

On each of them an engine starts, every image that was acknowledged before that moment is there, verifies and runs, and nothing is left that
no record names.

SKIFF_FAULT_LOSSES says how many states (default 60; every strict one comes first), SKIFF_FAULT_SEED which mixed ones.
"""
import os
import random
import shutil
import stat
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Failure  # noqa: E402
from stores import SYNCS, World, check_settled, verbs, verify_cache, verify_images  # noqa: E402

LOSSES = int(os.environ.get("SKIFF_FAULT_LOSSES", "60"))
BLOCK = 4096
seed = int(os.environ.get("SKIFF_FAULT_SEED", str(int(time.time()))))


class Node:
    """A file or folder at one moment. Numbers of inodes are not given twice on a tmpfs, so they are its identity."""

    def __init__(self, status, content, xattrs):
        self.mode, self.uid, self.gid, self.rdev = status.st_mode, status.st_uid, status.st_gid, status.st_rdev
        self.times = (status.st_atime_ns, status.st_mtime_ns)
        self.content = content  # bytes, a link's target, or {name: inode}
        self.xattrs = xattrs


class Disk:
    """What a tree was when it was looked at: inode -> Node. Looking again reads only what changed."""

    def __init__(self):
        self.seen = {}  # inode -> (what says that it changed, Node)

    def look(self, path):
        status = os.lstat(path)
        sign = (status.st_ctime_ns, status.st_mtime_ns, status.st_size)
        known = self.seen.get(status.st_ino)
        if known and known[0] == sign and not stat.S_ISDIR(status.st_mode):
            return status.st_ino, known[1]
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                content = {entry.name: entry.inode() for entry in entries}
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                content = file.read()
        else:
            content = None
        xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
        node = Node(status, content, xattrs)
        self.seen[status.st_ino] = (sign, node)
        return status.st_ino, node

    def walk(self, path, found=None):
        found = {} if found is None else found
        try:
            inode, node = self.look(path)
        except FileNotFoundError:  # between the listing and the look
            return found
        found[inode] = node
        if isinstance(node.content, dict):
            for name in node.content:
                self.walk(os.path.join(path, name), found)
        return found


class Recorder:
    """Follows the syncs of an engine; keeps the moments at which power may be lost."""

    def __init__(self, world):
        self.data = world.engine.data
        self.disk = Disk()
        self.root = os.lstat(self.data).st_ino
        self.durable = self.disk.walk(self.data)
        self.there, self.number, self.doing = set(), 0, "start"
        self.moments = []

    def decide(self, event):
        if event.call == "execve":
            return 0
        path = event.object()
        if not path.startswith(self.data):
            return 0
        self.moment(path)
        if event.call == "syncfs":
            self.durable = self.disk.walk(self.data)
        else:
            try:
                inode, node = self.disk.look(f"/proc/{event.pid}/fd/{event.arguments[0] & 0xFFFFFFFF}/" if os.path.isdir(path)
                                             else path)
            except FileNotFoundError:
                return 0
            self.durable = {**self.durable, inode: node}
        return 0

    def moment(self, what):
        now = self.disk.walk(self.data)
        self.moments.append((f"{self.doing}, before the sync of {os.path.relpath(what, self.data)}", self.durable, now, set(self.there),
                             self.number))

    def acknowledged(self, verb):
        self.there = (self.there | set(verb.made)) - set(verb.gone)
        self.moment(self.data)


def strict(durable, now, inode):
    return durable.get(inode)


def mixed(durable, now, inode):
    """Of each entry and each block either what was synced or what was there, by chance."""
    old, new = durable.get(inode), now.get(inode)
    if old is None or new is None or old is new:
        return old or new
    chosen = random.choice((old, new))
    if isinstance(old.content, dict) and isinstance(new.content, dict):
        content = {}
        for name in {**old.content, **new.content}:
            entry = random.choice((old.content.get(name), new.content.get(name)))
            if entry is not None:
                content[name] = entry
    elif isinstance(old.content, bytes) and isinstance(new.content, bytes):
        whole = random.choice((old.content, new.content))
        content = b"".join(random.choice((old.content, new.content))[at:at + BLOCK].ljust(min(BLOCK, len(whole) - at), b"\0")[:len(whole) - at]
                           for at in range(0, len(whole), BLOCK))
    else:
        return chosen
    made = Node.__new__(Node)
    made.__dict__.update(chosen.__dict__, content=content)
    return made


def unsynced(now, inode):
    """An entry got there, and what it leads to did not: what a file system has then."""
    node = now[inode]
    made = Node.__new__(Node)
    empty = {} if isinstance(node.content, dict) else b"" if isinstance(node.content, bytes) else node.content
    made.__dict__.update(node.__dict__, content=empty)
    return made


def materialise(path, inode, choose, durable, now, placed):
    node = choose(durable, now, inode)
    if node is None or (choose is mixed and inode not in durable and random.random() < 0.5):
        if inode not in now:
            return
        node = unsynced(now, inode)
    if isinstance(node.content, dict):
        if inode in placed:  # a folder has one place
            return
        placed[inode] = path
        os.mkdir(path)
        for name, child in node.content.items():
            materialise(os.path.join(path, name), child, choose, durable, now, placed)
    elif inode in placed:
        os.link(placed[inode], path, follow_symlinks=False)
        return
    elif stat.S_ISLNK(node.mode):
        os.symlink(node.content, path)
    elif stat.S_ISREG(node.mode):
        with open(path, "wb") as out:
            out.write(node.content)
    else:
        os.mknod(path, node.mode, node.rdev)
    placed[inode] = path
    os.chown(path, node.uid, node.gid, follow_symlinks=False)
    if not stat.S_ISLNK(node.mode):
        os.chmod(path, stat.S_IMODE(node.mode))
    for name, value in node.xattrs.items():
        os.setxattr(path, name, value, follow_symlinks=False)
    os.utime(path, ns=node.times, follow_symlinks=False)


def record(world):
    """Every verb once; the moments of all of them."""
    recorder = Recorder(world)
    world.engine.start_supervised(SYNCS, recorder.decide)
    for verb in verbs(world, 0):
        recorder.doing = verb.title
        recorder.there -= set(verb.gone)
        done = world.engine.call(*verb.arguments, check=False)
        if (done.returncode != 0) != verb.fails:
            raise Failure(f"{verb.title} ends with {done.returncode}: {done.stderr.decode()}")
        recorder.acknowledged(verb)
    world.engine.end_supervised()
    return recorder


def booted_anew(world):
    """Words that execute others on a machine that seems to have booted."""
    name = os.path.join(world.engine.dir, "boot_id")
    with open(name, "w") as out:
        out.write("00000000-0000-0000-0000-000000000000\n")
    return ["unshare", "-m", "sh", "-ec", f'mount --bind {name} /proc/sys/kernel/random/boot_id; exec "$@"', "sh"]


def try_state(world, recorder, moment, choose, run):
    title, durable, now, there, number = moment
    data = world.engine.data
    shutil.rmtree(data)
    materialise(data, recorder.root, choose, durable, now, {})
    try:
        world.engine.start_plain(before=booted_anew(world))
        check_settled(data)
        verify_images(world, sorted(there), number, run)
        if run:
            verify_cache(world, number)
    except Failure as failure:
        raise Failure(f"{choose.__name__}: {title}: {failure}\n{world.engine.log_tail()}") from failure
    finally:
        if world.engine.process.poll() is None:
            world.engine.kill()


def main():
    random.seed(seed)
    world = World()
    failures = []
    try:
        world.prepare()
        recorder = record(world)
        todo = [(moment, strict) for moment in recorder.moments]
        while len(todo) < LOSSES:
            todo.append((random.choice(recorder.moments), mixed))
        if len(todo) > LOSSES:
            todo = random.sample(todo, LOSSES)
        for number, (moment, choose) in enumerate(todo):
            try:
                try_state(world, recorder, moment, choose, run=number % 5 == 0)
            except Failure as failure:
                print(failure, file=sys.stderr, flush=True)
                failures.append(failure)
                if len(failures) == 10:
                    break
            if number % 500 == 499:
                print(f"{number + 1} of {len(todo)} losses of power so far, {len(failures)} not survived", flush=True)
        print(f"{len(todo)} losses of power, of {len(recorder.moments)} moments, {len(failures)} not survived (seed {seed})")
    except Failure as failure:
        print(f"seed {seed}: {failure}", file=sys.stderr)
        return 1
    finally:
        world.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
