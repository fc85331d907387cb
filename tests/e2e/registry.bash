# For files that drive `skiff registry serve`, without an engine. Loaded after lib, whose set-up it replaces.

setup_file() {
  export E2E_DIR
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  leak_snapshot | grep -v "$E2E_DIR" >"$E2E_DIR/before"
}

teardown_file() { remove_checked; }

# A root of its own for every test.
setup() {
  [ "$E2E_ENGINE" != docker ] || skip "a registry of our own, without an engine"
  T=$(mktemp -d "$E2E_DIR/test-XXXXXX")
  SCHEME=http
  CURL=()
}

teardown() {
  local pid
  [ "$E2E_ENGINE" != docker ] || return 0
  for pid in $(cat "$T"/*.pid 2>/dev/null); do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$T"
}

# serve [FLAGS]: starts a registry on a free port; sets PORT, URL and PID.
serve() {
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  URL=$SCHEME://localhost:$PORT
  start_again "$@"
}
# start_again [FLAGS]: on the same port.
start_again() {
  "$SKIFF_BIN/skiff" registry serve --listen "127.0.0.1:$PORT" --root "$T/root" "$@" >>"$T/log" 2>&1 </dev/null 3>&- 4>&- &
  PID=$!
  echo "$PID" >"$T/$PORT.pid"
  eventually 10 answers
}
answers() { curl -sk -o /dev/null --max-time 5 "${CURL[@]}" "$URL/healthz"; }
# stop: in an orderly way; fails unless the exit code is 0.
stop() {
  kill -TERM "$PID"
  wait "$PID"
}
kill_hard() {
  kill -KILL "$PID"
  wait "$PID" || true
}

# request METHOD PATH [curl options]: prints the status; body and head stay in $T/body and $T/head.
request() {
  local method=$1 path=$2 url; shift 2
  case $path in http*) url=$path ;; *) url=$URL$path ;; esac
  [ "$method" != HEAD ] || set -- -I "$@"
  curl -sk --max-time 60 -o "$T/body" -D "$T/head" -w '%{http_code}' -X "$method" "${CURL[@]}" "$@" "$url"
}
header() { sed -nE "s/^$1: //Ip" "$T/head" | tr -d '\r' | tail -1; }
code() { jq -r '.errors[0].code' "$T/body"; }
digest_of() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }

# push_blob REPOSITORY FILE: prints the digest.
push_blob() {
  [ "$(request POST "/v2/$1/blobs/uploads/")" = 202 ]
  [ "$(request PUT "$(header Location)?digest=$(digest_of "$2")" -H 'Content-Type: application/octet-stream' --data-binary "@$2")" = 201 ]
  digest_of "$2"
}
# push_image REPOSITORY TAG FILE: an image whose only layer is FILE; prints its digest.
push_image() {
  local layer config
  printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}' >"$T/config"
  config=$(push_blob "$1" "$T/config")
  layer=$(push_blob "$1" "$3")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"%s","size":%d}]}' \
    "$config" "$(stat -c %s "$T/config")" "$layer" "$(stat -c %s "$3")" >"$T/manifest"
  [ "$(request PUT "/v2/$1/manifests/$2" -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$T/manifest")" = 201 ]
  digest_of "$T/manifest"
}
random_file() { head -c "$2" /dev/urandom >"$1"; } # FILE BYTES
