"""What the tests of the stores share: an engine with a registry and archives beside it, the verbs that write to the stores, and a look at a
data root that trusts nothing of the engine's own.
"""
import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import interrupt  # noqa: E402
from harness import BIN, TREE, Engine, Failure, check  # noqa: E402
from registry import Registry  # noqa: E402

BASE = "fault-base"
# Everything by which a file or folder of the stores comes, changes and goes; numbers on x86-64 and arm64 as in interrupt.CALLS.
CHANGES = {
    "unlink": (87, None, ("path", 0)),
    "unlinkat": (263, 35, ("path", 1)),
    "rmdir": (84, None, ("path", 0)),
    "ftruncate": (77, 46, ("fd", 0)),
    "pwrite64": (18, 68, ("fd", 0)),
    "symlinkat": (266, 36, ("path", 2)),
    "linkat": (265, 37, ("path", 3)),
    "fsetxattr": (190, 7, ("fd", 0)),
    "utimensat": (280, 88, ("path", 1)),
    "copy_file_range": (326, 285, ("fd", 2)),
    "splice": (275, 76, ("fd", 2)),
    "syncfs": (306, 267, ("fd", 0)),
}
interrupt.CALLS.update(CHANGES)
STEPS = [*CHANGES, "mkdir", "mkdirat", "mknodat", "rename", "renameat", "renameat2", "fchmod", "fchown", "fchownat", "fsync", "fdatasync"]
SYNCS = ["fsync", "fdatasync", "syncfs"]


class Supervised(interrupt.Supervised):
    """Two threads may ask whether it has ended."""

    def __init__(self, *arguments):
        self.asking = threading.RLock()
        super().__init__(*arguments)

    def ended(self):
        with self.asking:
            return super().ended()

    def close(self):
        with self.asking:
            super().close()


class SupervisedEngine(Engine):
    """An engine whose system calls named in `calls` wait for `decide(event)` (interrupt.py)."""

    supervised = None
    thread = None

    def start_supervised(self, calls, decide):
        self.supervised = Supervised(self.command(), [*calls, "execve"], decide)
        self.thread = threading.Thread(target=self._answer, args=(self.supervised,))
        self.thread.start()
        self.await_answer(lambda: self.supervised.ended() is None)

    def command(self):
        return [f"{BIN}/skiffd", "-H", f"unix://{self.socket}", "--data-root", self.data, "--exec-root", os.path.join(self.dir, "run"),
                "--bridge", "none"]

    @staticmethod
    def _answer(supervised):
        try:
            while supervised.turn(0.2):
                pass
        finally:
            supervised.close()

    def start_plain(self, before=()):
        """`before` are words that execute the rest of the command line."""
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen([*before, *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.await_answer(lambda: self.process.poll() is None)

    def last_words(self):
        return f"{self.supervised.status}: {self.supervised.output.decode()}" if self.supervised else self.log_tail()

    def end_supervised(self):
        """SIGKILL, and whatever it left behind is let through until it ends."""
        try:
            os.kill(self.supervised.pid, 9)
        except ProcessLookupError:
            pass
        while self.supervised.ended() is None:
            time.sleep(0.002)
        self.forget_socket()

    def kill(self):
        super().kill()
        self.forget_socket()

    def forget_socket(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)


def layer_tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


class World:
    """A small data root with everything that the verbs need, on a file system of its own (memory: only our model says what is synced)."""

    def __init__(self):
        self.mount = tempfile.mkdtemp(prefix="skiff-fault-stores-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "skiff-fault", self.mount], check=True)
        self.engine = SupervisedEngine(data_root=os.path.join(self.mount, "data"))
        self.registry = Registry()
        self.registry.start()
        self.host = f"127.0.0.1:{self.registry.port}"
        self.ids = {}

    def prepare(self):
        """The base image, images in the registry and in archives, a container to commit; the engine has ended then."""
        engine = self.engine
        engine.start_plain()
        root = os.path.join(engine.dir, "base.tar")
        subprocess.run(["bash", "-c", f'source "{TREE}/tests/e2e/engine.bash"; busybox_tar "{root}"'], check=True)
        engine.call("import", "-c", 'CMD ["cat", "/word"]', root, BASE)
        for name in ("pulled", "loaded"):
            self.build(name, f"FROM {BASE}\nCOPY data /data\nCOPY word /word\n", name)
            self.ids[name] = engine.out("inspect", "-f", "{{.Id}}", name)
        engine.call("tag", "pulled", f"{self.host}/app:v1")
        engine.call("push", f"{self.host}/app:v1")
        engine.call("save", "-o", os.path.join(engine.dir, "loaded.tar"), "loaded")
        engine.call("rmi", "pulled", "loaded", f"{self.host}/app:v1")
        engine.call("builder", "prune", "-af")
        engine.call("create", "--name", "work", "--network", "none", BASE)  # its command is the commit's, too
        word = os.path.join(engine.dir, "word")
        with open(word, "w") as out:
            out.write("committed")
        engine.call("cp", word, "work:/word")
        engine.kill()

    def build(self, name, dockerfile, word):
        self.context(name, dockerfile, word)
        self.engine.call("build", "-t", name, os.path.join(self.engine.dir, "context-" + name))

    def context(self, name, dockerfile, word):
        folder = os.path.join(self.engine.dir, "context-" + name)
        os.makedirs(folder, exist_ok=True)
        for file, data in (("Dockerfile", dockerfile.encode()), ("word", word.encode()), ("data", word.encode() * 50000)):
            with open(os.path.join(folder, file), "wb") as out:
                out.write(data)
            os.utime(out.name, (1, 1))  # the same file makes the same layer
        return folder

    def close(self):
        """The last engine ends in an orderly way: it takes along what those that were killed left in the kernel."""
        engine = self.engine
        if engine.process and engine.process.poll() is None:
            engine.kill()
        if engine.supervised and engine.supervised.status is None:
            engine.end_supervised()
        if engine.thread:
            engine.thread.join(30)
        try:
            engine.start_plain()
            engine.stop()
        except Failure as failure:
            print(failure, file=sys.stderr)
        self.registry.stop()
        shutil.rmtree(engine.dir, ignore_errors=True)
        subprocess.run(["umount", self.mount], check=True)
        os.rmdir(self.mount)


class Verb:
    """One thing asked of the engine: its arguments, the names that are there afterwards, and those that are gone."""

    def __init__(self, title, arguments, made=(), gone=(), fails=False):
        self.title, self.arguments, self.made, self.gone, self.fails = title, arguments, list(made), list(gone), fails


def verbs(world, number):
    """Each verb once, in an order in which each finds what it needs. `number` makes what is built and committed new."""
    app = f"{world.host}/app:v1"
    folder = world.context("built", f"FROM {BASE}\nCOPY data /data\nRUN echo {number} >/number && cp /data /copy\nCOPY word /word\n",
                           f"built {number}")
    half = world.context("half", f"FROM {BASE}\nCOPY word /first\nRUN cp /first /word\nRUN false\n", f"half {number}")
    return [
        Verb("failing build", ["build", "--network", "none", half], fails=True),
        Verb("pull", ["pull", app], made=[app]),
        Verb("tag", ["tag", app, "tagged"], made=["tagged"]),
        Verb("load", ["load", "-i", os.path.join(world.engine.dir, "loaded.tar")], made=["loaded:latest"]),
        Verb("commit", ["commit", "work", "committed"], made=["committed"]),
        Verb("build", ["build", "--network", "none", "-t", "built", folder], made=["built"]),
        Verb("rmi of a commit", ["rmi", "-f", "committed"], gone=["committed"]),
        Verb("untag", ["rmi", app], gone=[app]),
        Verb("rmi of a pull", ["rmi", "tagged"], gone=["tagged"]),
        Verb("rmi of a build", ["rmi", "built"], gone=["built"]),
        Verb("builder prune", ["builder", "prune", "-af"]),
        Verb("prune", ["image", "prune", "-af"], gone=["loaded:latest"]),
    ]


WORDS = {"tagged": "pulled", "loaded:latest": "loaded", "committed": "committed"}


def verify_cache(world, number):
    """What is cached of the build that failed makes the image that it would make."""
    folder = world.context("again", f"FROM {BASE}\nCOPY word /first\nRUN cp /first /word\n", f"half {number}")
    world.engine.call("build", "--network", "none", "-t", "again", folder)
    got = world.engine.out("run", "--rm", "--network", "none", "again")
    check(got == f"half {number}", f"a build from the cache gives {got!r}")


def word_of(world, name, number):
    if name == "built":
        return f"built {number}"
    return "pulled" if name.startswith(world.host) else WORDS[name]


def verify_images(world, there, number, run=True):
    """What was acknowledged is there and, with `run`, runs; the engine's own check finds nothing."""
    engine = world.engine
    done = engine.call("system", "fsck", "--format", "json", check=False)
    report = json.loads(done.stdout or b"{}")
    check(done.returncode == 0 and not report["Damages"] and not report["Leftovers"],
          f"fsck: {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
    for name in there:
        found = engine.call("inspect", "-f", "{{.Id}}", name, check=False)
        check(found.returncode == 0, f"{name} was acknowledged and is not there: {found.stderr.decode()}")
        if run:
            got = engine.out("run", "--rm", "--network", "none", name)
            check(got == word_of(world, name, number), f"{name} says {got!r}")


def records(data):
    """The tables, through SQLite alone."""
    with sqlite3.connect(f"file:{data}/meta.db?mode=ro", uri=True) as database:
        tables = {}
        for table, key, value in database.execute("SELECT tab, key, value FROM records"):
            tables.setdefault(table, {})[key] = value
    database.close()
    return tables


def audit(data):
    """Complaints about a data root whose engine has started: what is damaged, and what nothing refers to."""
    tables = records(data)
    images = {key: json.loads(value) for key, value in tables.get("images", {}).items()}
    snapshots = {key: json.loads(value) for key, value in tables.get("snapshots", {}).items()}
    containers = set(tables.get("containers", {}))
    bad = []
    named, layers = set(), set()
    for key, image in images.items():
        named |= {key, *image.get("manifests", [])}
        layers |= {layer["snapshot"] for layer in image["layers"]}
    for key, value in tables.get("tags", {}).items():
        if json.loads(value)["id"] not in images:
            bad.append(f"the name {key} leads nowhere")
    blobs = os.path.join(data, "content/blobs/sha256")
    here = {"sha256:" + name for name in os.listdir(blobs)}
    bad += [f"blob {key} is missing" for key in named - here] + [f"blob {key} has no use" for key in here - named]
    for key in here:
        with open(os.path.join(blobs, key[7:]), "rb") as blob:
            if hashlib.sha256(blob.read()).hexdigest() != key[7:]:
                bad.append(f"blob {key} is damaged")
    folders = set(os.listdir(os.path.join(data, "snapshots"))) - {"trash"}
    known = {record["directory"] for record in snapshots.values()}
    bad += [f"folder {name} has no record" for name in folders - known] + [f"folder {name} is missing" for name in known - folders]
    bad += [f"the work folder of {key} is left" for key, record in snapshots.items()
            if record.get("committed") and os.path.exists(os.path.join(data, "snapshots", record["directory"], "work"))]
    parents = {record.get("parent") for record in snapshots.values()}
    cached = {json.loads(value).get("snapshot") for value in tables.get("build_cache", {}).values()}
    for key in snapshots:
        of_container = key.startswith("container-") and key[len("container-"):] in containers
        if key not in layers | parents | cached and not of_container:
            bad.append(f"snapshot {key} has no use")
    bad += [f"layer {key} has no snapshot" for key in layers - set(snapshots)]
    bad += [f"orphan {key} has no snapshot" for key in set(tables.get("image_orphans", {})) - set(snapshots)]
    bad += [f"half-written {name}" for name in os.listdir(os.path.join(data, "content/ingest"))]
    bad += [f"folder of no container: {name}" for name in set(os.listdir(os.path.join(data, "containers"))) - containers]
    return bad


def check_settled(data):
    """No complaint once what is deleted behind the engine's back is gone."""
    for _ in range(200):
        bad = audit(data)
        for folder in ("snapshots/trash", "tmp"):
            bad += [f"{folder}/{name}" for name in os.listdir(os.path.join(data, folder))]
        if not bad:
            return
        time.sleep(0.01)
    raise Failure("\n".join(bad))
