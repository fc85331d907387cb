# Images whose layers are read while they come: zstd:chunked and eStargz layers of lazy_image.py, in Debian's docker-registry behind bad_network.py,
# which tells what was asked for. Background fetching is off, but for the engine of the test that is about it.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"
eval "$(declare -f lib_setup_file | sed 's|E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)|E2E_DIR=$keep_directory|')"

engine_options() { printf '%s\n' --lazy-background=false --max-download-attempts 2; }

setup_file() {
  export BAD
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  mkdir -p "$E2E_DIR/registries" "$E2E_DIR/tree"
  registry_start open
  setsid python3 "$HERE/bad_network.py" "$E2E_DIR/registries/bad" "$REGISTRY_PORT" >"$E2E_DIR/registries/bad.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/registries/bad.pid"
  eventually 20 test -e "$E2E_DIR/registries/bad"
  BAD=$(<"$E2E_DIR/registries/bad")
  keep_directory=$E2E_DIR lib_setup_file
  layers
  python3 "$HERE/lazy_image.py" "$BAD" app v1 "$E2E_DIR/busybox.tar" "$E2E_DIR/upper.tar" >"$E2E_DIR/places"
  python3 "$HERE/lazy_image.py" "$BAD" plain v1 "plain=$E2E_DIR/busybox.tar" "unsigned=$E2E_DIR/upper.tar" >/dev/null
  python3 "$HERE/lazy_image.py" "$BAD" mixed v1 "plain=$E2E_DIR/busybox.tar" "$E2E_DIR/upper.tar" >/dev/null
  python3 "$HERE/lazy_image.py" "$BAD" star v1 "estargz=$E2E_DIR/busybox.tar" "estargz=$E2E_DIR/upper.tar" >/dev/null
  python3 "$HERE/lazy_image.py" "$BAD" liar v1 --lie "$E2E_DIR/busybox.tar" >/dev/null
}

# busybox below; above it everything that a layer can say, and 20 MB that nobody needs at the start.
layers() {
  busybox_tar "$E2E_DIR/busybox.tar"
  cd "$E2E_DIR/tree"
  mkdir -p opt work/inner etc bin
  head -c 20000000 /dev/urandom >opt/large
  head -c 500000 /dev/urandom >opt/second
  head -c 300000 /dev/zero >opt/zeros; echo end >>opt/zeros
  echo hello >work/hello; ln work/hello work/same; ln -s hello work/link; mkfifo work/pipe
  mknod work/null c 1 3
  chmod 4755 work/hello; chown 1000:2000 work/inner; touch -d '2020-02-02 02:02:02.123456789Z' work/inner
  python3 -c 'import os; os.setxattr("work/inner", "user.note", b"yes")'
  touch bin/.wh.awk etc/.wh..wh..opq; echo only >etc/only
  tar --xattrs --format=pax --sort=name --numeric-owner -cf "$E2E_DIR/upper.tar" .
  cd "$BATS_TEST_DIRNAME"
}

teardown_file() {
  registries_stop
  lib_teardown_file
}

setup() {
  [ "$E2E_ENGINE" = skiff ] || skip "pulling lazily is our own"
  SNAPSHOTS=$E2E_DIR/data/snapshots
  rules '[]'
}

eval "lib_$(declare -f teardown)"
teardown() {
  [ "$E2E_ENGINE" = skiff ] || return 0
  rules '[]'
  lib_teardown
  [ ! -s "$E2E_DIR/second/pid" ] || engine_stop "$E2E_DIR/second"
  local image
  for image in app star plain mixed liar; do engine rmi -f "$BAD/$image:v1" >/dev/null 2>&1 || true; done
  eventually 10 nothing_served
}

rules() { curl -sS --fail -X PUT -d "$1" "http://$BAD/_break"; }
# How many bytes of blobs were asked for by range, and how many blobs as a whole.
ranged() { curl -sS "http://$BAD/_seen" | sed -nE 's/.*bytes=([0-9]+)-([0-9]+).*/\1 \2/p' | awk '{n += $2 - $1 + 1} END {print n + 0}'; }
wholes() { curl -sS "http://$BAD/_seen" | grep 'GET .*/blobs/' | grep -vc 'bytes='; }
servers() { pgrep -f '^skiffd-lazy' || true; }
served_mounts() { grep -c "$E2E_DIR.*fuse.skiff" /proc/self/mountinfo || true; }
no_servers() { [ -z "$(servers)" ]; }
nothing_served() { [ -z "$(servers)" ] && [ "$(served_mounts)" = 0 ] && [ -z "$(find "$SNAPSHOTS" -name '*lazy*')" ]; }
in_app() { engine run --rm "$BAD/app:v1" "$@"; }

@test "a container starts while nearly nothing of its image is here" {
  engine pull --lazy "$BAD/app:v1"
  [ "$(wholes)" = 1 ]  # the config
  [ "$(ranged)" -lt 100000 ]
  [ "$(in_app cat /work/hello)" = hello ]
  [ "$(ranged)" -lt 3000000 ]
  # What it needs later it reads, once.
  [ "$(in_app sha256sum /opt/second | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/second" | cut -d' ' -f1)" ]
  local before; before=$(ranged)
  [ "$(in_app sha256sum /opt/second | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/second" | cut -d' ' -f1)" ]
  [ "$(ranged)" = "$before" ]
  [ "$(in_app sha256sum /opt/zeros | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/zeros" | cut -d' ' -f1)" ]
  [ "$(servers | wc -l)" = 1 ]
}

@test "run --pull=lazy and create --pull=lazy" {
  [ "$(engine run --rm --pull=lazy "$BAD/app:v1" cat /work/hello)" = hello ]
  [ "$(wholes)" = 1 ]
  engine create --pull=lazy --name "$(name c)" "$BAD/app:v1" true
  run engine run --rm --pull=early "$BAD/app:v1" true
  [ "$status" = 125 ]
  [[ "$output" == *"must be one of \"always\", \"missing\", \"never\" or \"lazy\""* ]]
}

@test "eStargz layers are read while they come as well" {
  engine pull --lazy "$BAD/star:v1"
  [ "$(wholes)" = 1 ]  # the config
  [ "$(ranged)" -lt 150000 ]
  [ "$(engine run --rm "$BAD/star:v1" cat /work/same)" = hello ]
  [ "$(ranged)" -lt 3000000 ]
  [ "$(served_mounts)" = 2 ]
  local file
  for file in second large zeros; do
    [ "$(engine run --rm "$BAD/star:v1" sha256sum /opt/$file | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/$file" | cut -d' ' -f1)" ]
  done
  engine save -o "$E2E_DIR/star.tar" "$BAD/star:v1"
  eventually 20 nothing_served
  [ "$(engine run --rm "$BAD/star:v1" cat /work/hello)" = hello ]
}

@test "a container sees the same, whether its layers are served or unpacked" {
  local image
  for image in app star; do same_served_and_unpacked "$BAD/$image:v1"; done
}

same_served_and_unpacked() { # IMAGE
  local look='cd /; stat -c "%n %f %u %g %h %s %t:%T %Y" . etc etc/only work work/* opt/* bin/ls tmp; ls bin etc; readlink work/link; cat work/same; ls -ln stargz.index.json || true; test ! -e bin/awk; test ! -e etc/passwd'
  engine pull -q --lazy "$1"
  engine run --rm "$1" sh -ec "$look" >"$E2E_DIR/lazily"
  engine rmi "$1"
  engine pull -q "$1"
  engine run --rm "$1" sh -ec "$look" >"$E2E_DIR/eagerly"
  # The size of a directory is its file system's.
  diff <(awk '$2 !~ /^4/' "$E2E_DIR/lazily") <(awk '$2 !~ /^4/' "$E2E_DIR/eagerly")
}

@test "what a container changes lies on top; setuid programs and devices work" {
  engine pull -q --lazy "$BAD/app:v1"
  [ "$(in_app sh -ec 'echo new >>work/hello; cat work/hello; rm opt/second; mv opt/zeros x; ls opt; echo x >/work/null; stat -c %a work/hello')" = $'hello\nnew\nlarge\n4755' ]
  [ "$(in_app sh -c 'cat /work/hello; ls /opt' | xargs)" = "hello large second zeros" ]
  engine run --name "$(name c)" "$BAD/app:v1" sh -c 'echo 1 >/new; rm /work/same'
  [ "$(engine diff "$(name c)" | sort | xargs)" = "A /new C /work D /work/same" ]
  engine cp "$(name c):/work/hello" "$E2E_DIR/copied"
  [ "$(<"$E2E_DIR/copied")" = hello ]
}

@test "layers without a table, or with one that nobody vouches for, are pulled whole" {
  engine pull -q --lazy "$BAD/plain:v1"
  [ -z "$(servers)" ]
  [ "$(engine run --rm "$BAD/plain:v1" cat /work/hello)" = hello ]
  engine rmi "$BAD/plain:v1"
  engine pull -q --lazy "$BAD/mixed:v1"
  [ "$(engine run --rm "$BAD/mixed:v1" cat /work/hello)" = hello ]
  [ "$(served_mounts)" = 1 ]
}

@test "a table that is not what the manifest says is not believed" {
  rules '[{"match": "GET .*/blobs/", "do": "flip", "after": 20}]'
  run engine pull -q --lazy "$BAD/app:v1"
  [ -z "$(servers)" ]
  [ "$(served_mounts)" = 0 ]
}

@test "bytes that are not what the table says are an I/O error, which the log names" {
  engine pull -q --lazy "$BAD/app:v1"
  in_app true
  rules '[{"match": "GET .*/blobs/", "do": "flip", "after": 100000}]'
  run in_app cat /opt/second
  [ "$status" = 1 ]
  [[ "$output" == *[Ii]"nput/output error"* || "$output" == *"I/O error"* ]]
  grep -E "layer sha256:[0-9a-f]{64} of $BAD/app:v1: the [0-9]+ bytes at [0-9]+: " "$E2E_DIR/log"
  # It is not kept: once the registry is right again, so is the file.
  rules '[]'
  [ "$(in_app sha256sum /opt/second | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/second" | cut -d' ' -f1)" ]
}

@test "without the registry what came is read, and the rest is an I/O error" {
  engine pull -q --lazy "$BAD/app:v1"
  in_app sh -c 'sha256sum /opt/second /work/hello' >"$E2E_DIR/first"
  rules '[{"match": ".", "do": "status", "status": 503}]'
  in_app sh -c 'sha256sum /opt/second /work/hello' | diff - "$E2E_DIR/first"
  run in_app sha256sum /opt/large
  [ "$status" != 0 ]
  [[ "$output" == *[Ii]"nput/output error"* || "$output" == *"I/O error"* ]]
  rules '[]'
  in_app sha256sum /opt/large
}

@test "save, commit and build bring the whole layers, which are then ordinary ones" {
  engine pull -q --lazy "$BAD/app:v1"
  engine save -o "$E2E_DIR/saved.tar" "$BAD/app:v1"
  tar -xOf "$E2E_DIR/saved.tar" "blobs/sha256/$(sha256sum <"$E2E_DIR/upper.tar" | cut -d' ' -f1)" | cmp - "$E2E_DIR/upper.tar"
  rules '[{"match": ".", "do": "status", "status": 503}]'
  in_app sha256sum /opt/large
  eventually 20 nothing_served
  engine rmi "$BAD/app:v1"
  rules '[]'
  engine pull -q --lazy "$BAD/app:v1"
  engine run --name "$(name c)" "$BAD/app:v1" sh -c 'echo 1 >/new'
  engine commit "$(name c)" "$(name committed)"
  printf 'FROM %s/app:v1\nRUN cat /work/hello >/built\n' "$BAD" >"$E2E_DIR/Dockerfile.lazy"
  engine build -q -t "$(name built)" - <"$E2E_DIR/Dockerfile.lazy"
  [ "$(engine run --rm "$(name built)" cat /built)" = hello ]
  engine rm "$(name c)"
  engine rmi "$(name committed)" "$(name built)"
  engine builder prune -af >/dev/null
}

@test "a push gives the registry the very layers that it came from" {
  engine pull -q --lazy "$BAD/app:v1"
  engine tag "$BAD/app:v1" "$BAD/app:again"
  engine push -q "$BAD/app:again"
  engine rmi "$BAD/app:again"
  layers_of() { curl -sS -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json' "http://$BAD/v2/app/manifests/$1" | jq -c '[.layers[].digest]'; }
  [ "$(layers_of again)" = "$(layers_of v1)" ]
  eventually 20 nothing_served
}

@test "a second pull that is not lazy brings the rest" {
  engine pull -q --lazy "$BAD/app:v1"
  engine pull -q "$BAD/app:v1"
  rules '[{"match": ".", "do": "status", "status": 503}]'
  [ "$(in_app sha256sum /opt/large | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/large" | cut -d' ' -f1)" ]
  engine system fsck
}

@test "a layer that holds another than the config says is not taken for it" {
  engine pull -q --lazy "$BAD/liar:v1"
  [ "$(engine run --rm "$BAD/liar:v1" echo seen)" = seen ]
  run engine save -o "$E2E_DIR/saved.tar" "$BAD/liar:v1"
  [ "$status" = 1 ]
  [[ "$output" == *"holds sha256:"* ]]
  run engine run --rm "$BAD/liar:v1" true
  [ "$status" = 125 ]
  [[ "$output" == *"is damaged"* ]]
}

@test "the daemon killed: who runs reads on, who starts later too" {
  engine pull -q --lazy "$BAD/app:v1"
  engine run -d --name "$(name c)" "$BAD/app:v1" sh -c 'while [ ! -e /go ]; do sleep 0.1; done; sha256sum /opt/second'
  local pid; pid=$(<"$E2E_DIR/pid")
  kill -KILL "$pid"
  eventually 5 test ! -e "/proc/$pid"
  start_engine
  engine exec "$(name c)" touch /go
  [ "$(engine wait "$(name c)")" = 0 ]
  [ "$(engine logs "$(name c)" | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/second" | cut -d' ' -f1)" ]
  [ "$(in_app cat /work/hello)" = hello ]
  engine rm "$(name c)"
}

@test "the daemon stops while somebody waits for a whole layer" {
  engine pull -q --lazy "$BAD/app:v1"
  rules '[{"match": "GET .*/blobs/", "do": "stall", "after": 100000, "seconds": 120}]'
  engine save -o "$E2E_DIR/saved.tar" "$BAD/app:v1" >/dev/null 2>&1 3>&- 4>&- &
  local waiting=$! pid; pid=$(<"$E2E_DIR/pid")
  asked() { [ "$(ranged)" -gt 0 ]; }
  eventually 10 asked
  kill -TERM "$pid"
  eventually 30 test ! -e "/proc/$pid"
  ! wait "$waiting"
  rules '[]'
  start_engine
  [ "$(in_app cat /work/hello)" = hello ]
}

@test "the serving process killed: the image is served anew" {
  engine pull -q --lazy "$BAD/app:v1"
  [ "$(in_app cat /work/hello)" = hello ]
  kill -KILL $(servers)
  eventually 5 no_servers
  [ "$(in_app cat /work/hello)" = hello ]
  # Both at once.
  local pid; pid=$(<"$E2E_DIR/pid")
  kill -KILL "$pid" $(servers)
  eventually 5 test ! -e "/proc/$pid"
  start_engine
  [ "$(in_app cat /work/hello)" = hello ]
}

@test "rmi leaves no process, mount or file; a container that runs keeps what it reads" {
  engine pull -q --lazy "$BAD/app:v1"
  engine run -d --name "$(name c)" "$BAD/app:v1" sleep 1000
  local id; id=$(engine image inspect --format '{{.Id}}' "$BAD/app:v1")
  engine rmi -f "$BAD/app:v1"
  engine exec "$(name c)" sha256sum /opt/second
  engine rm -f "$(name c)"
  engine rmi -f "$id"
  eventually 10 nothing_served
}

@test "behind the scenes the rest comes, once, and the process goes" {
  engine_start "$E2E_DIR/second"
  local second=("$SKIFF_BIN/skiff" -H "unix://$E2E_DIR/second/skiff.sock")
  "${second[@]}" pull -q --lazy "$BAD/app:v1"
  "${second[@]}" run -d --name reader "$BAD/app:v1" sh -c 'while [ ! -e /go ]; do sleep 0.1; done; sha256sum /opt/large'
  whole() { [ "$(grep -c 'is here as a whole' "$E2E_DIR/second/log")" = 2 ]; }
  eventually 30 whole
  local size; size=$(curl -sS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$BAD/v2/app/manifests/v1" | jq '[.layers[].size] | add')
  [ "$(ranged)" -lt $((size + 2 * 200000)) ]
  rules '[{"match": ".", "do": "status", "status": 503}]'
  "${second[@]}" exec reader touch /go
  [ "$("${second[@]}" wait reader)" = 0 ]
  [ "$("${second[@]}" logs reader | cut -d' ' -f1)" = "$(sha256sum <"$E2E_DIR/tree/opt/large" | cut -d' ' -f1)" ]
  "${second[@]}" rm reader
  clean() { [ -z "$(find "$E2E_DIR/second/data/snapshots" -name '*lazy*')" ]; }
  eventually 30 clean
  eventually 10 no_servers
  "${second[@]}" run --rm "$BAD/app:v1" sha256sum /opt/large
  engine_stop "$E2E_DIR/second"
}
