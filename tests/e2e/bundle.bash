# For files that drive skiff-runtime itself with a bundle, without an engine. Loaded after lib, whose set-up it replaces.

RUNTIME=$SKIFF_BIN/skiff-runtime

setup_file() {
  export E2E_DIR
  E2E_DIR=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  leak_snapshot | grep -v "$E2E_DIR" >"$E2E_DIR/before"
  busybox_tar "$E2E_DIR/rootfs.tar"
}

teardown_file() { remove_checked; }

# A bundle of its own for every test, below a directory that belongs to it alone.
setup() {
  [ "$E2E_ENGINE" != docker ] || skip "skiff-runtime itself, without an engine"
  T=$(mktemp -d "$E2E_DIR/test-XXXXXX")
  ID=skiff-bundle-$BATS_TEST_NUMBER
  B=$T/bundle
  mkdir -p "$B/rootfs"
  tar -C "$B/rootfs" -xf "$E2E_DIR/rootfs.tar"
  "$RUNTIME" spec -b "$B"
  configure 'c["process"]["terminal"] = False; c["root"]["readonly"] = False; c["process"]["noNewPrivileges"] = False'
  program /bin/true
}

teardown() { [ "$E2E_ENGINE" = docker ] || remove_bundle; }
remove_bundle() {
  local id
  for id in $("$RUNTIME" --root "$T/state" list -q); do "$RUNTIME" --root "$T/state" delete -f "$id"; done
  rm -rf "$T"
}

# configure PYTHON: changes the configuration, which is `c`; T and B are the test's directories.
configure() {
  python3 -c '
import json, sys
path, T, B, change = sys.argv[1:]
c = json.load(open(path))
exec(change)
json.dump(c, open(path, "w"))' "$B/config.json" "$T" "$B" "$1"
}

# program WORD...: what the container runs.
program() {
  python3 -c '
import json, sys
path, *words = sys.argv[1:]
c = json.load(open(path))
c["process"]["args"] = words
json.dump(c, open(path, "w"))' "$B/config.json" "$@"
}

# runtime VERB...: the runtime with the test's own state directory.
runtime() { "$RUNTIME" --root "$T/state" "$@"; }

# run_bundle [FLAG...]: creates the container, runs it to its end and removes it.
run_bundle() { runtime run -b "$B" "$@" "$ID" </dev/null; }

# interrupted CALL NTH ACTION... -- COMMAND...: see tests/fault/interrupt.py
interrupted() { python3 "$HERE/../fault/interrupt.py" "$@"; }
