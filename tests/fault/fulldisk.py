#!/usr/bin/env python3
"""An engine whose disk is full: builds, creates, pulls and loads fail with a sentence, what stood before still works, nothing is left, and
room helps again."""
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import IMAGE, Engine, Failure, check  # noqa: E402
from registry import Registry, digest  # noqa: E402
from stores import check_settled, layer_tar  # noqa: E402

ROOM = 10 << 20  # that is left when something larger comes
LARGE = 16 << 20


def large_image():
    """A layer that does not compress, and the config of an image of it."""
    layer = layer_tar({"large": os.urandom(LARGE)})
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(layer)]}})
    return layer, config.encode()


def publish(registry, layer, config):
    """Puts the image into the registry as large:v1."""
    blobs = []
    for data, kind in ((config, "config.v1+json"), (layer, "layer.v1.tar")):
        place = registry.request("POST", "/v2/large/blobs/uploads/")[1]["Location"]
        status = registry.request("PUT", f"{place}?digest={digest(data)}", data)[0]
        check(status == 201, f"the registry answers {status}")
        blobs.append({"mediaType": "application/vnd.oci.image." + kind, "digest": digest(data), "size": len(data)})
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": blobs[0], "layers": blobs[1:]}).encode()
    check(registry.request("PUT", "/v2/large/manifests/v1", manifest, {"Content-Type": kind})[0] == 201, "the manifest is refused")


def write_archive(path, layer, config):
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["large:loaded"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for name, data in (("layer.tar", layer), ("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def free(path):
    status = os.statvfs(path)
    return status.f_bavail * status.f_bsize


def fill(mount, room):
    """Leaves so much room, and gives the path of what takes the rest."""
    filler = os.path.join(mount, "filler")
    with open(filler, "wb") as out:
        while free(mount) > room:
            out.write(b"\0" * min(1 << 20, free(mount) - room))
            out.flush()
    return filler


def refused(engine, mount, title, name, *arguments):
    """A command for which there is no room, and again when there is."""
    filler = fill(mount, ROOM)
    before = free(mount)
    done = engine.call(*arguments, check=False)
    said = (done.stderr + done.stdout).decode()
    check(done.returncode != 0 and "no space left on device" in said, f"{title} on a full disk: exit {done.returncode}, {said}")
    check(engine.call("inspect", name, check=False).returncode != 0, f"{title}: half an image is there")
    check_settled(engine.data)
    check(free(mount) > before - (1 << 20), f"{title}: {before - free(mount)} bytes are left behind")
    check(engine.out("run", "--rm", IMAGE, "echo", "alive") == "alive", f"nothing runs after {title} on a full disk")
    os.unlink(filler)
    engine.call(*arguments)
    engine.call("rmi", name)
    check_settled(engine.data)


def transfers(engine, mount):
    check_settled(engine.data)  # what was removed has given its room back
    layer, config = large_image()
    registry = Registry()
    try:
        registry.start()
        publish(registry, layer, config)
        name = f"127.0.0.1:{registry.port}/large:v1"
        refused(engine, mount, "pull", name, "pull", name)
    finally:
        registry.stop()
    archive = os.path.join(engine.dir, "large.tar")
    write_archive(archive, layer, config)
    refused(engine, mount, "load", "large:loaded", "load", "-i", archive)


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
        engine.call("builder", "prune", "-af")
        transfers(engine, mount)
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
