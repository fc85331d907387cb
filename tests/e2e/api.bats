# The API by hand: versions, error bodies, bad requests.
load lib

status_of() { api "$@" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}'; }
message() { jq -r .message "$BATS_TEST_TMPDIR/body"; }

@test "ping and versions" {
  [ "$(api GET /_ping)" = OK ]
  run -0 api GET /_ping -D - -o /dev/null
  [[ "$output" == *"Api-Version: 1.51"* || "$output" == *"API-Version: 1.51"* ]]
  [ "$(api GET /v1.24/version | jq -r .MinAPIVersion)" = 1.24 ]
  [ "$(status_of GET /v1.23/version)" = 400 ]
  [[ "$(cat "$BATS_TEST_TMPDIR/body")" == *"client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version"* ]]
  [ "$(status_of GET /v9.99/version)" = 400 ]
  [[ "$(message)" == "client version 9.99 is too new. Maximum supported API version is 1.51" ]]
}

@test "older versions of the API get the fields they knew" {
  [ "$(api GET /v1.43/images/e2e-busybox/json | jq -c '[has("VirtualSize"), .VirtualSize == .Size, has("ContainerConfig")]')" = '[true,true,true]' ]
  [ "$(api GET /v1.44/images/e2e-busybox/json | jq -c '[has("VirtualSize"), (.ContainerConfig | has("Hostname"))]')" = '[false,true]' ]
  [ "$(api GET /v1.45/images/e2e-busybox/json | jq 'has("ContainerConfig")')" = false ]
  [ "$(api GET /v1.43/images/json | jq -c 'map(.VirtualSize == .Size) | all')" = true ]
  [ "$(api GET /v1.44/images/json | jq -c 'map(has("VirtualSize")) | any')" = false ]
}

@test "unknown paths are 404, absent parts say so" {
  [ "$(status_of GET /v1.51/nosuch)" = 404 ]
  [ "$(message)" = "page not found" ]
  [ "$(status_of GET /v1.51/services)" = 503 ]
  [[ "$(message)" == "This node is not a swarm manager."* ]]
  [ "$(status_of GET /v1.51/containers/nosuch/json)" = 404 ]
  [ "$(message)" = "No such container: nosuch" ]
}

@test "bodies that are not JSON, of the wrong type, or too large" {
  [ "$(status_of POST /v1.51/containers/create -H 'Content-Type: application/json' -d 'not json')" = 400 ]
  [ "$(status_of POST /v1.51/containers/create -H 'Content-Type: application/json' -d '{"Image": 7}')" = 400 ]
  [ "$(status_of POST /v1.51/containers/create -H 'Content-Type: application/json' -d '[]')" = 400 ]
  [ "$(status_of POST /v1.51/networks/create -H 'Content-Type: application/json' -d '{')" = 400 ]
  if [ "$E2E_ENGINE" != docker ]; then
    head -c 104857600 /dev/zero | tr '\0' ' ' >"$BATS_TEST_TMPDIR/large"
    [ "$(status_of POST /v1.51/containers/create -H 'Content-Type: application/json' -H 'Expect:' --data-binary @"$BATS_TEST_TMPDIR/large")" = 413 ]
  fi
  [ "$(api GET /_ping)" = OK ]
}

@test "create answers 201 with Id and Warnings, wait streams the status" {
  id=$(api POST "/v1.51/containers/create?name=$(name api)" -H 'Content-Type: application/json' -d '{"Image":"e2e-busybox","Cmd":["sh","-c","exit 3"]}' | jq -r .Id)
  [ ${#id} -eq 64 ]
  [ "$(status_of POST "/v1.51/containers/$id/start")" = 204 ]
  [ "$(api POST "/v1.51/containers/$id/wait" | jq -r .StatusCode)" = 3 ]
  [ "$(status_of POST "/v1.51/containers/$id/stop")" = 304 ]
  [ "$(status_of DELETE "/v1.51/containers/$id")" = 204 ]
}
