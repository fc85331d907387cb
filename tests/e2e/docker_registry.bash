# Debian's docker-registry on free loopback ports, its data and words in $E2E_DIR/registries.

# registry_start NAME [CONFIGURATION]: sets REGISTRY_PORT.
registry_start() {
  local dir=$E2E_DIR/registries
  mkdir -p "$dir"
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

# put_blob REGISTRY REPOSITORY FILE: prints the digest.
put_blob() {
  local digest place
  digest=sha256:$(sha256sum "$3" | cut -d' ' -f1)
  place=$(curl -sS -D - -o /dev/null -X POST "http://$1/v2/$2/blobs/uploads/" | sed -nE 's/^location: //Ip' | tr -d '\r')
  curl -sS --fail -o /dev/null -X PUT "$place&digest=$digest" -H 'Content-Type: application/octet-stream' --data-binary "@$3"
  echo "$digest"
}
# put_manifest REGISTRY REPOSITORY TAG FILE
put_manifest() {
  curl -sS --fail -o /dev/null -X PUT "http://$1/v2/$2/manifests/$3" -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary "@$4"
}
