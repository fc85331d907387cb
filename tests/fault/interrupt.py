#!/usr/bin/env python3
"""Runs a command and steps in at one system call of it, from outside (seccomp_unotify(2)): the programs need no seam of their own.

usage: interrupt.py CALL NTH ACTION [--name TEXT] -- COMMAND ...

CALL is a name from CALLS below, NTH counts from 1 over the command and everything that it starts. ACTION is `--do SHELL`, which runs
before the call is let through, or `--errno NAME`, which it fails with. With --name only calls are counted whose path, or whose
descriptor, ends in TEXT. The exit code is the command's; 99 when the call was never reached.
"""
import argparse
import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import subprocess
import sys
import time

# Name: number on x86-64, number on arm64, and the arguments that say what it is about, the first that is there ("path" or "fd", index).
CALLS = {
    "openat": (257, 56, ("path", 1)),
    "openat2": (437, 437, ("path", 1)),
    "mkdirat": (258, 34, ("path", 1)),
    "mkdir": (83, None, ("path", 0)),
    "mknod": (133, None, ("path", 0)),
    "mknodat": (259, 33, ("path", 1)),
    "symlinkat": (266, 36, ("path", 2)),
    "fchownat": (260, 54, ("path", 1)),
    "fchown": (93, 55, ("fd", 0)),
    "fchmod": (91, 52, ("fd", 0)),
    "readlinkat": (267, 78, ("path", 1)),
    "rename": (82, None, ("path", 1)),
    "renameat": (264, 38, ("path", 3)),
    "renameat2": (316, 276, ("path", 3)),
    "unlink": (87, None, ("path", 0)),
    "unlinkat": (263, 35, ("path", 1)),
    "rmdir": (84, None, ("path", 0)),
    "pread64": (17, 67, ("fd", 0)),
    "pwrite64": (18, 68, ("fd", 0)),
    "ftruncate": (77, 46, ("fd", 0)),
    "fsync": (74, 82, ("fd", 0)),
    "fdatasync": (75, 83, ("fd", 0)),
    "write": (1, 64, ("fd", 0)),
    "sendmsg": (46, 211, ("fd", 0)),
    "sendto": (44, 206, ("fd", 0)),
    "recvmsg": (47, 212, ("fd", 0)),
    "recvfrom": (45, 207, ("fd", 0)),
    "read": (0, 63, ("fd", 0)),
    "ioctl": (16, 29, ("fd", 0)),
    "fcntl": (72, 25, ("fd", 0)),
    "lseek": (8, 62, ("fd", 0)),
    "dup2": (33, None, ("fd", 0)),
    "dup3": (292, 24, ("fd", 0)),
    "pipe2": (293, 59),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203, ("fd", 0)),
    "bind": (49, 200, ("fd", 0)),
    "listen": (50, 201, ("fd", 0)),
    "memfd_create": (319, 279),
    "signalfd4": (289, 74),
    "fstatfs": (138, 44, ("fd", 0)),
    "statfs": (137, 43, ("path", 0)),
    "clone": (56, 220),
    "clone3": (435, 435),
    "pidfd_open": (434, 434),
    "setns": (308, 268, ("fd", 0)),
    "unshare": (272, 97),
    "setsid": (112, 157),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "mount": (165, 40, ("path", 1)),
    "umount2": (166, 39, ("path", 0)),
    "open_tree": (428, 428, ("path", 1), ("fd", 0)),
    "move_mount": (429, 429, ("path", 3), ("fd", 2)),
    "fsopen": (430, 430, ("path", 0)),
    "fsconfig": (431, 431, ("path", 2)),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442, ("fd", 0)),
    "pivot_root": (155, 41),
    "chroot": (161, 51, ("path", 0)),
    "chdir": (80, 49, ("path", 0)),
    "fchdir": (81, 50, ("fd", 0)),
    "getcwd": (79, 17),
    "prlimit64": (302, 261),
    "prctl": (157, 167),
    "capset": (126, 91),
    "setgroups": (116, 159),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "seccomp": (317, 277),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "personality": (135, 92),
    "close_range": (436, 436),
    "execve": (59, 221, ("path", 0)),
}
ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
AUDIT, COLUMN = ARCHITECTURES[platform.machine()]
SYS_SECCOMP = CALLS["seccomp"][COLUMN]
SYS_PIDFD_GETFD = 438
RECEIVE, SEND = 0xC0502100, 0xC0182101

libc = ctypes.CDLL(None, use_errno=True)


def number_of(call):
    return CALLS[call][COLUMN]


def install(calls):
    """In the child: everything named is asked about from here on."""
    numbers = [number_of(call) for call in calls if number_of(call) is not None]
    code = [struct.pack("=HBBI", 0x20, 0, 0, 4), struct.pack("=HBBI", 0x15, 0, len(numbers) + 1, AUDIT),
            struct.pack("=HBBI", 0x20, 0, 0, 0)]
    for i, number in enumerate(numbers):
        code.append(struct.pack("=HBBI", 0x15, len(numbers) - i, 0, number))
    code.append(struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000))  # allow
    code.append(struct.pack("=HBBI", 0x06, 0, 0, 0x7FC00000))  # notify
    # The second jump leads to "allow" for foreign architectures.
    text = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("=HxxxxxxQ", len(code), ctypes.addressof(text))
    fd = libc.syscall(SYS_SECCOMP, 1, 8, ctypes.c_char_p(program))
    if fd < 0:
        os._exit(98)
    return fd


class Event:
    """One call that waits for an answer."""

    def __init__(self, raw):
        self.id, self.pid, _, self.number, _, _, *self.arguments = struct.unpack("=QIIiIQ6Q", raw)
        self.call = next(call for call in CALLS if number_of(call) == self.number)

    def object(self):
        """What the call is about: a path, or where the descriptor leads."""
        for kind, index in CALLS[self.call][2:]:
            if text := self._text(kind, self.arguments[index]):
                return text
        return ""

    def _text(self, kind, value):
        try:
            if kind == "fd":
                return os.readlink(f"/proc/{self.pid}/fd/{value & 0xFFFFFFFF}")
            with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
                memory.seek(value)
                return memory.read(min(4096 - value % 4096, 256)).split(b"\0")[0].decode(errors="replace")
        except OSError:
            return ""


class Supervised:
    """A command whose calls named in `calls` are passed to `decide(event)`: 0 lets one through, an errno fails it."""

    def __init__(self, command, calls, decide, **popen):
        self.decide = decide
        self.output_read, output_write = os.pipe()
        ours_closed, closing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                null = os.open("/dev/null", os.O_RDWR)
                os.dup2(popen.get("stdin", null), 0)
                os.dup2(output_write, 1)
                os.dup2(output_write, 2)
                os.dup2(popen.get("keep", null), 3)
                os.closerange(4, 1024)
                for variable, value in popen.get("env", {}).items():
                    os.environ[variable] = value
                install(calls)  # becomes descriptor 4: the lowest that is free
                # A program that is found needs no call but execve, which is let through before anything is counted.
                os.execv(command[0], command)
            finally:
                os._exit(97)
        os.close(output_write)
        os.close(closing)
        os.read(ours_closed, 1)  # before that, descriptor 4 may be the listener of another command under supervision
        os.close(ours_closed)
        self.pidfd = os.pidfd_open(self.pid)
        self.listener = -1
        self.started = False
        self.status = None
        self.output = b""
        try:
            self.listener = self._fetch()
        except BaseException:
            self.close()
            raise

    def _fetch(self):
        for _ in range(40000):
            fd = libc.syscall(SYS_PIDFD_GETFD, self.pidfd, 4, 0)
            if fd >= 0:
                try:
                    if "seccomp notify" in os.readlink(f"/proc/self/fd/{fd}"):
                        return fd
                except OSError:
                    pass
                os.close(fd)
            time.sleep(0.0005)
        raise RuntimeError("the command did not come under supervision")

    def descriptors(self):
        return [fd for fd in (self.listener, self.output_read) if fd >= 0]

    def turn(self, timeout):
        """Waits for something to happen and sees to it. False once nobody under supervision is left and the output has ended."""
        ready = select.poll()
        for fd in self.descriptors():
            ready.register(fd, select.POLLIN)
        for fd, mask in ready.poll(timeout * 1000):
            if fd == self.output_read:
                self._read()
            elif mask & select.POLLIN:
                self._answer()
            elif mask & select.POLLHUP:
                os.close(self.listener)
                self.listener = -1
        return bool(self.descriptors())

    def _read(self):
        text = os.read(self.output_read, 65536)
        self.output += text
        if not text:
            os.close(self.output_read)
            self.output_read = -1

    def _answer(self):
        buffer = bytearray(80)
        try:
            fcntl.ioctl(self.listener, RECEIVE, buffer)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):  # it was killed meanwhile
                return
            raise
        event = Event(bytes(buffer))
        code = 0
        if not self.started:
            self.started = event.call == "execve"
        else:
            code = self.decide(event)
        answer = struct.pack("=QqiI", event.id, 0, -code, 0 if code else 1)
        try:
            fcntl.ioctl(self.listener, SEND, bytearray(answer))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def ended(self):
        """The exit code once the command itself has ended, whoever else is still supervised."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def run(self, timeout=30):
        """To the command's end; its code. Whoever it left behind is let through by later turns only."""
        deadline = time.monotonic() + timeout
        while self.ended() is None:
            self.turn(0.05)
            if time.monotonic() > deadline:
                os.kill(self.pid, 9)
                raise TimeoutError("the command did not end")
        while self.output_read >= 0 and select.select([self.output_read], [], [], 0)[0]:
            self._read()
        return self.status

    def close(self):
        """The command ends with the supervision: every further call of it would wait for an answer."""
        if self.ended() is None:
            os.kill(self.pid, 9)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        for fd in (*self.descriptors(), self.pidfd):
            os.close(fd)
        self.listener = self.output_read = -1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("call", choices=CALLS)
    parser.add_argument("nth", type=int)
    parser.add_argument("--do")
    parser.add_argument("--errno")
    parser.add_argument("--name", default="")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    seen = 0

    def decide(event):
        nonlocal seen
        if event.call != arguments.call or (arguments.name and not event.object().endswith(arguments.name)):
            return 0
        seen += 1
        if seen != arguments.nth:
            return 0
        if arguments.errno:
            return getattr(errno, arguments.errno)
        subprocess.run(["bash", "-ec", arguments.do], check=True, stdin=subprocess.DEVNULL)
        return 0

    supervised = Supervised(arguments.command, {arguments.call, "execve"}, decide)
    try:
        code = supervised.run()
        while supervised.turn(0.2):
            pass
    finally:
        supervised.close()
    sys.stdout.write(supervised.output.decode(errors="replace"))
    sys.exit(code if seen >= arguments.nth else 99)


if __name__ == "__main__":
    main()
