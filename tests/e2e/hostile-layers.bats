# Layers that lie, through every door: load, import, pull, ADD and the build context. What may not be is refused in a sentence that names layer and
# entry; nothing is written outside, and nothing is left behind. The layers are made by hostile_layers.py.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export REGISTRY LAYERS OUTSIDE
  lib_setup_file
  mkdir "$E2E_DIR/registries"
  registry_start open
  REGISTRY=127.0.0.1:$REGISTRY_PORT
  OUTSIDE=$E2E_DIR/outside LAYERS=$E2E_DIR/layers
  mkdir "$OUTSIDE"; echo precious >"$OUTSIDE/secret"
  python3 "$HERE/hostile_layers.py" "$LAYERS" "$OUTSIDE"
}

teardown_file() {
  registries_stop
  lib_teardown_file
}

setup() {
  SNAPSHOTS=$(snapshots)
  OUTSIDE_BEFORE=$(outside)
}

snapshots() { ls "$E2E_DIR/data/snapshots" | grep -v trash; }
outside() { # all that can be said of what must not change
  python3 - "$OUTSIDE" <<'PY'
import os, sys
for at in [sys.argv[1]] + sorted(entry.path for entry in os.scandir(sys.argv[1])):
    s = os.lstat(at)
    print(at, s.st_mode, s.st_uid, s.st_nlink, s.st_size, s.st_mtime_ns, s.st_ctime_ns, os.listxattr(at, follow_symlinks=False))
PY
  cat "$OUTSIDE/secret"
}
# unharmed: nothing outside changed, no image and no tree is there that was not, and the engine answers.
unharmed() {
  [ "$(outside)" = "$OUTSIDE_BEFORE" ] && [ -z "$(escaped)" ] && [ -z "$(engine images -q hostile)" ] && [ "$(snapshots)" = "$SNAPSHOTS" ]
}
# Where "../escaped" would come to lie.
escaped() { ls -d /escaped /tmp/escaped "$E2E_DIR"/escaped "$E2E_DIR"/data/escaped "$E2E_DIR"/data/*/escaped "$E2E_DIR"/data/snapshots/*/escaped 2>/dev/null; }
contained() { # what was unpacked stays inside; then it goes
  [ "$(outside)" = "$OUTSIDE_BEFORE" ] && [ -z "$(escaped)" ] && engine rmi -f "$1" >/dev/null
}

# archive LAYER: an archive of an image with this layer, as Docker saves it, on standard output.
archive() {
  python3 - "$1" <<'PY'
import gzip, hashlib, io, json, sys, tarfile, zlib
layer = open(sys.argv[1], "rb").read()
try:
    plain = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
except (EOFError, OSError, zlib.error):
    plain = layer
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode()
files = {"layer.tar": layer, "config.json": config, "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": ["hostile:x"], "Layers": ["layer.tar"]}]).encode()}
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as out:
    for name, data in files.items():
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        out.addfile(entry, io.BytesIO(data))
PY
}

# push LAYER: into the registry as hostile:x, by hand. Prints the layer's digest.
push() {
  python3 - "$REGISTRY" "$1" <<'PY'
import gzip, hashlib, http.client, json, sys, zlib
address, path = sys.argv[1:]
layer = open(path, "rb").read()
try:
    plain = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
except (EOFError, OSError, zlib.error):
    plain = layer
server = http.client.HTTPConnection(address)
def call(method, target, body=None, headers={}):
    server.request(method, target, body, headers)
    answer = server.getresponse(); answer.read()
    assert answer.status < 300, (answer.status, target)
    return answer
def blob(data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    place = call("POST", "/v2/hostile/blobs/uploads/").getheader("Location")
    call("PUT", place + ("&" if "?" in place else "?") + "digest=" + digest, data, {"Content-Type": "application/octet-stream"})
    return {"digest": digest, "size": len(data)}
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(plain).hexdigest()]}}).encode()
kind = "application/vnd.docker.distribution.manifest.v2+json"
manifest = {"schemaVersion": 2, "mediaType": kind, "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **blob(config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", **blob(layer)}]}
call("PUT", "/v2/hostile/manifests/x", json.dumps(manifest).encode(), {"Content-Type": kind})
print(manifest["layers"][0]["digest"])
PY
}

# entry NAME: what a refusal of the layer of this name must name.
entry() {
  case $1 in
    dotdot-inside) echo 'a/../../escaped' ;;
    dotdot*) echo '../escaped' ;;
    hard-link*) echo link ;;
    huge-xattr | name-with-nul*) echo file ;;
    long-name) echo nnn ;;
    long-path) echo ddd ;;
  esac
}

@test "load: refused in words, or kept inside" {
  local file name
  for file in "$LAYERS"/refused/*; do
    name=$(basename "$file" .tar)
    run -1 engine load < <(archive "$file")
    [[ "$output" == *'layer "layer.tar"'*"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/broken/*; do
    run -1 engine load < <(archive "$file")
    [[ "$output" == *'layer.tar'* ]] || { echo "$file: $output"; return 1; }
    unharmed || { echo "$file"; return 1; }
  done
  for file in "$LAYERS"/contained/*; do
    run -0 engine load -q < <(archive "$file") || { echo "$file: $output"; return 1; }
    contained hostile:x || { echo "$file"; return 1; }
  done
}

@test "import: refused in words, or kept inside" {
  local file name
  for file in "$LAYERS"/refused/* "$LAYERS"/broken/*; do
    name=$(basename "$file" .tar)
    run -1 engine import "$file" hostile:x
    [[ "$output" == *"$(entry "$name")"* && -n "$output" ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/contained/*; do
    run -0 engine import "$file" hostile:x || { echo "$file: $output"; return 1; }
    contained hostile:x || { echo "$file"; return 1; }
  done
}

@test "pull: refused in words, or kept inside" {
  local file name digest
  for file in "$LAYERS"/refused/* "$LAYERS"/broken/*; do
    name=$(basename "$file" .tar)
    digest=$(push "$file")
    run -1 engine pull "$REGISTRY/hostile:x"
    [[ "$output" == *"$digest"*"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/contained/*; do
    push "$file" >/dev/null
    run -0 engine pull -q "$REGISTRY/hostile:x" || { echo "$file: $output"; return 1; }
    contained "$REGISTRY/hostile:x" || { echo "$file"; return 1; }
  done
}

@test "ADD: refused in words, or kept inside" {
  local file name dir
  dir=$(context)
  printf 'FROM e2e-busybox\nADD archive.tar /unpacked/\n' >"$dir/Dockerfile"
  for file in "$LAYERS"/refused/*; do
    name=$(basename "$file" .tar)
    cp "$file" "$dir/archive.tar"
    run -1 engine build -t hostile:x "$dir"
    [[ "$output" == *"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/broken/*; do
    cp "$file" "$dir/archive.tar"
    # What cannot be taken for an archive is copied as it is.
    if run -0 engine build -q -t hostile:x "$dir"; then engine rmi -f hostile:x >/dev/null; fi
    engine builder prune -af >/dev/null
    unharmed || { echo "$file"; return 1; }
  done
  for file in "$LAYERS"/contained/*; do
    cp "$file" "$dir/archive.tar"
    run engine build -q -t hostile:x "$dir"
    [ "$status" != 0 ] || contained hostile:x || { echo "$file"; return 1; }
    engine builder prune -af >/dev/null
    unharmed || { echo "$file"; return 1; }
  done
}

@test "a build context: refused in words, or kept inside" {
  local file
  for file in "$LAYERS"/*/*.tar; do
    { tar -C "$E2E_DIR/base" -c Dockerfile rootfs.tar | head -c -1024; cat "$file"; } >"$E2E_DIR/context.tar"
    run engine build -q -t hostile:x - <"$E2E_DIR/context.tar"
    case $file in
      */refused/dotdot*) [ "$status" = 1 ] && [[ "$output" == *escaped* ]] || { echo "$file: $output"; return 1; } ;;
    esac
    [ "$status" != 0 ] || engine rmi -f hostile:x >/dev/null
    engine builder prune -af >/dev/null
    unharmed || { echo "$file"; return 1; }
  done
}

@test "turned bits and cut streams: refused by name, or found to be another layer" {
  local file diff_id
  diff_id=$(sha256sum <"$LAYERS/whole.tar" | cut -d' ' -f1)
  for file in "$LAYERS"/flipped/*; do
    # The config wants the layer as it was.
    run -1 engine load < <(archive "$LAYERS/whole.tar" | python3 -c '
import io, sys, tarfile
layer = open(sys.argv[1], "rb").read()
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as old, tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as new:
    for member in old:
        data = layer if member.name == "layer.tar" else old.extractfile(member).read()
        member.size = len(data)
        new.addfile(member, io.BytesIO(data))' "$file")
    [[ "$output" == *'layer "layer.tar"'* ]] || { echo "$file: $output"; return 1; }
    unharmed || { echo "$file"; return 1; }
  done
  archive "$LAYERS/whole.tar" >"$E2E_DIR/whole-image.tar"
  for cut in 100 600 5000 20000 60000 76000; do
    run -1 engine load < <(head -c "$cut" "$E2E_DIR/whole-image.tar")
    [ -n "$output" ]
    unharmed || { echo "$cut"; return 1; }
  done
}

@test "a device of a layer opens nothing" {
  engine load -q < <(archive "$LAYERS/contained/devices.tar")
  local dir; dir=$(context)
  printf 'FROM hostile:x\nADD rootfs.tar /\n' >"$dir/Dockerfile"; cp "$E2E_DIR/base/rootfs.tar" "$dir/"
  engine build -q -t hostile:y "$dir"
  run -1 engine run --rm hostile:y head -c 1 /disk0
  [[ "$output" == *"Operation not permitted" ]]
  engine rmi -f hostile:x hostile:y
  engine builder prune -af
}

@test "a million files" {
  [ "$E2E_ENGINE" = skiff ] || skip "once is enough"
  python3 - "$E2E_DIR/million.tar" <<'PY'
import sys
block = bytearray(512)
block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
block[124:136], block[136:148], block[156:157], block[257:265] = b"00000000000\0", b"00000000000\0", b"0", b"ustar\00000"
block[148:156] = b" " * 8
rest = sum(block)
with open(sys.argv[1], "wb", buffering=1 << 20) as out:
    for i in range(1000000):
        name = b"d%03d/%06d" % (i // 1000, i)
        block[0:11] = name
        block[148:156] = b"%06o\0 " % (rest + sum(name))
        out.write(block)
    out.write(bytes(1024))
PY
  run engine import "$E2E_DIR/million.tar" hostile:x
  rm "$E2E_DIR/million.tar"
  # Unpacked, or more than this engine allows; either way nothing is left of it.
  if [ "$status" = 0 ]; then engine rmi hostile:x; else [ -n "$output" ]; fi
  eventually 120 unharmed
}
