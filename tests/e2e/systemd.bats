# The engine with native.cgroupdriver=systemd: the cgroups of containers are scopes that systemd makes. Here a stand-in (systemd.py) is all
# that the engine sees of systemd; tests/vm runs on the real one.
load lib

engine_options() {
  printf '%s\n' --exec-opt native.cgroupdriver=systemd --add-runtime "other=$SKIFF_BIN/skiff-runtime"
}
eval "starts_engine$(declare -f start_engine | tail -n +2 | sed '1s/^/() /')"
# Below /run the engine has a world of its own, in which $RUN makes what the engine sees: $0 is the bus.
RUN='mkdir -p /run/systemd/system /run/dbus && ln -s "$0" /run/dbus/system_bus_socket'
start_engine() {
  if [ ! -S "$E2E_DIR/bus" ]; then
    setsid python3 "$HERE/systemd.py" "$E2E_DIR/bus" "$E2E_DIR/told" >"$E2E_DIR/bus.log" 2>&1 </dev/null 3>&- 4>&- &
    echo $! >"$E2E_DIR/bus.pid"
    listens() { grep -q listening "$E2E_DIR/bus.log"; }
    eventually 10 listens
  fi
  ENGINE_UNDER=(unshare -m --propagation slave bash -c "mount -t tmpfs run /run && $RUN && exec \"\$@\"" "$E2E_DIR/bus")
  starts_engine
}

eval "ends_engine$(declare -f teardown_file | tail -n +2 | sed '1s/^/() /')"
teardown_file() {
  local failed=0
  [ "$E2E_ENGINE" = docker ] || engine_removed || failed=1
  ends_engine || failed=1
  return $failed
}
# What remains are slices, which systemd itself removes when nothing is in them.
engine_removed() {
  local ids
  ids=$(engine ps -aq)
  [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
  kill "$(cat "$E2E_DIR/bus.pid")"
  [ ! -s "$E2E_DIR/bus.log" ] || ! grep -A9 Traceback "$E2E_DIR/bus.log" || return 1
  [ -S /run/systemd/private ] || find /sys/fs/cgroup -depth -type d '(' -name system.slice -o -path '*/skifftest.slice*' ')' -exec rmdir {} +
}

setup() {
  [ "$E2E_ENGINE" != docker ] || skip "a systemd of our own"
  : >"$E2E_DIR/told"
}

told() { grep -qxE -- "$1" "$E2E_DIR/told" || { echo "not told: $1" >&2; cat "$E2E_DIR/told" >&2; return 1; }; }
id_of() { engine inspect --format '{{.Id}}' "$1"; }
pid_of() { engine inspect --format '{{.State.Pid}}' "$1"; }
limit() { cat "/sys/fs/cgroup/"{"$1/",}"$2/$3" 2>/dev/null; } # CONTROLLER CGROUP FILE, in either version
# Every cgroup that it has is the scope's.
is_in() { # PID CGROUP
  grep -qE "^0::/$2\$|[:,]pids[:,].*/$2\$" "/proc/$1/cgroup"
  ! grep "skiff-" "/proc/$1/cgroup" | grep -v ":/$2\$"
}
nothing_of() { [ -z "$(find /sys/fs/cgroup -type d -name "skiff-$1.scope")" ]; }
sleeper() { engine run -d --name "$@" >/dev/null; }

@test "a container is a scope with its limits: changed by update, read by stats and top, stopped with the container" {
  [ "$(engine info --format '{{.CgroupDriver}}')" = systemd ]
  sleeper "$(name c)" --memory 64m --pids-limit 50 --cpus 0.5 e2e-busybox sleep 1000
  local id scope pid
  id=$(id_of "$(name c)"); scope=system.slice/skiff-$id.scope; pid=$(pid_of "$(name c)")
  told "start skiff-$id.scope replace"
  told "  Slice=system.slice"
  told "  Memory(Max|Limit)=67108864"
  told "  TasksMax=50"
  told "  CPUQuotaPerSecUSec=500000"
  told "  PIDs=\[$pid\]"
  is_in "$pid" "$scope"
  [ "$(limit pids "$scope" pids.max)" = 50 ]
  engine update --pids-limit 60 --memory 128m --memory-swap 128m "$(name c)" >/dev/null
  told "set skiff-$id.scope 1"
  told "  TasksMax=60"
  told "  Memory(Max|Limit)=134217728"
  [ "$(limit pids "$scope" pids.max)" = 60 ]
  [[ "$(engine stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$(name c)")" == *"/ 128MiB 1" ]]
  engine exec -d "$(name c)" sleep 2000
  pid=$(engine top "$(name c)" -o pid,args | awk '/sleep 2000/ {print $1}')
  is_in "$pid" "$scope"
  engine pause "$(name c)" >/dev/null
  shows "$(name c)" '{{.State.Status}}' paused
  engine unpause "$(name c)" >/dev/null
  engine exec "$(name c)" true
  engine restart -t 0 "$(name c)" >/dev/null
  [ "$(grep -c "^start skiff-$id.scope" "$E2E_DIR/told")" = 2 ]
  is_in "$(pid_of "$(name c)")" "$scope"
  engine kill "$(name c)" >/dev/null
  eventually 10 shows "$(name c)" '{{.State.ExitCode}}' 137
  eventually 10 nothing_of "$id"
  [ "$(grep -c "^stop skiff-$id.scope" "$E2E_DIR/told")" -ge 2 ]
}

@test "want of memory is seen, and every end leaves nothing" {
  run -137 engine run --name "$(name greedy)" --memory 16m --memory-swap 16m e2e-busybox tail /dev/zero
  shows "$(name greedy)" '{{.State.OOMKilled}}' true
  run -3 engine run --rm --name "$(name three)" e2e-busybox sh -c 'exit 3'
  run -127 engine run --rm --name "$(name none)" e2e-busybox nosuch
  [ "$(grep -c ^start "$E2E_DIR/told")" = 3 ]
  [ "$(grep -c ^stop "$E2E_DIR/told")" -ge 3 ]
  nothing_of '*'
}

@test "--cgroup-parent names a slice, annotations name properties; what is none is refused in Docker's words" {
  sleeper "$(name c)" --cgroup-parent skifftest-a.slice --annotation "org.systemd.property.TimeoutStopSec=uint16 7" e2e-busybox sleep 1000
  told "  Slice=skifftest-a.slice"
  told "  TimeoutStopUSec=7000000"
  is_in "$(pid_of "$(name c)")" "skifftest.slice/skifftest-a.slice/skiff-$(id_of "$(name c)").scope"
  run engine create --cgroup-parent /plain/path e2e-busybox true
  [[ "$output" == *'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'* ]]
  run -125 engine run --rm --name "$(name odd)" --cgroup-parent odd--name.slice e2e-busybox true
  [[ "$output" == *"invalid slice name: odd--name.slice"* ]]
  run -125 engine run --rm --name "$(name odd)" --annotation org.systemd.property.Description=bare e2e-busybox true
  [[ "$output" == *'annotation org.systemd.property.Description=bare value parse error: "bare" is not a value'* ]]
  ! grep -q odd "$E2E_DIR/told"
}

kill_daemon() { # [PID ...]: it and others, at the same moment
  local daemon; daemon=$(cat "$E2E_DIR/pid")
  kill -KILL "$daemon" "$@"
  daemon_gone() { ! kill -0 "$daemon" 2>/dev/null; }
  eventually 20 daemon_gone
}

@test "a daemon that was killed finds its containers in their scopes, and ends those whose monitor is gone too" {
  sleeper "$(name kept)" e2e-busybox sleep 1000
  sleeper "$(name lost)" e2e-busybox sleep 1000
  local pid lost monitor
  pid=$(pid_of "$(name kept)"); lost=$(id_of "$(name lost)")
  monitor=$(awk '/^PPid:/ {print $2}' "/proc/$(pid_of "$(name lost)")/status")
  kill_daemon "$monitor"
  start_engine
  [ "$(pid_of "$(name kept)")" = "$pid" ]
  engine update --pids-limit 70 "$(name kept)" >/dev/null
  told "  TasksMax=70"
  engine exec "$(name kept)" true
  eventually 10 shows "$(name lost)" '{{.State.Status}} {{.State.ExitCode}}' "exited 137"
  eventually 10 nothing_of "$lost"
  told "stop skiff-$lost.scope"
  local kept; kept=$(id_of "$(name kept)")
  engine rm -f "$(name kept)" >/dev/null
  eventually 10 nothing_of "$kept"
  told "stop skiff-$kept.scope"
}

@test "a runtime of another's gets its cgroup from systemd as well" {
  sleeper "$(name c)" --runtime other --pids-limit 40 e2e-busybox sleep 1000
  local id; id=$(id_of "$(name c)")
  told "start skiff-$id.scope replace"
  is_in "$(pid_of "$(name c)")" "system.slice/skiff-$id.scope"
  engine update --pids-limit 45 "$(name c)" >/dev/null
  told "  TasksMax=45"
  [ "$(limit pids "system.slice/skiff-$id.scope" pids.max)" = 45 ]
  [[ "$(engine stats --no-stream --format '{{.PIDs}}' "$(name c)")" == 1 ]]
  engine rm -f "$(name c)" >/dev/null
  eventually 10 nothing_of "$id"
  told "stop skiff-$id.scope"
}

@test "the steps of a build are scopes too" {
  local here; here=$(context)
  printf 'FROM e2e-busybox\nRUN cat /proc/self/cgroup >/where && echo %s\n' "$RANDOM" >"$here/Dockerfile"
  engine build -q --memory 64m -t "$(name image)" "$here" >/dev/null
  told "start skiff-[0-9a-f]*.scope replace"
  told "  Memory(Max|Limit)=67108864"
  told "stop skiff-[0-9a-f]*.scope"
  nothing_of '*'
  run engine build -q --cgroup-parent /plain/path --no-cache "$here"
  [ "$status" -ne 0 ]
  [[ "$output" == *'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'* ]]
  engine rmi "$(name image)" >/dev/null
}

@test "without systemd nothing starts, and a wrong driver is refused in Docker's words" {
  kill_daemon
  RUN=true start_engine
  run -125 engine run --rm --name "$(name c)" e2e-busybox true
  [[ "$output" == *"systemd not running on this host, cannot use systemd cgroups manager"* ]]
  nothing_of '*'
  kill_daemon
  start_engine
  refused() { # SENTENCE ARGS
    local sentence=$1; shift
    run -1 "$SKIFF_BIN/skiffd" --validate "$@"
    [[ "$output" == *"$sentence"* ]] || { echo "$output" >&2; return 1; }
  }
  refused "native.cgroupdriver option odd not supported" --exec-opt native.cgroupdriver=odd
  refused "native.cgroupdriver option none is internally used and cannot be specified manually" --exec-opt native.cgroupdriver=none
  refused "unable to parse key/value option: native" --exec-opt native
  refused 'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"' --exec-opt native.cgroupdriver=systemd --cgroup-parent /x
  echo '{"exec-opts": ["native.cgroupdriver=systemd"], "cgroup-parent": "x.slice"}' >"$BATS_TEST_TMPDIR/daemon.json"
  "$SKIFF_BIN/skiffd" --validate --config-file "$BATS_TEST_TMPDIR/daemon.json"
}
