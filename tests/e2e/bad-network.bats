# Registries behind networks that cut, delay and change what they carry, mirrors, proxies and certificates: bad_network.py in front of Debian's
# docker-registry. What can be repaired is, everything else is said in a sentence, and leaves nothing behind.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

# An address of this machine that is no loopback address to those who look at it: registries there must prove who they are.
FOREIGN=198.51.100.77

# bad_network NAME [CERTIFICATE KEY [AUTHORITIES]]: in front of $UPSTREAM; its address is in registries/NAME.
bad_network() {
  local dir=$E2E_DIR/registries name=$1; shift
  setsid python3 "$HERE/bad_network.py" "$dir/$name" "$UPSTREAM" "$@" >"$dir/$name.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$dir/$name.pid"
  eventually 20 test -e "$dir/$name"
}

setup_file() {
  export UPSTREAM BAD GOOD PROXY
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  mkdir -p "$E2E_DIR/registries"
  registry_start open
  UPSTREAM=$REGISTRY_PORT
  local name
  for name in bad good proxy; do bad_network $name; done
  BAD=$(<"$E2E_DIR/registries/bad") GOOD=$(<"$E2E_DIR/registries/good") PROXY=$(<"$E2E_DIR/registries/proxy")
  ip addr add "$FOREIGN/32" dev lo
  keep_directory=$E2E_DIR lib_setup_file
  export DOCKER_CONFIG=$E2E_DIR/docker-config
  mkdir -p "$DOCKER_CONFIG"
  local dir; dir=$(context)
  head -c 3000000 /dev/urandom >"$dir/large"; echo small >"$dir/small"
  printf 'FROM e2e-busybox\nCOPY large /large\nCOPY small /small\nCMD cat /small\n' >"$dir/Dockerfile"
  engine build -q -t "127.0.0.1:$UPSTREAM/app:v1" "$dir"
  engine push -q "127.0.0.1:$UPSTREAM/app:v1"
  engine rmi "127.0.0.1:$UPSTREAM/app:v1"
  engine builder prune -af >/dev/null
}

# The library's own, in the directory that is there already.
eval "$(declare -f lib_setup_file | sed 's|E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)|E2E_DIR=$keep_directory|')"

engine_options() {
  printf '%s\n' --max-download-attempts 3 --http-proxy "http://$PROXY" --no-proxy "mirrored.invalid" \
    --insecure-registry behind.invalid --insecure-registry mirrored.invalid:5000 \
    --registry-mirror "mirrored.invalid:5000=http://$BAD" --registry-mirror "mirrored.invalid:5000=http://$GOOD"
}

teardown_file() {
  registries_stop
  ip addr del "$FOREIGN/32" dev lo
  lib_teardown_file
}

setup() {
  SNAPSHOTS=$(snapshots)
  IMAGES=$(engine images -aq --no-trunc | sort -u)
}

teardown() {
  local images
  images=$(engine images -q --no-trunc --filter 'reference=*/app' --filter 'reference=*/*/app' | sort -u)
  [ -z "$images" ] || engine rmi -f $images >/dev/null
  [ -z "$(ls -A "$E2E_DIR/data/content/partial")" ] || rm -f "$E2E_DIR"/data/content/partial/*
}

breaks() { curl -sf -X PUT --data-binary "$2" "http://$1/_break"; }  # ADDRESS RULES
seen() { curl -sf "http://$1/_seen"; }                               # ADDRESS

# The digest of app's layers, topmost last, and of its config.
manifest() { curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://127.0.0.1:$UPSTREAM/v2/app/manifests/v1"; }
large() { manifest | jq -r '.layers[1].digest'; }
config() { manifest | jq -r .config.digest; }

works() { [ "$(engine run --rm "$1")" = small ]; }
# Nothing of an image that was not brought: no name, no tree, no blob but what a later pull may go on from.
nothing_of() {
  [ -z "$(engine images -q "$1")" ] && [ "$(engine images -aq --no-trunc | sort -u)" = "$IMAGES" ] && [ "$(snapshots)" = "$SNAPSHOTS" ]
}
snapshots() { ls "$E2E_DIR/data/snapshots" | grep -v trash; }
# refused SENTENCE: a pull from the bad network fails with these last words, and leaves nothing.
refused() {
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"$1" ]] || { echo "$output"; return 1; }
  nothing_of "$BAD/app:v1"
}

@test "a download that is cut goes on where it stopped" {
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "cut", "after": 1000000, "times": 2}]'
  engine pull "$BAD/app:v1"
  works "$BAD/app:v1"
  [ "$(seen "$BAD" | grep -c "GET .*/blobs/$(large)")" = 3 ]
  seen "$BAD" | grep -q "GET .*/blobs/$(large) bytes=1000000-"
  seen "$BAD" | grep -q "GET .*/blobs/$(large) bytes=2000000-"
}

@test "a pull that was given up goes on where it stopped, also after the engine was restarted" {
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "cut", "after": 1000000, "times": 1}, {"match": "GET .*/blobs/'"$(large)"'", "do": "drop"}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"EOF" ]]
  kill -TERM "$(<"$E2E_DIR/pid")"
  eventually 20 test ! -e "/proc/$(<"$E2E_DIR/pid")"
  start_engine
  breaks "$BAD" '[]'
  engine pull "$BAD/app:v1"
  works "$BAD/app:v1"
  [ "$(seen "$BAD" | grep "GET .*/blobs/$(large)")" = "GET /v2/app/blobs/$(large) bytes=1000000-" ]
}

@test "whatever breaks once, at whatever stage, is done again" {
  local stage what
  for stage in "GET /v2/$" "HEAD .*/manifests/" "GET .*/manifests/" "GET .*/blobs/$(config)" "GET .*/blobs/$(large)"; do
    for what in '"drop"' '"head"' '"garbage"' '"cut", "after": 20' '"stall", "after": 5, "seconds": 2' '"status", "status": 503'; do
      breaks "$BAD" '[{"match": "'"$stage"'", "times": 1, "do": '"$what"'}]'
      engine pull -q "$BAD/app:v1" || { echo "$stage $what"; return 1; }
      works "$BAD/app:v1"
      engine rmi "$BAD/app:v1"
    done
  done
}

@test "bytes that were changed on the way are fetched again, or refused" {
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "times": 1, "do": "flip", "after": 2000000}]'
  engine pull -q "$BAD/app:v1"
  works "$BAD/app:v1"
  engine rmi "$BAD/app:v1"
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "flip", "after": 2000000}]'
  refused "filesystem layer verification failed for digest $(large)"
  # In a header of the compressed stream: the unpacking breaks off before the digest is known.
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "flip", "after": 20}]'
  refused "filesystem layer verification failed for digest $(large)"
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(config)"'", "do": "flip", "after": 20}]'
  refused "image config verification failed for digest $(config)"
  breaks "$BAD" '[{"match": "GET .*/manifests/sha256", "do": "flip", "after": 20}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"manifest verification failed for digest sha256:"* ]]
  nothing_of "$BAD/app:v1"
}

@test "a layer that is shorter than its manifest says is refused" {
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "short", "after": 1000}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"the registry sent 1000 of "*" bytes of $(large): unexpected EOF" || "$output" == *"unexpected EOF" ]]
  nothing_of "$BAD/app:v1"
}

@test "what a registry answers is said in Docker's words" {
  answer() { breaks "$BAD" '[{"match": "/v2/app/", "do": "status", "status": '"$1"', "body": "'"${2:-}"'"}]'; }
  answer 401; refused "unauthorized: authentication required"
  answer 403; refused "pull access denied for $BAD/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
  answer 404 '{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"repository name not known to registry\"}]}'
  refused "repository $BAD/app not found: name unknown: repository name not known to registry"
  answer 429; refused "toomanyrequests: too many requests"
  answer 500; refused "received unexpected HTTP status: 500 Internal Server Error"
  answer 502 '<html>'; refused "received unexpected HTTP status: 502 Bad Gateway"
  answer 503; refused "received unexpected HTTP status: 503 Service Unavailable"
  breaks "$BAD" '[{"match": "/blobs/'"$(large)"'", "do": "status", "status": 503}]'
  refused "received unexpected HTTP status: 503 Service Unavailable"
  breaks "$BAD" '[{"match": "/v2/", "do": "drop"}]'; refused "/v2/\": EOF"
}

@test "a registry that is busy is asked again when it wants to be" {
  breaks "$BAD" '[{"match": "/manifests/", "times": 1, "do": "status", "status": 429, "headers": {"Retry-After": "3"}}]'
  local from=$SECONDS
  engine pull -q "$BAD/app:v1"
  [ $((SECONDS - from)) -ge 2 ]
  works "$BAD/app:v1"
  engine rmi "$BAD/app:v1"
  breaks "$BAD" '[{"match": "/blobs/'"$(large)"'", "times": 1, "do": "status", "status": 503, "headers": {"Retry-After": "2"}}]'
  engine pull -q "$BAD/app:v1"
  # Longer than anybody waits: said at once.
  engine rmi "$BAD/app:v1"
  breaks "$BAD" '[{"match": "/manifests/", "do": "status", "status": 429, "headers": {"Retry-After": "3000"}}]'
  from=$SECONDS
  refused "toomanyrequests: too many requests"
  [ $((SECONDS - from)) -le 5 ]
}

@test "statuses of the API" {
  code() { api POST "/v1.51/images/create?fromImage=$BAD/app&tag=v1" -o "$E2E_DIR/answer" -w '%{http_code}'; }
  answer() { breaks "$BAD" '[{"match": "/manifests/", "do": "status", "status": '"$1"'}]'; }
  answer 403; [ "$(code)" = 404 ]
  answer 404; [ "$(code)" = 404 ]
  answer 401; [ "$(code)" = 500 ] || [ "$(code)" = 403 ]
  answer 503; [ "$(code)" = 500 ] || [ "$(code)" = 503 ]
  jq -e '.message | contains("503")' "$E2E_DIR/answer"
}

@test "a push is done again at every stage, and leaves the registry whole" {
  local stage what dir number=0
  for stage in "HEAD .*/blobs/" "POST .*/uploads/" "PATCH .*/uploads/" "PUT .*/uploads/" "PUT .*/manifests/"; do
    for what in '"drop"' '"take", "after": 100000' '"lose"' '"status", "status": 503'; do
      number=$((number + 1))
      dir=$(context); head -c 500000 /dev/urandom >"$dir/file"; printf 'FROM e2e-busybox\nCOPY file /file\n' >"$dir/Dockerfile"
      engine build -q -t "$BAD/push/app:v$number" "$dir" >/dev/null
      breaks "$BAD" '[{"match": "'"$stage"'", "times": 1, "do": '"$what"'}]'
      engine push -q "$BAD/push/app:v$number" || { echo "$stage $what"; return 1; }
      engine rmi "$BAD/push/app:v$number"
      breaks "$BAD" '[]'
      engine pull -q "$BAD/push/app:v$number"
      [ "$(engine run --rm "$BAD/push/app:v$number" sha256sum /file)" = "$(sha256sum <"$dir/file" | cut -d' ' -f1)  /file" ]
      engine rmi "$BAD/push/app:v$number"
    done
  done
}

@test "a push that cannot be is refused in words" {
  engine tag e2e-busybox "$BAD/denied/app:v1"
  breaks "$BAD" '[{"match": "POST ", "do": "status", "status": 403}]'
  run -1 engine push "$BAD/denied/app:v1"
  [[ "$output" == *"denied: requested access to the resource is denied" ]]
  breaks "$BAD" '[{"match": "PATCH ", "do": "take", "after": 100000}]'
  run -1 engine push "$BAD/denied/app:v1"
  [[ "$output" == *"Patch \"http://$BAD/v2/denied/app/blobs/uploads/"* ]]
  breaks "$BAD" '[{"match": "PUT .*/manifests/", "do": "status", "status": 429}]'
  run -1 engine push "$BAD/denied/app:v1"
  [[ "$output" == *"toomanyrequests: too many requests" ]]
  breaks "$BAD" '[{"match": "PUT .*/manifests/", "do": "status", "status": 413, "body": "too large"}]'
  run -1 engine push "$BAD/denied/app:v1"
  [[ "$output" == *'error parsing HTTP 413 response body: "too large"' ]]
}

@test "credentials stay with the registry when it sends us elsewhere" {
  local auth elsewhere
  auth=$(printf user:secret | base64)
  printf '{"auths": {"%s": {"auth": "%s"}}}' "$BAD" "$auth" >"$DOCKER_CONFIG/config.json"
  breaks "$GOOD" '[]'
  elsewhere='{"match": "GET .*/blobs/'"$(large)"'", "do": "status", "status": 307, "headers": {"Location": "http://'"$GOOD"'/v2/app/blobs/'"$(large)"'"}}'
  breaks "$BAD" '['"$elsewhere"', {"match": "^GET /v2/$", "times": 2, "do": "status", "status": 401, "headers": {"WWW-Authenticate": "Basic realm=\"x\""}}]'
  engine pull -q "$BAD/app:v1"
  works "$BAD/app:v1"
  seen "$BAD" | grep "/manifests/" | grep -q "Basic $auth"
  seen "$GOOD" | grep -q "GET /v2/app/blobs/$(large)"
  [ -z "$(seen "$GOOD" | grep Basic)" ]
  engine rmi "$BAD/app:v1"
  rm "$DOCKER_CONFIG/config.json"
  # Round and round is not followed for ever.
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "do": "status", "status": 302, "headers": {"Location": "/v2/app/blobs/'"$(large)"'"}}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"stopped after 10 redirects" ]]
  nothing_of "$BAD/app:v1"
}

@test "any registry may have mirrors; one that has nothing, or breaks off, leaves the word to the next" {
  local name=mirrored.invalid:5000/app:v1
  breaks "$BAD" '[]'; breaks "$GOOD" '[]'
  engine pull -q $name
  works $name
  seen "$BAD" | grep -qx 'GET /v2/app/manifests/.*?ns=mirrored.invalid%3A5000'
  [ -z "$(seen "$GOOD")" ]
  engine rmi $name
  breaks "$BAD" '[{"match": "/manifests/", "do": "status", "status": 404}]'
  engine pull -q $name
  works $name; engine rmi $name
  # In the middle of a layer: the next mirror sends what is missing.
  breaks "$BAD" '[{"match": "GET .*/blobs/'"$(large)"'", "times": 1, "do": "cut", "after": 1000000}, {"match": "GET .*/blobs/'"$(large)"'", "do": "drop"}]'
  breaks "$GOOD" '[]'
  engine pull -q $name
  works $name; engine rmi $name
  seen "$GOOD" | grep -q "GET /v2/app/blobs/$(large)?ns=mirrored.invalid%3A5000 bytes=1000000-"
  # None of them, nor the registry itself.
  breaks "$BAD" '[{"match": "/v2/", "do": "drop"}]'
  breaks "$GOOD" '[{"match": "/v2/", "do": "status", "status": 404}]'
  run -1 engine pull $name
  [[ "$output" == *'lookup mirrored.invalid'*'no such host' ]]
  # Nothing is pushed to a mirror.
  breaks "$BAD" '[]'
  engine tag e2e-busybox $name
  run -1 engine push $name
  [[ "$output" == *'lookup mirrored.invalid'*'no such host' ]]
  [ -z "$(seen "$BAD")" ]
}

@test "a proxy of the configuration, or of the environment, is asked for what lies behind it" {
  breaks "$PROXY" '[]'
  engine pull -q behind.invalid/app:v1
  works behind.invalid/app:v1
  seen "$PROXY" | grep -q "GET /v2/app/manifests/"
  [ "$(engine info --format '{{.HTTPProxy}} {{.NoProxy}}')" = "http://$PROXY mirrored.invalid" ]
  [ "$E2E_ENGINE" = skiff ] || return 0
  mkdir "$E2E_DIR/second"
  HTTP_PROXY=http://user:secret@$GOOD engine_start "$E2E_DIR/second" --insecure-registry behind.invalid
  breaks "$GOOD" '[]'
  second() { "$SKIFF_BIN/skiff" -H "unix://$E2E_DIR/second/skiff.sock" "$@"; }
  second pull -q behind.invalid/app:v1
  seen "$GOOD" | grep -q "GET /v2/app/manifests/"
  [ "$(second info --format '{{.HTTPProxy}}')" = "http://xxxxx:xxxxx@$GOOD" ]
  engine_stop "$E2E_DIR/second"
}

# certificate NAME [openssl x509 options]: signed by the authority "ca" unless it is that; for the foreign address.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$E2E_DIR/$1.key" -out "$E2E_DIR/$1.crt" 2>/dev/null
}
certificate() { # NAME AUTHORITY ADDRESS DAYS
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$E2E_DIR/$1.key" -out "$E2E_DIR/$1.csr" 2>/dev/null
  openssl x509 -req -in "$E2E_DIR/$1.csr" -CA "$E2E_DIR/$2.crt" -CAkey "$E2E_DIR/$2.key" -CAcreateserial -days "$4" -out "$E2E_DIR/$1.crt" \
    -extfile <(echo "subjectAltName=IP:$3") 2>/dev/null
}

@test "a certificate that cannot be believed is refused with the reason" {
  local at
  authority ca
  certificate right ca $FOREIGN 2; certificate expired ca $FOREIGN -1; certificate elsewhere ca 203.0.113.1 2
  export BAD_NETWORK_ADDRESS=$FOREIGN
  says() { # NAME SENTENCE
    bad_network "tls-$1" "$E2E_DIR/$1.crt" "$E2E_DIR/$1.key"
    at=$(<"$E2E_DIR/registries/tls-$1")
    certs=/etc/skiff/certs.d/$at
    mkdir -p "$certs"
    [ "$1" = right ] || cp "$E2E_DIR/ca.crt" "$certs/"
    run -1 engine pull "$at/app:v1"
    [[ "$output" == *"Get \"https://$at/v2/\": tls: failed to verify certificate: x509: $2"* ]] || { echo "$output"; rm -r "$certs"; return 1; }
    cp "$E2E_DIR/ca.crt" "$certs/"
  }
  says expired "certificate has expired or is not yet valid"; rm -r "$certs"
  says elsewhere ""; rm -r "$certs"
  says right "certificate signed by unknown authority"
  engine pull -q "$at/app:v1"
  works "$at/app:v1"
  rm -r "$certs"
  # No TLS at all, and not on a loopback address.
  bad_network plain
  at=$(<"$E2E_DIR/registries/plain")
  run -1 engine pull "$at/app:v1"
  [[ "$output" == *"http: server gave HTTP response to HTTPS client" ]]
  rmdir -p --ignore-fail-on-non-empty /etc/skiff/certs.d
}

@test "of several client certificates the one that the registry wants is shown" {
  authority ca; authority mine; authority other
  certificate right ca $FOREIGN 2; certificate a other $FOREIGN 2; certificate b mine $FOREIGN 2
  export BAD_NETWORK_ADDRESS=$FOREIGN
  bad_network mutual "$E2E_DIR/right.crt" "$E2E_DIR/right.key" "$E2E_DIR/mine.crt"
  local at; at=$(<"$E2E_DIR/registries/mutual")
  local certs=/etc/skiff/certs.d/$at
  mkdir -p "$certs"
  cp "$E2E_DIR/ca.crt" "$certs/"
  run -1 engine pull "$at/app:v1"
  [[ "$output" == *"Get \"https://$at/v2/\": "*certificate* ]] || { rm -r "$certs"; echo "$output"; return 1; }
  for name in a b; do cp "$E2E_DIR/$name.crt" "$certs/$name.cert"; cp "$E2E_DIR/$name.key" "$certs/$name.key"; done
  run engine pull -q "$at/app:v1"
  rm -r "$certs"
  [ "$status" = 0 ]
  works "$at/app:v1"
  rmdir -p --ignore-fail-on-non-empty /etc/skiff/certs.d
}

@test "platforms that are not there are answered with those that are" {
  local entry='"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 500, "digest": "sha256:'$(printf 'a%.0s' $(seq 64))'"'
  local index='{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
    {'"$entry"', "platform": {"os": "linux", "architecture": "s390x"}}, {'"$entry"', "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}}]}'
  curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "$index" "http://127.0.0.1:$UPSTREAM/v2/app/manifests/index" ||
    jq -n --arg body "$index" '[{match: "/manifests/", do: "status", status: 200, headers: {"Content-Type": "application/vnd.oci.image.index.v1+json"}, body: $body}]' >"$E2E_DIR/rules"
  breaks "$BAD" "$(cat "$E2E_DIR/rules" 2>/dev/null || echo '[]')"
  run -1 engine pull "$BAD/app:index"
  [[ "$output" == *"no matching manifest for linux/"*"(there are linux/s390x, linux/arm/v7)" ]]
}
