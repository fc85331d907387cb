# Layers that are bombs: stopped while they are unpacked, whichever way they come, and nothing of them stays.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export HOST
  lib_setup_file
  registry_start open
  HOST=localhost:$REGISTRY_PORT
  bomb "$E2E_DIR/bomb.tar.gz"
}
teardown_file() {
  registries_stop
  lib_teardown_file
}
setup() { [ "$E2E_ENGINE" != docker ] || skip "Docker knows no limit of what a layer unpacks to"; }
engine_options() { printf '%s\n' --layer-max-entries 150000; }

# bomb FILE: ten gigabytes of zeros in one file, in ten megabytes.
bomb() {
  python3 - "$1" <<'PY'
import gzip, sys, tarfile
size = 10 << 30
entry = tarfile.TarInfo("zeros")
entry.size = size
piece = gzip.compress(bytes(64 << 20), 9)
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(entry.tobuf(tarfile.GNU_FORMAT)))
    for _ in range(size // (64 << 20)):
        out.write(piece)
    out.write(gzip.compress(bytes(1024)))
PY
}

RATIO='archive entry "zeros": it unpacks to more than 200 times its compressed size, the limit that skiffd'"'"'s --layer-max-ratio sets'

# stopped ARGS: refused in words, and nothing stays.
stopped() {
  local before; before=$(du -s "$E2E_DIR/data/snapshots" | cut -f1)
  run engine "$@"
  [ "$status" -ne 0 ]
  [[ $output == *"$RATIO"* ]] || { echo "$output" >&2; return 1; }
  free_again() { [ "$(du -s "$E2E_DIR/data" | cut -f1)" -lt $((before + 100000)) ]; }
  eventually 20 free_again
}

@test "a bomb that is imported" { stopped import "$E2E_DIR/bomb.tar.gz" "$(name x)"; }

@test "a bomb that a build adds" {
  local dir; dir=$(context)
  cp "$E2E_DIR/bomb.tar.gz" "$dir"
  printf 'FROM e2e-busybox\nADD bomb.tar.gz /\n' >"$dir/Dockerfile"
  stopped build -q -t "$(name x)" "$dir"
}

@test "a bomb that is loaded, and one that is pulled, are named" {
  local dir=$BATS_TEST_TMPDIR config layer size
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:%064d"]}}' 1 >"$dir/config.json"
  cp "$E2E_DIR/bomb.tar.gz" "$dir/layer.tar"
  printf '[{"Config":"config.json","RepoTags":["bomb:1"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
  tar -C "$dir" -cf "$dir/image.tar" manifest.json config.json layer.tar
  stopped load -i "$dir/image.tar"
  [[ $output == *'layer "layer.tar": '* ]]
  config=$(put_blob "$HOST" bomb "$dir/config.json")
  layer=$(put_blob "$HOST" bomb "$dir/layer.tar")
  size=$(stat -c %s "$dir/layer.tar")
  cat >"$dir/manifest" <<JSON
{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
 "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": $(stat -c %s "$dir/config.json"), "digest": "$config"},
 "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": $size, "digest": "$layer"}]}
JSON
  put_manifest "$HOST" bomb v1 "$dir/manifest"
  stopped pull "$HOST/bomb:v1"
  [[ $output == *"failed to register layer: $layer: "* ]]
  [ -z "$(ls "$E2E_DIR/data/content/partial")" ]
}

# files COUNT: a tar of so many empty ones.
files() {
  python3 - "$1" <<'PY'
import sys, tarfile
out = sys.stdout.buffer
entry = tarfile.TarInfo("f00000000")
head = bytearray(entry.tobuf(tarfile.USTAR_FORMAT))
total = 8 * 32 + sum(head[:148]) + sum(head[156:]) - sum(head[:9])
pieces = []
for number in range(int(sys.argv[1])):
    name = b"f%08d" % number
    head[:9] = name
    head[148:156] = b"%06o\0 " % (total + sum(name))
    pieces.append(bytes(head))
    if len(pieces) == 1000:
        out.write(b"".join(pieces))
        pieces = []
out.write(b"".join(pieces) + bytes(1024))
PY
}

@test "many small files pass, and too many do not" {
  files 100000 | engine import - "$(name many)" >/dev/null
  engine rmi "$(name many)" >/dev/null
  files 150001 >"$BATS_TEST_TMPDIR/many.tar"
  run engine import "$BATS_TEST_TMPDIR/many.tar" "$(name many)"
  [ "$status" -ne 0 ]
  [[ $output == *"archive entry \"f00150000\": more than 150000 entries, the limit that skiffd's --layer-max-entries sets"* ]]
}
