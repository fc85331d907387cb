# cp in every direction, for created, running and stopped containers.
load lib

# A small tree on this side, in the test's own directory, which becomes the working directory.
setup() {
  cd "$BATS_TEST_TMPDIR"
  mkdir -p dir/sub empty
  echo f >dir/f; echo s >dir/sub/s; ln -s f dir/link; echo one >one
  chmod 640 one; chown 1234:2345 one
  ln -s one to-one; ln -s dir to-dir
}

# running [OPTIONS]: a container with a small tree in /t.
TREE='mkdir -p /t/dir /t/full; echo o >/t/dir/o; ln -s dir /t/to-dir; ln -s dir/o /t/to-o; ln -s ../../../../../../../tmp /t/out
      echo file >/t/file; chown 77:88 /t/file; chmod 640 /t/file; echo ready; exec sleep 1000'
running() {
  engine run -d --name "$(name c)" "$@" e2e-busybox sh -c "$TREE" >/dev/null
  eventually 20 has_said "$(name c)" ready
}
inside() { engine exec "$(name c)" "$@"; }

@test "in: file and folder, to a name, into a folder, content with /." {
  running; c=$(name c)
  engine cp one "$c:/t/"
  engine cp one "$c:/t/renamed"
  engine cp one "$c:relative"
  engine cp dir "$c:/t/new"
  engine cp dir "$c:/t/dir"
  engine cp dir/. "$c:/t/full"
  run -0 inside sh -c 'cat /t/one /t/renamed /relative; cd /t; find new dir full | sort'
  [ "${lines[*]}" = "one one one dir dir/dir dir/dir/f dir/dir/link dir/dir/sub dir/dir/sub/s dir/o \
full full/f full/link full/sub full/sub/s new new/f new/link new/sub new/sub/s" ]
}

@test "in: modes and owners stay; -a gives the files to the container's user" {
  running
  engine cp one "$(name c):/t/plain"
  engine cp -a one "$(name c):/t/archive"
  run -0 inside stat -c '%u:%g %a' /t/plain /t/archive
  [ "${lines[*]}" = "1234:2345 640 1234:2345 640" ]
  engine create --name "$(name user)" -u app:extra e2e-busybox stat -c '%U:%G %a' /plain /archive
  engine cp one "$(name user):/plain"
  engine cp -a one "$(name user):/archive"
  run -0 engine start -a "$(name user)"
  [ "${lines[*]}" = "UNKNOWN:UNKNOWN 640 app:extra 640" ]
}

@test "in: links as links, -L and a trailing slash follow them, links in the container are followed" {
  running; c=$(name c)
  engine cp to-one "$c:/t/as-link"
  engine cp -L to-one "$c:/t/as-file"
  engine cp to-dir "$c:/t/dir-link"
  engine cp to-dir/ "$c:/t/dir-slash"
  engine cp to-dir/. "$c:/t/dir-dot"
  run -0 inside sh -c 'cd /t; readlink as-link dir-link; readlink dir-link; cat as-file dir-slash/sub/s dir-dot/sub/s; test ! -L dir-slash'
  [[ "$(inside readlink /t/as-link) $(inside readlink /t/dir-link)" == "one dir" ]]
  engine cp one "$c:/t/to-dir"
  engine cp one "$c:/t/to-o"
  run -0 inside sh -c 'cd /t; cat dir/one dir/o; test -L to-dir && test -L to-o && echo links'
  [ "${lines[*]}" = "one one links" ]
}

@test "a hostile link in the container leads nowhere outside" {
  running; c=$(name c)
  marker=skiff-cp-$BATS_ROOT_PID
  engine cp one "$c:/t/out/$marker"
  [ ! -e "/tmp/$marker" ]
  [ "$(inside cat "/tmp/$marker")" = one ]
  inside ln -sf /etc/passwd /t/stolen
  engine cp -L "$c:/t/stolen" stolen
  grep -q '^app:x:1000' stolen
  # A folder that turns into a link between two copies.
  inside sh -c 'mkdir /t/turn; rm -r /t/turn; ln -s /tmp /t/turn'
  engine cp dir/. "$c:/t/turn"
  [ "$(inside cat /tmp/sub/s)" = s ] && [ ! -e /tmp/sub/s ]
}

@test "out: file and folder, to a name, into a folder, content with /., links" {
  running; c=$(name c)
  inside sh -c 'mkdir /t/full/sub; echo s >/t/full/sub/s'
  mkdir out
  engine cp "$c:/t/file" out
  engine cp "$c:/t/file" out/renamed
  engine cp "$c:/t/full" out
  engine cp "$c:/t/full/." out/fresh
  engine cp "$c:/t/full/." empty
  engine cp "$c:/t/to-dir" out
  engine cp -L "$c:/t/to-dir" out/followed
  engine cp "$c:/t/to-o" out/link
  engine cp -L "$c:/t/to-o" out/target
  [ "$(cat out/file out/renamed out/full/sub/s out/fresh/sub/s empty/sub/s out/followed/o out/target | tr '\n' ' ')" = "file file s s s o o " ]
  [ "$(readlink out/to-dir) $(readlink out/link)" = "dir dir/o" ]
  [ "$(stat -c '%u:%g %a' out/file)" = "$(id -u):$(id -g) 640" ]
  # A link on this side is written through.
  engine cp "$c:/t/file" to-one
  [ -L to-one ] && [ "$(cat one)" = file ]
  engine cp "$c:/t/file" to-dir
  [ -L to-dir ] && [ "$(cat dir/file)" = file ]
}

@test "what cannot be copied is refused in words" {
  running; c=$(name c)
  refused() { local words=$1; shift; run -1 engine cp "$@"; [ "${lines[-1]}" = "$words" ] || { echo "$output"; return 1; }; }
  refused "Error response from daemon: Could not find the file /nope in container $c" "$c:/nope" out
  refused "lstat $PWD/nope: no such file or directory" nope "$c:/t"
  refused "Error response from daemon: No such container: nosuch" one nosuch:/x
  refused "Error response from daemon: Could not find the file /t/nodir in container $c" one "$c:/t/nodir/x"
  refused "no such directory" one "$c:/t/nodir/"
  refused "no such directory" one "$c:/t/file/"
  refused "cannot copy directory" dir "$c:/t/file"
  refused "cannot copy directory" "$c:/t/dir" one
  refused "no such directory" "$c:/t/file" nodir/
  refused "invalid output path: directory \"$PWD/nodir\" does not exist" "$c:/t/file" nodir/x
  refused "copying between containers is not supported" "$c:/t/file" "$c:/t/other"
  refused "must specify at least one container source" one two
  refused "destination \"$c:/t/file\" must be a directory" - "$c:/t/file" </dev/null
  refused "destination \"$c:/t/nope\" must be a directory" - "$c:/t/nope" </dev/null
  # A file never takes a folder's place, nor a folder a file's.
  inside mkdir /t/one
  tar -c one >"$BATS_TEST_TMPDIR/tar"
  run -1 engine cp - "$c:/t" <"$BATS_TEST_TMPDIR/tar"
  [[ "${lines[-1]}" == *"cannot overwrite directory"* ]]
  inside sh -c 'test -d /t/one'
}

@test "a running container's root can be copied: its /proc and /sys stay empty" {
  engine run -d --name "$(name live)" e2e-busybox sh -c 'echo here >/made; sleep 1000' >/dev/null
  eventually 10 engine exec "$(name live)" test -s /made
  run -0 engine cp "$(name live)":/ "$BATS_TEST_TMPDIR/root"
  [ "$(cat "$BATS_TEST_TMPDIR/root/made")" = here ]
  [ -d "$BATS_TEST_TMPDIR/root/proc" ] && [ -z "$(ls "$BATS_TEST_TMPDIR/root/proc")" ]
  [ -d "$BATS_TEST_TMPDIR/root/sys" ] && [ -z "$(ls "$BATS_TEST_TMPDIR/root/sys")" ]
  # A root has no name: into a folder it goes as its content, and in a stream its names are absolute.
  mkdir "$BATS_TEST_TMPDIR/there"
  engine cp "$(name live)":/ "$BATS_TEST_TMPDIR/there"
  engine cp "$(name live)":/. "$BATS_TEST_TMPDIR/dot"
  [ "$(cat "$BATS_TEST_TMPDIR/there/made" "$BATS_TEST_TMPDIR/dot/made" | tr '\n' ' ')" = "here here " ]
  engine cp "$(name live)":/ - | tar -tP >"$BATS_TEST_TMPDIR/names"
  [ "$(head -1 "$BATS_TEST_TMPDIR/names")" = / ] && grep -qx /bin/busybox "$BATS_TEST_TMPDIR/names"
}

@test "- is a tar stream, both ways" {
  running; c=$(name c)
  tar -c --owner=5 --group=6 one dir | engine cp - "$c:/t/full"
  tar -cz one | engine cp - "$c:/t/to-dir"
  run -0 inside sh -c 'cd /t; cat full/one full/dir/sub/s dir/one; stat -c %u:%g full/one'
  [ "${lines[*]}" = "one s one 5:6" ]
  [ "$(engine cp "$c:/t/dir" - | tar -t | sort | tr '\n' ' ')" = "dir/ dir/o dir/one " ]
  [ "$(engine cp "$c:/t/to-dir" - | tar -tv | tr -s ' ' | cut -d' ' -f6-)" = "to-dir -> dir" ]
  [ "$(engine cp -L "$c:/t/to-dir" - | tar -t | sort | tr '\n' ' ')" = "dir/ dir/o dir/one " ]
  engine cp "$c:/t/file" - | tar -tv --numeric-owner | grep -q '^-rw-r----- 77/88 *5 .* file$'
  engine cp "$c:/t/dir" - | engine cp - "$c:/t/full"
  [ "$(inside cat /t/full/dir/o)" = o ]
}

@test "a created and a stopped container" {
  engine create --name "$(name new)" e2e-busybox cat /in >/dev/null
  engine cp one "$(name new):/in"
  engine cp dir "$(name new):/tmp"
  run -0 engine start -a "$(name new)"
  [ "$output" = one ]
  engine cp "$(name new):/tmp/dir/sub/s" stopped
  engine cp "$(name new):/in" - | tar -xO | cmp - one
  [ "$(cat stopped)" = s ]
  echo two >two; engine cp two "$(name new):/in"
  run -0 engine start -a "$(name new)"
  [ "$output" = two ]
}

# bind_source PATH: the path as the engine's own machine sees it; a Docker in another root has our /tmp elsewhere.
bind_source() {
  local path
  for path in "$1" "/host$1" "/host-tmp${1#/tmp}"; do
    engine run --rm --mount "type=bind,source=$path,target=/m" e2e-busybox true >/dev/null 2>&1 && { echo "$path"; return; }
  done
  return 1
}

@test "into and out of volumes and bind mounts, running or not, also below a read-only root" {
  shared=$(mktemp -d "$E2E_DIR/shared-XXXXXX")
  source=$(bind_source "$shared")
  options=(--read-only -v "$(name v):/v" -v "$(name v):/ro:ro" --mount "type=bind,source=$source,target=/b")
  engine create --name "$(name new)" "${options[@]}" e2e-busybox true >/dev/null
  engine cp one "$(name new):/v/created"
  engine cp one "$(name new):/b/created"
  running "${options[@]}" --tmpfs /t
  engine cp dir "$(name c):/v/dir"
  engine cp one "$(name c):/b/running"
  run -0 inside sh -c 'cat /v/created /v/dir/sub/s /b/created /b/running'
  [ "${lines[*]}" = "one s one one" ]
  [ "$(cat "$shared/created" "$shared/running" | tr '\n' ' ')" = "one one " ]
  engine cp "$(name new):/v/dir/f" back; [ "$(cat back)" = f ]
  run -1 engine cp one "$(name c):/ro/x"
  [ "${lines[-1]}" = "Error response from daemon: mounted volume is marked read-only" ]
  run -1 engine cp one "$(name c):/etc/x"
  [ "${lines[-1]}" = "Error response from daemon: container rootfs is marked read-only" ]
  engine rm -f "$(name new)" "$(name c)"; engine volume rm "$(name v)"
}
