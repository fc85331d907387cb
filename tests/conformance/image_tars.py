"""Images that no tool would make, written entry by entry. `image_tars.py DIRECTORY` writes one archive for each, as `docker save` does
it, and prints their names. Everything that a layer may hold and that Docker unpacks stands in one of them; times are fixed, so that
the same archives come out each time."""
import hashlib
import io
import json
import os
import sys
import tarfile

REG, DIR, SYM, LINK, CHR, BLK, FIFO = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
                                       tarfile.BLKTYPE, tarfile.FIFOTYPE)
# security.capability of cap_net_raw+ep, and an ACL that lets user 1000 read.
CAPABILITY = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
ACL = (b"\x02\0\0\0" b"\x01\0\x06\0\xff\xff\xff\xff" b"\x02\0\x04\0\xe8\x03\0\0" b"\x04\0\x04\0\xff\xff\xff\xff"
       b"\x10\0\x04\0\xff\xff\xff\xff" b"\x20\0\x04\0\xff\xff\xff\xff")


class Layer:
    def __init__(self, format=tarfile.PAX_FORMAT):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=format, errors="surrogateescape")

    def add(self, name, type=REG, content=b"", mode=None, owner=(0, 0), mtime=1500000000, target="", device=(0, 0), pax=None):
        entry = tarfile.TarInfo(os.fsdecode(name))
        entry.type, entry.size, entry.linkname = type, len(content), os.fsdecode(target)
        entry.mode = mode if mode is not None else 0o755 if type == DIR else 0o644
        entry.uid, entry.gid = owner
        entry.mtime, entry.pax_headers = mtime, {key: os.fsdecode(value) for key, value in (pax or {}).items()}
        entry.devmajor, entry.devminor = device
        self.tar.addfile(entry, io.BytesIO(content))
        return self

    def done(self):
        self.tar.close()
        return self.bytes.getvalue()


def directory_tree(layer, *names):
    for name in names:
        layer.add(name, DIR)
    return layer


def gnu():
    layer = Layer(tarfile.GNU_FORMAT)
    layer.add("n" * 99, content=b"short").add("d" * 100 + "/", DIR).add("d" * 100 + "/" + "f" * 200, content=b"long name")
    layer.add("to", SYM, target="t" * 300).add("hard", LINK, target="d" * 100 + "/" + "f" * 200)
    layer.add("owner", owner=(3000000000, 4000000000)).add("late", mtime=2**33 + 5)
    return [layer.done()]


def pax():
    layer = Layer()
    layer.add("dir", DIR, pax={"mtime": "1600000000.123456789"})
    layer.add("dir/file", content=b"x", pax={"mtime": "1600000001.987654321", "atime": "1600000002.5"})
    layer.add("dir/" + "/".join(["p" * 120] * 5), content=b"deep")
    layer.add("dir/grüße", content=b"utf-8").add("link", SYM, target="grüße/" * 50, pax={"mtime": "1600000003.000000001"})
    layer.add("owner", owner=(4294967294, 2097152)).add("late", mtime=2**33 + 7)
    return [layer.done()]


def attributes():
    layer = Layer()
    layer.add("ping", mode=0o755, content=b"#!", pax={"SCHILY.xattr.security.capability": CAPABILITY})
    layer.add("user", pax={"SCHILY.xattr.user.mime_type": b"text/plain", "SCHILY.xattr.user.empty": b"", "SCHILY.xattr.user.long": b"v" * 1500})
    layer.add("dir", DIR, pax={"SCHILY.xattr.user.of.dir": b"yes"}).add("trusted", pax={"SCHILY.xattr.trusted.note": b"ours"})
    layer.add("acl", pax={"SCHILY.xattr.system.posix_acl_access": ACL})
    layer.add("acl-dir", DIR, pax={"SCHILY.xattr.system.posix_acl_default": ACL}).add("acl-dir/child", content=b"inherits nothing")
    layer.add("acl-dir/sub", DIR)
    # Owner and mode are set after the capability would be lost by them.
    layer.add("owned", mode=0o4755, owner=(1000, 1000), pax={"SCHILY.xattr.security.capability": CAPABILITY})
    return [layer.done()]


def ustar():
    layer = Layer(tarfile.USTAR_FORMAT)
    directory_tree(layer, "d", "d/sub")
    layer.add("d/" + "x" * 90 + "/" + "y" * 90, content=b"prefix")
    layer.add("null", CHR, mode=0o666, device=(1, 3)).add("disk", BLK, mode=0o660, owner=(0, 6), device=(7, 200)).add("d/fifo", FIFO, mode=0o600)
    layer.add("large", CHR, device=(300, 70000 % 2097152))
    layer.add("abs", SYM, target="/etc/passwd").add("up", SYM, target="../../..").add("self", SYM, target="self").add("nowhere", SYM, target="no/such")
    layer.add("su", mode=0o4711).add("sg", mode=0o2755, owner=(5, 6)).add("sticky", DIR, mode=0o1777).add("none", mode=0).add("sg-dir", DIR, mode=0o2775, owner=(7, 8))
    layer.add("sg-dir/child", content=b"keeps its own group", owner=(1, 2))
    layer.add("first", content=b"one file").add("d/second", LINK, target="first").add("third", LINK, target="d/second")
    layer.add("link-to-link", LINK, target="abs").add("link-to-fifo", LINK, target="d/fifo").add("link-to-device", LINK, target="null")
    return [layer.done()]


def names():
    layer = Layer(tarfile.GNU_FORMAT)
    for number, name in enumerate([b"\xff\xfe", b"caf\xe9", b"new\nline", b"tab\t", b"back\\slash", b" space ", b"-dash", b"...", b"a:b", b"wh.x", b".wh", b".whx",
                                   b"quote\"'", b"*", b"$(x)", b"\x01\x02\x7f", "漢字".encode()]):
        layer.add(name, content=b"%d" % number)
    layer.add(b"dir\xff", DIR).add(b"dir\xff/\xfe", SYM, target=b"\xfd").add(b"hard\xfc", LINK, target=b"\xff\xfe")
    layer.add("./dot/./slash//es", content=b"5").add("/absolute", content=b"6").add("dot/../dot/up", content=b"7")
    return [layer.done()]


def whiteouts():
    low = directory_tree(Layer(), "keep", "gone", "gone/sub", "opaque", "opaque/old", "opaque2", "again", "deep", "deep/er")
    for name in ["keep/file", "keep/gone", "gone/sub/file", "opaque/file", "opaque/old/file", "opaque2/file", "again/file", "deep/er/file", "deep/er/stays"]:
        low.add(name, content=name.encode())
    low.add("keep/link", SYM, target="file").add("hard", LINK, target="keep/file")
    middle = Layer()
    middle.add(".wh.gone").add("keep", DIR).add("keep/.wh.gone").add("keep/.wh.link")
    middle.add("opaque", DIR, mode=0o700).add("opaque/.wh..wh..opq").add("opaque/new", content=b"new")
    # What stands before the marker in the same layer is of this layer, and stays.
    middle.add("opaque2", DIR).add("opaque2/before", content=b"b").add("opaque2/.wh..wh..opq").add("opaque2/after", content=b"a")
    middle.add("deep", DIR).add("deep/er", DIR).add("deep/er/.wh.file").add(".wh.neverwas").add("keep/.wh.neverwas")
    middle.add(".wh.again").add(".wh.hard")
    high = directory_tree(Layer(), "again", "gone").add("again/other", content=b"o").add("gone/back", content=b"g").add("keep", DIR).add("keep/gone", content=b"back")
    return [low.done(), middle.done(), high.done()]


def replaced():
    low = directory_tree(Layer(), "dir", "dir/sub", "linked", "was-link-target", "empty")
    low.add("dir/file", content=b"f").add("file", content=b"f").add("lib", SYM, target="linked").add("linked/in", content=b"i")
    low.add("was-link", SYM, target="was-link-target").add("was-link-target/x", content=b"x").add("fifo", FIFO).add("a", content=b"a").add("b", LINK, target="a")
    high = Layer()
    high.add("dir", content=b"a file now").add("file", DIR).add("file/inside", content=b"i").add("was-link", DIR).add("was-link/y", content=b"y")
    high.add("fifo", SYM, target="file").add("empty", CHR, device=(5, 1)).add("a", content=b"changed: b keeps the old")
    return [low.done(), high.done()]


def implied():
    low = Layer().add("etc", DIR, mode=0o711, owner=(9, 9)).add("etc/low", content=b"l")
    # Without an entry for their directories: as most layers of builders are.
    high = Layer().add("no/such/dirs/file", content=b"f").add("no/such/link", SYM, target="x")
    return [low.done(), high.done()]


def root():
    low = Layer().add("./", DIR, mode=0o711, owner=(3, 4)).add("./file", content=b"f")
    high = Layer().add("./", DIR, mode=0o750, owner=(5, 6), pax={"SCHILY.xattr.user.root": b"yes"}).add("./other", content=b"o")
    return [low.done(), high.done()]


def times():
    layer = Layer()
    layer.add("old", mtime=0).add("dir", DIR, mtime=1).add("dir/sub", DIR, mtime=2).add("dir/sub/file", mtime=3, content=b"f").add("dir/link", SYM, mtime=4, target="sub")
    layer.add("hard", LINK, mtime=5, target="dir/sub/file").add("fifo", FIFO, mtime=6).add("null", CHR, mtime=7, device=(1, 3))
    layer.add("y2038", mtime=2**31).add("y2106", mtime=2**32 + 1)
    later = Layer().add("dir/sub/more", content=b"m", mtime=10).add("dir", DIR, mtime=11, mode=0o750).add("dir/sub", DIR, mtime=12)
    return [layer.done(), later.done()]


def sizes():
    layer = Layer(tarfile.GNU_FORMAT)
    for size in [0, 1, 511, 512, 513, 10239, 10240, 10241, 1 << 20, (1 << 20) + 1, 5 << 20]:
        layer.add(f"size-{size}", content=hashlib.sha256(b"%d" % size).digest() * (size // 32) + b"x" * (size % 32))
    layer.add("zeros", content=bytes(3 << 20))
    return [layer.done()]


def many_layers(count):
    """Each layer adds a file, changes one and removes one."""
    layers = []
    for number in range(count):
        layer = Layer().add("./", DIR) if number == 0 else Layer()
        layer.add(f"layer-{number}", content=b"%d" % number).add("changed", content=b"version %d" % number, mtime=1500000000 + number)
        if number > 1 and number % 2 == 0:
            layer.add(f".wh.layer-{number - 1}")
        layers.append(layer.done())
    return layers


IMAGES = {"gnu": gnu, "pax": pax, "attributes": attributes, "ustar": ustar, "names": names, "whiteouts": whiteouts, "replaced": replaced,
          "implied": implied, "root": root, "times": times, "sizes": sizes, "layers-120": lambda: many_layers(120), "layers-130": lambda: many_layers(130)}


def write_archive(path, name, layers):
    """With the documents first, as in no archive of Docker's; a reader has to take them as they come."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]}}).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [digest + "/layer.tar" for digest in digests]}]).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in [("manifest.json", manifest), (config_name, config), *((digest + "/layer.tar", layer) for digest, layer in zip(digests, layers))]:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def main():
    directory = sys.argv[1]
    for name, make in IMAGES.items():
        write_archive(f"{directory}/{name}.tar", f"skiff-trees:{name}", make())
        print(name)


if __name__ == "__main__":
    main()
