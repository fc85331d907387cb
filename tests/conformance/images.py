"""Images of many makers, unpacked by Skiff and by real Docker: what a container sees must be the same, entry by entry (tree.py). And the
other way: what Skiff builds and commits, loaded into Docker. Docker, Podman, buildah, skopeo and a registry are those that
$SKIFF_PEERS_COMMAND runs (see tests/conformance/run); the engine is a private one. usage: images.py [NAME ...]"""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import image_tars
import tree

HERE = Path(__file__).resolve().parent
TREE = HERE.parent.parent
BIN = Path(os.environ.get("SKIFF_BIN", TREE / "build/release/bin"))
PEERS = os.environ.get("SKIFF_PEERS_COMMAND", str(TREE / "../shared/peers/peers"))
REGISTRY = "localhost:5000/skiff-trees"
BASE, DEBIAN = "busybox:local", "debian:bookworm"
# Docker's overlay2 takes no more; Podman is asked about deeper images.
DOCKERS_LAYERS = 125
# What the peer does not unpack as the layer says, with the reason, by image and path. Nothing else may differ.
KNOWN = {("layers-130", "."): "no layer has the root: Podman makes it 0555 of its own, Docker 0755, which layers-120 shows"}


def run(*command, stdin=None, timeout=300):
    done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, timeout=timeout)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command[-6:]))}: {done.stderr.decode(errors='replace').strip()[-600:]}")
    return done.stdout.decode(errors="replace").strip()


class Engine:
    """A command line, and where the engine behind it sees the work directory."""

    def __init__(self, words, work, seen_as):
        self.words, self.work, self.seen_as = words, work, seen_as

    def __call__(self, *arguments, **options):
        return run(*self.words, *arguments, **options)

    def path(self, path):
        return str(path).replace(str(self.work), self.seen_as, 1)

    def tree(self, image, whole_seconds=False):
        """Of a container of the image, with a program of ours in it."""
        program = self.path(self.work / "busybox")
        container = self("run", "-d", "--network", "none", "-v", f"{program}:/.probe/busybox:ro", "--entrypoint", "", image,
                         "/.probe/busybox", "sleep", "1000").split("\n")[-1]
        try:
            return tree.listing(int(self("inspect", "--format", "{{.State.Pid}}", container)), whole_seconds)
        finally:
            self("rm", "-f", "-v", container)


class Suite:
    def __init__(self, work, chosen):
        self.work, self.chosen, self.failed = work, chosen, 0
        inside = "/host-tmp/" + work.name
        self.skiff = Engine([BIN / "skiff", "-H", f"unix://{work}/skiff.sock"], work, str(work))
        self.docker = Engine([PEERS, "docker"], work, inside)
        self.podman = Engine([PEERS, "podman"], work, inside)

    def case(self, name, make):
        """make() gives the image's name here and the one there, the engine there, and whether times are whole seconds."""
        if self.chosen and name not in self.chosen:
            return
        try:
            here, there, peer, whole_seconds = make()
            ours, theirs = self.skiff.tree(here, whole_seconds), peer.tree(there, whole_seconds)
            found = [line for line in tree.differences(ours, theirs) if (name, line.split(":")[0].strip("'")) not in KNOWN]
        except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
            ours, found = {}, [str(error)]
        print(f"{'not ok' if found else 'ok'} {name}: {len(ours)} entries", flush=True)
        for line in found[:40]:
            print("# " + line)
        self.failed += bool(found)

    # --- made elsewhere, unpacked here

    def loaded(self, name, layers):
        """A hand-made archive, loaded by both."""
        path, image = self.work / f"{name}.tar", f"skiff-trees:{name}"
        image_tars.write_archive(path, image, layers)
        peer = self.docker if len(layers) <= DOCKERS_LAYERS else self.podman
        self.skiff("load", "-i", path)
        peer("load", "-i", peer.path(path))
        return image, image, peer, False

    def saved(self, image, made_there=True):
        """An image of Docker's, saved there and loaded here. Of what Docker made itself it keeps the tree as it was, and saves whole seconds."""
        path = self.work / "saved.tar"
        self.docker("save", "-o", self.docker.path(path), image)
        self.skiff("load", "-i", path)
        return image, image, self.docker, made_there

    def pushed(self, image):
        """One that lies in the registry, pulled by both."""
        self.docker("pull", "-q", image)
        self.skiff("pull", "-q", image)
        return image, image, self.docker, False

    def context(self, dockerfile):
        directory = Path(tempfile.mkdtemp(dir=self.work))
        directory.chmod(0o755)
        (directory / "Dockerfile").write_text(dockerfile)
        (directory / "file").write_text("from the context\n")
        (directory / "attributes.tar").write_bytes(image_tars.attributes()[0])
        (directory / "ustar.tar").write_bytes(image_tars.ustar()[0])
        return directory

    def built_by_docker(self, builder):
        # BuildKit's own tree keeps attributes that are in no layer that Docker saves.
        dockerfile = DOCKERFILE if builder == 0 else "\n".join(line for line in DOCKERFILE.split("\n") if "attributes" not in line)
        directory, image = self.context(dockerfile), f"skiff-trees:docker-{builder}"
        run("env", f"DOCKER_BUILDKIT={builder}", PEERS, "docker", "build", "-q", "-t", image, self.docker.path(directory))
        return self.saved(image)

    def committed_by_docker(self):
        image = "skiff-trees:docker-commit"
        container = self.docker("run", "-d", BASE, "sh", "-c", CHANGES)
        self.docker("wait", container)
        self.docker("commit", container, image)
        self.docker("rm", container)
        return self.saved(image)

    def buildah(self):
        image = f"{REGISTRY}:buildah"
        script = f"""set -e; c=$(buildah from --pull-never localhost/{BASE}); m=$(buildah mount "$c"); mkdir -p "$m/odd/dir"; cd "$m/odd"
          echo one >one; ln one two; mknod null c 1 3; mkfifo fifo; chmod 4755 one; ln -s ../etc link; touch -d @1234567890.123456789 dir
          buildah umount "$c"; buildah run --isolation chroot --network host "$c" sh -c 'rm -rf /home; echo x >/etc/passwd'
          buildah commit -q "$c" {image}; buildah rm "$c"; buildah push --tls-verify=false -q {image}"""
        run(PEERS, "env", "BUILDAH_ISOLATION=chroot", "sh", "-c", script)
        return self.pushed(image)

    def podman_build(self):
        # Podman cannot read a hard link to a symbolic one.
        dockerfile = "\n".join(line for line in DOCKERFILE.split("\n") if "ustar" not in line)
        directory, image = self.context(dockerfile.replace(BASE, "localhost/" + BASE)), f"{REGISTRY}:podman"
        self.podman("build", "-q", "-t", image, self.podman.path(directory))
        self.podman("push", "--tls-verify=false", "-q", image)
        return self.pushed(image)

    def skopeo(self, name, *options):
        """A hand-made archive, compressed and pushed by skopeo."""
        path, image = self.work / f"{name}-source.tar", f"{REGISTRY}:{name}"
        image_tars.write_archive(path, f"x:{name}", image_tars.whiteouts() + image_tars.attributes())
        run(PEERS, "skopeo", "copy", "-q", "--dest-tls-verify=false", *options, f"docker-archive:{self.docker.path(path)}", f"docker://{image}")
        return self.pushed(image)

    def imported(self):
        """One tar, imported by both."""
        path, image = self.work / "imported.tar", "skiff-trees:imported"
        path.write_bytes(image_tars.ustar()[0])
        self.docker("import", self.docker.path(path), image)
        self.skiff("import", path, image)
        return image, image, self.docker, False

    # --- made here, unpacked there

    def shown_to_docker(self, image):
        path = self.work / "shown.tar"
        self.skiff("save", "-o", path, image)
        self.docker("load", "-i", self.docker.path(path))
        return image, image, self.docker, True

    def base_here(self):
        self.saved(BASE)

    def built_here(self):
        self.base_here()
        image = "skiff-trees:built-here"
        self.skiff("build", "-q", "-t", image, self.context(DOCKERFILE))
        return self.shown_to_docker(image)

    def committed_here(self):
        self.base_here()
        image = "skiff-trees:committed-here"
        container = self.skiff("run", "-d", BASE, "sh", "-c", CHANGES)
        self.skiff("wait", container)
        self.skiff("commit", container, image)
        self.skiff("rm", container)
        return self.shown_to_docker(image)

    def pushed_here(self):
        """Through the registry, in the blobs that a push makes."""
        self.base_here()
        image = f"{REGISTRY}:from-here"
        self.skiff("build", "-q", "-t", image, self.context(DOCKERFILE))
        self.skiff("push", "-q", image)
        self.docker("rmi", "-f", "skiff-trees:built-here")
        self.docker("pull", "-q", image)
        return image, image, self.docker, True

    def served_here(self):
        """From the engine itself, by a registry in front of it."""
        self.built_here()
        self.docker("rmi", "-f", "skiff-trees:built-here")  # so that it is unpacked again
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"localhost:{free.getsockname()[1]}"
        registry = subprocess.Popen([BIN / "skiff", "registry", "serve", "--engine", f"unix://{self.work}/skiff.sock", "--listen", address],
                                    stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    socket.create_connection(address.split(":"), 1).close()
                    break
                time.sleep(0.1)
            self.docker("pull", "-q", f"{address}/skiff-trees:built-here")
        finally:
            registry.terminate()
            registry.wait(30)
        return "skiff-trees:built-here", f"{address}/skiff-trees:built-here", self.docker, True

    def bootstrapped_here(self):
        image = "skiff-trees:bootstrap"
        self.skiff("image", "bootstrap", "debian:bookworm-slim")
        self.skiff("tag", "debian:bookworm-slim", image)
        return self.shown_to_docker(image)

    def diffs(self):
        """The same changes in a container of each: diff says the same."""
        self.base_here()
        said = []
        for engine in (self.skiff, self.docker):
            container = engine("run", "-d", "--network", "none", BASE, "sh", "-c", CHANGES)
            engine("wait", container)
            said.append(engine("diff", container).split("\n"))
            engine("rm", container)
        found = [f"{line!r} is said {where} only" for where, lines in (("here", said[0]), ("there", said[1]))
                 for line in lines if line not in said[0] or line not in said[1]]
        print(f"{'not ok' if found else 'ok'} diff: {len(said[0])} lines")
        for line in found:
            print("# " + line)
        self.failed += bool(found)

    def all(self):
        for name, make in image_tars.IMAGES.items():
            self.case(name, lambda name=name, make=make: self.loaded(name, make()))
        self.case("debootstrap", lambda: self.saved(DEBIAN, False))
        self.case("docker build", lambda: self.built_by_docker(0))
        self.case("buildkit", lambda: self.built_by_docker(1))
        self.case("docker commit", self.committed_by_docker)
        self.case("buildah", self.buildah)
        self.case("podman build", self.podman_build)
        self.case("skopeo, zstd", lambda: self.skopeo("zstd", "--format", "oci", "--dest-compress-format", "zstd"))
        self.case("skopeo, gzip, schema 2", lambda: self.skopeo("gzip", "--format", "v2s2", "--dest-compress"))
        self.case("import", self.imported)
        self.case("built here", self.built_here)
        self.case("committed here", self.committed_here)
        self.case("pushed here", self.pushed_here)
        self.case("served here", self.served_here)
        self.case("bootstrapped here", self.bootstrapped_here)
        if not self.chosen or "diff" in self.chosen:
            self.diffs()


# What a build can do to a tree: archives with everything, whiteouts, opaque directories, links, replaced kinds.
DOCKERFILE = f"""FROM {BASE}
ADD attributes.tar /attributes/
ADD ustar.tar /ustar/
COPY file /copied/by/name
COPY file /file
RUN mkdir -p /d/sub /gone /hidden && echo one >/d/file && ln /d/file /d/hard && ln -s ../etc /d/link && echo x >/gone/x && echo y >/hidden/y
RUN rm -rf /gone /hidden && mkdir /hidden && echo z >/hidden/z && chmod 4755 /d/file && chown 1000:2000 /d/sub && mkfifo /d/fifo
RUN echo two >>/d/hard && rm /file && mkdir /file && touch /file/in && rm -rf /d/sub && echo file >/d/sub && mv /attributes/dir /moved
RUN rm -rf /ustar/d && ln -sf /nowhere /ustar/first && chmod 1777 /copied && touch -d @1234567890 /copied/by
"""
CHANGES = ("mkdir -p /new/dir && echo 1 >/new/file && ln /new/file /new/hard && mkfifo /new/fifo && ln -s file /new/link && chmod 2755 /new/dir && "
           "chown 12:34 /new/file && rm -rf /home && rm /bin/awk && mkdir /bin/awk && echo changed >>/etc/passwd && chmod 700 /root && "
           "rm -rf /var && mkdir /var && echo v >/var/v && truncate -s 5000000 /new/sparse && touch -d @1000000000 /new/dir")


def forget_images():
    """Also those of a run that was killed: a layer that a peer has already keeps the times of its making."""
    for peer in ("docker", "podman"):
        names = subprocess.run([PEERS, peer, "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True).stdout.split()
        ours = [name for name in names if "skiff-trees" in name]
        if ours:
            subprocess.run([PEERS, peer, "rmi", "-f", *ours], capture_output=True)
    run(PEERS, "docker", "image", "prune", "-f")


def main():
    work = Path(tempfile.mkdtemp(prefix="skiff-trees-", dir="/tmp"))
    work.chmod(0o755)  # Podman's and Docker's own users look in
    bash = ["bash", "-c", f'source "{TREE}/tests/e2e/engine.bash"; "$0" "{work}"']
    try:
        run(PEERS, "true")
        forget_images()
        run(*bash, "engine_start", timeout=60)
        shutil.copy(shutil.which("busybox"), work / "busybox")
        suite = Suite(work, sys.argv[1:])
        suite.all()
    finally:
        forget_images()
        subprocess.run([*bash, "engine_stop"])
        shutil.rmtree(work)
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
