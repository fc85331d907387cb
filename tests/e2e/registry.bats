# Registries: pull, push, login, against Debian's docker-registry on loopback ports: one that is open, one that asks for a password.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export OPEN CLOSED DOCKER_CONFIG
  lib_setup_file
  DOCKER_CONFIG=$E2E_DIR/docker-config
  mkdir -p "$DOCKER_CONFIG" "$E2E_DIR/registries"
  registry_start open
  OPEN=localhost:$REGISTRY_PORT
  python3 -W ignore -c "import crypt; print('user:' + crypt.crypt('secret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))" \
    >"$E2E_DIR/registries/htpasswd"
  registry_start closed "auth: {htpasswd: {realm: test, path: $E2E_DIR/registries/htpasswd}}"
  CLOSED=localhost:$REGISTRY_PORT
  engine tag e2e-busybox "$OPEN/base:v1"
  engine push -q "$OPEN/base:v1"
  engine rmi "$OPEN/base:v1"
}

teardown_file() {
  local images
  images=$(engine images -q --no-trunc --filter "reference=$OPEN/*" --filter "reference=$CLOSED/*" | sort -u) || true
  [ -z "$images" ] || engine rmi -f $images >/dev/null || true
  registries_stop
  lib_teardown_file
}

id_of() { engine image inspect --format '{{.Id}}' "$1"; }
gone() { ! engine image inspect "$1" >/dev/null 2>&1; }

# An image with layers of its own: layered TAG WORD
layered() {
  local dir
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo %s >/word && ln /word /same && mkdir -m 1777 /sticky\nRUN rm /word && echo more >>/same\nCMD cat /same\n' "$2" >"$dir/Dockerfile"
  engine build -q -t "$1" "$dir" >/dev/null
}

@test "what was pushed is pulled as it was" {
  layered "$OPEN/app:v1" one
  id=$(id_of "$OPEN/app:v1")
  run -0 engine push "$OPEN/app:v1"
  [[ "${lines[0]}" == "The push refers to repository [$OPEN/app]" ]]
  [[ "$output" == *": Pushed"* ]]
  [[ "${lines[-1]}" =~ ^v1:\ digest:\ (sha256:[0-9a-f]{64})\ size:\ [0-9]+$ ]]
  digest=${BASH_REMATCH[1]}
  [ "$(engine image inspect --format '{{join .RepoDigests ","}}' "$OPEN/app:v1")" = "$OPEN/app@$digest" ]
  run -0 engine rmi "$OPEN/app:v1"
  [[ "$output" == *"Untagged: $OPEN/app@$digest"* ]]
  run -0 engine pull "$OPEN/app:v1"
  [ "${lines[0]}" = "v1: Pulling from app" ]
  [[ "$output" == *"Digest: $digest"*"Status: Downloaded newer image for $OPEN/app:v1"* ]]
  [ "${lines[-1]}" = "$OPEN/app:v1" ]
  [ "$(id_of "$OPEN/app:v1")" = "$id" ]
  [ "$(engine run --rm "$OPEN/app:v1")" = "$(printf 'one\nmore')" ]
  engine run --rm "$OPEN/app:v1" sh -c '[ ! -e /word ] && [ "$(stat -c %a /sticky)" = 1777 ]'
  [ "$(engine images --digests --format '{{.Repository}}:{{.Tag}} {{.Digest}}' "$OPEN/app")" = "$OPEN/app:v1 $digest" ]
  engine rmi "$OPEN/app:v1"
}

@test "a second pull and a second push move nothing" {
  layered "$OPEN/twice:v1" two
  engine push -q "$OPEN/twice:v1"
  run -0 engine push "$OPEN/twice:v1"
  [[ "$output" == *": Layer already exists"* && "$output" != *": Pushed"* ]]
  run -0 engine pull "$OPEN/twice:v1"
  [[ "$output" == *"Status: Image is up to date for $OPEN/twice:v1"* ]]
  # In another repository of the registry the layers are mounted.
  engine tag "$OPEN/twice:v1" "$OPEN/mounted:v1"
  run -0 engine push "$OPEN/mounted:v1"
  [[ "$output" == *": Mounted from twice"* ]]
  engine rmi "$OPEN/mounted:v1" "$OPEN/twice:v1"
}

@test "a layer that was pulled is pushed byte for byte" {
  engine pull -q "$OPEN/base:v1"
  engine tag "$OPEN/base:v1" "$CLOSED/copy:v1"
  echo secret | engine login -u user --password-stdin "$CLOSED"
  run -0 engine push "$CLOSED/copy:v1"
  id=$(id_of "$CLOSED/copy:v1")
  engine rmi "$CLOSED/copy:v1" "$OPEN/base:v1"
  engine pull -q "$CLOSED/copy:v1"
  [ "$(id_of "$CLOSED/copy:v1")" = "$id" ]
  engine rmi "$CLOSED/copy:v1"
  engine logout "$CLOSED"
}

@test "programs get the progress as JSON, line by line" {
  [ "$E2E_ENGINE" = skiff ] || skip "our own flag"
  layered "$OPEN/lines:v1" lines
  run -0 --separate-stderr engine push --progress json "$OPEN/lines:v1"
  [ -z "$stderr" ]
  [ "$(jq -sr 'map(.aux // empty) | .[0].Tag' <<<"$output")" = v1 ]
  digest=$(jq -sr 'map(.aux // empty) | .[0].Digest' <<<"$output")
  engine rmi "$OPEN/lines:v1"
  run -0 --separate-stderr engine pull --progress json "$OPEN/lines:v1"
  [ -z "$stderr" ]
  [ "$(jq -s 'map(select(.status == "Pull complete")) | length' <<<"$output")" = 2 ]
  [ "$(jq -sr '.[-2].status' <<<"$output")" = "Digest: $digest" ]
  run -1 --separate-stderr engine pull --progress json "$OPEN/none:v1"
  [[ "$stderr" == *"manifest for $OPEN/none:v1 not found: manifest unknown: manifest unknown" ]]
  dir=$(context); printf 'FROM %s/lines:v1\nRUN exit 3\n' "$OPEN" >"$dir/Dockerfile"
  run -3 --separate-stderr engine build --progress json "$dir"
  [ "$(jq -sr '.[-1].errorDetail.code' <<<"$output")" = 3 ]
  [[ "$stderr" == *"returned a non-zero code: 3" ]]
  run -1 engine pull --progress fancy "$OPEN/lines:v1"
  [ "$output" = 'invalid progress mode "fancy": must be one of: auto, plain, quiet, json' ]
  engine rmi "$OPEN/lines:v1"
}

@test "a push compresses as it is asked to" {
  [ "$E2E_ENGINE" = skiff ] || skip "our own flag"
  layered "$OPEN/packed:v1" packed
  id=$(id_of "$OPEN/packed:v1")
  types() {
    curl -sf -H 'Accept: application/vnd.oci.image.manifest.v1+json' -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
      "http://$OPEN/v2/packed/manifests/v1" | jq -r '.mediaType, .layers[].mediaType' | sort -u | tr '\n' ' '
  }
  run -0 engine push --compression zstd "$OPEN/packed:v1"
  [[ "$output" == *": Pushed"* ]]
  [ "$(types)" = "application/vnd.oci.image.layer.v1.tar+zstd application/vnd.oci.image.manifest.v1+json " ]
  # A registry's zstd is as good as anything until gzip is wanted.
  run -0 engine push "$OPEN/packed:v1"
  [[ "$output" != *": Pushed"* ]]
  run -0 engine push --compression gzip "$OPEN/packed:v1"
  [[ "$output" == *": Pushed"* ]]
  [ "$(types)" = "application/vnd.docker.distribution.manifest.v2+json application/vnd.docker.image.rootfs.diff.tar.gzip " ]
  run -0 engine push --compression zstd "$OPEN/packed:v1"
  [[ "$output" != *": Pushed"* ]]
  engine rmi "$OPEN/packed:v1"
  engine pull -q "$OPEN/packed:v1"
  [ "$(id_of "$OPEN/packed:v1")" = "$id" ]
  run -1 engine push --compression lz4 "$OPEN/packed:v1"
  [[ "$output" == *'invalid compression "lz4": layers are pushed as gzip or zstd' ]]
  engine rmi "$OPEN/packed:v1"
}

@test "a large layer comes whole" {
  dir=$(context)
  head -c 50000000 /dev/urandom >"$dir/noise"
  printf 'FROM scratch\nCOPY noise /\n' >"$dir/Dockerfile"
  engine build -q -t "$OPEN/large:v1" "$dir" >/dev/null
  id=$(id_of "$OPEN/large:v1")
  engine push -q "$OPEN/large:v1"
  engine rmi "$OPEN/large:v1"
  engine pull -q "$OPEN/large:v1"
  [ "$(id_of "$OPEN/large:v1")" = "$id" ]
  engine rmi "$OPEN/large:v1"
}

@test "run and create bring the image" {
  run -0 --separate-stderr engine run --rm "$OPEN/base:v1" echo here
  [ "$output" = here ]
  [ "${stderr_lines[0]}" = "Unable to find image '$OPEN/base:v1' locally" ]
  [ "${stderr_lines[1]}" = "v1: Pulling from base" ]
  run -0 --separate-stderr engine run --rm --pull always "$OPEN/base:v1" echo again
  [ "$output" = again ]
  [[ "$stderr" == *"Status: Image is up to date for $OPEN/base:v1"* ]]
  engine rmi "$OPEN/base:v1"
  run -125 engine run --rm --pull never "$OPEN/base:v1" true
  [[ "$output" == *"No such image: $OPEN/base:v1"* ]]
  run -0 --separate-stderr engine create --quiet --name "$(name c)" "$OPEN/base:v1" true
  [ "$stderr" = "" ]
  engine rm "$(name c)"
  engine rmi "$OPEN/base:v1"
}

@test "digests are names" {
  digest=$(engine pull "$OPEN/base:v1" | sed -n 's/^Digest: //p')
  engine rmi "$OPEN/base:v1"
  run -0 engine pull "$OPEN/base@$digest"
  [ "${lines[0]}" = "$OPEN/base@$digest: Pulling from base" ]
  [ "${lines[-1]}" = "$OPEN/base@$digest" ]
  [ "$(engine run --rm "$OPEN/base@$digest" echo ran)" = ran ]
  [ "$(engine images --digests --format '{{.Repository}} {{.Tag}} {{.Digest}}' "$OPEN/base")" = "$OPEN/base <none> $digest" ]
  engine tag "$OPEN/base@$digest" "$(name tag)"
  [ "$(id_of "$(name tag)")" = "$(id_of "$OPEN/base@$digest")" ]
  run -0 engine rmi "$OPEN/base@$digest" "$(name tag)"
  [ "${lines[0]}" = "Untagged: $OPEN/base@$digest" ]
  wrong=sha256:$(printf '0%.0s' $(seq 64))
  run -1 engine pull "$OPEN/base@$wrong"
  [[ "$output" == *"manifest for $OPEN/base@$wrong not found: manifest unknown: manifest unknown"* ]]
}

@test "all tags" {
  layered "$OPEN/many:v1" one
  layered "$OPEN/many:v2" two
  run -0 engine push -a "$OPEN/many"
  [[ "$output" == *"v1: digest:"*"v2: digest:"* ]]
  engine rmi "$OPEN/many:v1" "$OPEN/many:v2"
  run -0 engine pull -a "$OPEN/many"
  [[ "$output" == *"v1: Pulling from many"*"v2: Pulling from many"*"Status: Downloaded newer image for $OPEN/many"* ]]
  [ "$(engine images -q "$OPEN/many" | wc -l)" = 2 ]
  engine rmi "$OPEN/many:v1" "$OPEN/many:v2"
  run -1 engine pull -a "$OPEN/many:v1"
  [ "$output" = "tag can't be used with --all-tags/-a" ]
}

@test "what goes wrong is said in Docker's words" {
  run -1 engine pull "$OPEN/base:none"
  [ "$output" = "Error response from daemon: manifest for $OPEN/base:none not found: manifest unknown: manifest unknown" ]
  run -1 engine pull "$OPEN/none"
  [ "${lines[0]}" = "Using default tag: latest" ]
  [ "${lines[1]}" = "Error response from daemon: manifest for $OPEN/none:latest not found: manifest unknown: manifest unknown" ]
  run -1 engine pull 127.0.0.1:1/none:v1
  [ "$output" = 'Error response from daemon: Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused' ]
  run -1 engine pull nosuch.invalid/none:v1
  [[ "$output" == 'Error response from daemon: Get "https://nosuch.invalid/v2/": dial tcp: lookup nosuch.invalid'*": no such host" ]]
  run -125 engine run --rm "$OPEN/base:none" true
  [[ "$output" == *"Unable to find image '$OPEN/base:none' locally"*"manifest unknown"*"Run '"*" run --help' for more information" ]]
  run -1 engine push "$OPEN/none:v1"
  [[ "$output" == *"An image does not exist locally with the tag: $OPEN/none" ]]
  run -1 engine pull Upper
  [[ "$output" == *"must be lowercase"* ]]
  run -1 engine push "$OPEN/base@sha256:$(printf '0%.0s' $(seq 64))"
  [ "$output" = "cannot push a digest reference" ]
  gone "$OPEN/base:none"
}

@test "login, and what only those who logged in may do" {
  engine tag e2e-busybox "$CLOSED/private:v1"
  run -1 engine push "$CLOSED/private:v1"
  [[ "${lines[-1]}" == "no basic auth credentials" ]]
  run -1 engine pull "$CLOSED/private:v1"
  [[ "$output" == *"no basic auth credentials" ]]
  run -1 engine login -u user --password-stdin "$CLOSED" <<<wrong
  [[ "${lines[-1]}" == "Error response from daemon: login attempt to http://$CLOSED/v2/ failed with status: 401 Unauthorized" ]]
  run -0 engine login -u user --password-stdin "$CLOSED" <<<secret
  [[ "$output" == *"Login Succeeded"* ]]
  [ "$(jq -r ".auths[\"$CLOSED\"].auth | @base64d" "$DOCKER_CONFIG/config.json")" = user:secret ]
  engine push -q "$CLOSED/private:v1"
  engine rmi "$CLOSED/private:v1"
  [ "$(engine run --rm "$CLOSED/private:v1" echo in)" = in ]
  engine rmi "$CLOSED/private:v1"
  dir=$(context); printf 'FROM %s/private:v1\nLABEL a=b\n' "$CLOSED" >"$dir/Dockerfile"
  engine build -q -t "$(name built)" "$dir"
  engine rmi "$(name built)" "$CLOSED/private:v1"
  run -0 engine login "$CLOSED" </dev/null
  [[ "$output" == *"Login Succeeded"* ]]
  run -0 engine logout "$CLOSED"
  [ "$output" = "Removing login credentials for $CLOSED" ]
  [ "$(jq -c .auths "$DOCKER_CONFIG/config.json")" = '{}' ]
  run -1 engine pull "$CLOSED/private:v1"
}

@test "a build brings its base" {
  dir=$(context); printf 'FROM %s/base:v1\nRUN echo built >/word\n' "$OPEN" >"$dir/Dockerfile"
  run -0 engine build -t "$(name built)" "$dir"
  [[ "$output" == *"v1: Pulling from base"*"Successfully tagged"* ]]
  [ "$(engine run --rm "$(name built)" cat /word)" = built ]
  run -0 engine build --pull -t "$(name built)" "$dir"
  [[ "$output" == *"Status: Image is up to date for $OPEN/base:v1"* ]]
  printf 'FROM %s/base:none\n' "$OPEN" >"$dir/Dockerfile"
  run -1 engine build "$dir"
  [[ "$output" == *"manifest for $OPEN/base:none not found: manifest unknown: manifest unknown"* ]]
  engine rmi "$(name built)" "$OPEN/base:v1"
}

@test "a platform is chosen from an index" {
  manifest=$(curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$OPEN/v2/base/manifests/v1" | base64 -w0)
  size=$(base64 -d <<<"$manifest" | wc -c); digest=sha256:$(base64 -d <<<"$manifest" | sha256sum | cut -d' ' -f1)
  jq -n --arg digest "$digest" --argjson size "$size" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [
    {mediaType: "application/vnd.docker.distribution.manifest.v2+json", digest: $digest, size: $size, platform: {os: "linux", architecture: "s390x"}},
    {mediaType: "application/vnd.docker.distribution.manifest.v2+json", digest: $digest, size: $size, platform: {os: "linux", architecture: "amd64"}}]}' >"$E2E_DIR/index"
  curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary "@$E2E_DIR/index" "http://$OPEN/v2/base/manifests/index"
  index=sha256:$(sha256sum <"$E2E_DIR/index" | cut -d' ' -f1)
  run -0 engine pull --platform linux/amd64 "$OPEN/base:index"
  [[ "$output" == *"Digest: $index"* ]]
  [ "$(engine image inspect --format '{{join .RepoDigests ","}}' "$OPEN/base:index")" = "$OPEN/base@$index" ]
  engine rmi "$OPEN/base:index"
  run -1 engine pull --platform linux/riscv64 "$OPEN/base:index"
  [[ "$output" == *"no matching manifest for linux/riscv64 in the manifest list entries"* ]]
  run -1 engine pull --platform a/b/c/d "$OPEN/base:index"
  [[ "$output" == *'"a/b/c/d": cannot parse platform specifier: invalid argument'* ]]
}

@test "the API's answers" {
  run -0 api GET "/v1.51/distribution/$OPEN/base:v1/json"
  jq -e '(.Descriptor.digest | startswith("sha256:")) and .Descriptor.size > 100 and .Platforms[0].os == "linux"' <<<"$output"
  run -0 api POST "/v1.51/images/create?fromImage=$OPEN/base&tag=v1"
  [ "$(jq -r 'select(.id == "v1") | .status' <<<"$output")" = "Pulling from base" ]
  [ "$(jq -r .status <<<"$output" | tail -1)" = "Status: Downloaded newer image for $OPEN/base:v1" ]
  run -0 api POST "/v1.51/images/create?fromImage=$OPEN/base&tag=none" -w '%{http_code}'
  [[ "$output" == *404 ]]
  run -0 api POST "/v1.51/images/create?fromImage=127.0.0.1:1/x&tag=v1" -w '%{http_code}'
  [[ "$output" == *500 ]]
  run -0 api POST "/v1.51/images/$OPEN/base/push?tag=v1" -H "X-Registry-Auth: $(printf '{}' | base64)"
  jq -se '.[-1].aux | .Tag == "v1" and (.Digest | startswith("sha256:")) and .Size > 100' <<<"$output"
  run -0 api POST "/v1.51/images/$OPEN/base/push?tag=none" -H "X-Registry-Auth: $(printf '{}' | base64)"
  [ "$(jq -r 'select(.error) | .error' <<<"$output")" = "tag does not exist: $OPEN/base:none" ]
  engine rmi "$OPEN/base:v1"
}
