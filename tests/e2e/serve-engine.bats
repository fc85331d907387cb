# `skiff registry serve --engine`: an engine's own images, read-only, pulled by another engine.
load lib

eval "lib_$(declare -f teardown)"

setup() {
  [ "$E2E_ENGINE" != docker ] || skip "our own store"
  T=$(mktemp -d "$E2E_DIR/test-XXXXXX")
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$SKIFF_BIN/skiff" registry serve --engine "unix://$E2E_DIR/skiff.sock" --listen "127.0.0.1:$PORT" >"$T/log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$T/pid"
  eventually 20 curl -sf -o /dev/null "http://127.0.0.1:$PORT/healthz"
}

teardown() {
  [ "$E2E_ENGINE" != docker ] || return 0
  kill "$(<"$T/pid")" 2>/dev/null || true
  wait "$(<"$T/pid")" || true
  [ ! -e "$T/second" ] || engine_stop "$T/second"
  lib_teardown
  rm -rf "$T"
}

request() { curl -s -o "$T/body" -w '%{http_code}' "$@"; }
second() { "$SKIFF_BIN/skiff" -H "unix://$T/second/skiff.sock" "$@"; }
is() { [ "$(request "http://127.0.0.1:$PORT$1")" = "$2" ]; }

@test "another engine pulls what this one has, and gets the same image" {
  local dir; dir=$(context)
  head -c 2000000 /dev/urandom >"$dir/large"
  printf 'FROM e2e-busybox\nCOPY large /large\nRUN rm /bin/awk && ln /large /same && mkdir -m 1777 /sticky\nCMD cat /etc/passwd\n' >"$dir/Dockerfile"
  engine build -q -t team/app:v1 "$dir"
  engine tag team/app:v1 host.example:5000/app:v1
  engine_start "$T/second"
  eventually 5 is /v2/team/app/manifests/v1 200
  second pull "127.0.0.1:$PORT/team/app:v1"
  [ "$(second image inspect --format '{{.Id}}' "127.0.0.1:$PORT/team/app:v1")" = "$(engine image inspect --format '{{.Id}}' team/app:v1)" ]
  [ "$(second run --rm "127.0.0.1:$PORT/team/app:v1" sha256sum /same)" = "$(sha256sum <"$dir/large" | cut -d' ' -f1)  /same" ]
  # What it pulled, this engine gives on, although it is another's layers.
  kill "$(<"$T/pid")"; wait "$(<"$T/pid")" || true
  "$SKIFF_BIN/skiff" registry serve --engine "unix://$T/second/skiff.sock" --listen "127.0.0.1:$PORT" >"$T/log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$T/pid"
  second tag "127.0.0.1:$PORT/team/app:v1" app:v2
  eventually 20 is /v2/app/manifests/v2 200
  engine pull -q "127.0.0.1:$PORT/app:v2"
  [ "$(engine image inspect --format '{{.Id}}' "127.0.0.1:$PORT/app:v2")" = "$(engine image inspect --format '{{.Id}}' team/app:v1)" ]
  engine rmi -f team/app:v1 host.example:5000/app:v1 "127.0.0.1:$PORT/app:v2"
}

@test "names, ranges and what is not to be had" {
  engine tag e2e-busybox ghcr.io/a/b:v1
  engine tag e2e-busybox host.example:5000/app:v1
  eventually 5 is /v2/ghcr.io/a/b/manifests/v1 200
  [ "$(request "http://127.0.0.1:$PORT/v2/_catalog")" = 200 ]
  [ "$(jq -c .repositories "$T/body")" = '["e2e-busybox","ghcr.io/a/b"]' ]
  [ "$(request "http://127.0.0.1:$PORT/v2/library/e2e-busybox/tags/list")" = 200 ]
  [ "$(jq -c .tags "$T/body")" = '["latest"]' ]
  request "http://127.0.0.1:$PORT/v2/e2e-busybox/manifests/latest"
  [ "$(jq -r .config.digest "$T/body")" = "$(engine image inspect --format '{{.Id}}' e2e-busybox)" ]
  local layer; layer=$(jq -r '.layers[0].digest' "$T/body")
  local digest=sha256:$(sha256sum <"$T/body" | cut -d' ' -f1)
  is "/v2/e2e-busybox/manifests/$digest" 200
  [ "$(request "http://127.0.0.1:$PORT/v2/e2e-busybox/blobs/$layer")" = 200 ]
  [ "sha256:$(sha256sum <"$T/body" | cut -d' ' -f1)" = "$layer" ]
  cp "$T/body" "$T/whole"
  [ "$(request -H 'Range: bytes=100000-299999' "http://127.0.0.1:$PORT/v2/e2e-busybox/blobs/$layer")" = 206 ]
  cmp "$T/body" <(tail -c +100001 "$T/whole" | head -c 200000)
  is /v2/nosuch/manifests/latest 404
  [ "$(request -X POST "http://127.0.0.1:$PORT/v2/e2e-busybox/blobs/uploads/")" = 405 ]
  [ "$(request -X DELETE "http://127.0.0.1:$PORT/v2/e2e-busybox/manifests/latest")" = 405 ]
  # What the engine removes is gone.
  engine rmi ghcr.io/a/b:v1 host.example:5000/app:v1
  eventually 5 is /v2/ghcr.io/a/b/manifests/v1 404
}

@test "mistakes are named" {
  run -1 "$SKIFF_BIN/skiff" registry serve --engine "unix://$T/none.sock" --listen 127.0.0.1:0
  [[ "$output" == *"the engine at unix://$T/none.sock: "* ]]
  run -1 "$SKIFF_BIN/skiff" registry serve --engine "unix://$E2E_DIR/skiff.sock" --upstream docker.io
  [[ "${lines[0]}" == "--engine cannot be used with --upstream or --s3-bucket"* ]]
  run -1 "$SKIFF_BIN/skiff" registry serve --engine nowhere
  [[ "${lines[0]}" == *nowhere* ]]
  [ "$(api GET /skiff/registry/blobs/sha256:0000000000000000000000000000000000000000000000000000000000000000 -o "$T/body" -w '%{http_code}')" = 404 ]
}
