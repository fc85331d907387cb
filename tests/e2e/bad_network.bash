# Loaded by files about registries behind networks that cut, delay and change what they carry: bad_network.py in front of Debian's
# docker-registry, as $BAD, $GOOD and, as a proxy, $PROXY. app:v1 is there: e2e-busybox, a layer that does not compress, and a small one.
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

DOWNLOAD_ATTEMPTS=3
engine_options() {
  printf '%s\n' --max-download-attempts "$DOWNLOAD_ATTEMPTS" --http-proxy "http://$PROXY" --no-proxy "mirrored.invalid" \
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
  [ "$E2E_ENGINE" = docker ] || [ -z "$(ls -A "$E2E_DIR/data/content/partial")" ] || rm -f "$E2E_DIR"/data/content/partial/*
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
snapshots() { [ "$E2E_ENGINE" = docker ] || ls "$E2E_DIR/data/snapshots" | grep -v trash || true; }
# refused SENTENCE [DOCKERS]: a pull from the bad network fails with these last words, and leaves nothing. Docker says less of some.
refused() {
  run -1 engine pull "$BAD/app:v1"
  local words=$1
  [ "$E2E_ENGINE" != docker ] || words=${2:-$1}
  [[ "$output" == *"$words" ]] || { echo "$output"; return 1; }
  nothing_of "$BAD/app:v1"
}
