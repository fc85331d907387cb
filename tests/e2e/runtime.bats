# skiff-runtime's command line, which is runc's: commands, flags, messages, exit codes and JSON.
load lib
load bundle

# json PATH: a value out of the JSON on standard input, as JSON.
json() { python3 -c 'import json, sys; v = json.load(sys.stdin); exec("v = v" + sys.argv[1]); print(json.dumps(v))' "$1"; }
# Nothing of the container is left: no state, no cgroup, no mount.
nothing_left() {
  [ ! -e "$T/state/$ID" ]
  [ -z "$(find /sys/fs/cgroup -type d -name "$ID")" ]
  ! grep -q "$B" /proc/self/mounts
}
status() { runtime state "$ID" | json '["status"]'; }
has_status() { [ "$(status)" = "\"$1\"" ]; }
background() { chmod 755 "$B/rootfs"; program /bin/sleep 100; runtime run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1; }

@test "usage: what is wrong and how it is done, exit code 1; an unknown command 3" {
  run -1 --separate-stderr runtime run
  [[ "$output" == "Incorrect Usage."*"skiff-runtime run [command options] <container-id>"*"--pid-file value"* ]]
  [[ "$stderr" == *'level=error msg="skiff-runtime: \"run\" requires exactly 1 argument(s)"'* ]]
  run -1 --separate-stderr runtime kill a b c
  [[ "$stderr" == *'requires a maximum of 2 argument(s)'* ]]
  run -1 --separate-stderr runtime exec
  [[ "$stderr" == *'requires a minimum of 1 argument(s)'* ]]
  run -1 --separate-stderr runtime state --what x
  [[ "$output" == "Incorrect Usage: flag provided but not defined: -what"* ]]
  run -1 --separate-stderr runtime events --interval soon "$ID"
  [[ "$output" == 'Incorrect Usage: invalid value "soon" for flag -interval: parse error'* ]]
  run -1 --separate-stderr runtime events --interval 0s "$ID"
  [[ "$stderr" == *"duration interval must be greater than 0"* ]]
  run -1 --separate-stderr runtime exec -g x "$ID" true
  [[ "$output" == 'Incorrect Usage: invalid value "x" for flag -g: strconv.ParseInt: parsing "x": invalid syntax'* ]]
  run -3 runtime conjure
  [[ "$output" == *"No help topic for 'conjure'"* ]]
  run -0 runtime help exec
  [[ "$output" == *"--ignore-paused"* ]]
  run -0 runtime exec --help
  run -0 runtime --version
  [[ "${lines[0]}" == "skiff-runtime version "* ]]
  [[ "${lines[2]}" == "spec: 1.2."* ]]
}

@test "without the container: does not exist; ids are checked" {
  for words in "state $ID" "start $ID" "kill $ID" "delete $ID" "pause $ID" "resume $ID" "ps $ID" "update $ID" "events $ID" "checkpoint $ID"; do
    run -1 runtime $words
    [[ "$output" == *'msg="container does not exist"'* ]]
  done
  run -255 runtime exec "$ID" true
  [[ "$output" == *'msg="exec failed: container does not exist"'* ]]
  run -0 runtime delete -f "$ID"
  [ -z "$output" ]
  run -1 runtime state ''
  [[ "$output" == *"container id cannot be empty"* ]]
  run -1 runtime run -b "$B" 'a/b'
  [[ "$output" == *"skiff-runtime run failed: invalid container ID format"* ]]
  run -1 runtime run -b "$T/none" "$ID"
  [[ "$output" == *"skiff-runtime run failed: chdir $T/none: no such file or directory"* ]]
  run -1 runtime run -b "$T" "$ID"
  [[ "$output" == *"skiff-runtime run failed: JSON specification file config.json not found"* ]]
  run -1 runtime --root "$T/none" list
  [[ "$output" == *"open $T/none: no such file or directory"* ]]
}

@test "the life of a container: created, running, paused, stopped, gone" {
  configure 'c["annotations"] = {"org.example": "yes"}'
  program /bin/sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
  runtime create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>&1
  has_status created
  run -1 runtime create -b "$B" "$ID"
  [[ "$output" == *"skiff-runtime create failed: container with given ID already exists"* ]]
  runtime start "$ID"
  has_status running
  run -1 runtime start "$ID"
  [[ "$output" == *"cannot start an already running container"* ]]
  run -0 runtime state "$ID"
  [ "$(json '["pid"]' <<<"$output")" = "$(cat "$T/pid")" ]
  [ "$(json '["annotations"]["org.example"]' <<<"$output")" = '"yes"' ]
  [ "$(python3 -c 'import json, sys; print(*json.load(sys.stdin))' <<<"$output")" = "ociVersion id pid status bundle rootfs created annotations owner" ]
  run -0 runtime list
  [[ "${lines[0]}" =~ ^"ID "\ +"PID"\ +"STATUS"\ +"BUNDLE"\ +"CREATED"\ +"OWNER"$ ]]
  [[ "${lines[1]}" =~ ^$ID\ +$(cat "$T/pid")\ +running\ +$B\ +20.*Z\ +root$ ]]
  [ "$(runtime list -q)" = "$ID" ]
  [ "$(runtime list -f json | json '[0]["owner"]')" = '"root"' ]
  runtime pause "$ID"
  has_status paused
  run -1 runtime pause "$ID"
  [[ "$output" == *"container not running"* ]]
  run -255 runtime exec "$ID" true
  [[ "$output" == *"cannot exec in a paused container (use --ignore-paused to override)"* ]]
  # Its process is frozen as soon as it is in the cgroup: it runs when the others do.
  runtime exec --ignore-paused "$ID" touch /tmp/thawed </dev/null >/dev/null 2>&1 3>&- &
  sleep 0.2
  [ ! -e "$B/rootfs/tmp/thawed" ]
  runtime resume "$ID"
  wait $!
  [ -e "$B/rootfs/tmp/thawed" ]
  run -1 runtime resume "$ID"
  [[ "$output" == *"container not paused"* ]]
  run -1 runtime delete "$ID"
  [[ "$output" == *"cannot delete container $ID that is not stopped: running"* ]]
  run -1 runtime kill "$ID" NONSENSE
  [[ "$output" == *'unknown signal \"NONSENSE\"'* ]]
  runtime kill "$ID" 0
  runtime kill -a "$ID" SIGCONT
  runtime kill "$ID"
  eventually 20 has_status stopped
  [ "$(runtime state "$ID" | json '["pid"]')" = 0 ]
  run -1 runtime kill "$ID"
  [[ "$output" == *"container not running"* ]]
  run -255 runtime exec "$ID" true
  [[ "$output" == *"cannot exec in a stopped container"* ]]
  run -1 runtime start "$ID"
  [[ "$output" == *"cannot start a container that has stopped"* ]]
  runtime delete "$ID"
  nothing_left
}

@test "run passes the exit code on and keeps nothing, unless it shall" {
  program /bin/sh -c 'exit 7'
  run -7 run_bundle
  nothing_left
  run -7 run_bundle --keep
  has_status stopped
  run -1 run_bundle
  [[ "$output" == *"already exists"* ]]
  runtime delete "$ID"
}

@test "programs that cannot run are named, and leave nothing" {
  program nosuch
  for verb in run create; do
    run -1 runtime $verb -b "$B" "$ID"
    [[ "$output" == *"skiff-runtime $verb failed: unable to start container process: error during container init: exec: \\\"nosuch\\\": executable file not found in \$PATH"* ]]
    nothing_left
  done
  program /etc
  run -1 run_bundle
  [[ "$output" == *'exec: \"/etc\": is a directory'* ]]
  background
  run -255 runtime exec "$ID" nosuch
  [[ "$output" == *'exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH'* ]]
}

# refused WORDS PYTHON: that change of the configuration is refused in these words, and nothing is left.
refused() {
  cp "$B/config.json" "$T/good"
  configure "$2"
  run -1 run_bundle
  [[ "$output" == *"skiff-runtime run failed: "*"$1"* ]] || { echo "for $2: $output" >&2; return 1; }
  nothing_left
  cp "$T/good" "$B/config.json"
}

@test "bad configurations: the message names the member, nothing is left" {
  refused 'root must be specified' 'del c["root"]'
  refused "root.path: invalid rootfs: stat $B/nope: no such file or directory" 'c["root"]["path"] = "nope"'
  refused 'process property must not be empty' 'del c["process"]'
  refused 'process.args must not be empty' 'c["process"]["args"] = []'
  refused 'process.cwd: \"work\" is not an absolute path' 'c["process"]["cwd"] = "work"'
  refused "process.env[0]: invalid environment variable: missing '='" 'c["process"]["env"] = ["A"]'
  refused 'invalid JSON: process.args: cannot use string as array' 'c["process"]["args"] = "sh"'
  refused 'invalid JSON: process.user.uid' 'c["process"]["user"] = {"uid": -1}'
  refused 'linux.namespaces: unknown type \"dream\"' 'c["linux"]["namespaces"].append({"type": "dream"})'
  refused 'linux.namespaces: pid is given twice' 'c["linux"]["namespaces"].append({"type": "pid"})'
  refused '/proc/self/ns/net is a namespace of another kind' 'c["linux"]["namespaces"][0]["path"] = "/proc/self/ns/net"'
  refused 'process.user.uid: 50 is not mapped in the user namespace' 'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}]; c["process"]["user"]["uid"] = 50'
  refused 'mounts[1].destination: is missing' 'c["mounts"][1]["destination"] = ""'
  refused 'bind mount /no/where to /x: no such file or directory' 'c["mounts"].append({"destination": "/x", "source": "/no/where", "options": ["bind"]})'
  refused 'mount nofs to /x: no such device' 'c["mounts"].append({"destination": "/x", "type": "nofs", "source": "x"})'
  refused 'sysctl \"kernel.panic\" is not in a separate kernel namespace' 'c["linux"]["sysctl"] = {"kernel.panic": "1"}'
  refused 'rootfsPropagation=sideways is not supported' 'c["linux"]["rootfsPropagation"] = "sideways"'
  refused 'linux.timeOffsets: time namespace offsets are specified, but no new time namespace is' 'c["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}'
  refused 'linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action' 'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_NOTIFY"}'
  refused 'process.ioPriority.class: \"X\" is not known' 'c["process"]["ioPriority"] = {"class": "X", "priority": 1}'
  refused 'hooks.createRuntime[0].path: \"true\" is not an absolute path' 'c["hooks"] = {"createRuntime": [{"path": "true"}]}'
  echo '{' >"$B/config.json"
  run -1 run_bundle
  [[ "$output" == *"invalid JSON"* ]]
  nothing_left
}

@test "paths of a configuration stay inside the root" {
  configure 'c["mounts"].append({"destination": "/../../escaped", "type": "tmpfs", "source": "tmpfs"}); c["linux"]["cgroupsPath"] = "../../" + "'"$ID"'"'
  program /bin/sh -c 'stat -f -c %T /escaped'
  run -0 run_bundle
  [ "$output" = tmpfs ]
  [ -d "$B/rootfs/escaped" ]
  [ ! -e "$T/escaped" ]
  nothing_left
}

@test "hooks: a failing one is named by its place; poststart and poststop only warn" {
  refused 'error running createRuntime hook #0: exit status 3, stdout: out, stderr: no' 'c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo out; echo no >&2; exit 3"]}]}'
  refused 'error running prestart hook #1: hook ran past specified timeout of 1.0s' 'c["hooks"] = {"prestart": [{"path": "/bin/true"}, {"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}'
  refused 'error running createContainer hook #0: exit status 1' 'c["hooks"] = {"createContainer": [{"path": "/bin/false"}]}'
  refused 'error running startContainer hook #0: exit status 1' 'c["hooks"] = {"startContainer": [{"path": "/bin/false"}]}'
  configure 'c["hooks"] = {"poststart": [{"path": "/bin/false"}, {"path": "/bin/touch", "args": ["touch", T + "/poststart"]}], "poststop": [{"path": "/bin/false"}, {"path": "/bin/touch", "args": ["touch", T + "/poststop"]}]}'
  program /bin/sh -c 'exit 5'
  run -5 run_bundle
  [[ "$output" == *'level=warning msg="error running poststart hook #0: exit status 1, stdout: , stderr: "'* ]]
  [[ "$output" == *'level=warning msg="error running poststop hook #0: exit status 1, stdout: , stderr: "'* ]]
  [ -e "$T/poststart" ] && [ -e "$T/poststop" ]
  nothing_left
}

@test "a filter that refuses close_range, as old profiles do: nothing fails, nothing is passed on" {
  local privileges
  for privileges in False True; do
    configure 'c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["close_range"], "action": "SCMP_ACT_ERRNO"}]}; c["process"]["noNewPrivileges"] = '$privileges'; c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo $(ls /proc/self/fd) >/hook"]}]}'
    program /bin/ls /proc/1/fd
    run -0 run_bundle --preserve-fds 1 3</dev/null
    [ "${lines[*]}" = "0 1 2 3 4" ]  # 4 is the directory that ls reads
    [ "$(cat "$B/rootfs/hook")" = "0 1 2 3" ]
  done
  program /bin/sleep 1000
  run_bundle -d
  run -0 runtime exec "$ID" /bin/ls /proc/self/fd
  [ "${lines[*]}" = "0 1 2 3" ]
}

# manager NAME: a service manager that listens there; what it hears is in $T/told.
manager() {
  coproc MANAGER { exec python3 "$HERE/notify.py" "$1" "$T/told" 3>&-; }
  local line
  read -r line <&"${MANAGER[0]}"
  [ "$line" = listening ]
}
teardown() {
  remove_bundle
  [ -z "${MANAGER_PID:-}" ] || kill "$MANAGER_PID"
}
# The container sees the host's programs, has a socket of its own to speak to, and runs the script.
speaker() {
  configure 'c["mounts"] += [{"destination": d, "type": "bind", "source": d, "options": ["rbind", "ro"]} for d in ["/usr", "/lib", "/lib64"]]'
  program /bin/sh -c "$1"
}
SAY='socat -u - UNIX-SENDTO:$NOTIFY_SOCKET'

@test "NOTIFY_SOCKET: start waits until the program is ready, and passes that on with its pid" {
  manager "$T/manager"
  speaker "env | grep NOTIFY >/told; grep ' /run/notify ' /proc/self/mounts >>/told; printf 'STATUS=warm\\nX=1\\n' | $SAY; printf 'READY=1\\nSTATUS=hot' | $SAY; sleep 100"
  export NOTIFY_SOCKET=$T/manager
  runtime create -b "$B" "$ID" </dev/null >/dev/null 2>&1
  [ ! -e "$T/state/$ID/notify/notify.sock" ]
  runtime start "$ID"
  [ "$(cat "$T/told")" = "READY=1
MAINPID=$(runtime state "$ID" | json '["pid"]')
BARRIER=1 +1 descriptor" ]
  run -0 cat "$B/rootfs/told"
  [ "${lines[0]}" = "NOTIFY_SOCKET=/run/notify/notify.sock" ]
  [[ "${lines[1]}" == *" ro,nosuid,nodev,noexec"* ]]
  [ "$(stat -c %a "$T/state/$ID/notify/notify.sock")" = 777 ]
  runtime delete -f "$ID"
  nothing_left
}

@test "NOTIFY_SOCKET: run passes it on; a program that ends without a word holds nobody" {
  manager "@skiff-$BATS_TEST_NUMBER-$$"
  export NOTIFY_SOCKET="@skiff-$BATS_TEST_NUMBER-$$"
  # What it says later is not kept: its socket is gone soon.
  speaker "echo READY=1 | $SAY; while echo READY=1 | $SAY 2>/dev/null; do :; done; exit 4"
  run -4 run_bundle
  [[ "$(cat "$T/told")" =~ ^"READY=1
MAINPID="[0-9]+$ ]]
  speaker "echo READY=1 | $SAY; sleep 100"
  runtime run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1
  [ "$(tail -2 "$T/told")" = "MAINPID=$(runtime state "$ID" | json '["pid"]')
BARRIER=1 +1 descriptor" ]
  runtime delete -f "$ID"
  program /bin/true
  runtime run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1
  [ "$(wc -l <"$T/told")" = 5 ]
  runtime delete -f "$ID"
  NOTIFY_SOCKET=$T/none run -1 run_bundle
  [[ "$output" == *"skiff-runtime run failed: NOTIFY_SOCKET: connect to $T/none: no such file or directory"* ]]
  nothing_left
}

# The rest of the test sees a machine that runs systemd: a stand-in behind a bus of its own, what it hears being in $T/told.
systemd() {
  mkdir -p "$T/run/system"
  coproc MANAGER { exec python3 "$HERE/systemd.py" "$T/bus" "$T/told" "$@" 3>&-; }
  local line
  read -r line <&"${MANAGER[0]}"
  [ "$line" = listening ]
  export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$T/bus
  runtime() { unshare -m --propagation private bash -c 'mount --bind "$0" /run/systemd && exec "$@"' "$T/run" "$RUNTIME" --root "$T/state" --systemd-cgroup "$@"; }
  mkdir -p /run/systemd
}

@test "systemd makes the cgroup: a transient scope with its limits, changed by update, stopped by delete" {
  systemd
  configure 'c["linux"]["cgroupsPath"] = "skifftest-a.slice:box:" + "'"$ID"'"; c["linux"]["resources"].update(memory={"limit": 67108864}, pids={"limit": 50}, cpu={"shares": 512, "quota": 25500, "period": 50000, "cpus": "0"})'
  program /bin/sleep 1000
  runtime create -b "$B" "$ID" </dev/null >/dev/null 2>&1
  local pid scope=skifftest.slice/skifftest-a.slice/box-$ID.scope
  pid=$(runtime state "$ID" | json '["pid"]')
  grep -qx "start box-$ID.scope replace" "$T/told"
  local line
  for line in "Description=skiff container $ID" Slice=skifftest-a.slice Delegate=1 "PIDs=\[$pid\]" MemoryAccounting=1 TasksMax=50 \
    CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=510000 "AllowedCPUs=\[1\]" DevicePolicy=strict DefaultDependencies=0; do
    grep -qx "  $line" "$T/told" || { echo "not told: $line" >&2; cat "$T/told" >&2; return 1; }
  done
  grep -qE "  Memory(Max|Limit)=67108864" "$T/told"
  grep -qE "  CPU(Weight=20|Shares=512)" "$T/told"
  grep -q "  DeviceAllow=.*('/dev/char/1:3', 'rwm')" "$T/told"
  # In every hierarchy, and limited there as well.
  grep -qE "^0::/$scope\$|[:,]pids[:,].*/$scope\$" "/proc/$pid/cgroup"
  ! grep "skiff-" "/proc/$pid/cgroup" | grep -v ":/$scope\$"
  [ "$(cat /sys/fs/cgroup/{pids/,}$scope/pids.max 2>/dev/null)" = 50 ]
  runtime start "$ID"
  runtime update --pids-limit 60 --memory 128M "$ID"
  grep -A9 "^set box-$ID.scope 1" "$T/told" | grep -qx "  TasksMax=60"
  [ "$(cat /sys/fs/cgroup/{pids/,}$scope/pids.max 2>/dev/null)" = 60 ]
  runtime exec "$ID" true
  runtime delete -f "$ID"
  grep -qx "stop box-$ID.scope" "$T/told"
  nothing_left
  [ -z "$(find /sys/fs/cgroup -type d -name "box-$ID.scope")" ]
  find /sys/fs/cgroup -depth -type d -path '*/skifftest.slice*' -exec rmdir {} +
}

@test "systemd: a name without a slice; what systemd refuses and what is not there is said, and leaves nothing" {
  systemd
  program /bin/sh -c 'exit 3'
  run -3 run_bundle
  grep -qx "start skiff-$ID.scope replace" "$T/told"
  grep -qx "  Slice=system.slice" "$T/told"
  grep -qx "stop skiff-$ID.scope" "$T/told"
  configure 'c["annotations"] = {"org.systemd.property.TimeoutStopSec": "uint64 7", "org.systemd.property.After": "['"'a.service', 'b.service'"']"}'
  run -3 run_bundle
  grep -qx "  TimeoutStopUSec=7000000" "$T/told"
  grep -qx "  After=\['a.service', 'b.service'\]" "$T/told"
  refused 'annotation org.systemd.property.After=a.service value parse error: \"a.service\" is not a value' 'c["annotations"] = {"org.systemd.property.After": "a.service"}'
  refused 'annotation org.systemd.property.a1 name incorrect: too short' 'c["annotations"] = {"org.systemd.property.a1": "1"}'
  configure 'del c["annotations"]'
  program nosuch
  run -1 run_bundle
  [[ "$output" == *"executable file not found"* ]]
  [ "$(grep -c "^stop" "$T/told")" = 3 ]
  configure 'c["linux"]["cgroupsPath"] = "/plain/path"'
  refused 'expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/plain/path\" instead' ''
  refused 'invalid slice name: sys--tem.slice' 'c["linux"]["cgroupsPath"] = "sys--tem.slice:a:b"'
  kill "$MANAGER_PID"
  configure 'c["linux"]["cgroupsPath"] = ""'
  refused 'unable to apply cgroup configuration: failed to connect to dbus: connect to '"$T/bus" ''
  rm -d "$T/run/system"
  refused 'systemd not running on this host, cannot use systemd cgroups manager' ''
  [ -z "$(find /sys/fs/cgroup -type d -name "*$ID.scope")" ]
  [ -S /run/systemd/private ] || find /sys/fs/cgroup -depth -type d -name system.slice -exec rmdir {} +
}

@test "systemd: a job that fails is named by its result" {
  systemd --fail dependency
  refused 'error creating systemd unit `skiff-'"$ID"'.scope`: got `dependency`' ''
}

@test "create takes a configuration without a process, start does not" {
  configure 'del c["process"]'
  runtime create -b "$B" "$ID" </dev/null >/dev/null 2>&1
  has_status created
  run -1 runtime start "$ID"
  [[ "$output" == *"process property must not be empty"* ]]
  runtime delete "$ID"
  nothing_left
}

@test "a cgroup that somebody else is in is refused" {
  background
  run -1 runtime --root "$T/other" run -b "$B" "$ID"
  [[ "$output" == *"container's cgroup is not empty: 1 process(es) found"* ]]
  has_status running
}

@test "exec: user, groups, directory, environment, capabilities, no_new_privs" {
  background
  run -0 runtime exec -u 1000:1001 -g 5 -g 7 --cwd /tmp -e A=b -e PATH=/bin "$ID" sh -c 'id; pwd; echo $A $PATH'
  [[ "${lines[0]}" =~ ^uid=1000.*\ gid=1001.*\ groups=5,7$ ]]
  [ "${lines[1]}" = /tmp ]
  [ "${lines[2]}" = "b /bin" ]
  run -0 runtime exec --cap CAP_SYS_ADMIN --no-new-privs "$ID" grep -E 'CapEff|NoNewPrivs' /proc/self/status
  [ "${lines[0]//$'\t'/ }" = "CapEff: 0000000020200420" ]
  [ "${lines[1]//$'\t'/ }" = "NoNewPrivs: 1" ]
  run -0 runtime exec --cap CAP_NONE "$ID" true
  [[ "$output" == *"ignoring unknown or unavailable capabilities: [CAP_NONE]"* ]]
  run -255 runtime exec -u somebody "$ID" true
  [[ "$output" == *'exec failed: bad uid: strconv.Atoi: parsing \"somebody\": invalid syntax'* ]]
  run -255 runtime exec --cwd tmp "$ID" true
  [[ "$output" == *"is not an absolute path"* ]]
  run -255 runtime exec "$ID"
  [[ "$output" == *"exec args cannot be empty"* ]]
  run -9 runtime exec "$ID" sh -c 'exit 9'
  run -255 runtime exec -t -d "$ID" true
  [[ "$output" == *"cannot allocate tty"* ]]
  run -255 runtime exec --console-socket "$T/none" "$ID" true
  [[ "$output" == *"cannot use console socket"* ]]
}

@test "exec: process.json, descriptors, detached with a pid file" {
  background
  echo '{"args": ["sh", "-c", "pwd; id -u; echo $X"], "cwd": "/tmp", "env": ["X=y", "PATH=/bin"], "user": {"uid": 12, "gid": 0}}' >"$T/process.json"
  run -0 runtime exec -p "$T/process.json" "$ID"
  [ "${lines[*]}" = "/tmp 12 y" ]
  echo '{"args": ["sh"]}' >"$T/process.json"
  run -255 runtime exec -p "$T/process.json" "$ID"
  [[ "$output" == *"process.cwd must not be empty"* ]]
  echo kept >"$T/file"
  run -0 runtime exec --preserve-fds 1 "$ID" cat /proc/self/fd/3 3<"$T/file"
  [ "$output" = kept ]
  runtime exec -d --pid-file "$T/pid" "$ID" sleep 50 </dev/null >/dev/null 2>&1 3>&-
  grep -qw "$(cat "$T/pid")" <<<"$(runtime ps -f json "$ID")"
  run -0 runtime ps "$ID" -o pid,args
  [[ "$output" == *"PID"*"sleep 100"*"sleep 50"* ]]
  run -255 runtime exec -g -1 "$ID" true
  [[ "$output" == *"exec failed: additional-gids must be a positive number -1"* ]]
  run -0 runtime exec -u '' "$ID" true
  # "--" ends the options, also behind an argument.
  run -0 runtime kill "$ID" -- 0
  run -0 runtime state -- "$ID"
  run -1 runtime kill "$ID" -- -5
  [[ "$output" == *"unable to signal init: invalid argument"* ]]
  run -1 runtime ps -f yaml "$ID"
  [[ "$output" == *"invalid format option"* ]]
  run -1 runtime ps "$ID" -o comm
  [[ "$output" == *"couldn't find PID field in ps output"* ]]
}

@test "options may stand behind the arguments, but not where those are somebody else's" {
  background
  runtime update "$ID" --pids-limit 21
  [ "$(runtime events "$ID" --stats | json '["data"]["pids"]["limit"]')" = 21 ]
  run -0 runtime exec "$ID" echo -t --user 7
  [ "$output" = "-t --user 7" ]
  run -0 runtime ps "$ID" -o pid,comm
  [[ "${lines[1]}" == *"$(runtime state "$ID" | json '["pid"]') "* ]]
  run -1 runtime kill "$ID" -1
  [[ "$output" == *"unable to signal init: invalid argument"* ]]
  run -1 runtime delete "$ID" -- -f
  [[ "$output" == *"Incorrect Usage"* ]]
  runtime delete "$ID" --force
  nothing_left
}

@test "update: flags, a file, standard input; what cannot be is named" {
  background
  runtime update --pids-limit 20 "$ID"
  limit() { runtime events --stats "$ID" | json '["data"]'"$1"; }
  [ "$(limit '["pids"]["limit"]')" = 20 ]
  runtime update --memory 64m --memory-swap 128m "$ID"
  [ "$(limit '["memory"]["usage"]["limit"]')" = 67108864 ]
  echo '{"pids": {"limit": 31}, "memory": {"limit": 33554432}}' >"$T/resources.json"
  runtime update -r "$T/resources.json" "$ID"
  [ "$(limit '["pids"]["limit"]') $(limit '["memory"]["usage"]["limit"]')" = "31 33554432" ]
  echo '{"pids": {"limit": 32}}' | runtime update -r - "$ID"
  [ "$(limit '["pids"]["limit"]')" = 32 ]
  run -1 runtime update --memory lots "$ID"
  [[ "$output" == *"invalid value for memory: invalid size: 'lots'"* ]]
  run -1 runtime update --cpu-share=-1 "$ID"
  [[ "$output" == *'invalid value for cpu-share: strconv.ParseUint: parsing \"-1\": invalid syntax'* ]]
  if [ -d /sys/fs/cgroup/memory ]; then # version 2 takes it, and takes the memory too
    run -1 runtime update --memory 4 "$ID"
    [[ "$output" =~ "unable to set memory limit to 4 (current usage: "[0-9]+", peak usage: "[0-9]+")" ]]
  fi
  # What came before the limit that is refused is as it was.
  run -1 runtime update --memory 48m --cpu-share 300 --cpuset-cpus 4000 "$ID"
  [[ "$output" == *"set cpuset.cpus to"* ]]
  [[ "$output" != *"could not be set back"* ]]
  [ "$(limit '["memory"]["usage"]["limit"]')" = 33554432 ]
  run -1 runtime update --l3-cache-schema L3:0=f "$ID"
  [[ "$output" == *"l3 cache schema is not enabled"* ]]
  run -0 runtime update --kernel-memory 1 "$ID"
  [[ "$output" == *"Kernel memory settings are ignored"* ]]
  run -1 runtime update -r "$T/none" "$ID"
  [[ "$output" == *"no such file or directory"* ]]
}

@test "events: counters in runc's shape, again and again until the end" {
  background
  run -0 runtime events --stats "$ID"
  [ "$(json '["type"]' <<<"$output")" = '"stats"' ]
  [ "$(python3 -c 'import json, sys; print(*json.load(sys.stdin)["data"])' <<<"$output")" = "cpu cpuset memory pids blkio hugetlb intel_rdt network_interfaces" ]
  [ "$(json '["data"]["cpu"]["usage"]["total"] > 0' <<<"$output")" = true ]
  [ "$(json '["data"]["memory"]["usage"]["usage"] > 0' <<<"$output")" = true ]
  [ "$(json '["data"]["pids"]["current"]' <<<"$output")" = 1 ]
  runtime events --interval 20ms "$ID" >"$T/events" 3>&- &
  local reader=$!
  three() { [ "$(wc -l <"$T/events")" -ge 3 ]; }
  eventually 20 three
  runtime kill "$ID" KILL
  wait $reader
}

@test "the log: a file besides standard error, text or JSON" {
  run -1 --separate-stderr runtime --log "$T/log" --log-format json run -b "$T" "$ID"
  [ "$stderr" = "skiff-runtime run failed: JSON specification file config.json not found" ]
  [ "$(json '["level"]' <"$T/log")" = '"error"' ]
  [ "$(json '["msg"]' <"$T/log")" = '"skiff-runtime run failed: JSON specification file config.json not found"' ]
  [ "$(python3 -c 'import json, sys; print(*json.load(sys.stdin))' <"$T/log")" = "level msg time" ]
  rm "$T/log"
  run -0 --separate-stderr runtime --debug --log "$T/log" run -b "$B" "$ID"
  grep -q "level=debug msg=\"container $ID: first process" "$T/log"
  [ -z "$stderr" ]
  run -1 runtime --log-format yaml list
  [[ "$output" == *"invalid log-format: yaml"* ]]
}

@test "spec: a bundle that runs, also for an ordinary user; never over another" {
  mkdir "$T/new"
  runtime spec -b "$T/new"
  [ "$(json '["mounts"][1]' <"$T/new/config.json")" = '{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]}' ]
  run -1 runtime spec -b "$T/new"
  [[ "$output" == *"File config.json exists. Remove it first"* ]]
  rm "$T/new/config.json"
  runtime spec --rootless -b "$T/new"
  [ "$(json '["linux"]["uidMappings"]' <"$T/new/config.json")" = '[{"containerID": 0, "hostID": 0, "size": 1}]' ]
  [[ "$(json '["linux"]["namespaces"]' <"$T/new/config.json")" != *network* ]]
  run -1 runtime spec -b "$T/none"
  [[ "$output" == *"chdir $T/none: no such file or directory"* ]]
}

@test "features: what containerd and Podman ask for" {
  run -0 runtime features
  [ "$(json '["linux"]["mountExtensions"]["idmap"]["enabled"]' <<<"$output")" = true ]
  [ "$(json '["linux"]["namespaces"]' <<<"$output")" = '["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]' ]
  [[ "$(json '["mountOptions"]' <<<"$output")" == *'"rro"'*'"tmpcopyup"'* ]]
  [ "$(json '["annotations"]["org.opencontainers.runc.checkpoint.enabled"]' <<<"$output")" = '"true"' ]
}

@test "checkpoint and restore: what cannot be is said, and nothing changes" {
  background
  PATH=/nowhere run -1 runtime checkpoint --image-path "$T/image" "$ID"
  [[ "$output" == *'CRIU version check failed: exec: \"criu\": executable file not found in $PATH'* ]]
  mkdir "$T/bin"
  printf '#!/bin/sh\nexit 3\n' >"$T/bin/criu"
  chmod +x "$T/bin/criu"
  PATH=$T/bin:$PATH run -1 runtime checkpoint --image-path "$T/image" "$ID"
  [[ "$output" == *"CRIU version check failed: criu ended without an answer: exit status 3"* ]]
  run -1 runtime checkpoint --manage-cgroups-mode odd "$ID"
  [[ "$output" == *"invalid manage-cgroups-mode value"* ]]
  run -1 runtime checkpoint --empty-ns pid "$ID"
  [[ "$output" == *'namespace \"pid\" is not supported'* ]]
  run -1 runtime checkpoint --image-path "$T/image" --page-server localhost "$ID"
  [[ "$output" == *"Use --page-server ADDRESS:PORT to specify page server"* ]]
  run -1 runtime checkpoint --image-path "$T/image" --page-server localhost:x "$ID"
  [[ "$output" == *"Invalid port number"* ]]
  run -1 runtime checkpoint --image-path "$T/image" --parent-path /elsewhere "$ID"
  [[ "$output" == *"--parent-path must be relative"* ]]
  run -1 runtime checkpoint --image-path "$T/image" --parent-path ../none "$ID"
  [[ "$output" == *"invalid --parent-path: stat $T/image/../none: no such file or directory"* ]]
  run -1 runtime checkpoint --image-path "$T/image" --lazy-pages --status-fd 77 "$ID"
  [[ "$output" == *"invalid --status-fd argument 77: bad file descriptor"* ]]
  has_status running
  run -1 runtime restore -b "$B" --image-path "$T/image" "$ID"
  [[ "$output" == *"container with given ID already exists"* ]]
  run -1 runtime restore -b "$B" --image-path "$T/none" other
  [[ "$output" == *"$T/none/descriptors.json: no such file or directory"* ]]
  echo '[]' >"$T/image/descriptors.json"
  PATH=$T/bin:$PATH run -1 runtime restore -b "$B" --image-path "$T/image" other
  [[ "$output" == *"criu ended without an answer"* ]]
  [ ! -e "$T/state/other" ]
  [ -z "$(find /sys/fs/cgroup -type d -name other)" ]
  run -1 runtime delete other
  [[ "$output" == *"container does not exist"* ]]
  runtime kill "$ID" KILL
  eventually 20 has_status stopped
  run -1 runtime checkpoint --image-path "$T/image" "$ID"
  [[ "$output" == *"Container cannot be checkpointed in stopped state"* ]]
}

# What criu itself does, and tests/conformance/engines has the rest of.
@test "a container is checkpointed and goes on where it was" {
  criu check >/dev/null 2>&1 || skip "criu does not work here"
  program /bin/sh -c 'trap "exit 7" TERM; i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.05; done'
  runtime run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1
  counted() { [ "$(cat "$B/rootfs/count" 2>/dev/null || echo 0)" -gt "$1" ]; }
  eventually 20 counted 2
  runtime checkpoint --leave-running --image-path "$T/first" "$ID"
  has_status running
  runtime checkpoint --image-path "$T/image" --work-path "$T/work" "$ID"
  [ -s "$T/work/dump.log" ]
  nothing_left
  local reached
  reached=$(cat "$B/rootfs/count")
  runtime restore -d -b "$B" --image-path "$T/image" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>&1
  [ "$(runtime state "$ID" | json '["pid"]')" = "$(cat "$T/pid")" ]
  eventually 20 counted "$reached"
  runtime checkpoint --image-path "$T/image" "$ID"
  runtime restore -b "$B" --image-path "$T/image" "$ID" </dev/null >/dev/null 2>&1 3>&- &
  eventually 20 has_status running
  runtime kill "$ID"
  local code=0
  wait $! || code=$?
  [ "$code" = 7 ]
  nothing_left
}

@test "a stream to the host's null device is the container's own" {
  program /bin/sh -c '[ "$(stat -L -c %d /proc/self/fd/0)" = "$(stat -c %d /dev/null)" ] && echo same'
  run -0 run_bundle
  [ "$output" = same ]
}

@test "an ordinary user runs a container, looks into it and removes it" {
  chmod 755 "$E2E_DIR" "$T" "$B"
  cp "$RUNTIME" "$T/program"
  rm "$B/config.json"
  "$RUNTIME" spec --rootless -b "$B"
  configure 'c["process"]["terminal"] = False; c["process"]["oomScoreAdj"] = 300; c["process"]["args"] = ["sleep", "100"]; c["linux"]["uidMappings"][0]["hostID"] = c["linux"]["gidMappings"][0]["hostID"] = 1000; c["linux"]["namespaces"].append({"type": "time"}); c["linux"]["timeOffsets"] = {"boottime": {"secs": 5000000}}'
  chown -R 1000:1000 "$T"
  user() { setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all --bounding-set=-all "$T/program" --root "$T/mine" "$@"; }
  user run -d -b "$B" "$ID" </dev/null >"$T/said" 2>&1 3>&-
  [ ! -s "$T/said" ]
  run -0 user exec "$ID" sh -c 'id -u; cat /proc/self/oom_score_adj; cut -d. -f1 /proc/uptime'
  [ "${lines[0]} ${lines[1]}" = "0 300" ]
  [ "${lines[2]}" -gt 5000000 ]
  [ "$(user state "$ID" | json '["status"]')" = '"running"' ]
  user delete -f "$ID"
  nothing_left
  [ ! -e "$T/mine/$ID" ]
}

@test "what crun's users know: --config, delete --regex, keep_original_groups" {
  mv "$B/config.json" "$T/elsewhere.json"
  run -0 runtime run -b "$B" --config "$T/elsewhere.json" "$ID"
  mv "$T/elsewhere.json" "$B/config.json"
  configure 'c["annotations"] = {"run.oci.keep_original_groups": "1"}'
  program /bin/sleep 100
  setpriv --groups 1,2,3 "$RUNTIME" --root "$T/state" run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1
  run -0 grep Groups "/proc/$(runtime state "$ID" | json '["pid"]')/status"
  [[ "$output" =~ 1\ 2\ 3 ]]
  runtime delete -f --regex "^${ID%?}.\$"
  nothing_left
}
