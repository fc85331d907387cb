#!/usr/bin/env bats
# `skiff registry serve`: pushes and pulls, who may do what, what survives, what is cleaned up.
load lib
load registry

@test "an image is pushed and pulled, whole and in part" {
  serve
  random_file "$T/layer" 3000000
  local image layer
  image=$(push_image team/app v1 "$T/layer")
  layer=$(digest_of "$T/layer")
  [ "$(request GET /v2/team/app/manifests/v1)" = 200 ]
  cmp "$T/body" "$T/manifest"
  [ "$(header Docker-Content-Digest)" = "$image" ]
  [ "$(header Content-Type)" = application/vnd.oci.image.manifest.v1+json ]
  [ "$(request GET "/v2/team/app/blobs/$layer")" = 200 ]
  cmp "$T/body" "$T/layer"
  [ "$(request GET "/v2/team/app/blobs/$layer" -H 'Range: bytes=1000000-1999999')" = 206 ]
  [ "$(header Content-Range)" = "bytes 1000000-1999999/3000000" ]
  cmp "$T/body" <(tail -c +1000001 "$T/layer" | head -c 1000000)
  [ "$(request HEAD "/v2/team/app/blobs/$layer")" = 200 ]
  [ "$(header Content-Length)" = 3000000 ]
  [ "$(request GET "/v2/other/blobs/$layer")" = 404 ]
  [ "$(code)" = BLOB_UNKNOWN ]
  [ "$(request GET /v2/_catalog)" = 200 ]
  [ "$(jq -c .repositories "$T/body")" = '["team/app"]' ]
  stop
}

@test "an upload goes on where it stood when the registry was killed" {
  serve
  random_file "$T/layer" 2000000
  local place
  [ "$(request POST /v2/a/blobs/uploads/)" = 202 ]
  place=$(header Location)
  [ "$(request PATCH "$place" -H 'Content-Range: 0-999999' -H 'Content-Type: application/octet-stream' --data-binary @<(head -c 1000000 "$T/layer"))" = 202 ]
  kill_hard
  start_again
  [ "$(request GET "$place")" = 204 ]
  [ "$(header Range)" = 0-999999 ]
  [ "$(request PATCH "$place" -H 'Content-Range: 5-999' --data-binary @<(head -c 995 "$T/layer"))" = 416 ]
  [ "$(code)" = RANGE_INVALID ]
  [ "$(request PUT "$place?digest=$(digest_of "$T/layer")" -H 'Content-Type: application/octet-stream' --data-binary @<(tail -c +1000001 "$T/layer"))" = 201 ]
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/layer")")" = 200 ]
  cmp "$T/body" "$T/layer"
  stop
}

@test "what was acknowledged is there after a kill, and a second process is kept out" {
  serve
  random_file "$T/layer" 100000
  push_image a v1 "$T/layer"
  run -1 "$SKIFF_BIN/skiff" registry serve --listen 127.0.0.1:0 --root "$T/root"
  [[ "$output" == *"another registry uses $T/root"* ]]
  kill_hard
  start_again
  [ "$(request GET /v2/a/manifests/v1)" = 200 ]
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/layer")")" = 200 ]
  cmp "$T/body" "$T/layer"
  stop
}

@test "users prove themselves with passwords and may what their rights give, over TLS" {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$T/key" -out "$T/cert" 2>/dev/null
  # Both have the password "secret".
  cat >"$T/users" <<'USERS'
alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a
bob:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a
USERS
  cat >"$T/config.json" <<JSON
{"tls-cert": "$T/cert", "tls-key": "$T/key", "htpasswd": "$T/users",
 "access": [{"users": ["alice"], "repositories": ["team/*"], "actions": ["*"]},
            {"users": ["*", "anonymous"], "repositories": ["public/*", "team/open"], "actions": ["pull"]}]}
JSON
  SCHEME=https
  serve --config-file "$T/config.json"
  curl -sf --cacert "$T/cert" -o /dev/null "$URL/healthz"
  [ "$(request GET /v2/)" = 401 ]
  [ "$(code)" = UNAUTHORIZED ]
  [[ "$(header WWW-Authenticate)" == Basic\ realm=* ]]
  CURL=(-u alice:secret)
  [ "$(request GET /v2/)" = 200 ]
  random_file "$T/layer" 2000000
  push_image team/open v1 "$T/layer"
  push_image team/closed v1 "$T/layer"
  [ "$(request POST /v2/public/x/blobs/uploads/)" = 403 ]
  [ "$(code)" = DENIED ]
  [ "$(request GET /metrics)" = 404 ]
  CURL=(-u alice:wrong)
  [ "$(request GET /v2/team/open/manifests/v1)" = 401 ]
  CURL=(-u bob:secret)
  [ "$(request GET /v2/team/open/manifests/v1)" = 200 ]
  [ "$(request GET /v2/team/closed/manifests/v1)" = 403 ]
  [ "$(request DELETE /v2/team/open/manifests/v1)" = 403 ]
  [ "$(request POST "/v2/team/open/blobs/uploads/?mount=$(digest_of "$T/layer")&from=team/closed")" = 403 ]
  [ "$(request GET /v2/_catalog)" = 200 ]
  [ "$(jq -c .repositories "$T/body")" = '["team/open"]' ]
  CURL=()
  [ "$(request GET /v2/team/open/manifests/v1)" = 200 ]
  [ "$(request GET "/v2/team/open/blobs/$(digest_of "$T/layer")")" = 200 ]
  cmp "$T/body" "$T/layer"
  [ "$(request GET /v2/team/closed/manifests/v1)" = 401 ]
  [ "$(request POST /v2/team/open/blobs/uploads/)" = 401 ]
  stop
}

# jwt CLAIMS: a token signed with $T/token-key (RS256).
jwt() {
  local text part
  part() { openssl base64 -A | tr '+/' '-_' | tr -d =; }
  text=$(printf '{"alg":"RS256","typ":"JWT"}' | part).$(printf '%s' "$1" | part)
  echo "$text.$(printf '%s' "$text" | openssl dgst -sha256 -sign "$T/token-key" -binary | part)"
}

@test "tokens of another server give the rights that they name" {
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=auth -keyout "$T/token-key" -out "$T/token-cert" 2>/dev/null
  serve --token-realm https://auth.example/token --token-service registry.example --token-issuer auth.example --token-keys "$T/token-cert"
  [ "$(request POST /v2/a/b/blobs/uploads/)" = 401 ]
  [ "$(header WWW-Authenticate)" = 'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"' ]
  local claims='"iss":"auth.example","aud":"registry.example","sub":"alice","access":[{"type":"repository","name":"a/b","actions":["pull","push"]}]'
  CURL=(-H "Authorization: Bearer $(jwt "{$claims,\"exp\":$(($(date +%s) + 300))}")")
  random_file "$T/layer" 1000
  push_image a/b v1 "$T/layer"
  [ "$(request GET /v2/a/b/tags/list)" = 200 ]
  [ "$(request DELETE /v2/a/b/manifests/v1)" = 401 ]
  [[ "$(header WWW-Authenticate)" == *'scope="repository:a/b:delete",error="insufficient_scope"' ]]
  [ "$(request GET /v2/a/c/tags/list)" = 401 ]
  CURL=(-H "Authorization: Bearer $(jwt "{$claims,\"exp\":$(($(date +%s) - 300))}")")
  [ "$(request GET /v2/a/b/tags/list)" = 401 ]
  [[ "$(jq -r '.errors[0].message' "$T/body")" == *"it has expired" ]]
  stop
}

@test "read-only: pulls go on, all else is refused" {
  serve
  random_file "$T/layer" 1000
  push_image a v1 "$T/layer"
  stop
  start_again --read-only
  [ "$(request GET /v2/a/manifests/v1)" = 200 ]
  [ "$(request HEAD "/v2/a/blobs/$(digest_of "$T/layer")")" = 200 ]
  for call in "POST /v2/a/blobs/uploads/" "PUT /v2/a/manifests/v2" "DELETE /v2/a/manifests/v1" "DELETE /v2/a/blobs/$(digest_of "$T/layer")"; do
    [ "$(request $call)" = 405 ]
    [ "$(code)" = UNSUPPORTED ]
  done
  stop
}

@test "quotas: what does not fit is refused and leaves nothing" {
  cat >"$T/config.json" <<'JSON'
{"quotas": [{"repositories": ["team/*"], "size": "100k"}]}
JSON
  serve --config-file "$T/config.json"
  random_file "$T/small" 60000
  random_file "$T/large" 60000
  push_blob team/a "$T/small"
  [ "$(request POST "/v2/team/b/blobs/uploads/?digest=$(digest_of "$T/large")" -H 'Content-Type: application/octet-stream' --data-binary "@$T/large")" = 403 ]
  [ "$(code)" = DENIED ]
  [[ "$(jq -r '.errors[0].message' "$T/body")" == "quota exceeded"* ]]
  [ "$(request POST "/v2/team/b/blobs/uploads/?mount=$(digest_of "$T/small")&from=team/a")" = 202 ]
  [ "$(request HEAD "/v2/team/b/blobs/$(digest_of "$T/large")")" = 404 ]
  push_blob other "$T/large"
  [ "$(request DELETE "/v2/team/a/blobs/$(digest_of "$T/small")")" = 202 ]
  push_blob team/b "$T/large"
  stop
}

blobs_there() { [ "$(find "$T/root/blobs" -type f 2>/dev/null | wc -l)" = "$1" ]; }

@test "garbage goes when SIGUSR1 asks for it, and only garbage" {
  serve --gc-grace 0s
  random_file "$T/kept" 1000
  random_file "$T/gone" 1000
  push_image a v1 "$T/kept"
  push_image a v2 "$T/gone"
  push_blob b "$T/gone"
  [ "$(request DELETE "/v2/a/manifests/$(digest_of "$T/manifest")")" = 202 ]
  [ "$(request GET /v2/a/manifests/v2)" = 404 ]
  blobs_there 5
  kill -USR1 "$PID"
  eventually 10 blobs_there 3
  [ "$(request GET /v2/a/manifests/v1)" = 200 ]
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/kept")")" = 200 ]
  [ "$(request GET "/v2/b/blobs/$(digest_of "$T/gone")")" = 404 ]
  request GET /metrics
  grep -qx 'skiff_registry_collections_total 1' "$T/body"
  stop
}

incoming_there() { [ "$(find "$T/root/incoming" -type f | wc -l)" = "$1" ]; }

@test "uploads that do not grow are given up" {
  serve --upload-expiry 1s
  [ "$(request POST /v2/a/blobs/uploads/)" = 202 ]
  incoming_there 1
  eventually 20 incoming_there 0
  [ "$(request GET "$(header Location)")" = 404 ]
  stop
}

@test "the access log has a line for each request, also in a new file after SIGHUP; figures on a port of their own" {
  serve --access-log "$T/access" --metrics-listen "unix://$T/metrics.sock"
  request GET '/v2/a/tags/list?n=1"' -A 'agent "x"'
  grep -qE '^127\.0\.0\.1 - - \[[^]]+\] "GET /v2/a/tags/list\?n=1(%22|\\") HTTP/1\.1" 400 [0-9]+ "-" "agent \\"x\\""$' "$T/access"
  random_file "$T/layer" 5000
  push_blob a "$T/layer"
  request GET "/v2/a/blobs/$(digest_of "$T/layer")"
  logged() { grep -q "GET /v2/a/blobs/.* 200 5000 " "$T/access"; }
  eventually 5 logged
  mv "$T/access" "$T/access.1"
  kill -HUP "$PID"
  eventually 5 test -e "$T/access"
  request GET /v2/
  eventually 5 grep -q '"GET /v2/ HTTP/1.1" 200' "$T/access"
  curl -s --unix-socket "$T/metrics.sock" http://x/metrics >"$T/figures"
  grep -q '^skiff_registry_requests_total{endpoint="blob",method="GET",code="200"} 1$' "$T/figures"
  grep -q '^skiff_registry_requests_in_flight 0$' "$T/figures"
  [ "$(curl -s --unix-socket "$T/metrics.sock" http://x/healthz)" = ok ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$T/metrics.sock" http://x/v2/)" = 404 ]
  stop
}

# object_store: starts one; sets STORE to its address.
object_store() {
  python3 "$HERE/object_store.py" "$T/store" 3>&- 4>&- &
  echo $! >"$T/store.pid"
  eventually 10 test -e "$T/store"
  STORE=http://$(cat "$T/store")
  export AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret
}

@test "two registries share an object store" {
  object_store
  local flags=(--s3-endpoint "$STORE" --s3-bucket bucket --s3-prefix images --gc-grace 0s) first second place
  serve "${flags[@]}"
  first=$URL first_pid=$PID
  serve "${flags[@]}"
  second=$URL
  random_file "$T/layer" 11000000
  URL=$first
  push_image a v1 "$T/layer"
  URL=$second
  [ "$(request GET /v2/a/manifests/v1)" = 200 ]
  cmp "$T/body" "$T/manifest"
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/layer")")" = 200 ]
  cmp "$T/body" "$T/layer"
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/layer")" -H 'Range: bytes=5242870-5242890')" = 206 ]
  cmp "$T/body" <(tail -c +5242871 "$T/layer" | head -c 21)
  # An upload that one of them began is ended by the other.
  random_file "$T/other" 7000000
  [ "$(request POST /v2/a/blobs/uploads/)" = 202 ]
  place=$(header Location)
  [ "$(request PATCH "$place" -H 'Content-Range: 0-999999' --data-binary @<(head -c 1000000 "$T/other"))" = 202 ]
  URL=$first
  [ "$(request PUT "$place?digest=$(digest_of "$T/other")" --data-binary @<(tail -c +1000001 "$T/other"))" = 201 ]
  curl -s "$STORE/fail?n=2"
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/other")")" = 200 ]
  cmp "$T/body" "$T/other"
  # Times in object stores are whole seconds: what is new is not garbage yet.
  collected() { kill -USR1 "$first_pid"; [ "$(request GET "/v2/a/blobs/$(digest_of "$T/other")")" = 404 ]; }
  eventually 20 collected
  [ "$(request GET "/v2/a/blobs/$(digest_of "$T/layer")")" = 200 ]
  stop
  kill -TERM "$first_pid"
  wait "$first_pid"
}

@test "a cache fetches from another registry once, and serves on without it" {
  serve --access-log "$T/upstream.access"
  local upstream=$PORT upstream_pid=$PID i
  random_file "$T/layer" 20000000
  push_image team/app v1 "$T/layer"
  T2=$T/cache; mkdir "$T2"
  PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  URL=http://localhost:$PORT
  echo '{"upstreams": [{"registry": "localhost:'"$upstream"'", "prefix": "copy", "fresh": "0s"}]}' >"$T/config.json"
  start_again --config-file "$T/config.json" --root "$T2"
  [ "$(request GET /v2/copy/team/app/manifests/v1)" = 200 ]
  cmp "$T/body" "$T/manifest"
  for i in 1 2 3 4 5 6 7 8; do
    curl -sf -o "$T/got.$i" "$URL/v2/copy/team/app/blobs/$(digest_of "$T/layer")" 3>&- 4>&- &
    pids[i]=$!
  done
  for i in 1 2 3 4 5 6 7 8; do
    wait "${pids[i]}"
    cmp "$T/got.$i" "$T/layer"
  done
  once() { [ "$(grep -c "GET /v2/team/app/blobs/$(digest_of "$T/layer") " "$T/upstream.access")" = 1 ]; }
  eventually 5 once
  [ "$(request POST /v2/copy/team/app/blobs/uploads/)" = 405 ]
  [ "$(request GET /v2/copy/team/nosuch/manifests/v1)" = 404 ]
  [ "$(code)" = MANIFEST_UNKNOWN ]
  kill -TERM "$upstream_pid"
  wait "$upstream_pid"
  [ "$(request GET /v2/copy/team/app/manifests/v1)" = 200 ]
  cmp "$T/body" "$T/manifest"
  [ "$(request GET "/v2/copy/team/app/blobs/$(digest_of "$T/layer")")" = 200 ]
  cmp "$T/body" "$T/layer"
  stop
}

@test "SIGTERM lets downloads end" {
  serve
  random_file "$T/layer" 30000000
  push_blob a "$T/layer"
  mkfifo "$T/go"
  # A client that reads nothing until it is told to.
  python3 - "$PORT" "/v2/a/blobs/$(digest_of "$T/layer")" "$T/go" "$T/got" 3>&- <<'PY' &
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(f"GET {sys.argv[2]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
got = s.recv(1)
open(sys.argv[4] + ".begun", "w").close()
open(sys.argv[3]).read()
while piece := s.recv(1 << 20):
    got += piece
open(sys.argv[4], "wb").write(got.split(b"\r\n\r\n", 1)[1])
PY
  local client=$!
  eventually 10 test -e "$T/got.begun"
  kill -TERM "$PID"
  eventually 10 grep -q "stopping on signal" "$T/log"
  echo go >"$T/go"
  wait "$client"
  wait "$PID"
  cmp "$T/got" "$T/layer"
}

@test "mistakes in the configuration are named" {
  local registry=("$SKIFF_BIN/skiff" registry serve)
  run -1 "${registry[@]}" --nosuch
  [ "${lines[0]}" = "unknown flag: --nosuch" ]
  run -1 "${registry[@]}" word
  [ "${lines[0]}" = '"skiff registry serve" accepts no arguments, but got "word"' ]
  run -1 "${registry[@]}" --tls-cert x
  [ "${lines[0]}" = "TLS needs both --tls-cert and --tls-key" ]
  run -1 "${registry[@]}" --listen nowhere
  [[ "${lines[0]}" == *'invalid address "nowhere": expected HOST:PORT or unix://PATH'* ]]
  echo '{"roots": "/x"}' >"$T/config.json"
  run -1 "${registry[@]}" --config-file "$T/config.json"
  [ "${lines[0]}" = "configuration file $T/config.json: \"roots\" is no configuration option" ]
  echo '{"access": [{"users": ["a"]}], "htpasswd": "/x"}' >"$T/config.json"
  run -1 "${registry[@]}" --config-file "$T/config.json" --root "$T/root" --listen 127.0.0.1:0
  [[ "$output" == *"access: each line needs users, repositories and actions"* ]]
  echo '{"root": "/x", "quota": "5m"}' >"$T/config.json"
  run -0 "${registry[@]}" --config-file "$T/config.json" --validate
  [ "$output" = "configuration OK" ]
  run -0 "${registry[@]}" --help
  [ "${lines[0]}" = "Usage:  skiff registry serve [OPTIONS]" ]
}
