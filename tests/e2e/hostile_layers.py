#!/usr/bin/env python3
"""Layers that lie. usage: hostile_layers.py DIRECTORY OUTSIDE REGISTRY   (OUTSIDE: a directory that the entries aim at)
Writes into DIRECTORY
  refused/NAME.tar    which nobody may unpack; NAME.says is what the refusal must hold
  broken/NAME.tar     which cannot be read to its end
  contained/NAME.tar  which may be unpacked but must stay inside
  flipped/NAME.tar    a layer that was damaged on its way
  same/NAME.tar       one that was damaged where it does not matter: it unpacks to the same
Beside each lies NAME.image, hostile:x with this layer as Docker saves it (of a damaged one the config wants what was whole). Each is pushed
to REGISTRY as hostile:KIND-NAME, and NAME.digest is what its layer is called there; of the damaged ones it is what was whole that is pushed, and
the damage is still to be done. Only the standard library.
"""
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import struct
import sys
import tarfile
import zlib

directory, outside, registry = sys.argv[1:4]
REG, DIR, SYM, LINK, CHR, BLK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE


def tar(*entries, format=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, type, rest in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = type, 0o755
            content = b""
            if type == REG:
                content = rest if isinstance(rest, bytes) else b"hostile"
                entry.size = len(content)
            elif type in (CHR, BLK):
                entry.devmajor, entry.devminor = rest
            elif rest and type != DIR:
                entry.linkname = rest
            if isinstance(rest, dict):
                entry.pax_headers = rest
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def summed(block):
    """With the checksum that it should have."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def header(name, size=b"00000000000", type=b"0", link=b"", magic=b"ustar\00000"):
    """A header written by hand."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124 : 124 + len(size)], block[136:148] = size, b"00000000000\0"
    block[156:157], block[157 : 157 + len(link)], block[257:265] = type, link, magic
    return summed(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def pax(records, type=b"x"):
    return header(b"PaxHeaders/x", b"%011o" % len(records), type) + padded(records)


def record(key, value):
    """One record of a pax header, with the length that it has."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


def sparse(offset, size, real):
    """A GNU sparse file of one piece, whose data is eight bytes."""
    block = bytearray(header(b"sparse", b"00000000010", b"S", magic=b"ustar  \0"))
    block[386:398], block[398:410], block[483:495] = (b"%011o\0" % number for number in (offset, size, real))
    return summed(block) + padded(b"12345678")


END = bytes(1024)
FILE = header(b"file") + END
up = "../" * 20 + outside.lstrip("/")

refused = {  # name: (layer, what the refusal names)
    "dotdot": (tar(("../escaped", REG, None)), "../escaped"),
    "dotdot-alone": (tar(("..", DIR, None)), ".."),
    "dotdot-in-front": (tar(("./../escaped", REG, None)), "../escaped"),
    "dotdot-in-the-middle": (tar(("a", DIR, None), ("a/../../escaped", REG, None)), "a/../../escaped"),
    "dotdot-far": (tar(("a/b/c/../../../../escaped", REG, None)), "a/b/c/../../../../escaped"),
    "dotdot-after-root": (tar(("/../../escaped", REG, None)), "../escaped"),
    "dotdot-directory": (tar(("../escaped/", DIR, None)), "../escaped"),
    "dotdot-link": (tar(("../escaped", SYM, "/etc/passwd")), "../escaped"),
    "dotdot-hard-link": (tar(("file", REG, None), ("../escaped", LINK, "file")), "../escaped"),
    "dotdot-device": (tar(("../escaped", CHR, (1, 3))), "../escaped"),
    "dotdot-whiteout": (tar(("../.wh.escaped", REG, b"")), "../.wh.escaped"),
    "dotdot-opaque": (tar(("../.wh..wh..opq", REG, b"")), "../.wh..wh..opq"),
    "whiteout-of-dotdot": (tar((".wh...", REG, b"")), ".wh..."),
    "dotdot-in-pax": (pax(record(b"path", b"../escaped")) + FILE, "../escaped"),
    "hard-link-out": (tar(("link", LINK, "../" * 20 + "etc/passwd")), "link"),
    "hard-link-out-absolute": (tar(("link", LINK, outside + "/secret")), "link"),
    "hard-link-to-nothing": (tar(("link", LINK, "no/such/file")), "link"),
    "hard-link-out-of-link": (tar(("out", SYM, outside), ("link", LINK, "out/secret")), "link"),
    "hard-link-out-of-relative-link": (tar(("out", SYM, up), ("link", LINK, "out/secret")), "link"),
    "hard-link-to-directory": (tar(("d", DIR, None), ("link", LINK, "d")), "link"),
    "file-below-file": (tar(("file", REG, None), ("file/below", REG, None)), "file/below"),
    "link-to-itself-on-the-way": (tar(("a", SYM, "a"), ("a/file", REG, None)), "a/file"),
    "root-is-a-file": (tar((".", REG, None)), "."),
    "huge-xattr": (tar(("file", REG, {"SCHILY.xattr.user.huge": "x" * 100000})), "file"),
    "xattr-of-long-name": (tar(("file", REG, {"SCHILY.xattr.user." + "n" * 300: "x"})), "file"),
    "long-name": (tar(("d/" + "n" * 300, REG, None)), "nnn"),
    "long-path": (tar(("/".join(["d" * 200] * 30), REG, None)), "ddd"),
    "long-link": (tar(("link", SYM, "t" * 5000)), "link"),
}
contained = {
    "name-with-zero-in-pax": pax(record(b"path", b"fi\0le.txt")) + FILE,  # it ends at the zero
    "absolute": tar((outside + "/escaped", REG, None)),
    "absolute-link": tar((outside + "/escaped", SYM, "/etc/passwd")),
    "directory-over-link": tar(("out", SYM, outside), ("out", DIR, None), ("out/escaped", REG, None)),
    "file-over-link": tar(("out", SYM, outside + "/secret"), ("out", REG, None)),
    "mode-through-hard-link-to-link": tar(("out", SYM, outside + "/secret"), ("too", LINK, "out")),
    "xattr-through-link": tar(("out", SYM, outside + "/secret"), ("out", REG, {"SCHILY.xattr.user.mark": "x"})),
    "links-in-a-circle": tar(("a", SYM, "b"), ("b", SYM, "a"), ("c", SYM, "c")),
    "devices": tar(*((f"disk{i}", BLK, (8, i % 256)) for i in range(2000))),
    "proc-link": tar(("proc", SYM, outside), ("dev", SYM, outside), ("sys", SYM, outside), ("etc", SYM, outside)),
    "overlay-xattrs": tar(("d", DIR, {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y"})),
    "no-end": tar(("file", REG, None))[:1024],
    "sparse": sparse(1 << 30, 8, (1 << 30) + 8) + END,
}
# Through links that lead out: inside they lead to a folder of the layer's own, or to nothing, and then it is made.
ROOM = (outside.lstrip("/"), DIR, None)
for name, entries in {
    "through-link": [("out", SYM, outside), ("out/escaped", REG, None)],
    "through-relative-link": [("out", SYM, up), ("out/escaped", REG, None)],
    "through-link-in-the-middle": [("a", DIR, None), ("a/out", SYM, outside), ("a/out/b/escaped", REG, None)],
    "through-two-links": [("one", SYM, "two"), ("two", SYM, outside), ("one/escaped", REG, None)],
    "through-link-that-changes": [("a", DIR, None), ("a/x", REG, None), ("a", SYM, outside), ("a/escaped", REG, None)],
    "through-hard-link-to-link": [("out", SYM, outside), ("too", LINK, "out"), ("too/escaped", REG, None)],
    "device-through-link": [("out", SYM, outside), ("out/escaped", CHR, (1, 3))],
    "link-through-link": [("out", SYM, outside), ("out/escaped", SYM, "x")],
    "hard-link-through-link": [("file", REG, None), ("out", SYM, outside), ("out/escaped", LINK, "file")],
    "whiteout-through-link": [("out", SYM, outside), ("out/.wh.secret", REG, b"")],
    "opaque-through-link": [("out", SYM, outside), ("out/.wh..wh..opq", REG, b"")],
}.items():
    contained["dangling-" + name] = tar(*entries)
    contained[name] = tar(ROOM, *entries)
whole = tar(("first", REG, b"1" * 3000), ("dir", DIR, None), ("dir/second", REG, b"2" * 70000), ("third", SYM, "first"))
SECOND = 512 + 3072  # where the second header stands
packed = gzip.compress(whole, mtime=0)
broken = {
    "checksum": b"x" + FILE[1:],
    "size-beyond-end": header(b"file", b"00000100000") + b"short",
    "size-of-eight-exabytes": header(b"file", b"\x80" + b"\0" * 3 + struct.pack(">Q", 2**63 - 1)) + END,
    "size-beyond-all": header(b"file", b"\x80" + b"\xff" * 11) + END,
    "negative-size": header(b"file", b"\xff" * 12) + END,
    "long-name-of-a-gigabyte": header(b"././@LongLink", b"10000000000", b"L") + b"n" * 4096,
    "long-name-of-nothing": header(b"././@LongLink", b"00000000100", b"L") + padded(b"n" * 64),
    "special-headers-without-end": pax(record(b"comment", b"x")) * 100 + FILE,
    "pax-length-lies": pax(b"999999999 path=file\n") + FILE,
    "pax-length-is-short": pax(b"5 path=file\n") + FILE,
    "pax-without-newline": pax(b"12 path=file!") + FILE,
    "pax-without-key": pax(b"8 =file\n") + FILE,
    "pax-is-text": pax(b"no record at all") + FILE,
    "pax-size-lies": pax(record(b"size", b"99999999999")) + FILE,
    "pax-size-is-negative": pax(record(b"size", b"-5")) + FILE,
    "pax-of-a-gigabyte": header(b"PaxHeaders/x", b"10000000000", b"x") + b"x" * 4096,
    "pax-at-the-end": pax(record(b"path", b"file")),
    "sparse-beyond-all": sparse((1 << 33) - 1, (1 << 33) - 1, 8) + END,
    "not-a-tar": b"this is no archive\n" * 200,
    "text-for-a-header": whole[:SECOND] + b"x" * 512 + whole[SECOND + 512 :],
    "gzip-cut": packed[:200],
    "gzip-without-sum": packed[:-6],
    "gzip-of-garbage": b"\x1f\x8b\x08\0" + b"\xff" * 300,
    "gzip-and-garbage": packed + b"garbage behind the end",
    "zstd-of-garbage": b"\x28\xb5\x2f\xfd" + b"\xff" * 300,
}
for cut in (300, 700, SECOND + 100, SECOND + 1500, 60000):
    broken[f"cut-{cut}"] = whole[:cut]


def unpacked(layer):
    """What a layer unpacks to, or None."""
    if layer[:2] != b"\x1f\x8b":
        return layer
    try:
        return gzip.decompress(layer)
    except (EOFError, OSError, zlib.error):
        return None


# Bits that turned over: each in the gzip header and in its end, and some between; and in the headers, contents and padding of a plain tar.
flipped, same = {}, {}
random.seed(7)
ends = [*range(10 * 8), *range((len(packed) - 8) * 8, len(packed) * 8)]
for sound, places in ((packed, random.sample(ends, 12) + random.sample(range(80, len(packed) * 8 - 64), 6)),
                      (whole, [8, 8 * 130, 8 * 600, 8 * 3550, 8 * SECOND + 3, 8 * (SECOND + 160), 8 * (len(whole) - 1)])):
    for at in places:
        data = bytearray(sound)
        data[at // 8] ^= 1 << at % 8
        name = f"{'gzip' if sound is packed else 'tar'}-bit-{at}"
        (same if unpacked(bytes(data)) == whole else flipped)[name] = bytes(data)


def config_of(layer):
    diff_id = "sha256:" + hashlib.sha256(unpacked(layer) or layer).hexdigest()
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode()


def image(layer, config):
    out = io.BytesIO()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": ["hostile:x"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in (("layer.tar", layer), ("config.json", config), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


server = http.client.HTTPConnection(registry)


def call(method, target, body=None, headers={}):
    server.request(method, target, body, headers)
    answer = server.getresponse()
    answer.read()
    assert answer.status < 300, (answer.status, target)
    return answer


def blob(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    place = call("POST", "/v2/hostile/blobs/uploads/").getheader("Location")
    call("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest, data, {"Content-Type": "application/octet-stream"})
    return {"digest": digest, "size": len(data)}


def push(name, layer, config):
    """The layer's digest."""
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **blob(config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **blob(layer)}],
    }
    call("PUT", f"/v2/hostile/manifests/{name}", json.dumps(manifest).encode(), {"Content-Type": kind})
    return manifest["layers"][0]["digest"]


def write(path, data):
    with open(f"{directory}/{path}", "wb") as out:
        out.write(data)


refused_layers = {name: layer for name, (layer, _) in refused.items()}
for kind, cases in (("refused", refused_layers), ("contained", contained), ("broken", broken), ("flipped", flipped), ("same", same)):
    os.makedirs(f"{directory}/{kind}", exist_ok=True)
    damaged = kind in ("flipped", "same")
    for name, layer in cases.items():
        sound = (packed if name.startswith("gzip") else whole) if damaged else layer
        config = config_of(sound)
        write(f"{kind}/{name}.tar", layer)
        write(f"{kind}/{name}.image", image(layer, config))
        write(f"{kind}/{name}.digest", push(f"{kind}-{name}", sound, config).encode())
for name, (_, says) in refused.items():
    write(f"refused/{name}.says", says.encode())
write("whole.image", image(whole, config_of(whole)))
