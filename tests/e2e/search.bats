# Search, in a registry on a loopback port that answers as Docker Hub does (search_server.py).
load lib

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export HUB DOCKER_CONFIG
  lib_setup_file
  DOCKER_CONFIG=$E2E_DIR/docker-config
  mkdir -p "$DOCKER_CONFIG"
  python3 "$HERE/search_server.py" "$E2E_DIR/search.port" "$E2E_DIR/search.log" >"$E2E_DIR/search.out" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/search.pid"
  eventually 20 test -s "$E2E_DIR/search.port"
  HUB=localhost:$(cat "$E2E_DIR/search.port")
}

teardown_file() {
  kill "$(cat "$E2E_DIR/search.pid")"
  lib_teardown_file
}

asked() { tail -1 "$E2E_DIR/search.log"; }

@test "search shows what the registry finds, in its order, shortened for a table" {
  run -0 engine search "$HUB/busybox"
  [ "${lines[0]}" = "NAME              DESCRIPTION                                     STARS     OFFICIAL" ]
  [ "${lines[1]}" = "someone/busybox   Second by stars, and said in more words than…   12        " ]
  [ "${lines[2]}" = "busybox           The <first> one                                 3000      [OK]" ]
  [ "${lines[3]}" = "other/busybox                                                     0         " ]
  [ "$(asked)" = "/v1/search?q=busybox&n=25 -" ]
  run -0 engine search --no-trunc "$HUB/busybox"
  [[ "${lines[1]}" == "someone/busybox   Second by stars, and said in more words than a table has room for   12 "* ]]
  run -0 engine search --format '{{.Name}}|{{.StarCount}}|{{.IsOfficial}}' "$HUB/busybox"
  [ "$output" = $'someone/busybox|12|\nbusybox|3000|[OK]\nother/busybox|0|' ]
  run -0 engine search --format json "$HUB/busybox"
  [ "${lines[1]}" = '{"Description":"The \u003cfirst\u003e one","IsOfficial":"true","Name":"busybox","StarCount":"3000"}' ]
}

@test "search: filters and limits" {
  run -0 engine search --format '{{.Name}}' --filter is-official=true "$HUB/busybox"
  [ "$output" = busybox ]
  run -0 engine search --format '{{.Name}}' --filter is-official=false --filter stars=1 "$HUB/busybox"
  [ "$output" = someone/busybox ]
  run -0 engine search --format '{{.Name}}' --filter stars=5 --filter stars=100 "$HUB/busybox"
  [ "$output" = busybox ]
  run -0 engine search --format '{{.Name}}' --filter is-automated=true "$HUB/busybox"
  [[ "$output" == 'WARNING: the "is-automated" filter is deprecated'* ]]
  [ "${#lines[@]}" = 1 ]
  run -0 engine search --limit 3 --format '{{.Name}}' "$HUB/many"
  [ "${#lines[@]}" = 3 ]
  run -0 engine search --limit 100 "$HUB/a b/c"
  [ "$(asked)" = "/v1/search?q=a+b%2Fc&n=100 -" ]
  run -0 engine search "$HUB/none"
  [ "$output" = "NAME      DESCRIPTION   STARS     OFFICIAL" ]
}

@test "search: what is wrong is said in Docker's words" {
  prefix="Error response from daemon: "
  run -1 engine search --filter stars=x "$HUB/busybox"
  [ "$output" = "${prefix}invalid filter 'stars=x': strconv.Atoi: parsing \"x\": invalid syntax" ]
  run -1 engine search --filter foo=x "$HUB/busybox"
  [ "$output" = "${prefix}invalid filter 'foo'" ]
  run -1 engine search --filter is-official=x "$HUB/busybox"
  [ "$output" = "${prefix}invalid filter 'is-official=[x]'" ]
  run -1 engine search --limit 101 "$HUB/busybox"
  [ "$output" = "${prefix}limit 101 is outside the range of [1, 100]" ]
  run -1 engine search "http://$HUB/busybox"
  [ "$output" = "${prefix}invalid repository name: repository name (http://$HUB/busybox) should not have a scheme" ]
  run -1 engine search "$HUB/fails"
  [ "$output" = "${prefix}Unexpected status code 500" ]
  run -1 engine search "$HUB/garbage"
  [[ "$output" == "${prefix}error decoding registry search results: "* ]]
  run -1 engine search localhost:1/busybox
  [[ "$output" == "${prefix}invalid registry endpoint \"http://localhost:1/v1/\". HTTPS attempt: Get \"https://localhost:1/v1/_ping\": dial tcp "*"connect: connection refused. HTTP attempt: Get \"http://localhost:1/v1/_ping\": dial tcp "* ]]
  run -1 engine search registry.invalid/busybox
  [[ "$output" == "${prefix}invalid registry endpoint https://registry.invalid/v1/: Get \"https://registry.invalid/v1/_ping\": "*"no such host. If this private registry supports only HTTP"*"add \`--insecure-registry registry.invalid\`"* ]]
}

@test "search: the credentials of the registry go along" {
  run -1 engine search "$HUB/login"
  [ "$output" = "Error response from daemon: Unexpected status code 401" ]
  echo "{\"auths\":{\"$HUB\":{\"auth\":\"$(printf user:secret | base64)\"}}}" >"$DOCKER_CONFIG/config.json"
  run -0 engine search --format '{{.Name}}' "$HUB/login"
  [ "${lines[1]}" = login ]
  [ "$(asked)" = "/v1/search?q=login&n=25 Basic $(printf user:secret | base64)" ]
  rm "$DOCKER_CONFIG/config.json"
}

@test "search by the API" {
  run -0 api GET "/images/search?term=$HUB/busybox&limit=2"
  [ "$(jq -c '.[1]' <<<"$output")" = '{"star_count":3000,"is_official":true,"name":"busybox","is_automated":false,"description":"The <first> one"}' ]
  [ "$(jq -c '.[0].is_automated' <<<"$output")" = false ]
  [ "$(api GET "/images/search?term=$HUB/none")" = "[]" ]
  [ "$(api GET "/images/search?term=$HUB/busybox&limit=x" | jq -r .message)" = 'invalid limit specified: strconv.Atoi: parsing "x": invalid syntax' ]
  [ "$(api GET "/images/search?term=localhost:1/x" -o /dev/null -w '%{http_code}')" = 400 ]
  [ "$(api GET "/images/search?term=$HUB/fails" -o /dev/null -w '%{http_code}')" = 500 ]
}
