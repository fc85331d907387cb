#!/usr/bin/env python3
"""Makes an image of zstd:chunked or eStargz layers, and puts it into a registry.
usage: lazy_image.py HOST:PORT REPOSITORY TAG [--chunk BYTES] [--lie] LAYER ...
A LAYER is a tar, for a zstd:chunked one, or estargz=TAR, or plain=TAR for one without a table of contents, or unsigned=TAR
for a zstd:chunked one whose table has no digest in the manifest. With --lie the config names other diff ids than the layers have. Prints, one a line, the manifest's digest and each
layer's digest, and after that "NAME OFFSET END" of each piece of each file.
"""
import argparse
import base64
import ctypes
import gzip
import hashlib
import io
import json
import struct
import sys
import tarfile
import time
import urllib.parse
import urllib.request

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_compressBound.restype = zstd.ZSTD_compress.restype = ctypes.c_size_t
zstd.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
zstd.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
TYPES = {tarfile.REGTYPE: "reg", tarfile.AREGTYPE: "reg", tarfile.LNKTYPE: "hardlink", tarfile.SYMTYPE: "symlink",
         tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block", tarfile.DIRTYPE: "dir", tarfile.FIFOTYPE: "fifo"}


def frame(data):
    out = ctypes.create_string_buffer(zstd.ZSTD_compressBound(len(data)))
    size = zstd.ZSTD_compress(out, len(out), data, len(data), 3)
    return out.raw[:size]


def skippable(data):
    return struct.pack("<II", 0x184D2A50, len(data)) + data


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def timestamp(member):
    whole, _, fraction = member.pax_headers.get("mtime", str(int(member.mtime))).partition(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(whole))) + "." + (fraction or "0") + "Z"


def entry_of(member):
    entry = {"type": TYPES[member.type], "name": member.name, "mode": member.mode, "uid": member.uid, "gid": member.gid,
             "modtime": timestamp(member)}
    if member.linkname:
        entry["linkName"] = member.linkname
    if member.isdev():
        entry.update(devMajor=member.devmajor, devMinor=member.devminor)
    xattrs = {name[13:]: base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()
              for name, value in member.pax_headers.items() if name.startswith("SCHILY.xattr.")}
    if xattrs:
        entry["xattrs"] = xattrs
    return entry


def chunked(path, chunk_size):
    """The blob, its annotations, its tar's digest."""
    raw = open(path, "rb").read()
    blob, entries, at = bytearray(), [], 0
    for member in tarfile.open(path):
        blob += frame(raw[at:member.offset_data])
        at = member.offset_data
        entry = entry_of(member)
        if member.isreg():
            data = raw[at:at + member.size]
            at += member.size
            entry["size"] = member.size
            if data:
                entry["digest"] = digest(data)
            pieces = [data[i:i + chunk_size] for i in range(0, len(data), chunk_size)]
            for number, piece in enumerate(pieces):
                part = entry if number == 0 else {"type": "chunk", "name": member.name}
                part.update(chunkOffset=number * chunk_size, chunkSize=len(piece))
                if not piece.strip(b"\0"):
                    part["chunkType"] = "zeros"
                    blob += frame(piece)
                else:
                    part.update(offset=len(blob), chunkDigest=digest(piece))
                    blob += frame(piece)
                    part["endOffset"] = len(blob)
                entries.append(part)
            if pieces:
                continue
        entries.append(entry)
    blob += frame(raw[at:])
    table = json.dumps({"version": 1, "entries": entries}).encode()
    packed = frame(table)
    position = f"{len(blob) + 8}:{len(packed)}:{len(table)}:1"
    blob += skippable(packed)
    blob += skippable(struct.pack("<QQQQQQQ", len(blob) - len(packed), len(packed), len(table), 1, 0, 0, 0) + b"GNUlInUx")
    annotations = {"io.github.containers.zstd-chunked.manifest-position": position,
                   "io.github.containers.zstd-chunked.manifest-checksum": digest(packed)}
    places = [(e["name"], e["offset"], e["endOffset"]) for e in entries if "endOffset" in e]
    return bytes(blob), annotations, digest(raw), places


def estargz(path, chunk_size):
    """The same of an eStargz layer: a piece's gzip member goes on with the padding and headers behind it."""
    raw = open(path, "rb").read()
    entries, cuts, end = [], [0], 0
    for member in tarfile.open(path):
        entry = entry_of(member)
        entries.append(entry)
        end = member.offset_data
        if not member.isreg() or member.size == 0:
            continue
        entry.update(size=member.size, digest=digest(raw[end:end + member.size]))
        for at in range(0, member.size, chunk_size):
            part = entry if at == 0 else {"type": "chunk", "name": member.name}
            if at > 0:
                entries.append(part)
            size = min(chunk_size, member.size - at)
            part.update(chunkOffset=at, chunkSize=size if at + size < member.size else 0,
                        chunkDigest=digest(raw[end + at:end + at + size]), offset=len(cuts))
            cuts.append(end + at)
        end += (member.size + 511) // 512 * 512
    blob, begins = bytearray(), []
    for begin, stop in zip(cuts, cuts[1:] + [end]):
        begins.append(len(blob))
        blob += gzip.compress(raw[begin:stop], 6)
    for entry in entries:
        if "offset" in entry:
            entry["offset"] = begins[entry["offset"]]
    table = json.dumps({"version": 1, "entries": entries}, indent=1).encode()
    tail = io.BytesIO()
    with tarfile.open(fileobj=tail, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("stargz.index.json")
        info.size, info.mode = len(table), 0
        tar.addfile(info, io.BytesIO(table))
    position = len(blob)
    blob += gzip.compress(tail.getvalue())
    blob += b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0%016xSTARGZ\x01\0\0\xff\xff" % position + bytes(8)
    return bytes(blob), {"containerd.io/snapshot/stargz/toc.digest": digest(table)}, digest(raw[:end] + tail.getvalue()), []


def plain(path):
    raw = open(path, "rb").read()
    return frame(raw), {}, digest(raw), []


class Registry:
    def __init__(self, host, repository):
        self.base = f"http://{host}/v2/{repository}"

    def ask(self, method, url, data=b"", **headers):
        request = urllib.request.Request(url, data=data, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        return urllib.request.urlopen(request)

    def put_blob(self, data):
        place = self.ask("POST", self.base + "/blobs/uploads/").headers["Location"]
        place = urllib.parse.urljoin(self.base, place)
        place += ("&" if "?" in place else "?") + "digest=" + digest(data)
        self.ask("PUT", place, data, Content_Type="application/octet-stream")
        return {"digest": digest(data), "size": len(data)}

    def put_manifest(self, tag, manifest):
        data = json.dumps(manifest).encode()
        self.ask("PUT", f"{self.base}/manifests/{tag}", data, Content_Type=manifest["mediaType"])
        return digest(data)


def main():
    arguments = argparse.ArgumentParser()
    for name in ("host", "repository", "tag"):
        arguments.add_argument(name)
    arguments.add_argument("--chunk", type=int, default=64 << 10)
    arguments.add_argument("--lie", action="store_true")
    arguments.add_argument("layers", nargs="+")
    options = arguments.parse_args()
    registry = Registry(options.host, options.repository)
    layers, diff_ids, shown = [], [], []
    for layer in options.layers:
        kind, path = layer.split("=", 1) if "=" in layer else ("chunked", layer)
        make = {"plain": lambda path, _: plain(path), "estargz": estargz}.get(kind, chunked)
        blob, annotations, diff_id, places = make(path, options.chunk)
        if kind == "unsigned":
            del annotations["io.github.containers.zstd-chunked.manifest-checksum"]
        descriptor = registry.put_blob(blob)
        shown += [descriptor["digest"]]
        places and shown.extend("%s %d %d" % place for place in places)
        descriptor["mediaType"] = "application/vnd.oci.image.layer.v1.tar+" + ("gzip" if kind == "estargz" else "zstd")
        if annotations:
            descriptor["annotations"] = annotations
        layers.append(descriptor)
        diff_ids.append(digest(b"another") if options.lie else diff_id)
    config = {"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
              "config": {"Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"], "Cmd": ["sh"]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids},
              "history": [{"created": "2026-01-01T00:00:00Z", "created_by": path} for path in options.layers]}
    described = registry.put_blob(json.dumps(config).encode())
    described["mediaType"] = "application/vnd.oci.image.config.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": described, "layers": layers}
    print(registry.put_manifest(options.tag, manifest))
    print("\n".join(shown))


sys.exit(main())
