# Every published escape that a runtime like this could have, by its number, against skiff-runtime with a bundle.
# docs/security.md tells for each what the attack is, what stops it here, and how the test fails without that.
load lib
load bundle

ALL_RIGHTS='c["process"]["capabilities"] = {k: ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_KILL"] for k in ("bounding", "effective", "permitted")}'

@test "CVE-2019-5736: the runtime cannot be overwritten through /proc/PID/exe" {
  # The copy is the victim. A hook opens the image that the half-made container runs, and writes once nothing executes it any more.
  cp "$RUNTIME" "$T/victim"
  cat >"$T/attack" <<'EOF'
#!/bin/bash
here=${0%/*}
pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/')
exec 3<"/proc/$pid/exe"
( while kill -0 $pid; do sleep 0.02; done
  for i in $(seq 20); do echo owned >/proc/self/fd/3; sleep 0.05; done; touch "$here/done" ) >"$here/said" 2>&1 </dev/null &
EOF
  chmod +x "$T/attack"
  configure 'c["hooks"] = {"createRuntime": [{"path": T + "/attack"}]}'
  "$T/victim" --root "$T/state" run -b "$B" "$ID" </dev/null
  eventually 20 [ -e "$T/done" ]
  cmp "$RUNTIME" "$T/victim"
  [ "$(grep -c 'Read-only file system' "$T/said")" = 20 ]
}

@test "CVE-2019-16884: nothing is mounted over what /proc shows" {
  mkdir -p "$T/fake/attr" "$B/rootfs/link"
  ln -s /proc "$B/rootfs/behind"
  for place in /proc /proc/self/attr /proc/sys/kernel /behind/self /behind/../proc/1; do
    cp "$B/config.json" "$T/saved"
    configure 'c["mounts"].append({"destination": "'$place'", "type": "bind", "source": T + "/fake", "options": ["rbind"]})'
    run -1 run_bundle
    [[ "$output" == *"operation not permitted"* ]]
    configure 'c["mounts"][-1] = {"destination": "'$place'", "type": "tmpfs", "source": "tmpfs"}'
    run -1 run_bundle
    [[ "$output" == *"operation not permitted"* ]]
    cp "$T/saved" "$B/config.json"
  done
}

@test "CVE-2019-19921, CVE-2023-27561: a /proc that is a link in the image is refused" {
  for target in evil /evil evil/below; do
    rm -rf "$B/rootfs/proc" "$B/rootfs/evil"
    mkdir -p "$B/rootfs/evil/below"
    ln -s "$target" "$B/rootfs/proc"
    run -1 run_bundle
    [[ "$output" == *"mount proc to /proc: too many levels of symbolic links"* ]]
  done
}

@test "CVE-2023-28642: a /sys that is a link is refused, and masks lie where the kernel's files are" {
  program /bin/sh -c 'stat -c "%t:%T" /proc/timer_list /proc/keys; ls -A /sys/firmware | wc -l; touch /proc/sys/kernel/panic 2>&1; true'
  run -0 run_bundle
  [ "${lines[0]} ${lines[1]} ${lines[2]}" = "1:3 1:3 0" ]
  [[ "${lines[3]}" == *"Read-only file system"* ]]
  rmdir "$B/rootfs/sys"
  mkdir "$B/rootfs/evil"
  ln -s evil "$B/rootfs/sys"
  run -1 run_bundle
  [[ "$output" == *"mount sysfs to /sys: too many levels of symbolic links"* ]]
}

@test "CVE-2021-30465: links swapped while mounts are made lead nowhere outside" {
  # A volume that the attacker has too; the second mount goes below it.
  mkdir -p "$T/volume/x/y" "$T/second" "$T/outside/y" "$B/rootfs/vol"
  touch "$T/second/here"
  configure 'c["mounts"] += [{"destination": "/vol", "type": "bind", "source": T + "/volume", "options": ["rbind"]}, {"destination": "/vol/x/y", "type": "bind", "source": T + "/second", "options": ["rbind"]}]'
  # Before the destination is looked up: the link counts inside the root, where that place does not exist yet.
  mv "$T/volume/x" "$T/volume/away"
  program /bin/sh -c "cat /proc/self/mountinfo | cut -d' ' -f5 | grep -E 'vol|outside'"
  for target in "$T/outside" "../../../../../../../..$T/outside"; do
    ln -sfn "$target" "$T/volume/x"
    run -0 run_bundle
    [ "${lines[*]}" = "/vol $T/outside/y" ]
    [ -d "$B/rootfs$T/outside/y" ]
    [ -z "$(ls -A "$T/outside/y")" ]
  done
  # Between the lookup and the mount: what was found is what is covered, wherever it was moved.
  rm "$T/volume/x" && mv "$T/volume/away" "$T/volume/x"
  run -0 interrupted move_mount 1 --name /y --do "mv $T/volume/x $T/volume/away; ln -s $T/outside $T/volume/x" \
    -- "$RUNTIME" --root "$T/state" run -b "$B" "$ID"
  [ "${lines[*]}" = "/vol /vol/away/y" ]
}

@test "CVE-2021-43784: no length is cut off on the way to the container" {
  # runc's netlink attributes counted in 16 bits. Here the state for hooks is the only part without a fixed size.
  configure 'c["annotations"] = {"a": "x" * 300000 + "end"}
c["hooks"] = {name: [{"path": "/bin/sh", "args": ["sh", "-c", "cat >" + out + "/" + name]}] for name, out in (("createRuntime", T), ("createContainer", T), ("startContainer", "/tmp"))}'
  run -0 run_bundle
  mv "$B/rootfs/tmp/startContainer" "$T"
  for hook in createRuntime createContainer startContainer; do
    python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["annotations"]["a"] == "x" * 300000 + "end"' "$T/$hook"
  done
}

@test "CVE-2022-29162: no capability is inheritable" {
  program /bin/sh -c 'grep CapInh /proc/self/status; sleep 1000'
  run_bundle -d >"$T/said" 2>&1
  eventually 10 grep -q CapInh "$T/said"
  [ "$(tr -d '\t' <"$T/said")" = CapInh:0000000000000000 ]
  for flags in "" "--cap CAP_NET_RAW" "--cap CAP_SYS_ADMIN --no-new-privs"; do
    run -0 runtime exec $flags "$ID" grep CapInh /proc/self/status
    [ "$(tr -d '\t' <<<"$output")" = CapInh:0000000000000000 ]
  done
}

@test "CVE-2024-21626: no descriptor of the host leads out: working directory, program, interpreter" {
  up=../../../../../../../../../../..
  printf 'not of this container\n' >"$T/secret"
  exec 8</ 9<"$T"
  for fd in $(seq 3 40); do
    configure 'c["process"]["cwd"] = "/proc/self/fd/'$fd'"'
    run -1 run_bundle
    configure 'c["process"]["cwd"] = "/"'
    program "/proc/self/fd/$fd/$up/bin/busybox" cat "$T/secret"
    run -1 run_bundle
    [[ "$output" == *"/proc/self/fd/$fd/$up/bin/busybox: no"* ]]
    printf '#!/proc/self/fd/%s/%s/bin/busybox sh\necho out\n' "$fd" "$up" >"$B/rootfs/script"
    chmod +x "$B/rootfs/script"
    program /script
    run -1 run_bundle
    [[ "$output" == *"exec /script: no"* ]]
  done
  # The same into a running container.
  program /bin/sleep 1000
  run_bundle -d
  for fd in $(seq 3 40); do
    run -255 runtime exec --cwd "/proc/self/fd/$fd" "$ID" /bin/true
    run -255 runtime exec "$ID" "/proc/self/fd/$fd/$up/bin/busybox" true
    run -255 runtime exec "$ID" /script
  done
}

@test "CVE-2024-21626: a directory of the host that was passed on purpose is no working directory" {
  configure 'c["process"]["cwd"] = "/proc/self/fd/3"'
  run -1 run_bundle --preserve-fds 1 3</
  [[ "$output" == *'chdir to cwd (\"/proc/self/fd/3\") set in config.json failed'* ]]
  # And a number that nobody opened is not filled with one of the runtime's own.
  configure 'c["process"]["cwd"] = "/"'
  program /bin/ls /proc/1/fd
  run -0 run_bundle --preserve-fds 6 3</dev/null 4<&- 5<&-
  [ "${lines[*]}" = "0 1 2 3 4" ]  # 4 is the directory that ls reads
  for fd in 4 5 6 7 8; do
    program "/proc/self/fd/$fd/../bin/true"
    run -1 run_bundle --preserve-fds 6 3</dev/null 4<&- 5<&-
  done
}

@test "CVE-2024-21626: a descriptor that cannot be closed ends the set-up" {
  run -1 interrupted close_range 1 --errno EIO -- "$RUNTIME" --root "$T/state" run -b "$B" "$ID"
  [[ "$output" == *"close what is not passed on: input/output error"* ]]
  [ -z "$(runtime list -q)" ]
}

@test "CVE-2024-45310: directories and files for mounts are made inside, whatever is swapped" {
  mkdir -p "$T/volume/a" "$T/outside" "$T/source" "$B/rootfs/vol"
  touch "$T/file"
  configure 'c["mounts"] += [{"destination": "/vol", "type": "bind", "source": T + "/volume", "options": ["rbind"]}, {"destination": "/vol/a/made", "type": "bind", "source": T + "/source", "options": ["rbind"]}, {"destination": "/vol/a/created", "type": "bind", "source": T + "/file", "options": ["rbind"]}]'
  swap="mv $T/volume/a $T/volume/away; ln -s $T/outside $T/volume/a"
  for at in mkdirat:made openat:created; do
    run interrupted "${at%:*}" 1 --name "${at#*:}" --do "$swap" -- "$RUNTIME" --root "$T/state" run -b "$B" "$ID"
    [ "$status" -ne 99 ]
    [ -z "$(ls -A "$T/outside")" ]
    ls "$T/volume/away" | grep -qx "${at#*:}"
    rm -rf "$T/volume/a" "$T/volume/away"; mkdir "$T/volume/a"
  done
  # A link that is there from the beginning counts inside the root.
  rmdir "$T/volume/a"
  for target in "$T/outside" "../../../../../../../..$T/outside"; do
    ln -sfn "$target" "$T/volume/a"
    run -0 run_bundle
    [ -z "$(ls -A "$T/outside")" ]
  done
}

@test "CVE-2025-31133: paths are masked by the host's null device, and only by that" {
  # The container's own /dev/null leads to a file that the attacker would like to write to.
  mkdir -p "$T/dev/pts" "$T/dev/shm" "$T/dev/mqueue"
  echo unharmed >"$T/victim"
  ln -s "/victim" "$T/dev/null"
  touch "$B/rootfs/victim"
  configure 'c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")] + [{"destination": "/dev", "type": "bind", "source": T + "/dev", "options": ["rbind"]}, {"destination": "/victim", "type": "bind", "source": T + "/victim", "options": ["bind"]}]'
  program /bin/sh -c 'stat -c "%F %t:%T" /proc/keys; echo owned >/proc/keys'
  run -0 run_bundle
  [ "${lines[0]}" = "character special file 1:3" ]
  [ "$(cat "$T/victim")" = unharmed ]
  # A host whose own /dev/null is something else masks nothing with it.
  run -1 unshare -m bash -c 'mount --bind "$1" /dev/null && exec "$2" --root "$3/state" run -b "$3/bundle" "$4" <"$1"' _ "$T/victim" "$RUNTIME" "$T" "$ID"
  [[ "$output" == *"mask /dev/null: invalid argument"* ]]
}

@test "CVE-2025-52565: a /dev/console that is a link is refused" {
  rm -rf "$B/rootfs/dev"
  mkdir -p "$B/rootfs/dev/pts"
  ln -s /proc/sys/kernel/core_pattern "$B/rootfs/dev/console"
  configure 'c["process"]["terminal"] = True; c["mounts"] = [m for m in c["mounts"] if m["destination"] in ("/proc", "/dev/pts")]'
  program /bin/cat /proc/self/mountinfo
  run -1 run_bundle
  [[ "$output" == *"set up the console /dev/console: invalid argument"* ]]
  # A plain file, as images have it, is covered.
  rm "$B/rootfs/dev/console"
  touch "$B/rootfs/dev/console"
  run -0 run_bundle
  [[ "$output" == *" /dev/console "* ]]
}

@test "CVE-2025-52881: what the runtime writes to /proc goes to the kernel, not to what lies over it" {
  # A hook covers the sysctl and the process's own files before the runtime writes to them, in the container's root at its path.
  touch "$T/fake"
  cat >"$T/cover" <<'EOF'
#!/bin/bash
here=${0%/*}
for file in sys/net/ipv4/ip_forward 1/oom_score_adj; do mount -c --bind "$here/fake" "$here/bundle/rootfs/proc/$file" || exit 1; done
EOF
  chmod +x "$T/cover"
  configure 'c["hooks"] = {"createContainer": [{"path": T + "/cover"}]}
c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
c["linux"]["readonlyPaths"] = []
c["process"]["oomScoreAdj"] = 77'
  program /bin/sh -c 'umount /proc/1/oom_score_adj /proc/sys/net/ipv4/ip_forward; cat /proc/sys/net/ipv4/ip_forward /proc/1/oom_score_adj'
  configure "$ALL_RIGHTS"
  run -0 run_bundle
  [ "${lines[*]}" = "1 77" ]
  [ ! -s "$T/fake" ]
}

@test "CVE-2025-52881: exec writes past what the container laid over its /proc" {
  configure "$ALL_RIGHTS"
  program /bin/sh -c 'mkdir /tmp/self; echo empty >/tmp/self/oom_score_adj; mount --bind /tmp /proc; echo covered; sleep 1000'
  run_bundle -d >"$T/said" 2>&1
  eventually 10 grep -q covered "$T/said"
  python3 -c 'import json, sys; c = json.load(open(sys.argv[1])); c["process"].update(args=["/bin/true"], oomScoreAdj=55); json.dump(c["process"], open(sys.argv[2], "w"))' "$B/config.json" "$T/process"
  run -0 runtime exec --process "$T/process" "$ID"
  [ "$(cat "$B/rootfs/tmp/self/oom_score_adj")" = empty ]
}

@test "the source of a mount is the host's, also through a link that climbs above its root" {
  mkdir -p "$T/real" "$T/other" "$B/rootfs$T"
  echo "the host's" >"$T/real/file"
  echo "chosen by the image" >"$T/other/file"
  ln -s "../../../../../../../../../../../..$T/real" "$T/climbing"
  ln -s "$T/other" "$B/rootfs$T/real"
  configure 'c["mounts"].append({"destination": "/data", "type": "bind", "source": T + "/climbing", "options": ["rbind"]})'
  program /bin/cat /data/file
  run -0 run_bundle
  [ "$output" = "the host's" ]
}

@test "CVE-2022-0492: release_agent is out of reach, even with the right to mount" {
  configure "$ALL_RIGHTS"
  program /bin/sh -c 'mkdir /tmp/cg
for kind in cpu memory pids freezer devices rdma; do
  mount -t cgroup -o $kind none /tmp/cg 2>/dev/null || continue
  echo mounted; find /tmp/cg -name release_agent; umount /tmp/cg
done
mount -t cgroup2 none /tmp/cg && echo mounted && find /tmp/cg -name release_agent'
  run run_bundle
  [[ "$output" == *mounted* ]]
  [[ "$output" != *release_agent* ]]
}

@test "an id is never a path" {
  mkdir -p "$T/precious/below" "$T/state"
  for id in ../precious ../precious/below . .. "" a/b /etc; do
    for verb in "delete -f" state start kill pause; do
      run -1 runtime $verb "$id"
      [[ "$output" == *"container ID"* || "$output" == *"container id cannot be empty"* ]]
    done
  done
  [ -d "$T/precious/below" ] && [ -d "$T/state" ]
}

@test "exec --cgroup stays below the container's own" {
  program /bin/sleep 1000
  run_bundle -d
  for path in .. ../../.. x/../.. /.. "pids:../.."; do
    run -255 runtime exec --cgroup "$path" "$ID" true
    [[ "$output" == *"unable to create new parent process: ${path#pids:} is not a sub cgroup path"* ]]
  done
  run -0 runtime exec --cgroup / "$ID" cat /proc/self/cgroup
  run -0 runtime exec --cgroup x/.. "$ID" cat /proc/self/cgroup
}
