#!/usr/bin/env python3
"""An engine whose disk is full: builds and creates fail with a sentence, what stood before still works, and room helps again."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import IMAGE, Engine, Failure, check  # noqa: E402


def main():
    mount = tempfile.mkdtemp(prefix="skiff-fault-disk-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "skiff-fault", mount], check=True)
    engine = Engine(data_root=os.path.join(mount, "data"))
    try:
        engine.start()
        engine.base_image()
        context = os.path.join(engine.dir, "large")
        os.makedirs(context)
        with open(os.path.join(context, "blob"), "wb") as out:
            out.write(os.urandom(40 << 20))
        with open(os.path.join(context, "Dockerfile"), "w") as out:
            out.write(f"FROM {IMAGE}\nCOPY blob /a\nCOPY blob /b\n")
        done = engine.call("build", "-t", "large", context, check=False)
        check(done.returncode != 0 and b"no space left on device" in done.stderr + done.stdout,
              f"a build on a full disk: exit {done.returncode}, {done.stderr.decode()}")
        check("large" not in engine.out("images", "--format", "{{.Repository}}").split(), "half an image is listed")
        os.unlink(os.path.join(context, "blob"))
        check(engine.out("run", "--rm", IMAGE, "echo", "alive") == "alive", "nothing runs after the disk was full")
        with open(os.path.join(mount, "filler"), "wb") as out:
            try:
                while True:
                    out.write(b"\0" * (1 << 20))
            except OSError:
                pass
        done = engine.call("create", "--name", "nope", IMAGE, "true", check=False)
        if done.returncode != 0:
            check(b"no space" in done.stderr or b"full" in done.stderr, f"create on a full disk: {done.stderr.decode()}")
        check(engine.call("version", check=False).returncode == 0, "the daemon died of a full disk")
        os.unlink(os.path.join(mount, "filler"))
        check(engine.out("run", "--rm", IMAGE, "echo", "again") == "again", "nothing runs after room was made")
        print("a full disk is survived")
    except Failure as failure:
        print(f"{failure}\n{engine.log_tail()}", file=sys.stderr)
        return 1
    finally:
        engine.stop()
        subprocess.run(["umount", mount], check=True)
        os.rmdir(mount)
    return 0


if __name__ == "__main__":
    sys.exit(main())
