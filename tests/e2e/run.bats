# run, create, start, stop, kill, restart, rm, wait: the life of a container.
load lib

@test "run prints the program's output and passes its exit code on" {
  run -0 engine run --rm e2e-busybox echo hello
  [ "$output" = hello ]
  run -7 engine run --rm e2e-busybox sh -c 'exit 7'
}

@test "stdout and stderr stay apart" {
  engine run --rm e2e-busybox sh -c 'echo out; echo err >&2' >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err"
  [ "$(cat "$BATS_TEST_TMPDIR/out")" = out ]
  [ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
}

@test "a program that does not exist is 127, one that may not run 126" {
  run -127 engine run --name "$(name a)" e2e-busybox /no/such/program
  [[ "$output" == *"no such file or directory"* ]]
  run -127 engine run --rm e2e-busybox nosuchprogram
  [[ "$output" == *"executable file not found in \$PATH"* ]]
  run -126 engine run --rm e2e-busybox /etc/passwd
  [[ "$output" == *"permission denied"* ]]
  run -0 engine inspect --format '{{.State.Status}} {{.State.ExitCode}}' "$(name a)"
  [ "$output" = "created 127" ]
}

@test "bad requests are 125 and leave nothing" {
  local before
  before=$(engine ps -aq)
  run -125 engine run --nosuchflag e2e-busybox
  [[ "$output" == *"unknown flag: --nosuchflag"* ]]
  run -125 engine run UPPER
  [[ "$output" == *"invalid reference format: repository name (library/UPPER) must be lowercase"* ]]
  run -125 engine run --memory 1m e2e-busybox true
  [[ "$output" == *"Minimum memory limit allowed is 6MB"* ]]
  run -125 engine run --name "bad name" e2e-busybox true
  [[ "$output" == *'Invalid container name (bad name), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'* ]]
  run -125 engine run --mount type=bind,source=/no/such/source,target=/x e2e-busybox true
  [[ "$output" == *'invalid mount config for type "bind": bind source path does not exist: /no/such/source'* ]]
  [ "$(engine ps -aq)" = "$before" ]
}

@test "a name is taken once" {
  engine create --name "$(name one)" e2e-busybox true
  run -125 engine run --name "$(name one)" e2e-busybox true
  [[ "$output" == *"Conflict. The container name \"/$(name one)\" is already in use by container"* ]]
}

@test "standard input is piped through to its end" {
  [ "$(seq 20000 | engine run -i --rm e2e-busybox wc -l | tr -d ' ')" = 20000 ]
}

@test "detached: create, start, wait, logs" {
  id=$(engine run -d --name "$(name d)" e2e-busybox sh -c 'echo one; echo two >&2; exit 5')
  [ ${#id} -eq 64 ]
  run -0 engine wait "$id"
  [ "$output" = 5 ]
  run -0 --separate-stderr engine logs "$(name d)"
  [ "$output" = one ]
  [ "$stderr" = two ]
  run -0 engine ps -a --filter "name=$(name d)" --format '{{.Names}} {{.State}} {{.Status}}'
  [[ "$output" == "$(name d) exited Exited (5) "*" ago" ]]
}

@test "stop sends SIGTERM, then SIGKILL" {
  engine run -d --name "$(name polite)" e2e-busybox sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done'
  eventually 10 has_said "$(name polite)" ready
  engine stop "$(name polite)"
  run -0 engine inspect --format '{{.State.ExitCode}} {{.State.Running}}' "$(name polite)"
  [ "$output" = "3 false" ]
  engine run -d --name "$(name deaf)" e2e-busybox sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'
  eventually 10 has_said "$(name deaf)" ready
  engine stop -t 1 "$(name deaf)"
  run -0 engine inspect --format '{{.State.ExitCode}}' "$(name deaf)"
  [ "$output" = 137 ]
}

@test "kill, restart, pause, unpause, rename" {
  engine run -d --name "$(name k)" e2e-busybox sleep 1000
  engine pause "$(name k)"
  run -0 engine inspect --format '{{.State.Status}}' "$(name k)"
  [ "$output" = paused ]
  engine unpause "$(name k)"
  first=$(engine inspect --format '{{.State.Pid}}' "$(name k)")
  engine restart -t 0 "$(name k)"
  [ "$(engine inspect --format '{{.State.Pid}}' "$(name k)")" != "$first" ]
  engine rename "$(name k)" "$(name renamed)"
  engine kill --signal KILL "$(name renamed)"
  run -0 engine wait "$(name renamed)"
  [ "$output" = 137 ]
  run -1 engine kill "$(name renamed)"
  [[ "$output" == *"is not running"* ]]
}

@test "rm refuses a running container without -f" {
  engine run -d --name "$(name r)" e2e-busybox sleep 1000
  run -1 engine rm "$(name r)"
  [[ "$output" == *"container is running: stop the container before removing or force remove"* ]]
  engine rm -f "$(name r)"
  run -1 engine inspect "$(name r)"
}

@test "run --rm leaves no container, also when it fails" {
  engine run --rm --name "$(name gone)" e2e-busybox true
  run -127 engine run --rm --name "$(name gone)" e2e-busybox /nope
  eventually 5 is_gone "$(name gone)"
}

@test "environment, working directory, user, hostname, labels, entrypoint" {
  run -0 engine run --rm -e A=1 -e B e2e-busybox sh -c 'echo $A-$B'
  [ "$output" = "1-" ]
  printf 'X=from file\n# comment\nY=2\n' >"$BATS_TEST_TMPDIR/env"
  run -0 engine run --rm --env-file "$BATS_TEST_TMPDIR/env" e2e-busybox sh -c 'echo "$X $Y"'
  [ "$output" = "from file 2" ]
  run -0 engine run --rm -w /made/here e2e-busybox pwd
  [ "$output" = /made/here ]
  run -0 engine run --rm -u app e2e-busybox id
  [[ "$output" == "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)" ]]
  run -0 engine run --rm -u 1234:5678 e2e-busybox sh -c 'id -u; id -g'
  [ "${lines[*]}" = "1234 5678" ]
  run -125 engine run --rm -u nosuchuser e2e-busybox true || run -126 engine run --rm -u nosuchuser e2e-busybox true
  [[ "$output" == *"unable to find user nosuchuser"* ]]
  run -0 engine run --rm -h myhost e2e-busybox hostname
  [ "$output" = myhost ]
  run -0 engine run --rm --entrypoint echo e2e-busybox from entrypoint
  [ "$output" = "from entrypoint" ]
  engine create --name "$(name l)" --label a=b --label c e2e-busybox true
  run -0 engine inspect --format '{{.Config.Labels.a}}{{.Config.Labels.c}}' "$(name l)"
  [ "$output" = b ]
}

@test "init reaps and forwards" {
  engine run -d --init --name "$(name i)" e2e-busybox sh -c 'trap "exit 9" TERM; echo ready; (sleep 0.1 &) ; while :; do sleep 0.1; done'
  eventually 10 has_said "$(name i)" ready
  run -0 engine exec "$(name i)" cat /proc/1/comm
  [ "$output" != sh ]
  engine stop -t 5 "$(name i)"
  run -0 engine inspect --format '{{.State.ExitCode}}' "$(name i)"
  [ "$output" = 9 ]
}

@test "terminal: tty, size, output with carriage returns" {
  run -0 engine run -t --rm e2e-busybox sh -c 'tty; echo x'
  [[ "${lines[0]}" == /dev/pts/0* ]]
  engine run -d -t --name "$(name t)" e2e-busybox cat
  run -0 engine exec "$(name t)" sh -c 'ls -l /proc/1/fd/0'
  [[ "$output" == *"/dev/pts/0"* ]]
}

@test "a container that removes itself is restarted with its files, and copied from" {
  engine run -d --rm --name "$(name rr)" e2e-busybox sh -c 'echo kept >>/kept; sync; trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
  engine exec "$(name rr)" sh -c 'until [ -s /kept ]; do sleep 0.1; done'
  engine restart -t 5 "$(name rr)" >/dev/null
  engine exec "$(name rr)" sh -c 'until [ "$(wc -l </kept)" = 2 ]; do sleep 0.1; done'
  run -0 engine cp "$(name rr)":/kept -
  [[ "$output" == *kept* ]]
}

@test "restart policies" {
  engine run -d --restart on-failure:2 --name "$(name rp)" e2e-busybox sh -c 'echo try; exit 1'
  eventually 20 shows "$(name rp)" '{{.RestartCount}} {{.State.Status}}' '2 exited'
  run -0 engine logs "$(name rp)"
  [ "${#lines[@]}" -eq 3 ]
}

@test "resource limits are in force" {
  run -0 engine run --rm --memory 64m --cpus 0.5 --pids-limit 20 e2e-busybox sh -c \
    'cd /sys/fs/cgroup; cat memory.max pids.max 2>/dev/null || cat memory/memory.limit_in_bytes pids/pids.max'
  [ "${lines[0]}" = 67108864 ]
  [ "${lines[1]}" = 20 ]
  run -137 engine run --name "$(name oom)" --memory 16m --memory-swap 16m e2e-busybox sh -c 'tail /dev/zero'
  run -0 engine inspect --format '{{.State.OOMKilled}}' "$(name oom)"
  [ "$output" = true ]
  run -0 engine run --rm --ulimit nofile=100:200 e2e-busybox sh -c 'ulimit -n; ulimit -Hn'
  [ "${lines[*]}" = "100 200" ]
}

@test "health checks turn healthy and unhealthy" {
  engine run -d --name "$(name h)" --health-cmd 'test -e /ok' --health-interval 100ms --health-retries 2 e2e-busybox sleep 1000
  eventually 20 shows "$(name h)" '{{.State.Health.Status}}' unhealthy
  engine exec "$(name h)" touch /ok
  eventually 20 shows "$(name h)" '{{.State.Health.Status}}' healthy
  run -0 engine ps --filter "name=$(name h)" --format '{{.Status}}'
  [[ "$output" == *"(healthy)" ]]
  # Nobody knows of one that is stopped.
  engine stop -t 0 "$(name h)"
  shows "$(name h)" '{{.State.Health.Status}}' unhealthy
}

@test "health checks without a program in the image, and restarts of what is unhealthy" {
  [ "$E2E_ENGINE" = skiff ] || skip "--health-http, --health-tcp and --restart-unhealthy are beyond Docker"
  engine run -d --name "$(name web)" --health-http :8080/ --health-interval 100ms e2e-busybox \
    sh -c 'echo up >/tmp/index.html; exec httpd -f -p 8080 -h /tmp'
  engine run -d --name "$(name port)" --health-tcp 8080 --health-interval 100ms --network "container:$(name web)" e2e-busybox sleep 100
  eventually 10 shows "$(name web)" '{{.State.Health.Status}}' healthy
  eventually 10 shows "$(name port)" '{{.State.Health.Status}}' healthy
  engine exec "$(name web)" rm /tmp/index.html
  eventually 10 shows "$(name web)" '{{.State.Health.Status}}' unhealthy
  run -0 engine inspect --format '{{range .State.Health.Log}}{{.Output}};{{end}} {{.Config.Healthcheck.Test}}' "$(name web)"
  [[ "$output" == *"GET /: 404 Not Found;"*"[HTTP :8080/]" ]]

  engine run -d --name "$(name again)" --network none --stop-signal KILL --health-tcp 9 --health-interval 100ms --health-retries 1 \
    --restart-unhealthy 2 e2e-busybox sh -c 'echo started; exec sleep 100'
  eventually 15 has_lines "$(name again)" 3
  eventually 10 shows "$(name again)" '{{.State.Health.Status}} {{.State.Running}}' 'unhealthy true'
  sleep 0.5
  [ "$(engine logs "$(name again)" | wc -l)" -eq 3 ]

  run -125 engine run --health-tcp name:80 e2e-busybox true
  [[ "$output" == *'invalid TCP health check "name:80": expected [ADDRESS:]PORT with a numeric ADDRESS'* ]]
  run -125 engine run --health-tcp 80 --health-cmd true e2e-busybox true
  [[ "$output" == *"--health-cmd, --health-http and --health-tcp exclude each other"* ]]
}
