# Containers made by other OCI runtimes: crun and runc as Debian has them, and one that fails on demand.
load lib

# crun refuses a hybrid host as long as the tree of version 2 has controllers. On some that is hugetlb alone: it is given to version 1
# for the time of this file, unless somebody uses it.
V2=/sys/fs/cgroup/unified
crun_refuses() { [ -n "$(cat "$V2/cgroup.controllers" 2>/dev/null)" ]; }
free_controllers() {
  crun_refuses || return 0
  mkdir "$E2E_DIR/hugetlb"
  is_given() { # what the last engine removed is not gone at once
    { echo -hugetlb >"$V2/cgroup.subtree_control"; } 2>/dev/null || true
    mount -t cgroup -o hugetlb cgroup "$E2E_DIR/hugetlb" 2>/dev/null
  }
  eventually 5 is_given 2>/dev/null || rmdir "$E2E_DIR/hugetlb"
}

engine_options() {
  free_controllers
  cp "$HERE/fake_runtime" "$E2E_DIR/fake"
  cat >"$E2E_DIR/daemon.json" <<END
{"runtimes": {"crun": {"path": "/usr/bin/crun"}, "runc": {"path": "/usr/sbin/runc"}, "extra": {"path": "runc", "runtimeArgs": ["--debug"]},
 "fake": {"path": "$E2E_DIR/fake"}, "missing": {"path": "/no/such/runtime"}, "bare": {"path": "no-such-runtime"}}}
END
  printf '%s\n' --config-file "$E2E_DIR/daemon.json"
}

# crun makes plain directories where it expects a hierarchy that the kernel has, but that is mounted elsewhere.
forget_unmounted_cgroups() {
  local place
  for place in /sys/fs/cgroup/*/; do
    mountpoint -q "$place" && continue
    rm -rf "${place}skiff-$(printf %s "$1/run" | sha256sum | cut -c1-12)"
    rmdir "$place" 2>/dev/null || true
  done
}
eval "ends_engine$(declare -f teardown_file | tail -n +2 | sed '1s/^/() /')"
teardown_file() {
  if [ "$E2E_ENGINE" != docker ]; then
    forget_unmounted_cgroups "$E2E_DIR"
    [ ! -d "$E2E_DIR/hugetlb" ] || umount -l "$E2E_DIR/hugetlb"
  fi
  ends_engine
}

setup() { rm -f "$E2E_DIR/fake.trouble"; }
trouble() { printf '%s\n' "$@" >"$E2E_DIR/fake.trouble"; } # "VERB HOW" ...

# No container is there: nothing of one may be.
nothing_is_left() {
  rm -f "$E2E_DIR/fake.trouble"
  gone() { [ -z "$(ls "$E2E_DIR/run/containers")" ] && ! pgrep -f "$E2E_DIR/run/containers" >/dev/null; }
  eventually 10 gone
}

# On the real Docker only its own runc is registered.
each() { # COMMAND...: once with each runtime as $RUNTIME
  local list="crun runc"
  if crun_refuses; then
    echo "# crun is left out: it refuses a hybrid host whose version 2 tree has controllers" >&3
    list=runc
  fi
  [ "$E2E_ENGINE" != docker ] || list=runc
  for RUNTIME in $list; do
    "$@" || { echo "with the runtime $RUNTIME" >&2; return 1; }
    teardown
  done
}
ours() { [ "$E2E_ENGINE" != docker ] || skip "of this engine"; }
box() { engine run --runtime "$RUNTIME" "$@"; }
name() { echo "e2e-$BATS_TEST_NUMBER-$RUNTIME-$1"; }

sleeper() { # NAME [OPTIONS]
  local name=$1; shift
  box -d --name "$name" "$@" e2e-busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done' >/dev/null
  eventually 20 has_said "$name" ready
}

is_what_was_asked_for() {
  run -0 box --rm -e A=b -w /tmp -u 1000:1000 --hostname here e2e-busybox sh -c 'echo $A $PWD $(id -u) $(hostname); echo err >&2'
  [[ $output == *"b /tmp 1000 here"* && $output == *err* ]]
  run -7 box --rm e2e-busybox sh -c 'exit 7'
  run -0 box --rm -i e2e-busybox cat <<<"through"
  [ "$output" = through ]
  box --name "$(name c)" e2e-busybox true
  run -0 engine inspect --format '{{.HostConfig.Runtime}} {{.State.Status}} {{.State.ExitCode}}' "$(name c)"
  [ "$output" = "$RUNTIME exited 0" ]
}
@test "run: output, input, exit code, user, directory, environment" { each is_what_was_asked_for; }

has_the_same_rights() {
  local probe='grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/1/status; cat /proc/1/oom_score_adj; ls /dev; mount | grep -c "^overlay on / "; unshare -m true || echo refused'
  run -0 box --rm --cap-add NET_ADMIN --cap-drop CHOWN --oom-score-adj 77 e2e-busybox sh -c "$probe"
  local theirs=$output
  run -0 engine run --rm --cap-add NET_ADMIN --cap-drop CHOWN --oom-score-adj 77 e2e-busybox sh -c "$probe"
  diff <(echo "$theirs") <(echo "$output")
  [[ $theirs == *refused* ]]
}
@test "rights are those of any container" { each has_the_same_rights; }

knows_its_failures() {
  run -127 box --name "$(name a)" e2e-busybox no-such-program
  [[ $output == *"OCI runtime create failed: "*"no-such-program"*"not found in \$PATH"* ]]
  run -0 engine inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$(name a)"
  [ "$output" = "created 127" ]
  run -126 box --rm e2e-busybox /etc/passwd
  [[ ${output,,} == *"permission denied"* ]]
}
@test "127 and 126: a program that is missing or cannot be executed" { each knows_its_failures; }

@test "125: a runtime that nobody knows, is missing, or fails" {
  run -125 engine run --rm --runtime nope e2e-busybox true
  [[ $output == *"Error response from daemon: unknown or invalid runtime name: nope"* ]]
  ours
  run -127 engine run --rm --runtime missing e2e-busybox true
  [[ $output == *"failed to create task for container: failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open "*"log.json: no such file or directory): fork/exec /no/such/runtime: no such file or directory"* ]]
  run -127 engine run --rm --runtime bare e2e-busybox true
  [[ $output == *'exec: "no-such-runtime": executable file not found in $PATH'* ]]
  trouble "create log"
  run -125 engine run --rm --runtime fake e2e-busybox true
  [[ $output == *"failed to create shim task: OCI runtime create failed: the log sentence"* ]]
  trouble "create nothing"
  run ! engine run --rm --runtime fake e2e-busybox true
  [[ $output == *"failed to create shim task: failed to retrieve OCI runtime container pid: open "*"init.pid: no such file or directory"* ]]
  trouble "start log"
  run -125 engine run --rm --runtime fake e2e-busybox true
  [[ $output == *"Error response from daemon: OCI runtime start failed: the log sentence"* ]]
  nothing_is_left
}

@test "each verb that fails says so, and the container can be removed all the same" {
  ours
  RUNTIME=fake
  sleeper "$(name c)"
  id=$(engine inspect --format '{{.Id}}' "$(name c)")
  trouble "exec log" "pause log" "update silent" "kill silent" "ps silent" "delete log"
  run ! engine exec "$(name c)" true
  [[ $output == *"OCI runtime exec failed: the log sentence"* ]]
  run -1 engine pause "$(name c)"
  [[ $output == *"cannot pause container $id: OCI runtime pause failed: the log sentence"* ]]
  run -1 engine update --pids-limit 50 "$(name c)"
  [[ $output == *"Cannot update container $id: $E2E_DIR/fake did not terminate successfully: exit status 3"* ]]
  run -1 engine kill -s USR1 "$(name c)"
  [[ $output == *"cannot kill container: $(name c): Cannot kill container $id: unknown error after kill: "*"exit status 3"* ]]
  run -1 engine top "$(name c)"
  [[ $output == *"did not terminate successfully: exit status 3"* ]]
  run -0 engine rm -f "$(name c)"
  nothing_is_left
}

executes() {
  sleeper "$(name c)" -u 1000
  run -7 engine exec "$(name c)" sh -c 'exit 7'
  run -0 engine exec -i -e X=y -w /tmp "$(name c)" sh -c 'cat; echo $X $PWD; id -u; cat /proc/self/oom_score_adj' <<<"in"
  [ "$output" = $'in\ny /tmp\n1000\n0' ]
  run -127 engine exec "$(name c)" no-such-program
  [[ $output == *"OCI runtime exec failed: "*"no-such-program"* ]]
  run -126 engine exec "$(name c)" /etc/passwd
  engine exec -d "$(name c)" touch /tmp/later
  eventually 10 engine exec "$(name c)" test -e /tmp/later
  run -4 on_terminal size=33x77 -- exec -it "$(name c)" sh -c 'stty size; echo $TERM; exit 4'
  [ "${lines[*]}" = "33 77 xterm" ]
  run -5 on_terminal expect=ready size=40x100 'expect=40 100' 'send=\x03' expect=int -- exec -it "$(name c)" sh -c "$WAITING"
}
@test "exec: exit codes, input, user, terminal" { each executes; }

# Answers a resize with the size and SIGINT with 5.
WAITING='trap "stty size" WINCH; trap "echo int; exit 5" INT; echo ready; while :; do sleep 0.1; done'

has_a_terminal() {
  run -0 on_terminal size=33x77 -- run -it --rm --runtime "$RUNTIME" e2e-busybox sh -c 'stty size; echo $TERM; tty'
  [ "${lines[*]}" = "33 77 xterm /dev/pts/0" ]
  run -5 on_terminal expect=ready size=40x100 'expect=40 100' 'send=\x03' expect=int -- run -it --rm --runtime "$RUNTIME" e2e-busybox sh -c "$WAITING"
  box -dit --name "$(name c)" e2e-busybox sh -c 'read line; echo "got $line"; exit 6' >/dev/null
  run -6 on_terminal 'send=one\r' 'expect=got one' -- attach "$(name c)"
}
@test "a terminal: size, resize, exit code" { each has_a_terminal; }

obeys() {
  sleeper "$(name c)"
  engine pause "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.Status}}' paused
  engine unpause "$(name c)" >/dev/null
  run -0 engine top "$(name c)"
  [[ $output == *"sleep 0.05"* || $output == *"sh -c"* ]]
  run -0 engine stats --no-stream --format '{{.PIDs}}' "$(name c)"
  [ "$output" -ge 1 ]
  engine stop "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.ExitCode}}' 5
  engine start "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.Status}}' running
  engine restart -t 2 "$(name c)" >/dev/null
  engine pause "$(name c)" >/dev/null
  engine kill "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.ExitCode}}' 137
  engine rm "$(name c)" >/dev/null
}
@test "pause, top, stats, stop, start, restart, kill, rm" { each obeys; }

passes_signals() {
  box -d --name "$(name c)" e2e-busybox sh -c 'trap "echo got USR1; exit 9" USR1; echo ready; while :; do sleep 0.05; done' >/dev/null
  eventually 20 has_said "$(name c)" ready
  engine kill -s USR1 "$(name c)" >/dev/null
  run -0 engine wait "$(name c)"
  [ "$output" = 9 ]
}
@test "kill -s" { each passes_signals; }

is_limited() {
  sleeper "$(name c)" --memory 64m --pids-limit 40
  run -0 engine exec "$(name c)" sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'
  [ "$output" = 67108864 ]
  engine update --memory 128m --memory-swap 128m "$(name c)" >/dev/null
  run -0 engine exec "$(name c)" sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null'
  [ "$output" = 134217728 ]
  run -137 box --name "$(name oom)" --memory 16m --memory-swap 16m e2e-busybox sh -c 'tail /dev/zero & wait $!; kill -9 $$; exit $?'
  run -137 box --name "$(name oom2)" --memory 16m --memory-swap 16m e2e-busybox tail /dev/zero
  shows "$(name oom2)" '{{.State.OOMKilled}}' true
}
@test "limits, update, out of memory" { each is_limited; }

is_networked() {
  engine network create "$(name net)" >/dev/null
  sleeper "$(name c)" --network "$(name net)"
  run -0 box --rm --network "$(name net)" e2e-busybox ping -c 1 -W 5 "$(name c)"
  run -0 box --rm e2e-busybox sh -c 'ip -o addr | grep -c eth0'
  box -d --name "$(name web)" -p 127.0.0.1::80 e2e-busybox sh -c 'echo hello >/tmp/index.html; httpd -f -p 80 -h /tmp' >/dev/null
  local port
  port=$(engine port "$(name web)" 80 | head -1 | sed 's/.*://')
  eventually 20 curl -sf --max-time 5 "http://127.0.0.1:$port/" >/dev/null
  engine rm -f "$(name c)" "$(name web)" >/dev/null
  engine network rm "$(name net)" >/dev/null
}
@test "networks, names and published ports" { each is_networked; }

mounts() {
  mkdir -p "$E2E_DIR/bind"
  echo host >"$E2E_DIR/bind/file"
  run -0 box --rm --read-only -v "$E2E_DIR/bind:/b:ro" -v "$(name vol):/v" --tmpfs /t:size=1m e2e-busybox \
    sh -c 'cat /b/file; echo v >/v/x; touch /t/x /b/y /z; cat /etc/hosts | grep -c localhost; df /t | grep -c 1024'
  [[ $output == *host* && $output == *"/b/y: Read-only file system"* && $output == *"/z: Read-only file system"* ]]
  run -0 box --rm -v "$(name vol):/v" e2e-busybox cat /v/x
  [ "$output" = v ]
  engine volume rm "$(name vol)" >/dev/null
  sleeper "$(name c)"
  echo copied >"$E2E_DIR/in"
  engine cp "$E2E_DIR/in" "$(name c):/tmp/in"
  run -0 engine exec "$(name c)" cat /tmp/in
  [ "$output" = copied ]
  engine cp "$(name c):/tmp/in" "$E2E_DIR/out"
  cmp "$E2E_DIR/in" "$E2E_DIR/out"
}
@test "binds, volumes, tmpfs, read-only roots, cp" { each mounts; }

is_unseen() {
  awk '{print $5}' /proc/self/mountinfo | sort >"$E2E_DIR/mounts-before"
  sleeper "$(name c)"
  awk '{print $5}' /proc/self/mountinfo | sort | diff "$E2E_DIR/mounts-before" -
}
@test "nothing is mounted in the host's namespace" { ours; each is_unseen; }

takes_every_option() {
  sleeper "$(name c)" --ipc shareable
  run -0 box --rm --network "container:$(name c)" --pid "container:$(name c)" --ipc "container:$(name c)" e2e-busybox sh -c 'ps | grep -c "trap .exit"'
  [ "$output" -ge 1 ]
  run -0 engine run --rm --network "container:$(name c)" e2e-busybox sh -c 'ip -o addr | grep -c eth0'
  run -0 box --rm --ulimit nofile=123:456 --sysctl net.ipv4.ip_forward=1 --device /dev/zero:/dev/mine --add-host there:10.9.8.7 --shm-size 2m \
    e2e-busybox sh -c 'ulimit -n; cat /proc/sys/net/ipv4/ip_forward; head -c 3 /dev/mine | wc -c; grep there /etc/hosts; df /dev/shm | grep -c 2048'
  [[ $output == *123*1*3*10.9.8.7*there*1* ]]
  run -0 box --rm --privileged e2e-busybox sh -c 'mount -t tmpfs tmpfs /mnt 2>&1 || mkdir /mnt && mount -t tmpfs tmpfs /mnt && grep CapEff /proc/1/status'
  run -0 box --rm --security-opt no-new-privileges --security-opt seccomp=unconfined e2e-busybox grep -E '^(NoNewPrivs|Seccomp):' /proc/1/status
  [ "${lines[*]}" = $'NoNewPrivs:\t1 Seccomp:\t0' ]
}
@test "namespaces of others, ulimits, sysctls, devices, privileged" { each takes_every_option; }

has_an_init() {
  run -9 box --rm --init e2e-busybox sh -c 'tr "\0" " " </proc/1/cmdline; exit 9'
  [[ $output == *docker-init* ]]
  run -127 box --rm --init e2e-busybox no-such-program
  [[ $output == *"[FATAL tini ("*"exec no-such-program failed: No such file or directory"* ]]
  sleeper "$(name c)" --init
  engine exec "$(name c)" sh -c '(sleep 0.01 &) ; exit 0'
  no_zombies() { [ "$(engine exec "$(name c)" sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l')" = 0 ]; }
  eventually 10 no_zombies
  engine stop -t 5 "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.ExitCode}}' 5
}
@test "--init" { each has_an_init; }

leaves_no_zombies() {
  box -d --name "$(name c)" --pid host e2e-busybox sh -c 'for i in 1 2 3 4 5; do (sleep 0.01 &); done; exec sleep 1000' >/dev/null
  local monitor
  monitor=$(engine inspect --format '{{.State.Pid}}' "$(name c)")
  monitor=$(awk '/^PPid:/ {print $2}' "/proc/$monitor/status")
  alone() { [ "$(wc -w <"/proc/$monitor/task/$monitor/children")" = 1 ]; }
  eventually 10 alone
}
@test "the monitor reaps the orphans of --pid host" { ours; each leaves_no_zombies; }

is_checked() {
  box -d --name "$(name c)" --health-cmd 'test -e /tmp/well' --health-interval 200ms --health-retries 1 e2e-busybox sleep 1000 >/dev/null
  eventually 20 shows "$(name c)" '{{.State.Health.Status}}' unhealthy
  engine exec "$(name c)" touch /tmp/well
  eventually 20 shows "$(name c)" '{{.State.Health.Status}}' healthy
}
@test "health checks" { each is_checked; }

restarts() {
  box -d --name "$(name c)" --restart on-failure:2 e2e-busybox sh -c 'echo once; exit 3' >/dev/null
  eventually 20 shows "$(name c)" '{{.RestartCount}} {{.State.Status}}' "2 exited"
  [ "$(engine logs "$(name c)" | grep -c once)" = 3 ]
}
@test "restart policies" { each restarts; }

# kill_daemon [PID ...]: it and others, at the same moment.
kill_daemon() {
  local daemon
  daemon=$(cat "$E2E_DIR/pid")
  kill -KILL "$daemon" "$@"
  daemon_gone() { ! kill -0 "$daemon" 2>/dev/null; }
  eventually 20 daemon_gone
}

outlives_the_daemon() {
  sleeper "$(name c)"
  box -d --name "$(name ends)" e2e-busybox sh -c 'echo before; until [ -e /tmp/go ]; do sleep 0.05; done; echo after; exit 6' >/dev/null
  eventually 20 has_said "$(name ends)" before
  local pid
  pid=$(engine inspect --format '{{.State.Pid}}' "$(name ends)")
  kill_daemon
  touch "/proc/$pid/root/tmp/go"
  process_gone() { [ ! -e "/proc/$pid" ]; }
  eventually 20 process_gone
  start_engine
  eventually 20 shows "$(name ends)" '{{.State.Status}} {{.State.ExitCode}}' "exited 6"
  [[ $(engine logs "$(name ends)") == *after* ]]
  shows "$(name c)" '{{.State.Status}}' running
  run -4 engine exec "$(name c)" sh -c 'exit 4'
  engine stop "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.ExitCode}}' 5
}
@test "containers outlive the daemon" { ours; each outlives_the_daemon; }

ends_with_its_monitor() {
  sleeper "$(name c)"
  local pid monitor
  pid=$(engine inspect --format '{{.State.Pid}}' "$(name c)")
  monitor=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
  kill -KILL "$monitor"
  eventually 20 shows "$(name c)" '{{.State.Status}} {{.State.ExitCode}}' "exited 137"
  [ ! -e "/proc/$pid" ]
  engine start "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.Status}}' running
  # And with the daemon away.
  pid=$(engine inspect --format '{{.State.Pid}}' "$(name c)")
  monitor=$(awk '/^PPid:/ {print $2}' "/proc/$pid/status")
  kill_daemon "$monitor"
  start_engine
  eventually 20 shows "$(name c)" '{{.State.Status}} {{.State.ExitCode}}' "exited 137"
  process_gone() { [ ! -e "/proc/$pid" ]; }
  eventually 10 process_gone
  engine rm "$(name c)" >/dev/null
  nothing_is_left
}
@test "a monitor that is killed leaves nothing" { ours; each ends_with_its_monitor; }

@test "info shows the runtimes" {
  ours
  run -0 engine info
  local name
  for name in crun runc skiff extra missing; do [[ $output =~ Runtimes:.*$name ]]; done
  [[ $output == *"Default Runtime: skiff"* ]]
  run -0 api GET /info
  [ "$(jq -c '.Runtimes.crun.path, (.Runtimes.extra | {path, runtimeArgs})' <<<"$output")" = $'"/usr/bin/crun"\n{"path":"runc","runtimeArgs":["--debug"]}' ]
  # What each says of itself, as `features` prints it; one that is not there says nothing.
  features() { jq -r --arg name "$1" '.Runtimes[$name].status["org.opencontainers.runtime-spec.features"] // "{}"' <<<"$output" | jq -c "$2"; }
  for name in runc extra skiff; do [ "$(features "$name" '.ociVersionMin, .hooks[0]')" = $'"1.0.0"\n"prestart"' ]; done
  local crun_says
  crun_says=$(crun features 2>/dev/null) || crun_says='{}'  # before 1.9 it did not know the question
  [ "$(features crun .)" = "$(jq -c . <<<"$crun_says")" ]
  [ "$(features runc .)" = "$(runc features | jq -c .)" ]
  [ "$(features skiff .)" = "$("$SKIFF_BIN/skiff-runtime" features | jq -c .)" ]
  for name in missing bare; do [ "$(jq -c --arg name $name '.Runtimes[$name] | keys' <<<"$output")" = '["path"]' ]; done
  # A client in Docker's tongue finds it where it looks for it.
  [[ $(engine info --format '{{json .Runtimes}}') == *'"org.opencontainers.runtime-spec.features":"{\"ociVersionMin\"'* ]]
}

@test "arguments of a runtime, and one whose name has no slash" {
  ours
  run -0 engine run --rm --runtime extra e2e-busybox echo hi
  [[ $output == *hi* ]]
}

@test "the configuration is checked" {
  ours
  wrong() { # SENTENCE ARGS
    local sentence=$1; shift
    run -1 "$SKIFF_BIN/skiffd" --validate --config-file "$E2E_DIR/daemon.json" "$@"
    [[ $output == *"$sentence"* ]] || { echo "$output" >&2; return 1; }
  }
  wrong "invalid runtime argument: foo" --add-runtime foo
  wrong "runtime name 'skiff' is reserved" --add-runtime skiff=/x
  wrong "runtime 'a' was already defined" --add-runtime a=/x --add-runtime A=/y
  wrong "specified default runtime 'nope' does not exist" --default-runtime nope
  run -0 "$SKIFF_BIN/skiffd" --validate --config-file "$E2E_DIR/daemon.json" --default-runtime extra
}

@test "a default runtime" {
  ours
  local dir
  dir=$(mktemp -d /tmp/skiff-e2e-XXXXXX)
  engine_start "$dir" --add-runtime second=/usr/sbin/runc --default-runtime second
  mkdir "$dir/context"
  cp "$E2E_DIR/base/rootfs.tar" "$dir/context"
  printf 'FROM scratch\nADD rootfs.tar /\nRUN echo built >/built\n' >"$dir/context/Dockerfile"
  local other=("$SKIFF_BIN/skiff" -H "unix://$dir/skiff.sock")
  "${other[@]}" build -q -t box "$dir/context" >/dev/null
  run -0 "${other[@]}" run --name one box cat /built
  [ "$output" = built ]
  run -0 "${other[@]}" inspect --format '{{.HostConfig.Runtime}}' one
  [ "$output" = second ]
  # Without the program in the configuration the container is there, and says why it does not start.
  "${other[@]}" create --name two box true >/dev/null
  kill -TERM "$(cat "$dir/pid")"
  engine_gone() { ! kill -0 "$(cat "$dir/pid")" 2>/dev/null; }
  eventually 20 engine_gone
  engine_start "$dir"
  run -1 "${other[@]}" start two
  [[ $output == *"unknown or invalid runtime name: second"* ]]
  engine_stop "$dir"
  forget_unmounted_cgroups "$dir"
  rm -rf "$dir"
}
