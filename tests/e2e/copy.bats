# Images between two engines without a registry: image copy, image push to an engine, and ssh:// addresses.
# Through skiff alone: no other client has these words.
load lib

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export OTHER OTHER_HOST SSH_HOST=
  lib_setup_file
  [ "$E2E_ENGINE" = skiff ] || return 0
  OTHER=$(mktemp -d "$E2E_DIR/other-XXXXXX")
  OTHER_HOST=unix://$OTHER/skiff.sock
  engine_start "$OTHER"
  sshd_start
}

teardown_file() {
  local failed=0
  if [ "$E2E_ENGINE" = skiff ]; then
    [ ! -s "$E2E_DIR/sshd.pid" ] || kill "$(cat "$E2E_DIR/sshd.pid")"
    [ ! -e "$E2E_DIR/made-run-sshd" ] || rmdir /run/sshd
    engine_stop "$OTHER" || failed=1
  fi
  lib_teardown_file || failed=1
  return $failed
}

setup() {
  [ "$E2E_ENGINE" = skiff ] || skip "our own commands"
}

teardown() {
  [ "$E2E_ENGINE" = skiff ] || return 0
  local side ids
  for side in engine other; do
    ids=$($side images -q --no-trunc --filter "reference=e2e-copy*" | sort -u)
    [ -z "$ids" ] || $side rmi -f $ids >/dev/null
  done
}

# An ssh server on a loopback port, with keys of its own; its sessions find our programs, and the other engine. Sets SSH_HOST and a
# program "ssh" that knows the keys, first in PATH.
sshd_start() {
  local sshd port
  sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || return 0
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  [ -d /run/sshd ] || { mkdir /run/sshd; touch "$E2E_DIR/made-run-sshd"; }
  mkdir -p "$E2E_DIR/ssh/bin"
  ssh-keygen -q -t ed25519 -N '' -f "$E2E_DIR/ssh/host"
  ssh-keygen -q -t ed25519 -N '' -f "$E2E_DIR/ssh/user"
  cp "$E2E_DIR/ssh/user.pub" "$E2E_DIR/ssh/authorized"
  echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$E2E_DIR/ssh/host.pub")" >"$E2E_DIR/ssh/known"
  cat >"$E2E_DIR/ssh/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $E2E_DIR/ssh/host
AuthorizedKeysFile $E2E_DIR/ssh/authorized
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
SetEnv PATH=$SKIFF_BIN:/usr/bin:/bin DOCKER_HOST=$OTHER_HOST
CONFIG
  printf 'IdentityFile %s\nIdentitiesOnly yes\nUserKnownHostsFile %s\nBatchMode yes\n' "$E2E_DIR/ssh/user" "$E2E_DIR/ssh/known" \
    >"$E2E_DIR/ssh/config"
  printf '#!/bin/sh\nexec /usr/bin/ssh -F "%s" "$@"\n' "$E2E_DIR/ssh/config" >"$E2E_DIR/ssh/bin/ssh"
  chmod +x "$E2E_DIR/ssh/bin/ssh"
  "$sshd" -D -f "$E2E_DIR/ssh/sshd_config" -E "$E2E_DIR/ssh/log" >"$E2E_DIR/ssh/out" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/sshd.pid"
  eventually 20 nc_probe "$port"
  SSH_HOST=ssh://root@127.0.0.1:$port
  export PATH=$E2E_DIR/ssh/bin:$PATH
}
nc_probe() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $1), 1)" 2>/dev/null; }
need_ssh() { [ -n "$SSH_HOST" ] || skip "sshd is not here: Debian's openssh-server would start one on this machine, so it is not installed for this"; }

other() { "$SKIFF_BIN/skiff" -H "$OTHER_HOST" "$@"; }
id_on() { "$1" image inspect --format '{{.Id}}' "$2"; }

# layered NAME: an image of two layers on e2e-busybox.
layered() {
  local dir
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo %s >/word\nRUN echo more >>/word\nCMD ["cat", "/word"]\n' "$1" >"$dir/Dockerfile"
  engine build -q -t "$1" "$dir" >/dev/null
}


@test "an image is copied by socket, runs there, and only missing layers travel" {
  layered e2e-copy-one
  run -0 engine image copy e2e-copy-one "$OTHER_HOST"
  [ "$output" = "Loaded image: e2e-copy-one:latest" ]
  [ "$(id_on other e2e-copy-one)" = "$(id_on engine e2e-copy-one)" ]
  [ "$(other run --rm e2e-copy-one)" = "$(printf 'e2e-copy-one\nmore')" ]
  layered e2e-copy-two
  base=$(engine image inspect --format '{{index .RootFS.Layers 0}}' e2e-busybox)
  run -0 engine image copy e2e-copy-two "$OTHER_HOST/e2e-copy-renamed:v2"
  [ "${lines[0]}" = "${base:7:12}: Layer already exists" ]
  [ "${lines[-1]}" = docker.io/library/e2e-copy-renamed:v2 ]
  [ "$(id_on other e2e-copy-renamed:v2)" = "$(id_on engine e2e-copy-two)" ]
  ! other image inspect e2e-copy-two
  run -0 engine image copy "$OTHER_HOST/e2e-copy-renamed:v2" e2e-copy-back
  [ "$(id_on engine e2e-copy-back)" = "$(id_on engine e2e-copy-two)" ]
  # On one engine it is another name.
  run -0 engine image copy e2e-copy-two e2e-copy-three
  [ "$(id_on engine e2e-copy-three)" = "$(id_on engine e2e-copy-two)" ]
}

@test "what travels has no layer that is there" {
  layered e2e-copy-one
  engine image copy -q e2e-copy-one "$OTHER_HOST"
  mapfile -t layers < <(engine image inspect --format '{{join .RootFS.Layers "\n"}}' e2e-copy-one)
  [ "${#layers[@]}" = 3 ]
  asked=$(jq -nc '$ARGS.positional | {DiffIDs: .}' --args "${layers[@]}" "sha256:$(printf '0%.0s' {1..64})")
  known=$(curl -sS --unix-socket "$OTHER/skiff.sock" -d "$asked" -H 'Content-Type: application/json' http://engine/skiff/layers/known)
  [ "$(jq -c '.DiffIDs | sort' <<<"$known")" = "$(jq -nc '$ARGS.positional | sort' --args "${layers[@]}")" ]
  api POST /skiff/images/save -H 'Content-Type: application/json' \
    -d "$(jq -nc --arg l "${layers[0]}" '{Names: ["e2e-copy-one"], Without: [$l]}')" >"$E2E_DIR/part.tar"
  names=$(tar -tf "$E2E_DIR/part.tar")
  ! grep -q "${layers[0]#sha256:}" <<<"$names"
  grep -q "${layers[1]#sha256:}" <<<"$names"
  # An engine without the layer says which it lacks, and keeps nothing.
  other rmi e2e-copy-one
  before=$(other images -aq | wc -l)
  run -1 other load -i "$E2E_DIR/part.tar"
  [[ "$output" == *"invalid archive: it has no layer"*"${layers[0]#sha256:}"* ]]
  [ "$(other images -aq | wc -l)" = "$before" ]
  rm "$E2E_DIR/part.tar"
}

@test "a layer that is there on another parent is not sent either" {
  dir=$(context)
  printf 'FROM e2e-busybox\nCOPY word /word\n' >"$dir/Dockerfile"
  echo same >"$dir/word"
  engine build -q -t e2e-copy-one "$dir" >/dev/null
  printf 'FROM scratch\nCOPY word /word\n' >"$dir/Dockerfile"
  engine build -q -t e2e-copy-two "$dir" >/dev/null
  layer=$(engine image inspect --format '{{index .RootFS.Layers 0}}' e2e-copy-two)
  [ "$(engine image inspect --format '{{index .RootFS.Layers 1}}' e2e-copy-one)" = "$layer" ] || skip "the layers' times differ"
  engine image copy -q e2e-copy-one "$OTHER_HOST"
  run -0 engine image copy e2e-copy-two "$OTHER_HOST"
  [ "${lines[0]}" = "${layer:7:12}: Layer already exists" ]
  [ "$(id_on other e2e-copy-two)" = "$(id_on engine e2e-copy-two)" ]
}

@test "images are pushed to an engine by ssh, and its address is one for every command" {
  need_ssh
  layered e2e-copy-one
  layered e2e-copy-two
  run -0 engine image push "$SSH_HOST" e2e-copy-one e2e-copy-two
  [[ "$output" == *"Loaded image: e2e-copy-one:latest"*"Loaded image: e2e-copy-two:latest"* ]]
  [ "$(id_on other e2e-copy-two)" = "$(id_on engine e2e-copy-two)" ]
  run -0 "$SKIFF_BIN/skiff" -H "$SSH_HOST" run --rm e2e-copy-two
  [ "$output" = "$(printf 'e2e-copy-two\nmore')" ]
  # Standard input goes there, and its end is heard.
  run -0 bash -c "printf 'a\nb\n' | '$SKIFF_BIN/skiff' -H '$SSH_HOST' run -i --rm e2e-copy-two wc -l"
  [ "$output" = 2 ]
  # As an address with the socket's path, and in the environment.
  run -0 env DOCKER_HOST="$SSH_HOST$OTHER/skiff.sock" "$SKIFF_BIN/skiff" images -q --no-trunc e2e-copy-one
  [ "$output" = "$(id_on engine e2e-copy-one)" ]
  run -0 engine image copy "$SSH_HOST/e2e-copy-one" e2e-copy-again
  [ "$(id_on engine e2e-copy-again)" = "$(id_on engine e2e-copy-one)" ]
}

@test "the stock client comes to an engine by ssh" {
  need_ssh
  [ -n "${DOCKER_CLIENT:-}" ] || skip "there is no stock client"
  layered e2e-copy-one
  ln -s "$SKIFF_BIN/skiff" "$E2E_DIR/ssh/docker"
  sed -i "s|SetEnv PATH=|SetEnv PATH=$E2E_DIR/ssh:|" "$E2E_DIR/ssh/sshd_config"
  kill -HUP "$(cat "$E2E_DIR/sshd.pid")"
  engine image copy -q e2e-copy-one "$OTHER_HOST"
  eventually 10 "$DOCKER_CLIENT" -H "$SSH_HOST" version
  run -0 "$DOCKER_CLIENT" -H "$SSH_HOST" run --rm e2e-copy-one
  [ "$output" = "$(printf 'e2e-copy-one\nmore')" ]
}

@test "dial-stdio passes bytes both ways, and the end of input on" {
  run -0 bash -c "printf 'GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n' | '$SKIFF_BIN/skiff' -H '$OTHER_HOST' system dial-stdio"
  [[ "$output" == "HTTP/1.1 200 OK"*"OK" ]]
  run -0 engine system --help
  [[ "$output" != *dial-stdio* ]]
  run -1 "$SKIFF_BIN/skiff" -H unix:///nowhere.sock system dial-stdio
  [[ "$output" == "failed to open the raw stream connection: dial unix /nowhere.sock: "* ]]
}

@test "what cannot be copied is refused in words" {
  run -1 engine image copy e2e-nothing "$OTHER_HOST"
  [ "$output" = "Error response from daemon: No such image: e2e-nothing:latest" ]
  run -1 engine image copy e2e-busybox unix:///nowhere/x
  [ "$output" = "unix:///nowhere/x leads to no socket: write unix://, the socket's path, / and the image" ]
  run -1 engine image copy "$OTHER_HOST" e2e-copy-x
  [ "$output" = "$OTHER_HOST names an engine and no image" ]
  run -1 engine image copy e2e-busybox "$OTHER_HOST/UPPER"
  [ "$output" = "invalid reference format: repository name (library/UPPER) must be lowercase" ]
  run -1 engine image push "$OTHER_HOST"
  [[ "$output" == *"image push' requires at least 2 arguments"* ]]
  run -1 engine image push "$OTHER_HOST/x" e2e-busybox
  [[ "$output" == "$OTHER_HOST/x names an image behind the engine"* ]]
  run -1 engine image push e2e-busybox e2e-busybox
  [[ "$output" == *"image push' requires 1 argument"* ]]
  run -1 engine image push -a "$OTHER_HOST" e2e-busybox
  [ "$output" = "--all-tags is not for pushes to an engine" ]
  run -1 "$SKIFF_BIN/skiff" -H ssh://me:secret@host ps
  [ "$output" = "Failed to initialize: ssh host connection is not valid: invalid SSH URL: plain-text password is not supported" ]
  run -1 "$SKIFF_BIN/skiff" -H 'ssh://host?x' ps
  [ "$output" = 'Failed to initialize: ssh host connection is not valid: invalid SSH URL: query parameters are not allowed: "x"' ]
  run -1 "$SKIFF_BIN/skiff" -H ssh:// ps
  [ "$output" = "Failed to initialize: ssh host connection is not valid: invalid SSH URL: hostname is empty" ]
}

@test "an ssh that fails says why" {
  need_ssh
  run -1 "$SKIFF_BIN/skiff" -H ssh://127.0.0.1:1 ps
  [[ "$output" == "error during connect: command [ssh -o ConnectTimeout=30 -T -p 1 -- 127.0.0.1 "*"] has exited with exit status 255, make sure the URL is valid, and Skiff or Docker is installed on the remote host: stderr=ssh: connect to host 127.0.0.1 port 1: Connection refused" ]]
  before=$(engine images -aq | wc -l)
  run -1 engine image copy ssh://127.0.0.1:1/x e2e-copy-x
  [[ "$output" == *"port 1: Connection refused" ]]
  [ "$(engine images -aq | wc -l)" = "$before" ]
}
