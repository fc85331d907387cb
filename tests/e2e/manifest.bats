# `manifest`: lists put together on the client's side, against Debian's docker-registry on a loopback port.
load lib

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export REGISTRY DOCKER_CONFIG
  lib_setup_file
  DOCKER_CONFIG=$E2E_DIR/docker-config
  mkdir -p "$DOCKER_CONFIG"
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf 'version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%d"}\n' \
    "$E2E_DIR/registry" "$port" >"$E2E_DIR/registry.yml"
  setsid docker-registry serve "$E2E_DIR/registry.yml" >"$E2E_DIR/registry.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/registry.pid"
  eventually 20 curl -s -o /dev/null "http://127.0.0.1:$port/v2/"
  REGISTRY=localhost:$port
  local name
  for name in one two; do
    mkdir -p "$E2E_DIR/$name"
    echo "$name" >"$E2E_DIR/$name/word"
    printf 'FROM scratch\nCOPY word /word\n' >"$E2E_DIR/$name/Dockerfile"
    engine build -q -t "$REGISTRY/$name:v1" "$E2E_DIR/$name" >/dev/null
    engine push -q "$REGISTRY/$name:v1" >/dev/null
  done
}

teardown_file() {
  kill "$(cat "$E2E_DIR/registry.pid")"
  [ "$E2E_ENGINE" != docker ] || engine rmi -f "$REGISTRY/one:v1" "$REGISTRY/two:v1" >/dev/null
  lib_teardown_file
}

teardown() { rm -rf "$DOCKER_CONFIG/manifests"; }

manifest() { engine manifest "$@"; }
digest_in() { curl -sI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$REGISTRY/v2/$1/manifests/v1" | tr -d '\r' | sed -n 's/^Docker-Content-Digest: //p'; }

@test "inspect shows a manifest as the registry has it, and with -v what is known of it" {
  run -0 manifest inspect --insecure "$REGISTRY/one:v1"
  curl -s -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$REGISTRY/v2/one/manifests/v1" >"$E2E_DIR/raw"
  [ "$output" = "$(jq --tab . "$E2E_DIR/raw")" ]
  run -0 manifest inspect --insecure -v "$REGISTRY/one:v1"
  [ "$(jq -r 'keys_unsorted | join(" ")' <<<"$output")" = "Ref Descriptor Raw SchemaV2Manifest" ]
  [ "$(jq -r .Ref <<<"$output")" = "$REGISTRY/one:v1" ]
  [ "$(jq -c .Descriptor <<<"$output")" = "{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"digest\":\"$(digest_in one)\",\"size\":$(stat -c %s "$E2E_DIR/raw"),\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}" ]
  [ "$(jq -r .Raw <<<"$output" | base64 -d | sha256sum)" = "$(sha256sum <"$E2E_DIR/raw")" ]
  [ "$(jq -c .SchemaV2Manifest <<<"$output")" = "$(jq -c . "$E2E_DIR/raw")" ]
}

@test "a list is created, annotated, pushed, pulled and removed" {
  list=$REGISTRY/list:v1
  run -0 manifest create --insecure "$list" "$REGISTRY/one:v1" "$REGISTRY/two:v1"
  [ "$output" = "Created manifest list $list" ]
  folder=$DOCKER_CONFIG/manifests/$(tr ':/' '-_' <<<"$list")
  [ "$(ls "$folder")" = "$(printf '%s\n' "${REGISTRY//:/-}_one-v1" "${REGISTRY//:/-}_two-v1")" ]
  run -1 manifest create --insecure "$list" "$REGISTRY/one:v1"
  [ "$output" = "refusing to amend an existing manifest list with no --amend flag" ]
  run -0 manifest create --insecure --amend "$list" "$REGISTRY/two:v1"
  run -0 manifest annotate --os linux --arch arm64 --variant v8 --os-version 10 --os-features a,b --os-features a "$list" "$REGISTRY/two:v1"
  [ -z "$output" ]
  cat >"$E2E_DIR/expected" <<JSON
{
   "schemaVersion": 2,
   "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": $(jq .Descriptor.size "$folder/${REGISTRY//:/-}_one-v1"),
         "digest": "$(digest_in one)",
         "platform": {
            "architecture": "amd64",
            "os": "linux"
         }
      },
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": $(jq .Descriptor.size "$folder/${REGISTRY//:/-}_two-v1"),
         "digest": "$(digest_in two)",
         "platform": {
            "architecture": "arm64",
            "os": "linux",
            "os.version": "10",
            "os.features": [
               "a",
               "b"
            ],
            "variant": "v8"
         }
      }
   ]
}
JSON
  run -0 manifest inspect "$list"
  [ "$output" = "$(cat "$E2E_DIR/expected")" ]
  run -0 manifest inspect -v "$list"
  [ "$(jq -r '.[].Ref' <<<"$output")" = "$(printf '%s\n' "$REGISTRY/one:v1" "$REGISTRY/two:v1")" ]
  run -0 manifest inspect "$list" "$REGISTRY/two:v1"
  [ "$(jq -r .config.digest <<<"$output")" = "$(engine image inspect --format '{{.Id}}' "$REGISTRY/two:v1")" ]
  run -0 manifest push --insecure "$list"
  [ "${lines[0]}" = "Pushed ref $REGISTRY/list@$(digest_in one) with digest: $(digest_in one)" ]
  [ "${lines[1]}" = "Pushed ref $REGISTRY/list@$(digest_in two) with digest: $(digest_in two)" ]
  [ "${lines[2]}" = "sha256:$(head -c -1 "$E2E_DIR/expected" | sha256sum | cut -d' ' -f1)" ]
  curl -s -H 'Accept: application/vnd.docker.distribution.manifest.list.v2+json' "http://$REGISTRY/v2/list/manifests/v1" >"$E2E_DIR/pushed"
  head -c -1 "$E2E_DIR/expected" | cmp - "$E2E_DIR/pushed"
  run -0 manifest push --insecure --purge "$list"
  [ ! -e "$folder" ]
  # Now the list comes from the registry.
  run -0 manifest inspect --insecure "$list"
  [ "$output" = "$(cat "$E2E_DIR/expected")" ]
  run -0 manifest inspect --insecure -v "$list"
  [ "$(jq -r '.[1].Ref' <<<"$output")" = "$list@$(digest_in two)" ]
  [ "$(jq -c '.[1].Descriptor.platform' <<<"$output")" = '{"architecture":"arm64","os":"linux","os.version":"10","os.features":["a","b"],"variant":"v8"}' ]
  [ "$(jq -r '.[1].SchemaV2Manifest.config.digest' <<<"$output")" = "$(engine image inspect --format '{{.Id}}' "$REGISTRY/two:v1")" ]
  run -1 manifest create --insecure "$REGISTRY/list:v2" "$list"
  [ "$output" = "$list is a manifest list" ]
  engine pull -q "$list"
  [ "$(engine image inspect --format '{{.Id}}' "$list")" = "$(engine image inspect --format '{{.Id}}' "$REGISTRY/one:v1")" ]
  engine rmi "$list"
}

@test "rm forgets lists, and says which are not there" {
  manifest create --insecure "$REGISTRY/a:1" "$REGISTRY/one:v1"
  manifest create --insecure "$REGISTRY/b:1" "$REGISTRY/one:v1"
  run -1 manifest rm UPPER "$REGISTRY/a:1" "$REGISTRY/c:1" "$REGISTRY/b:1"
  [ "${lines[0]}" = "invalid reference format: repository name (library/UPPER) must be lowercase" ]
  [ "${lines[1]}" = "No such manifest: $REGISTRY/c:1" ]
  [ "${#lines[@]}" = 2 ]
  [ -z "$(ls "$DOCKER_CONFIG/manifests")" ]
}

@test "what cannot be is refused in Docker's words, and leaves nothing" {
  run -1 manifest inspect --insecure "$REGISTRY/none:v1"
  [ "$output" = "no such manifest: $REGISTRY/none:v1" ]
  run -1 manifest create --insecure "$REGISTRY/list:v3" "$REGISTRY/none:v1"
  [ "$output" = "no such manifest: $REGISTRY/none:v1" ]
  [ ! -e "$DOCKER_CONFIG/manifests" ]
  run -1 manifest create --insecure UPPER "$REGISTRY/one:v1"
  [ "$output" = "error parsing name for manifest list UPPER: invalid reference format: repository name (library/UPPER) must be lowercase" ]
  run -1 manifest inspect "$REGISTRY/list:v3" "$REGISTRY/one:v1"
  [ "$output" = "No such manifest: $REGISTRY/one:v1" ]
  run -1 manifest push --insecure "$REGISTRY/list:v3"
  [ "$output" = "No such manifest: $REGISTRY/list:v3" ]
  run -1 manifest annotate --arch arm64 "$REGISTRY/list:v3" "$REGISTRY/one:v1"
  [ "$output" = "manifest for image $REGISTRY/one:v1 does not exist in $REGISTRY/list:v3" ]
  manifest create --insecure "$REGISTRY/list:v3" "$REGISTRY/one:v1"
  run -1 manifest annotate --arch vax "$REGISTRY/list:v3" "$REGISTRY/one:v1"
  [ "$output" = "manifest entry for image has unsupported os/arch combination: /vax" ]
  manifest create --insecure other.example/list:v1 "$REGISTRY/one:v1"
  run -1 manifest push --insecure other.example/list:v1
  [ "$output" = "cannot use source images from a different registry than the target image: $REGISTRY != other.example" ]
  run -1 manifest inspect other.example/list:v1
  [ "$output" = "failed to assemble ManifestDescriptor: cannot use source images from a different registry than the target image: $REGISTRY != other.example" ]
  run -1 manifest inspect --insecure localhost:1/x:1
  [[ "$output" == 'failed to configure transport: error pinging v2 registry: Get "http'*'://localhost:1/v2/": dial tcp '*': connect: connection refused' ]]
  run -1 manifest create "$REGISTRY/list:v4"
  [[ "$output" == *"manifest create' requires at least 2 arguments"* ]]
}
