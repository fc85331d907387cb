#!/usr/bin/env python3
"""Runs a command on a terminal of its own, plays a dialogue with it and ends with its exit code.

usage: terminal.py [STEP ...] -- COMMAND [ARG ...]

Steps, in the order in which they happen:
  size=ROWSxCOLUMNS  the size before the command starts (24x80), or a resize once it runs; the command hears of a resize
                     again and again until the next awaited text is there, as it may have begun to listen only now
  expect=TEXT        waits until the terminal has shown TEXT since the last step that waited
  send=TEXT          types TEXT; \\r, \\x10 and the like are understood

What the terminal showed goes to standard output. The helper itself fails with 99: when an awaited text does not come within
30 seconds, when the command does not end within 30 seconds of the last step, or when it leaves the terminal's settings changed.
"""
import fcntl, os, select, signal, struct, sys, termios, time

PATIENCE = 30


class Failure(Exception):
    pass


class Terminal:
    def __init__(self, command, size):
        self.master, slave = os.openpty()
        self.resize(size)
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        self.shown, self.seen, self.resized = b"", 0, False
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            self.login()
            os.closerange(3, 256)
            os.execvp(command[0], command)

    def login(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(self.slave, fd)

    def resize(self, size):
        rows, columns = map(int, size.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, deadline, what):
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failure(what)
        if select.select([self.master], [], [], min(left, 0.05))[0]:
            self.shown += os.read(self.master, 65536)
            return True
        return False

    def expect(self, text):
        deadline = time.monotonic() + PATIENCE
        nudge = time.monotonic() + 0.5
        while (at := self.shown.find(text, self.seen)) < 0:
            if not self.read(deadline, f"{text!r} was not shown") and self.ended():
                raise Failure(f"the command ended with {self.code} before {text!r} was shown")
            if self.resized and time.monotonic() >= nudge:
                os.kill(self.pid, signal.SIGWINCH)
                nudge += 0.5
        self.seen, self.resized = at + len(text), False

    def ended(self):
        if not hasattr(self, "code"):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                if self.code < 0:
                    self.code = 128 - self.code
        return hasattr(self, "code")

    def finish(self):
        deadline = time.monotonic() + PATIENCE
        while not self.ended():
            self.read(deadline, "the command did not end")
        while self.read(deadline, "the output did not end"):
            pass
        if termios.tcgetattr(self.slave) != self.settings:
            raise Failure("the terminal was not put back as it was")


def main(words):
    if "--" not in words:
        sys.exit(__doc__)
    steps, command = words[: words.index("--")], words[words.index("--") + 1 :]
    size = steps.pop(0)[len("size=") :] if steps and steps[0].startswith("size=") else "24x80"
    terminal = Terminal(command, size)
    failure = None
    try:
        for step in steps:
            verb, _, text = step.partition("=")
            data = text.encode().decode("unicode_escape").encode("latin-1")
            if verb == "expect":
                terminal.expect(data)
            elif verb == "send":
                os.write(terminal.master, data)
            elif verb == "size":
                terminal.resize(text)
                terminal.resized = True
            else:
                raise Failure(f"there is no step {verb}")
        terminal.finish()
    except Failure as error:
        failure = error
    if not terminal.ended():
        os.kill(terminal.pid, signal.SIGKILL)
        os.waitpid(terminal.pid, 0)
    sys.stdout.buffer.write(terminal.shown)
    sys.stdout.flush()
    if failure:
        print(f"\nterminal.py: {failure}", file=sys.stderr)
        sys.exit(99)
    sys.exit(terminal.code)


main(sys.argv[1:])
