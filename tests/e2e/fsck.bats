#!/usr/bin/env bats
# Damage is found, named and mended: `skiff system fsck`, and pulls and loads of what is damaged. Our own command, also where the stock client asks.
load lib

fsck() { "$SKIFF_BIN/skiff" -H "unix://$E2E_DIR/skiff.sock" system fsck "$@"; }

setup_file() {
  export E2E_DIR REGISTRY
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  [ "$E2E_ENGINE" != docker ] || return 0
  leak_snapshot | grep -v "$E2E_DIR" >"$E2E_DIR/before"
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  REGISTRY=127.0.0.1:$port
  "$SKIFF_BIN/skiff" registry serve --listen "$REGISTRY" --root "$E2E_DIR/registry" >"$E2E_DIR/registry.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/registry.pid"
  eventually 10 curl -s -o /dev/null "http://$REGISTRY/healthz"
  start_engine
  base_image
  printf 'FROM e2e-busybox\nRUN echo good >/word && mkdir /deep && echo deep >/deep/file\n' >"$E2E_DIR/base/Dockerfile"
  engine build -q -t "$REGISTRY/app:v1" "$E2E_DIR/base" >/dev/null
  engine push "$REGISTRY/app:v1" >/dev/null
  engine rmi "$REGISTRY/app:v1" >/dev/null
  engine builder prune -af >/dev/null
}

teardown_file() {
  local failed=0
  [ "$E2E_ENGINE" != docker ] || { rm -rf "$E2E_DIR"; return; }
  engine_fds_stable || failed=1
  engine_stop "$E2E_DIR" || failed=1
  kill -TERM "$(cat "$E2E_DIR/registry.pid")"
  remove_checked || failed=1
  return $failed
}

setup() {
  [ "$E2E_ENGINE" != docker ] || skip "Docker looks for no damage"
  engine pull -q "$REGISTRY/app:v1" >/dev/null
  IMAGE=$(engine inspect -f '{{.Id}}' "$REGISTRY/app:v1")
}

# In which folder the file is that shows the image's word.
word_file() { find "$E2E_DIR/data/snapshots" -path "*/fs/$1" -not -path '*/trash/*'; }
config_file() { echo "$E2E_DIR/data/content/blobs/sha256/${IMAGE#sha256:}"; }
# damaged [ARGS]: the report, when something is damaged; fails when nothing is.
damaged() {
  run fsck --format json "$@"
  [ "$status" = 1 ]
  printf '%s' "$output" >"$E2E_DIR/report"
}
field() { jq -r "$1" "$E2E_DIR/report"; }
restart_engine() {
  local daemon
  daemon=$(cat "$E2E_DIR/pid")
  kill -KILL "$daemon"
  daemon_gone() { ! kill -0 "$daemon" 2>/dev/null; }
  eventually 20 daemon_gone
  start_engine
}

@test "whole: nothing is damaged" {
  run fsck
  [ "$status" = 0 ]
  [[ $output == *"Checked 2 images, "*" layers and 0 containers: "* ]]
  [[ $output == *"Nothing is damaged"* ]]
  [ "$(fsck --format json | jq -c '[.Damages, .Leftovers]')" = '[[],[]]' ]
}

@test "a changed file is found, names image and container, and is mended under the stopped container" {
  engine create --name "$(name web)" "$REGISTRY/app:v1" cat /word >/dev/null
  printf 'bad!\n' >"$(word_file word)"
  damaged
  [ "$(field '.Damages[0] | .Kind, .Images[0], .Containers[0], .Repaired' | tr '\n' ' ')" = "layer $REGISTRY/app:v1 $(name web) false " ]
  [ "$(engine start -a "$(name web)")" = 'bad!' ]
  run fsck --repair
  [ "$status" = 0 ]
  [[ $output == *"Damaged layer sha256:"*"  images: $REGISTRY/app:v1"*"  containers: $(name web)"*"  repaired: fetched again"* ]]
  [ "$(engine start -a "$(name web)")" = good ]
  [ "$(engine run --rm "$REGISTRY/app:v1" cat /word)" = good ]
  fsck
}

@test "under a running container nothing is exchanged, and the answer says why" {
  engine run -d --name "$(name web)" "$REGISTRY/app:v1" sleep 1000 >/dev/null
  printf 'bad!\n' >"$(word_file word)"
  damaged --repair
  [[ $(field '.Damages[0].Repair') == "container "*" runs on it: stop it first" ]]
  engine exec "$(name web)" cat /deep/file
  engine rm -f "$(name web)" >/dev/null
  fsck --repair
}

@test "a folder that is gone: start and fsck name it, a pull brings it back" {
  engine create --name "$(name web)" "$REGISTRY/app:v1" cat /word >/dev/null
  rm -rf "$(dirname "$(dirname "$(word_file word)")")"
  run engine start "$(name web)"
  [ "$status" != 0 ]
  [[ $output == *"is damaged: its folder "*" is gone"* ]]
  restart_engine
  damaged
  [[ $(field '.Damages[0].Problem') == "its folder "*" is gone" ]]
  run engine pull "$REGISTRY/app:v1"
  [[ $output == *"Status: Repaired damaged image for $REGISTRY/app:v1"* ]]
  [ "$(engine start -a "$(name web)")" = good ]
  fsck
}

@test "a lost recipe is found and fetched again" {
  rm "$(dirname "$(dirname "$(word_file word)")")/note-recipe"
  damaged
  [[ $(field '.Damages[0].Problem') == "its recipe "*" is gone" ]]
  fsck --repair
  engine save "$REGISTRY/app:v1" | tar -t >/dev/null
}

@test "a flipped bit in a config: the image is listed, not run, and mended by a pull" {
  printf 'X' | dd of="$(config_file)" bs=1 seek=20 conv=notrunc status=none
  damaged
  [ "$(field '.Damages[0] | .Kind, .Id' | tr '\n' ' ')" = "image $IMAGE " ]
  restart_engine
  engine images -q --no-trunc | grep -q "$IMAGE"
  run engine run --rm --pull never "$REGISTRY/app:v1" true
  [ "$status" = 125 ]
  [[ $output == *"image $REGISTRY/app:v1 is damaged: blob $IMAGE is damaged on disk"* ]]
  run engine pull "$REGISTRY/app:v1"
  [[ $output == *"Repaired damaged image"* ]]
  [ "$(engine run --rm "$REGISTRY/app:v1" cat /word)" = good ]
}

@test "a truncated manifest and a truncated config are fetched again" {
  local blob
  for blob in "$E2E_DIR"/data/content/blobs/sha256/*; do
    grep -q '"schemaVersion"' "$blob" && truncate -s 10 "$blob"
  done
  truncate -s 10 "$(config_file)"
  damaged
  [ "$(field '[.Damages[].Kind] | sort | join(" ")')" = 'image manifest' ]
  fsck --repair
  [ "$(engine run --rm "$REGISTRY/app:v1" cat /word)" = good ]
}

@test "what came from no registry cannot be fetched again: a load of it repairs" {
  printf 'FROM e2e-busybox\nRUN echo own >/own\n' >"$E2E_DIR/base/Dockerfile"
  engine build -q -t own "$E2E_DIR/base" >/dev/null
  engine save -o "$E2E_DIR/own.tar" own
  printf 'bad\n' >"$(word_file own)"
  damaged --repair
  [ "$(field '.Damages[0].Repair')" = 'it came from no registry: it has to be loaded or built again' ]
  engine load -i "$E2E_DIR/own.tar" >/dev/null
  [ "$(engine run --rm own cat /own)" = own ]
  fsck
  printf 'bad\n' >"$(word_file own)"
  run fsck
  [ "$status" = 1 ]
  engine build -q -t own "$E2E_DIR/base" >/dev/null
  [ "$(engine run --rm own cat /own)" = own ]
  engine rmi -f $(engine images -q own) >/dev/null || true
  engine image prune -f >/dev/null
  engine builder prune -af >/dev/null
  fsck
}

@test "a blob that nothing names is shown, and removed with --repair or at a start" {
  local stray=$E2E_DIR/data/content/blobs/sha256/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
  printf hello >"$stray"
  touch -d '1 hour ago' "$stray"
  run fsck
  [ "$status" = 0 ]
  [[ $output == *"Unreferenced blob sha256:2cf24dba"*" (5B)"* ]]
  fsck --repair
  [ ! -e "$stray" ]
  printf hello >"$stray"
  restart_engine
  [ ! -e "$stray" ]
}

@test "bad input" {
  run fsck --format yaml
  [ "$status" = 1 ]
  [[ $output == *'unknown format "yaml": only "json" is offered'* ]]
  run fsck extra
  [ "$status" = 1 ]
}
