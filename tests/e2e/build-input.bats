# What a build is given: contexts that are not there, are no folder or hold odd files; and what -q tells of a failure.
load lib

@test "a context that is missing, a file, empty, or without its Dockerfile" {
  cd "$BATS_TEST_TMPDIR"; mkdir empty; touch file
  run -1 engine build nosuch
  [[ "${lines[-1]}" == 'unable to prepare context: path "nosuch" not found' ]]
  run -1 engine build file
  [[ "${lines[-1]}" == "unable to prepare context: context must be a directory: $PWD/file" ]]
  run -1 engine build empty
  [[ "${lines[-1]}" == *"Dockerfile: no such file or directory" ]]
  run -1 engine build -f "$PWD/file" empty
  [[ "$output" == *"the Dockerfile ("*") cannot be empty"* ]]
  run -1 engine build -f nosuch empty
  [[ "${lines[-1]}" == *"nosuch: no such file or directory" ]]
}

@test "a FIFO and a socket in the context do not hold the build up" {
  dir=$(context)
  printf 'FROM e2e-busybox\nCOPY . /in\nRUN ls -A /in | sort > /list\nCMD cat /list\n' >"$dir/Dockerfile"
  mkfifo "$dir/pipe"
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/socket"
  echo f >"$dir/f"
  run -0 engine build -q -t "$(name i)" "$dir"
  run -0 engine run --rm "$(name i)"
  [[ "${lines[*]}" == "Dockerfile f"* ]]
  engine rmi "$(name i)"
}

@test "build -q with a failing RUN shows the command, its code and its last output" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo early; echo "the reason" >&2; exit 7\n' >"$dir/Dockerfile"
  run -7 engine build -q --force-rm "$dir"
  [[ "$output" == *"the reason"* ]]
  [[ "$output" == *"The command '/bin/sh -c echo early; echo \"the reason\" >&2; exit 7' returned a non-zero code: 7"* ]]
}

# As root without the right to pass over permissions.
unprivileged() {
  local ENGINE; engine_words
  setpriv --inh-caps=-all --bounding-set=-dac_override,-dac_read_search -- "${ENGINE[@]}" "$@"
}

@test "a file and a directory of the context that may not be read" {
  dir=$(context); before=$(engine images -q -f dangling=true | sort)
  printf 'FROM e2e-busybox\nCOPY . /in\n' >"$dir/Dockerfile"
  echo secret >"$dir/closed"; chmod 000 "$dir/closed"
  run -1 unprivileged build "$dir"
  [[ "${lines[-1]}" == "error checking context: no permission to read from '$dir/closed'" ]]
  echo closed >"$dir/.dockerignore"
  run -0 unprivileged build -q -t "$(name i)" "$dir"
  engine rmi "$(name i)"
  mkdir "$dir/folder"; chmod 000 "$dir/folder"
  run -1 unprivileged build "$dir"
  [[ "${lines[-1]}" == "error checking context: can't stat '$dir/folder'" ]]
  [ "$(engine images -q -f dangling=true | sort)" = "$before" ]
}

# archive NAME:TYPE:LINK ...: a context in which Dockerfile copies everything and such entries stand beside it.
archive() {
  python3 - "$@" <<'PY'
import io, sys, tarfile
archive = tarfile.open(fileobj=sys.stdout.buffer, mode="w|")
def add(name, kind, link, content=b""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(content)
    archive.addfile(entry, io.BytesIO(content))
add("Dockerfile", tarfile.REGTYPE, "", b"FROM e2e-busybox\nCOPY . /in\nRUN cat /in/*\n")
for word in sys.argv[1:]:
    name, kind, link = word.split(":")
    add(name, {"file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}[kind], link, b"evil\n" if kind == "file" else b"")
archive.close()
PY
}

# led_out ENTRY ...: a context with these entries is refused. Docker takes some of them and puts them below the context instead.
led_out() {
  archive "$@" >"$BATS_TEST_TMPDIR/context.tar"
  run engine build --no-cache - <"$BATS_TEST_TMPDIR/context.tar"
  [[ "$output" != *"root:x"* ]]
  if [ "$E2E_ENGINE" != docker ]; then [ "$status" -eq 1 ] && [[ "${lines[-1]}" == "Error response from daemon: archive entry "*" leads out of the "*"tree" ]]; fi
}

@test "an archive as context: names and links that lead out of it" {
  local outside=/tmp/e2e-outside-$$
  led_out "../e2e-outside-$$:file:"
  led_out "$outside:file:"
  led_out "a/../../../../../../../../..$outside:file:"
  led_out "out:link:/tmp" "out/e2e-outside-$$:file:"
  led_out "stolen:hard:/etc/passwd"
  led_out "stolen:hard:../../../../../../../../etc/passwd"
  [ ! -e "$outside" ]
  # A link is only a name: it means the image's own file.
  archive "own:link:/etc/passwd" >"$BATS_TEST_TMPDIR/context.tar"
  run -0 engine build --no-cache -q -t "$(name i)" - <"$BATS_TEST_TMPDIR/context.tar"
  [ "$(engine run --rm "$(name i)" readlink /in/own)" = /etc/passwd ]
  engine rmi "$(name i)"
}
