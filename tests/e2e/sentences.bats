# What is refused, in which words and with which exit code: the same from every client and engine.
load lib

# refused CODE WORDS ARGUMENTS...: the command line ends with CODE and says WORDS.
refused() {
  local code=$1 words=$2; shift 2
  run "-$code" engine "$@"
  [[ "$output" == *"$words"* ]] && return
  printf 'engine %s\nsaid\n%s\n' "$*" "$output"
  return 1
}

@test "run: limits" {
  refused 125 "invalid CPU shares (-1): value must be a positive integer" run --rm --cpu-shares -1 e2e-busybox true
  refused 125 "range of CPUs is from 0.01 to $(nproc).00" run --rm --cpus -1 e2e-busybox true
  refused 125 "Invalid value abc for cpuset cpus: invalid format: abc" run --rm --cpuset-cpus abc e2e-busybox true
  refused 125 "invalid isolation (hyperv): linux only supports 'default'" run --rm --isolation hyperv e2e-busybox true
  refused 125 "invalid device cgroup format 'bad'" run --rm --device-cgroup-rule bad e2e-busybox true
  refused 125 "too many limit value arguments - 1:2:3, can only have up to two" run --rm --ulimit nofile=1:2:3 e2e-busybox true
  refused 125 "invalid Annotations: the empty string is not permitted as an annotation key" run --rm --annotation '' e2e-busybox true
  refused 125 "invalid storage option" run --rm --storage-opt bad e2e-busybox true
  refused 125 "error parsing specified platform" run --rm --platform bad/x/y/z e2e-busybox true
  refused 0 "WARNING: OOM killer is disabled for the container, but no memory limit is set" create --name "$(name oom)" --oom-kill-disable e2e-busybox
}

@test "run: mounts" {
  refused 125 "invalid empty volume spec" run --rm -v '' e2e-busybox true
  refused 125 "invalid spec: /a:/b:ro:rw: too many colons" run --rm -v /a:/b:ro:rw e2e-busybox true
  refused 125 "invalid mount path: 'rel' mount path must be absolute" run --rm --tmpfs rel e2e-busybox true
  refused 125 "invalid specification: destination can't be '/'" run --rm --tmpfs / e2e-busybox true
  refused 125 'invalid tmpfs option "bad"' run --rm --tmpfs /x:bad e2e-busybox true
  refused 125 "invalid propagation mode: foo" run --rm --mount type=bind,source=tmp,target=/x,bind-propagation=foo e2e-busybox true
  refused 125 "No such container: nosuch" run --rm --volumes-from nosuch e2e-busybox true
  [[ "$output" != *"Unable to find image"* ]]
}

@test "run: networks and namespaces" {
  refused 125 "joining network namespace of container: No such container: nosuch" run --rm --network container:nosuch e2e-busybox true
  [[ "$output" != *"Unable to find image"* ]]
  for kind in ipc pid; do
    refused 125 "No such container: nosuch" run --rm --$kind container:nosuch e2e-busybox true
    [[ "$output" != *"Unable to find image"* ]]
  done
  refused 125 "conflicting options: hostname and the UTS mode" run --rm --uts host -h foo e2e-busybox true
  refused 125 "conflicting options: hostname and the network mode" run --rm --network container:nosuch -h foo e2e-busybox true
  refused 125 "network-scoped aliases are only supported for user-defined networks" run --rm --network-alias x e2e-busybox true
  refused 125 "bad is not a valid mac address" run --rm --mac-address bad e2e-busybox true
  # Docker notices only when it happens to meet "none" first.
  [ "$E2E_ENGINE" = docker ] ||
    refused 125 "with one of the networks in private (none) mode" run --rm --network none --network bridge e2e-busybox true
  # An address that cannot be had is refused before a container is made, with all that is wrong about it.
  # The last of it depends on how Docker's own bridge was configured.
  local last=$'\n* user specified IP address is supported only when connecting to networks with user configured subnets'
  [ "$E2E_ENGINE" != docker ] || last=
  refused 1 "invalid config for network bridge: invalid endpoint settings:
* user specified IP address is supported on user defined networks only
* invalid IPv4 address: bad$last" create --name "$(name ip)" --ip bad e2e-busybox
  refused 1 "invalid config for network none: invalid endpoint settings:" create --name "$(name ip)" --network none --ip 1.2.3.4 e2e-busybox
  engine network create "$(name n)" >/dev/null
  refused 1 "invalid config for network $(name n): invalid endpoint settings:
user specified IP address is supported only when connecting to networks with user configured subnets" create --name "$(name ip)" --network "$(name n)" --ip 1.2.3.4 e2e-busybox
  engine network rm "$(name n)"
  is_gone "$(name ip)"
}

@test "run and exec of a directory: 126" {
  refused 126 'exec: "/etc": is a directory: permission denied' run --rm e2e-busybox /etc
  engine run -d --name "$(name c)" e2e-busybox sleep 1000
  refused 126 'exec: "/etc": is a directory: permission denied' exec "$(name c)" /etc
}

@test "exec: a user or a working directory that is not there" {
  engine run -d --name "$(name c)" e2e-busybox sleep 1000
  refused 1 "Error response from daemon: unable to find user nosuch: no matching entries in passwd file" exec -u nosuch "$(name c)" id
  refused 127 'OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd ("/nope") set in config.json failed: no such file or directory' exec -w /nope "$(name c)" pwd
  refused 128 "Cwd must be an absolute path" exec -w rel "$(name c)" pwd
}

@test "pause, unpause, rm, rename, update" {
  id=$(engine run -d --name "$(name c)" e2e-busybox sleep 1000)
  refused 1 "Container $id is not paused" unpause "$(name c)"
  refused 1 "cannot remove container \"$(name c)\": container is running: stop the container before removing or force remove" rm "$(name c)"
  refused 1 "Conflict, cannot remove the default link name of the container" rm -l "$(name c)"
  refused 1 'Error when allocating new name: Invalid container name (/bad!), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed' rename "$(name c)" 'bad!'
  refused 1 "Cannot update container $id: Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time" update --memory 64m "$(name c)"
  engine pause "$(name c)"
  refused 1 "Container $id is already paused" pause "$(name c)"
}

@test "ps and prune: filters that mean nothing" {
  refused 1 "invalid filter 'status=weird': invalid value for state (weird): must be one of created, running, paused, restarting, removing, exited, dead" ps --filter status=weird
  refused 1 "invalid filter 'health=x': invalid value for health (x): must be one of none, starting, healthy, unhealthy" ps --filter health=x
  refused 1 "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax" ps -a --filter exited=x
  refused 1 "invalid filter 'is-task=[x]'" ps -a --filter is-task=x
  engine create --name "$(name c)" e2e-busybox
  refused 1 'error while looking up for publish x: strconv.ParseUint: parsing "x": invalid syntax' ps -a --filter publish=x
  refused 1 'failed to parse value as time or duration: "bad"' container prune -f --filter until=bad
}

@test "inspect of what is nowhere" {
  refused 1 "Error: No such object: nosuch" inspect nosuch
  refused 1 'unknown type: "bad": must be one of "config", "container", "image", "network", "node", "plugin"' inspect --type bad x
}

@test "a container has /.dockerenv, and its size counts the files it wrote" {
  engine run --name "$(name c)" e2e-busybox sh -c 'test -e /.dockerenv && head -c 1000 /dev/zero >/tmp/thousand'
  [ "$(engine inspect -s -f '{{.SizeRw}}' "$(name c)")" = 1000 ]
  [[ "$(engine ps -a -s --filter "name=$(name c)" --format '{{.Size}}')" == "1kB (virtual "* ]]
}
