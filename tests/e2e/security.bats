# What Docker's defaults keep out stays out, and what was opened on purpose is open.
load lib

@test "capabilities, seccomp, no_new_privs" {
  run -0 engine run --rm e2e-busybox grep -E '^(CapEff|CapBnd|CapInh|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status
  [ "$(tr -d '\t' <<<"$output" | sort | tr '\n' ' ')" = "CapAmb:0000000000000000 CapBnd:00000000a80425fb CapEff:00000000a80425fb CapInh:0000000000000000 NoNewPrivs:0 Seccomp:2 " ]
  run -0 engine run --rm --cap-drop ALL --cap-add NET_ADMIN e2e-busybox grep CapEff /proc/self/status
  [[ "$output" == *0000000000001000 ]]
  run -0 engine run --rm -u app e2e-busybox grep CapEff /proc/self/status
  [[ "$output" == *0000000000000000 ]]
  run -0 engine run --rm --security-opt no-new-privileges --security-opt seccomp=unconfined e2e-busybox grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status
  [ "$(tr -d '\t' <<<"$output" | sort | tr '\n' ' ')" = "NoNewPrivs:1 Seccomp:0 " ]
  run -125 engine run --rm --cap-add NOSUCH e2e-busybox true
  [[ "$output" == *'invalid CapAdd: unknown capability: "CAP_NOSUCH"'* ]]
}

@test "seccomp refuses what the default profile refuses" {
  run engine run --rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined e2e-busybox unshare -m true
  [ "$status" -eq 0 ]
  run engine run --rm e2e-busybox unshare -m true
  [ "$status" -ne 0 ]
  run engine run --rm e2e-busybox mount -t tmpfs t /tmp
  [ "$status" -ne 0 ]
}

@test "masked and read-only paths of proc and sys" {
  run -0 engine run --rm e2e-busybox sh -c 'wc -c </proc/keys; wc -c </proc/timer_list; ls /proc/acpi /sys/firmware 2>/dev/null | grep -vc :; echo x 2>/dev/null >/proc/sys/kernel/hostname || echo sys-ro; touch /sys/x 2>/dev/null || echo sysfs-ro; echo b 2>/dev/null >/proc/sysrq-trigger || echo sysrq-ro'
  [[ "$output" == *"sys-ro"*"sysfs-ro"*"sysrq-ro" ]]
  [ "${lines[0]}" = 0 ] && [ "${lines[1]}" = 0 ]
}

@test "only Docker's default devices exist and open" {
  run -0 engine run --rm e2e-busybox sh -c 'ls /dev | grep -v core | tr "\n" " "'
  [ "$output" = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero " ]
  run engine run --rm --cap-add MKNOD e2e-busybox sh -c 'mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk'
  [ "$status" -ne 0 ]
  [[ "$output" == *"Operation not permitted"* ]]
  run -0 engine run --rm --device /dev/null:/dev/mynull e2e-busybox sh -c 'echo x > /dev/mynull && echo fine'
  [ "$output" = fine ]
}

@test "privileged opens them" {
  run -0 engine run --rm --privileged e2e-busybox sh -c 'mount -t tmpfs t /tmp && grep -c Seccomp:.0 /proc/self/status'
  [ "$output" = 1 ]
}

@test "namespaces are the container's own" {
  for namespace in pid mnt net ipc uts; do
    [ "$(engine run --rm e2e-busybox readlink "/proc/self/ns/$namespace")" != "$(readlink "/proc/self/ns/$namespace")" ]
  done
  run -0 engine run --rm e2e-busybox sh -c 'echo $$'
  [ "$output" = 1 ]
}

@test "no descriptor leaks into the container" {
  run -0 engine run --rm e2e-busybox ls /proc/self/fd
  [ "${lines[*]}" = "0 1 2 3" ]
}

@test "CVE-2024-21626: a working directory through a leaked descriptor is refused" {
  for fd in 3 7 8 9; do
    run engine run --rm -w "/proc/self/fd/$fd" e2e-busybox true
    [ "$status" -eq 127 ] || [ "$E2E_ENGINE:$status" = docker:125 ]
    run engine run --rm --entrypoint "/proc/self/fd/$fd/../../../../../../../../../bin/busybox" e2e-busybox true
    [ "$status" -eq 127 ] || [ "$E2E_ENGINE:$status" = docker:125 ]
  done
}

@test "CVE-2019-5736: the engine's programs are out of reach from inside" {
  run -0 engine run --rm --privileged e2e-busybox sh -c 'readlink /proc/1/exe; ls -l /proc/1/exe'
  [[ "$output" == *busybox* && "$output" != *skiff* ]]
  run engine run --rm --entrypoint /proc/self/exe e2e-busybox true
  [ "$status" -ne 0 ]
}

@test "CVE-2020-15257: a container on the host's network finds no socket of the engine there" {
  [ "$E2E_ENGINE" != docker ] || skip "looks at this engine's own processes"
  engine run -d --name "$(name c)" --network host e2e-busybox sleep 1000
  local pid monitor
  monitor=$(awk '/^PPid/ { print $2 }' "/proc/$(engine inspect --format '{{.State.Pid}}' "$(name c)")/status")
  for pid in "$(cat "$E2E_DIR/pid")" "$monitor"; do
    # A name in the abstract namespace begins with "@"; a path has the file system's rights.
    run -0 bash -c 'for s in $(ls -l /proc/$1/fd | sed -n "s/.*socket:.\([0-9]*\).*/\1/p"); do awk -v i=$s "\$7 == i { print \$8 }" /proc/net/unix; done' _ "$pid"
    [[ "$output" == */* && "$output" != *@* ]]
  done
  [ "$(stat -c %a "$E2E_DIR"/run/*/*/monitor.sock | sort -u)" = 600 ]
  run -0 engine exec "$(name c)" sh -c 'grep -c "@.*skiff" /proc/net/unix || true'
  [ "$output" = 0 ]
}

@test "CVE-2022-0492: no cgroup can be mounted, and what is mounted has no release_agent to write" {
  run -0 engine run --rm e2e-busybox sh -c 'unshare -U true 2>&1; mount -t cgroup none /tmp 2>&1
find /sys/fs/cgroup -name release_agent
find /sys/fs/cgroup -type d | while read -r place; do mkdir "$place/x" 2>&1; done | grep -v "Read-only file system"; echo end'
  [[ "${lines[0]}" == *"Operation not permitted"* && "${lines[1]}" == *"permission denied"* && "${lines[2]}" = end ]]
}

@test "CVE-2018-15664: cp does not follow a link out of the container" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN ln -s / /escape && ln -s /etc /linked\n' >"$dir/Dockerfile"
  engine build -q -t e2e-links "$dir" >/dev/null
  engine run -d --name "$(name c)" e2e-links sleep 1000
  echo owned >"$BATS_TEST_TMPDIR/skiff-cve-marker"
  engine cp "$BATS_TEST_TMPDIR/skiff-cve-marker" "$(name c):/escape/tmp/"
  run -0 engine exec "$(name c)" cat /tmp/skiff-cve-marker
  [ "$output" = owned ]
  [ ! -e /tmp/skiff-cve-marker ]
  engine cp "$(name c):/linked/passwd" "$BATS_TEST_TMPDIR/got"
  grep -q '^app:x:1000' "$BATS_TEST_TMPDIR/got"
  engine rm -f "$(name c)"; engine rmi e2e-links
}

@test "a fork bomb stays in its pids limit" {
  run engine run --rm --pids-limit 30 e2e-busybox sh -c 'for i in $(seq 60); do sleep 1 & done; wait'
  [[ "$output" == *"an't fork"* ]]
}
