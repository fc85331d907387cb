#!/usr/bin/env python3
"""Layers that lie. usage: hostile_layers.py DIRECTORY OUTSIDE REGISTRY   (OUTSIDE: a directory that the entries aim at)
Writes DIRECTORY/refused/NAME.tar, which nobody may unpack and whose entry must be named, DIRECTORY/broken/NAME.tar, which cannot be read to
its end, DIRECTORY/contained/NAME.tar, which may be unpacked but must stay inside, and DIRECTORY/flipped/NAME.tar, a layer that was damaged on
its way. Beside each lies NAME.image, hostile:x with this layer as Docker saves it; all but the flipped ones are pushed to REGISTRY as
hostile:NAME, and NAME.digest is what their layer is called there. Only the standard library.
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


def header(name, size=b"00000000000", type=b"0", fix=True, link=b""):
    """A header written by hand, its checksum right unless `fix` is false."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124 : 124 + len(size)], block[136:148] = size, b"00000000000\0"
    block[156:157], block[157 : 157 + len(link)], block[257:265] = type, link, b"ustar\00000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block) if fix else b"0000000\0"
    return bytes(block)


def padded(data):
    return data + bytes(-len(data) % 512)


def pax(records):
    return header(b"PaxHeaders/x", b"%011o" % len(records), b"x") + padded(records)


END = bytes(1024)
up = "../" * 20 + outside.lstrip("/")

refused = {
    "dotdot": tar(("../escaped", REG, None)),
    "dotdot-inside": tar(("a/../../escaped", REG, None)),
    "dotdot-directory": tar(("../escaped/", DIR, None)),
    "dotdot-link": tar(("../escaped", SYM, "/etc/passwd")),
    "dotdot-device": tar(("../escaped", CHR, (1, 3))),
    "hard-link-out": tar(("link", LINK, "../" * 20 + "etc/passwd")),
    "hard-link-to-nothing": tar(("link", LINK, "no/such/file")),
    "hard-link-out-of-link": tar(("out", SYM, outside), ("link", LINK, "out/secret")),
    "huge-xattr": tar(("file", REG, {"SCHILY.xattr.user.huge": "x" * 100000})),
    "long-name": tar(("d/" + "n" * 300, REG, None)),
    "long-path": tar(("/".join(["d" * 200] * 30), REG, None)),
}
contained = {
    # It ends at the zero.
    "name-with-nul-in-pax": pax(b"18 path=fi\0le.txt\n"[:18]) + header(b"file") + END,
    "absolute": tar((outside + "/escaped", REG, None)),
    "absolute-link": tar((outside + "/escaped", SYM, "/etc/passwd")),
    "through-link": tar(("out", SYM, outside), ("out/escaped", REG, None)),
    "through-relative-link": tar(("out", SYM, up), ("out/escaped", REG, None)),
    "through-link-in-the-middle": tar(("a", DIR, None), ("a/out", SYM, outside), ("a/out/b/escaped", REG, None)),
    "through-two-links": tar(("one", SYM, "two"), ("two", SYM, outside), ("one/escaped", REG, None)),
    "directory-over-link": tar(("out", SYM, outside), ("out", DIR, None), ("out/escaped", REG, None)),
    "file-over-link": tar(("out", SYM, outside + "/secret"), ("out", REG, None)),
    "device-through-link": tar(("out", SYM, outside), ("out/escaped", CHR, (1, 3))),
    "link-through-link": tar(("out", SYM, outside), ("out/escaped", SYM, "x")),
    "xattr-through-link": tar(("out", SYM, outside + "/secret"), ("out", REG, {"SCHILY.xattr.user.mark": "x"})),
    "whiteout-through-link": tar(("out", SYM, outside), ("out/.wh.secret", REG, b"")),
    "opaque-through-link": tar(("out", SYM, outside), ("out/.wh..wh..opq", REG, b"")),
    "links-in-a-circle": tar(("a", SYM, "b"), ("b", SYM, "a"), ("c", SYM, "c")),
    "devices": tar(*((f"disk{i}", BLK, (8, i % 256)) for i in range(2000))),
    "proc-link": tar(("proc", SYM, outside), ("dev", SYM, outside), ("sys", SYM, outside), ("etc", SYM, outside)),
}
whole = tar(("first", REG, b"1" * 3000), ("dir", DIR, None), ("dir/second", REG, b"2" * 70000), ("third", SYM, "first"))
broken = {
    "checksum": header(b"file", fix=False) + END,
    "size-beyond-end": header(b"file", b"00000100000") + b"short",
    "size-of-eight-exabytes": header(b"file", b"\x80" + b"\0" * 3 + struct.pack(">Q", 2**63 - 1)) + END,
    "negative-size": header(b"file", b"\xff" * 12) + END,
    "long-name-of-a-gigabyte": header(b"././@LongLink", b"10000000000", b"L") + b"n" * 4096,
    "pax-length-lies": pax(b"999999999 path=file\n") + header(b"file") + END,
    "pax-size-lies": pax(b"20 size=99999999999\n") + header(b"file") + END,
    "pax-of-a-gigabyte": header(b"PaxHeaders/x", b"10000000000", b"x") + b"x" * 4096,
    "sparse-beyond-size": header(b"file", b"00000000010", b"S")[:386] + b"00077777777\x0000000000010\0" + header(b"file", b"00000000010", b"S")[410:],
    "not-a-tar": b"this is no archive\n" * 200,
    "text-behind": whole[:1024] + b"x" * 512 + whole[1536:],
    "gzip-cut": gzip.compress(whole)[:200],
    "gzip-of-garbage": b"\x1f\x8b\x08\0" + b"\xff" * 300,
    "zstd-of-garbage": b"\x28\xb5\x2f\xfd" + b"\xff" * 300,
}
random.seed(7)
for cut in (300, 700, 1024 + 1500, 60000):
    broken[f"cut-{cut}"] = whole[:cut]
# Bits that turned over, in headers and in contents.
packed = gzip.compress(whole, mtime=0)
flipped = {}
for number in range(16):
    data = bytearray(whole if number % 2 else packed)
    at = random.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    flipped[str(number)] = bytes(data)


def config_of(layer):
    try:
        plain = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
    except (EOFError, OSError, zlib.error):
        plain = layer
    diff_id = "sha256:" + hashlib.sha256(plain).hexdigest()
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


for kind, cases in (("refused", refused), ("contained", contained), ("broken", broken), ("flipped", flipped)):
    os.makedirs(f"{directory}/{kind}", exist_ok=True)
    for name, data in cases.items():
        # Of a flipped one the config wants the layer as it was.
        config = config_of(whole if kind == "flipped" else data)
        write(f"{kind}/{name}.tar", data)
        write(f"{kind}/{name}.image", image(data, config))
        if kind != "flipped":
            write(f"{kind}/{name}.digest", push(name, data, config).encode())
write("whole.image", image(whole, config_of(whole)))
