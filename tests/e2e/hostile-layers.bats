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
  python3 "$HERE/hostile_layers.py" "$LAYERS" "$OUTSIDE" "$REGISTRY"
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
  # The time of the change covers the extended attributes.
  find "$OUTSIDE" -printf '%p %M %U %n %s %T@ %C@\n' | sort
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

# entry NAME: what a refusal of the layer of this name must name.
entry() {
  case $1 in
    dotdot-inside) echo 'a/../../escaped' ;;
    dotdot*) echo '../escaped' ;;
    hard-link*) echo link ;;
    huge-xattr) echo file ;;
    long-name) echo nnn ;;
    long-path) echo ddd ;;
  esac
}

@test "load: refused in words, or kept inside" {
  local file name
  for file in "$LAYERS"/refused/*.tar; do
    name=$(basename "$file" .tar)
    run -1 engine load <"${file%.tar}.image"
    [[ "$output" == *'layer "layer.tar"'*"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/broken/*.tar; do
    run -1 engine load <"${file%.tar}.image"
    [[ "$output" == *'layer.tar'* ]] || { echo "$file: $output"; return 1; }
    unharmed || { echo "$file"; return 1; }
  done
  for file in "$LAYERS"/contained/*.tar; do
    run -0 engine load -q <"${file%.tar}.image" || { echo "$file: $output"; return 1; }
    contained hostile:x || { echo "$file"; return 1; }
  done
}

@test "import: refused in words, or kept inside" {
  local file name
  for file in "$LAYERS"/refused/*.tar "$LAYERS"/broken/*.tar; do
    name=$(basename "$file" .tar)
    run -1 engine import "$file" hostile:x
    [[ "$output" == *"$(entry "$name")"* && -n "$output" ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/contained/*.tar; do
    run -0 engine import "$file" hostile:x || { echo "$file: $output"; return 1; }
    contained hostile:x || { echo "$file"; return 1; }
  done
}

@test "pull: refused in words, or kept inside" {
  local file name digest
  for file in "$LAYERS"/refused/*.tar "$LAYERS"/broken/*.tar; do
    name=$(basename "$file" .tar)
    digest=$(cat "${file%.tar}.digest")
    run -1 engine pull "$REGISTRY/hostile:$name"
    [[ "$output" == *"$digest"*"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/contained/*.tar; do
    name=$(basename "$file" .tar)
    run -0 engine pull -q "$REGISTRY/hostile:$name" || { echo "$file: $output"; return 1; }
    contained "$REGISTRY/hostile:$name" || { echo "$file"; return 1; }
  done
}

@test "ADD: refused in words, or kept inside" {
  local file name dir
  dir=$(context)
  printf 'FROM e2e-busybox\nADD archive.tar /unpacked/\n' >"$dir/Dockerfile"
  for file in "$LAYERS"/refused/*.tar; do
    name=$(basename "$file" .tar)
    cp "$file" "$dir/archive.tar"
    run -1 engine build -t hostile:x "$dir"
    [[ "$output" == *"$(entry "$name")"* ]] || { echo "$name: $output"; return 1; }
    unharmed || { echo "$name"; return 1; }
  done
  for file in "$LAYERS"/broken/*.tar; do
    cp "$file" "$dir/archive.tar"
    # What cannot be taken for an archive is copied as it is.
    if run -0 engine build -q -t hostile:x "$dir"; then engine rmi -f hostile:x >/dev/null; fi
    engine builder prune -af >/dev/null
    unharmed || { echo "$file"; return 1; }
  done
  for file in "$LAYERS"/contained/*.tar; do
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
    { tar -b 1 -C "$E2E_DIR/base" -c Dockerfile rootfs.tar | head -c -1024; cat "$file"; } >"$E2E_DIR/context.tar"
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
  local file
  for file in "$LAYERS"/flipped/*.tar; do
    run -1 engine load <"${file%.tar}.image"
    [[ "$output" == *'layer "layer.tar"'* ]] || { echo "$file: $output"; return 1; }
    unharmed || { echo "$file"; return 1; }
  done
  for cut in 100 600 5000 20000 60000 76000; do
    run -1 engine load < <(head -c "$cut" "$LAYERS/whole.image")
    [ -n "$output" ]
    unharmed || { echo "$cut"; return 1; }
  done
}

@test "a device of a layer opens nothing" {
  engine load -q <"$LAYERS/contained/devices.image"
  local dir; dir=$(context)
  printf 'FROM hostile:x\nADD rootfs.tar /\n' >"$dir/Dockerfile"; cp "$E2E_DIR/base/rootfs.tar" "$dir/"
  engine build -q -t hostile:y "$dir"
  run -1 engine run --rm hostile:y head -c 1 /disk0
  [[ "$output" == *"Operation not permitted" ]]
  engine rmi -f hostile:x hostile:y
  engine builder prune -af
}

@test "a hundred thousand files" {
  [ "$E2E_ENGINE" = skiff ] || skip "once is enough"
  python3 - "$E2E_DIR/many.tar" <<'PY'
import sys
block = bytearray(512)
block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
block[124:136], block[136:148], block[156:157], block[257:265] = b"00000000000\0", b"00000000000\0", b"0", b"ustar\00000"
block[148:156] = b" " * 8
rest = sum(block)
with open(sys.argv[1], "wb", buffering=1 << 20) as out:
    for i in range(100000):
        name = b"d%03d/%06d" % (i // 1000, i)
        block[0:11] = name
        block[148:156] = b"%06o\0 " % (rest + sum(name))
        out.write(block)
    out.write(bytes(1024))
PY
  run engine import "$E2E_DIR/many.tar" hostile:x
  rm "$E2E_DIR/many.tar"
  # Unpacked, or more than this engine allows; either way nothing is left of it.
  if [ "$status" = 0 ]; then engine rmi hostile:x; else [ -n "$output" ]; fi
  eventually 120 unharmed
}
