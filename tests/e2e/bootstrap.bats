# Base images out of the package mirror: `skiff image bootstrap`. Needs the host's mirror; docker has no such command.
load lib

setup() {
  [ "$E2E_ENGINE" = skiff ] || skip "image bootstrap is a command of skiff alone"
}

@test "a name without a usable suite, and a suite that the mirror does not have, are refused in words" {
  run -1 engine image bootstrap 'debian:no/suite'
  [[ "$output" == *"invalid reference format"* ]]
  run -1 engine image bootstrap debian:nosuchsuite
  [[ "${lines[-1]}" == *"has no suite \"nosuchsuite\""* ]]
  run -1 engine image inspect debian:nosuchsuite
}

id_of() { engine image inspect --format '{{.Id}}' "$1"; }
in_image() { engine cp "$(name c):$1" - 2>/dev/null | tar -xO 2>/dev/null || true; }  # what a file holds, before any container ran

@test "the same suite twice gives the same digest, and no trace of this machine is in it" {
  run -0 engine image bootstrap -q debian:bookworm-slim
  first=$(id_of debian:bookworm-slim)
  run -0 engine image bootstrap debian:bookworm-slim
  [[ "$output" == *"Using the result of an earlier run"* ]]
  [ "$(id_of debian:bookworm-slim)" = "$first" ]

  engine create --name "$(name c)" debian:bookworm-slim
  [ -z "$(in_image /etc/resolv.conf)" ]
  [ "$(in_image /etc/hostname)" != "$(hostname)" ]
  [[ "$(in_image /etc/machine-id)" =~ ^(uninitialized)?$ ]]
  [ -n "$(in_image /etc/debian_version)" ]
  run -0 engine run --rm debian:bookworm-slim sh -c '
    . /etc/os-release; echo "$VERSION_CODENAME"
    find /var/lib/apt/lists /var/cache/apt /var/log -type f -size +0
    find /tmp /var/tmp /run -xdev -mindepth 1 -type f
    find / -xdev \( -name "ssh_host_*" -o -path /var/lib/dbus/machine-id -o -name "*.dpkg-old" \)'
  [ "$output" = bookworm ]

  engine rm "$(name c)"; engine rmi -f debian:bookworm-slim
  engine image bootstrap -q --no-cache debian:bookworm-slim
  [ "$(id_of debian:bookworm-slim)" = "$first" ]
}
