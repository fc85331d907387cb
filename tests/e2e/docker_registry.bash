# Debian's docker-registry on free loopback ports, its data and words in $E2E_DIR/registries.

# registry_start NAME [CONFIGURATION]: sets REGISTRY_PORT.
registry_start() {
  local dir=$E2E_DIR/registries
  REGISTRY_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  cat >"$dir/$1.yml" <<YML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $dir/$1}}
http: {addr: "127.0.0.1:$REGISTRY_PORT"}
${2:-}
YML
  setsid docker-registry serve "$dir/$1.yml" >"$dir/$1.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$dir/$1.pid"
  eventually 20 answers "$REGISTRY_PORT"
}
answers() { curl -s -o /dev/null "http://127.0.0.1:$1/v2/"; }
registries_stop() {
  local pid
  for pid in "$E2E_DIR"/registries/*.pid; do kill "$(cat "$pid")"; done
}
