# Starts and stops private engines. Sourced by the bats library, the demo, the fault tests and `./dev shell`.
# Each engine has a work directory of its own with root, run directory and socket, its own bridge and its own table.

ENGINE_UNDER=()
SKIFF_TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SKIFF_BIN=${SKIFF_BIN:-$SKIFF_TREE/build/${SKIFF_PRESET:-release}/bin}

# engine_start DIRECTORY: leaves the daemon's pid in DIRECTORY/pid and its words in DIRECTORY/log. ENGINE_UNDER are words before its own
# name: a program that execs it.
engine_start() {
  local dir=$1 name; shift
  name=sk$(printf '%s' "$dir" | cksum | cut -d' ' -f1)
  mkdir -p "$dir"
  printf '%s' "${name:0:12}" >"$dir/bridge"
  setsid "${ENGINE_UNDER[@]}" "$SKIFF_BIN/skiffd" -H "unix://$dir/skiff.sock" --data-root "$dir/data" --exec-root "$dir/run" \
    --pidfile "$dir/skiffd.pid" --bridge "${name:0:12}" "$@" >>"$dir/log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$dir/pid"
  engine_wait "$dir"
}

# Waits until the engine answers; shows its log when it has died.
engine_wait() {
  local dir=$1
  for _ in $(seq 400); do
    "$SKIFF_BIN/skiff" -H "unix://$dir/skiff.sock" version >/dev/null 2>&1 && return 0
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
    sleep 0.05
  done
  echo "the engine did not come up:" >&2
  tail -20 "$dir/log" >&2
  return 1
}

# engine_stop DIRECTORY: removes every container first, then ends the daemon in an orderly way.
engine_stop() {
  local dir=$1 pid ids
  [ -s "$dir/pid" ] || return 0
  pid=$(cat "$dir/pid")
  ids=$("$SKIFF_BIN/skiff" -H "unix://$dir/skiff.sock" ps -aq 2>/dev/null) || true
  [ -z "$ids" ] || "$SKIFF_BIN/skiff" -H "unix://$dir/skiff.sock" rm -f -v $ids >/dev/null || true
  kill -TERM "$pid" 2>/dev/null || true
  for _ in $(seq 400); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  if kill -0 "$pid" 2>/dev/null; then
    echo "the engine did not end within 20 s of SIGTERM" >&2
    kill -KILL "$pid"
    return 1
  fi
  rm -f "$dir/pid"
}

# A root file system with nothing but busybox in it, as a tar: the base of all test images.
busybox_tar() {
  local out=$1 tree applet
  tree=$(mktemp -d /tmp/skiff-busybox-XXXXXX)
  mkdir -p "$tree"/{bin,tmp,etc,root,proc,sys,dev,var,home}
  chmod 1777 "$tree/tmp"
  cp /usr/bin/busybox "$tree/bin/busybox" 2>/dev/null || cp /bin/busybox "$tree/bin/busybox"
  for applet in $("$tree/bin/busybox" --list); do
    [ -e "$tree/bin/$applet" ] || ln -s busybox "$tree/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\napp:x:1000:1000::/home:/bin/sh\n' >"$tree/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\napp:x:1000:\nextra:x:2000:app\n' >"$tree/etc/group"
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$tree" -cf "$out" .
  rm -rf "$tree"
}
