#!/usr/bin/env python3
"""Reads an archive of images and says what is wrong with it.

usage: oci_check.py ARCHIVE

Every blob has the digest that is its name; what index.json and manifest.json speak of is there, with the size they say; the layers
are those of the config. Prints "<image id> <names>" for each image.
"""
import hashlib
import json
import sys
import tarfile


def fail(text):
    sys.exit(f"{sys.argv[1]}: {text}")


def main():
    blobs, documents = {}, {}
    with tarfile.open(sys.argv[1], "r:") as tar:
        for member in tar:
            if not member.isfile():
                continue
            data = tar.extractfile(member).read()
            if member.name.startswith("blobs/sha256/"):
                digest = hashlib.sha256(data).hexdigest()
                if member.name != "blobs/sha256/" + digest:
                    fail(f"{member.name} has the digest {digest}")
                blobs[digest] = data
            else:
                documents[member.name] = data
    if json.loads(documents["oci-layout"]) != {"imageLayoutVersion": "1.0.0"}:
        fail("oci-layout")

    def blob(descriptor):
        data = blobs.get(descriptor["digest"].removeprefix("sha256:"))
        if data is None or len(data) != descriptor["size"]:
            fail(f"{descriptor} is not there")
        return data

    configs = {}
    for entry in json.loads(documents["index.json"])["manifests"]:
        manifest = json.loads(blob(entry))
        config = json.loads(blob(manifest["config"]))
        layers = [layer["digest"] for layer in manifest["layers"]]
        for layer in manifest["layers"]:
            blob(layer)
        if layers != config["rootfs"]["diff_ids"]:
            fail("the layers are not those of the config")
        configs[manifest["config"]["digest"].removeprefix("sha256:")] = layers
    for image in json.loads(documents["manifest.json"]):
        name = image["Config"].removeprefix("blobs/sha256/")
        if configs.get(name) != ["sha256:" + layer.removeprefix("blobs/sha256/") for layer in image["Layers"]]:
            fail("manifest.json and index.json do not agree")
        print("sha256:" + name, " ".join(image["RepoTags"] or []))


main()
