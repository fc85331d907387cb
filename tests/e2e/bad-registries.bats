# Registries that refuse, lie, hide, send elsewhere or cannot prove who they are: said in Docker's words, with Docker's statuses, and nothing is
# left. What a network does to a transfer is in bad-network.bats.
load bad_network
DOWNLOAD_ATTEMPTS=1  # nothing here gets better by itself

configured() { [ "$E2E_ENGINE" != docker ] || skip "an engine that was configured for it"; }

@test "what a registry answers is said in Docker's words" {
  answer() { breaks "$BAD" '[{"match": "/v2/app/", "do": "status", "status": '"$1"', "body": "'"${2:-}"'"}]'; }
  # Docker's client asks for a name and a password then.
  [ "$E2E_ENGINE" != skiff ] || { answer 401; refused "unauthorized: authentication required"; }
  local denied="pull access denied for $BAD/app, repository does not exist or may require 'docker login': denied:"
  answer 403; refused "$denied requested access to the resource is denied" "$denied"
  answer 403 'over quota'; refused "$denied over quota"
  answer 403 '{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not you\"}]}'; refused "$denied not you"
  answer 404 '{\"errors\":[{\"code\":\"NAME_UNKNOWN\",\"message\":\"repository name not known to registry\"}]}'
  refused "repository $BAD/app not found: name unknown: repository name not known to registry" "name unknown"
  answer 429; refused "toomanyrequests: too many requests" "toomanyrequests:"
  answer 429 '{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"slower\"}]}'; refused "toomanyrequests: slower"
  answer 500; refused "received unexpected HTTP status: 500 Internal Server Error"
  answer 502 '<html>'; refused "received unexpected HTTP status: 502 Bad Gateway"
  answer 503; refused "received unexpected HTTP status: 503 Service Unavailable"
  breaks "$BAD" '[{"match": "/blobs/'"$(large)"'", "do": "status", "status": 503}]'
  refused "received unexpected HTTP status: 503 Service Unavailable"
  breaks "$BAD" '[{"match": "/v2/", "do": "drop"}]'; refused "/v2/\": EOF"
}

@test "statuses of the API" {
  code() { api POST "/v1.51/images/create?fromImage=$BAD/app&tag=v1" -o "$E2E_DIR/answer" -w '%{http_code}'; }
  answer() { breaks "$BAD" '[{"match": "/manifests/", "do": "status", "status": '"$1"'}]'; }
  answer 403; [ "$(code)" = 404 ]
  # Docker takes a 404 without a word of the registry for a failure of its own.
  answer 404; [ "$E2E_ENGINE:$(code)" = docker:500 ] || [ "$(code)" = 404 ]
  answer 401; [ "$(code)" = 401 ]
  answer 429; [ "$(code)" = 429 ]
  answer 503; [ "$(code)" = 500 ]
  jq -e '.message | contains("503")' "$E2E_DIR/answer"
}

@test "a registry that is not there, or is none, is named with the reason" {
  run -1 engine pull nowhere.invalid/app:v1
  [[ "$output" == *'Get "https://nowhere.invalid/v2/": dial tcp: lookup nowhere.invalid'*'no such host' ]]
  run -1 engine pull 127.0.0.1:1/app:v1
  [[ "$output" == *'127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused' ]]
  breaks "$BAD" '[{"match": "/manifests/", "do": "status", "status": 200, "body": "<html>"}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"invalid manifest: invalid JSON: syntax error" || "$E2E_ENGINE:$output" == docker:*"missing or empty Content-Type header" ]]
  breaks "$BAD" '[{"match": "", "do": "garbage"}]'
  run -1 engine pull "$BAD/app:v1"
  [[ "$output" == *"Get \"http://$BAD/v2/\": "*"malformed HTTP response"* ]]
  nothing_of "$BAD/app:v1"
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
  configured
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
  configured
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
  configured
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
  configured
  authority ca; authority mine; authority other
  certificate right ca $FOREIGN 2; certificate a other $FOREIGN 2; certificate b mine $FOREIGN 2
  # Debian's own registry: it names the authorities that it believes.
  local at=$FOREIGN:$UPSTREAM dir=$E2E_DIR/registries
  cat >"$dir/mutual.yml" <<YML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $dir/open}}
http: {addr: "$at", tls: {certificate: $E2E_DIR/right.crt, key: $E2E_DIR/right.key, clientcas: [$E2E_DIR/mine.crt]}}
YML
  setsid docker-registry serve "$dir/mutual.yml" >"$dir/mutual.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$dir/mutual.pid"
  local certs=/etc/skiff/certs.d/$at
  mkdir -p "$certs"
  cp "$E2E_DIR/ca.crt" "$certs/"
  wants_one() { run -1 engine pull "$at/app:v1" && [[ "$output" == *"Get \"https://$at/v2/\": "*certificate* ]]; }
  eventually 10 wants_one || { rm -r "$certs"; echo "$output"; return 1; }
  for name in a b; do cp "$E2E_DIR/$name.crt" "$certs/$name.cert"; cp "$E2E_DIR/$name.key" "$certs/$name.key"; done
  run engine pull -q "$at/app:v1"
  rm -r "$certs"
  [ "$status" = 0 ] || { echo "$output"; return 1; }
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
  [[ "$output" == *"no matching manifest for linux/"* ]]
  [ "$E2E_ENGINE" = docker ] || [[ "$output" == *"(there are linux/s390x, linux/arm/v7)" ]]
}
