# Registries behind networks that cut, delay and change what they carry, mirrors, proxies and certificates: bad_network.py in front of Debian's
# docker-registry. What can be repaired is, everything else is said in a sentence, and leaves nothing behind.
load bad_network

eval "bad_network_$(declare -f setup)"
setup() {
  [ "$E2E_ENGINE" = skiff ] || skip "the engine speaks to registries, whoever asks it: once is enough"
  bad_network_setup
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
