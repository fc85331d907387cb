# Loaded by every e2e file. E2E_ENGINE says who is asked:
#   skiff   our command line on a private skiffd (default)
#   stock   the stock docker client on a private skiffd
#   docker  the stock docker client on the real Docker that DOCKER_HOST names
# Tests call `engine ...` for the command line; what they assert holds for all three.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$HERE/engine.bash"
source "$HERE/leaks.bash"
E2E_ENGINE=${E2E_ENGINE:-skiff}
bats_require_minimum_version 1.5.0
export DOCKER_BUILDKIT=0 DOCKER_CLI_HINTS=false LC_ALL=C.UTF-8

# Sets ENGINE to the words that begin a command line of the engine under test: for a client that is signalled or gets a terminal.
engine_words() {
  case $E2E_ENGINE in
    skiff) ENGINE=("$SKIFF_BIN/skiff" -H "unix://$E2E_DIR/skiff.sock") ;;
    stock) ENGINE=("$DOCKER_CLIENT" -H "unix://$E2E_DIR/skiff.sock") ;;
    docker) ENGINE=("$DOCKER_CLIENT") ;;
  esac
}

engine() {
  local ENGINE; engine_words
  "${ENGINE[@]}" "$@"
}

# The engine's API by hand: api METHOD PATH [curl options]
api() {
  local method=$1 path=$2 socket; shift 2
  if [ "$E2E_ENGINE" = docker ]; then socket=${DOCKER_HOST#unix://}; else socket=$E2E_DIR/skiff.sock; fi
  curl -sS --max-time 30 --unix-socket "$socket" -X "$method" "http://engine$path" "$@"
}

# Flags of the engine, one a line, for a file that defines this anew.
engine_options() { :; }
start_engine() {
  local options
  mapfile -t options < <(engine_options)
  engine_start "$E2E_DIR" "${options[@]}"
}

setup_file() {
  export E2E_DIR
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  if [ "$E2E_ENGINE" != docker ]; then
    leak_snapshot | grep -v "$E2E_DIR" >"$E2E_DIR/before"
    start_engine
  fi
  base_image
}

base_image() {
  local context=$E2E_DIR/base
  mkdir -p "$context"
  busybox_tar "$context/rootfs.tar"
  printf 'FROM scratch\nADD rootfs.tar /\nCMD ["sh"]\n' >"$context/Dockerfile"
  engine build -q -t e2e-busybox "$context" >/dev/null
}

# Removes the file's directory, and compares the machine with what leak_snapshot saw before.
remove_checked() {
  local failed=0
  cp "$E2E_DIR/before" "/tmp/.skiff-before-$$"
  rm -rf "$E2E_DIR" || failed=1
  leak_check "/tmp/.skiff-before-$$" || failed=1
  rm -f "/tmp/.skiff-before-$$"
  return $failed
}

teardown_file() {
  if [ "$E2E_ENGINE" != docker ]; then
    local failed=0
    engine_fds_stable || failed=1
    engine_stop "$E2E_DIR" || failed=1
    [ -z "${E2E_KEEP:-}" ] || cp "$E2E_DIR/log" "$E2E_KEEP"
    remove_checked || failed=1
    return $failed
  fi
  rm -rf "$E2E_DIR"
}

# With no container left, the daemon holds only what it holds when idle.
engine_fds_stable() {
  local pid count ids
  pid=$(cat "$E2E_DIR/pid")
  ids=$(engine ps -aq)
  [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
  for _ in $(seq 50); do
    count=$(ls "/proc/$pid/fd" | wc -l)
    [ "$count" -le 40 ] && return 0
    sleep 0.1
  done
  echo "the idle daemon holds $count descriptors:" >&2
  ls -l "/proc/$pid/fd" >&2
  return 1
}

# on_terminal [STEP ...] -- ARGS: the client on a terminal of its own, with a dialogue (see terminal.py); prints what it showed.
on_terminal() {
  local steps=() ENGINE; engine_words
  while [ "$1" != -- ]; do steps+=("$1"); shift; done
  shift
  python3 "$HERE/terminal.py" "${steps[@]}" -- "${ENGINE[@]}" "$@" | tr -d '\r'
  return "${PIPESTATUS[0]}"
}

# name SUFFIX: a name no other test uses.
name() { echo "e2e-$BATS_TEST_NUMBER-$1"; }

# Removes what a test made, whatever came of it.
teardown() {
  local ids
  ids=$(engine ps -aq --filter name="e2e-") || true
  [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
}

# eventually SECONDS COMMAND...: tries ten times a second.
eventually() {
  local deadline=$((SECONDS + $1)); shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# has_said CONTAINER WORD: the container's log holds the word.
has_said() { engine logs "$1" 2>&1 | grep -q "$2"; }

# Conditions for `eventually`.
has_lines() { [ "$(engine logs "$1" 2>&1 | wc -l)" -ge "$2" ]; }          # CONTAINER COUNT
shows() { [ "$(engine inspect --format "$2" "$1")" = "$3" ]; }            # CONTAINER FORMAT TEXT
is_gone() { [ -z "$(engine ps -aq --filter "name=$1")" ]; }               # CONTAINER

context() { # makes an empty build context and prints its path
  mktemp -d "$E2E_DIR/context-XXXXXX"
}
