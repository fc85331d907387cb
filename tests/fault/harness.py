"""A private engine for fault tests: start, kill, restart, and ask it through the command line."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zlib

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("SKIFF_BIN", os.path.join(TREE, "build/release/bin"))
IMAGE = "fault-busybox"


class Failure(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failure(text)


class Engine:
    def __init__(self, data_root=None):
        self.dir = tempfile.mkdtemp(prefix="skiff-fault-")
        self.socket = os.path.join(self.dir, "skiff.sock")
        self.data = data_root or os.path.join(self.dir, "data")
        self.bridge = "skf%08x" % zlib.crc32(self.dir.encode())
        self.process = None

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [f"{BIN}/skiffd", "-H", f"unix://{self.socket}", "--data-root", self.data, "--exec-root",
                 os.path.join(self.dir, "run"), "--pidfile", os.path.join(self.dir, "pid"), "--bridge", self.bridge],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.await_answer(lambda: self.process.poll() is None)

    def await_answer(self, lives):
        """Until the engine answers, a minute long; `lives` says whether there is still any hope."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if os.path.exists(self.socket) and self.call("version", check=False).returncode == 0:
                return
            if not lives():
                break
            time.sleep(0.005)
        time.sleep(0.3)  # for its last words
        raise Failure("the engine did not come up:\n" + self.last_words())

    def last_words(self):
        return self.log_tail()

    def log_tail(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as log:
            return "".join(log.readlines()[-25:])

    def call(self, *arguments, check=True, timeout=60):
        done = subprocess.run([f"{BIN}/skiff", "-H", f"unix://{self.socket}", *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check and done.returncode != 0:
            raise Failure(f"skiff {' '.join(arguments)}: exit {done.returncode}: {done.stderr.decode()}\n{self.log_tail()}")
        return done

    def out(self, *arguments):
        return self.call(*arguments).stdout.decode().strip()

    def inspect(self, name):
        return json.loads(self.out("inspect", name))[0]

    def background(self, *arguments):
        return subprocess.Popen([f"{BIN}/skiff", "-H", f"unix://{self.socket}", *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def base_image(self):
        context = os.path.join(self.dir, "base")
        os.makedirs(context)
        subprocess.run(["bash", "-c", f'source "{TREE}/tests/e2e/engine.bash"; busybox_tar "{context}/rootfs.tar"'], check=True)
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write('FROM scratch\nADD rootfs.tar /\nCMD ["sh"]\n')
        self.call("build", "-q", "-t", IMAGE, context)

    def stop(self):
        """Removes all containers, ends the daemon, removes its folders."""
        if self.process and self.process.poll() is None:
            ids = self.call("ps", "-aq", check=False).stdout.decode().split()
            if ids:
                self.call("rm", "-f", "-v", *ids, check=False)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise Failure("the engine did not end within 30 s of SIGTERM")
        shutil.rmtree(self.dir, ignore_errors=True)
