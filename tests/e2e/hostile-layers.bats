# Layers that lie, through every door: load, import, pull, ADD and the build context. What may not be is refused in a sentence that names layer and
# entry; nothing is written outside, and nothing is left behind. The layers are made by hostile_layers.py. (Bombs: store-limits.bats.)
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
engine_options() { printf '%s\n' --max-download-attempts 1; }

teardown_file() {
  registries_stop
  lib_teardown_file
}

setup() {
  SNAPSHOTS=$(snapshots)
  OUTSIDE_BEFORE=$(outside)
}

teardown() {
  engine rmi -f $(hostiles) 2>/dev/null || true
  engine builder prune -af >/dev/null
}

# Those that came of it: by load, import or build, and by a pull.
hostiles() { engine images -q --filter reference=hostile --filter "reference=$REGISTRY/hostile"; }
ours() { [ "$E2E_ENGINE" != docker ]; }
snapshots() { ! ours || ls "$E2E_DIR/data/snapshots" | grep -v trash || true; }
outside() { # all that can be said of what must not change
  # The time of the change covers the extended attributes.
  find "$OUTSIDE" -printf '%p %M %U %n %s %T@ %C@\n' | sort
  cat "$OUTSIDE/secret"
}
# Where "../escaped" would come to lie.
escaped() { compgen -G /escaped || compgen -G /tmp/escaped || compgen -G "$E2E_DIR/escaped" || compgen -G "$E2E_DIR/data/escaped" ||
  compgen -G "$E2E_DIR/data/*/escaped" || compgen -G "$E2E_DIR/data/snapshots/*/escaped" || true; }
# unharmed: nothing outside changed, no image, no tree and no download is there that was not, and the engine answers.
unharmed() {
  [ "$(outside)" = "$OUTSIDE_BEFORE" ] && [ -z "$(escaped)" ] && [ -z "$(hostiles)" ] && [ "$(snapshots)" = "$SNAPSHOTS" ] &&
    { ! ours || [ -z "$(ls "$E2E_DIR/data/content/partial" "$E2E_DIR/data/content/ingest" | grep -v :)" ]; }
}
contained() { # what was unpacked stays inside; then it goes
  [ "$(outside)" = "$OUTSIDE_BEFORE" ] && [ -z "$(escaped)" ] && engine rmi -f "$1" >/dev/null
}

# refuses FILE WORDS ARGS: the command fails and says these words; nothing is left. Docker says it in others, and takes some (docs/stores.md).
refuses() {
  local file=$1 words=$2; shift 2
  run engine "$@"
  ours || [ "$status" != 0 ] || { engine rmi -f $(hostiles) >/dev/null; return 0; }
  [ "$status" != 0 ] || { echo "$file was taken: $output"; return 1; }
  ! ours || [[ "$output" == *"$words"* ]] || { echo "$file: $output"; return 1; }
  unharmed || { echo "$file left something"; return 1; }
}
# takes FILE ARGS: the command succeeds. Docker refuses some of what we take.
takes() {
  local file=$1; shift
  run engine "$@"
  [ "$status" = 0 ] || ! ours || { echo "$file: $output" >&2; exit 1; }
  [ "$status" = 0 ]
}
says() { cat "${1%.tar}.says" 2>/dev/null || true; }                                        # FILE
pushed() { echo "$REGISTRY/hostile:$(basename "$(dirname "$1")")-$(basename "$1" .tar)"; }  # FILE

@test "load: refused in words, or kept inside" {
  local file
  for file in "$LAYERS"/refused/*.tar; do
    refuses "$file" "layer \"layer.tar\": archive entry \"" load -i "${file%.tar}.image"
    ! ours || [[ "$output" == *"$(says "$file")"* ]] || { echo "$file: $output"; return 1; }
  done
  for file in "$LAYERS"/broken/*.tar; do refuses "$file" 'layer "layer.tar"' load -i "${file%.tar}.image"; done
  for file in "$LAYERS"/contained/*.tar; do
    takes "$file" load -q -i "${file%.tar}.image" || continue
    contained hostile:x || { echo "$file"; return 1; }
  done
  unharmed
}

@test "import: refused in words, or kept inside" {
  local file
  for file in "$LAYERS"/refused/*.tar; do refuses "$file" "$(says "$file")" import "$file" hostile:x; done
  for file in "$LAYERS"/broken/*.tar; do refuses "$file" '' import "$file" hostile:x; done
  for file in "$LAYERS"/contained/*.tar; do
    takes "$file" import "$file" hostile:x || continue
    contained hostile:x || { echo "$file"; return 1; }
  done
  unharmed
}

@test "pull: refused in words, or kept inside" {
  local file
  for file in "$LAYERS"/refused/*.tar; do
    refuses "$file" "failed to register layer: $(<"${file%.tar}.digest"): archive entry \"" pull "$(pushed "$file")"
    ! ours || [[ "$output" == *"$(says "$file")"* ]] || { echo "$file: $output"; return 1; }
  done
  for file in "$LAYERS"/broken/*.tar; do
    refuses "$file" "failed to register layer: $(<"${file%.tar}.digest"): " pull "$(pushed "$file")"
  done
  for file in "$LAYERS"/contained/*.tar; do
    takes "$file" pull -q "$(pushed "$file")" || continue
    contained "$(pushed "$file")" || { echo "$file"; return 1; }
  done
  unharmed
}

@test "ADD: refused in words, or kept inside" {
  local file dir
  dir=$(context)
  printf 'FROM e2e-busybox\nADD archive.tar /unpacked/\n' >"$dir/Dockerfile"
  for file in "$LAYERS"/refused/*.tar; do
    [[ "$file" != */whiteout-of-dotdot.tar ]] || continue  # an ordinary file here
    cp "$file" "$dir/archive.tar"
    refuses "$file" "$(says "$file")" build -t hostile:x "$dir"
  done
  for file in "$LAYERS"/broken/*.tar "$LAYERS"/contained/*.tar; do
    cp "$file" "$dir/archive.tar"
    # What cannot be taken for an archive is copied as it is.
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
      */refused/dotdot*) [ "$status" = 1 ] && { ! ours || [[ "$output" == *"$(says "$file")"* ]]; } || { echo "$file: $output"; return 1; } ;;
    esac
    [ "$status" != 0 ] || engine rmi -f hostile:x >/dev/null
    engine builder prune -af >/dev/null
    unharmed || { echo "$file"; return 1; }
  done
}

@test "a turned bit is refused where it changes the layer, and taken where it does not" {
  local file
  for file in "$LAYERS"/flipped/*.tar; do refuses "$file" 'layer "layer.tar"' load -i "${file%.tar}.image"; done
  # Names, times and flags in a gzip header are nothing of the layer, and Docker takes these, too.
  for file in "$LAYERS"/same/*.tar; do
    takes "$file" load -q -i "${file%.tar}.image"
    contained hostile:x
  done
  unharmed
}

@test "a turned bit is refused by a pull, wherever it is" {
  local file digest stored
  for file in "$LAYERS"/flipped/*.tar "$LAYERS"/same/*.tar; do
    digest=$(<"${file%.tar}.digest")
    stored=$E2E_DIR/registries/open/docker/registry/v2/blobs/sha256/${digest:7:2}/${digest:7}/data
    cp "$stored" "$E2E_DIR/sound"
    cp "$file" "$stored"
    refuses "$file" "filesystem layer verification failed for digest $digest" pull "$(pushed "$file")"
    cp "$E2E_DIR/sound" "$stored"
  done
  run -0 engine pull -q "$(pushed "$file")"
  contained "$(pushed "$file")"
}

@test "an archive that is cut, wherever, is refused" {
  local cut
  for cut in 0 100 600 5000 20000 60000 76000; do
    head -c "$cut" "$LAYERS/whole.image" >"$E2E_DIR/cut.image"
    run -1 engine load -i "$E2E_DIR/cut.image"
    [ -n "$output" ]
    unharmed || { echo "$cut"; return 1; }
  done
}

@test "a device of a layer opens nothing" {
  engine load -q -i "$LAYERS/contained/devices.image"
  local dir; dir=$(context)
  printf 'FROM hostile:x\nADD rootfs.tar /\n' >"$dir/Dockerfile"; cp "$E2E_DIR/base/rootfs.tar" "$dir/"
  engine build -q -t hostile:y "$dir"
  run -1 engine run --rm hostile:y head -c 1 /disk0
  [[ "$output" == *"Operation not permitted" ]]
  engine rmi -f hostile:x hostile:y
  engine builder prune -af
}
