# exec, attach, logs, top, stats, cp, port, inspect of a running container.
load lib

running() { engine run -d --name "$(name c)" "$@" e2e-busybox sleep 1000 >/dev/null; }

@test "exec runs a program and passes its exit code on" {
  running
  run -0 engine exec "$(name c)" echo hi
  [ "$output" = hi ]
  run -4 engine exec "$(name c)" sh -c 'exit 4'
  run -127 engine exec "$(name c)" nosuchprogram
  run -126 engine exec "$(name c)" /etc/passwd
  run -0 engine exec -w /tmp -u app -e Z=9 "$(name c)" sh -c 'pwd; id -un; echo $Z'
  [ "${lines[*]}" = "/tmp app 9" ]
}

@test "exec reads standard input" {
  running
  result=$(seq 5000 | engine exec -i "$(name c)" wc -l | tr -d ' ')
  [ "$result" = 5000 ]
}

@test "exec in a container that does not run" {
  engine create --name "$(name idle)" e2e-busybox true
  run -1 engine exec "$(name idle)" true
  [[ "$output" == *"is not running"* ]]
  run -1 engine exec nosuchcontainer true
  [[ "$output" == *"No such container: nosuchcontainer"* ]]
}

@test "many execs at once" {
  running
  for i in $(seq 20); do engine exec "$(name c)" sh -c "echo $i; exit $i" >"$BATS_TEST_TMPDIR/$i" & pids[i]=$!; done
  for i in $(seq 20); do
    code=0; wait "${pids[i]}" || code=$?
    [ "$code" = "$i" ]
    [ "$(cat "$BATS_TEST_TMPDIR/$i")" = "$i" ]
  done
}

@test "logs: tail, timestamps, since, follow" {
  engine run -d --name "$(name log)" e2e-busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; sleep 1; echo last'
  eventually 5 has_lines "$(name log)" 5
  run -0 engine logs --tail 2 "$(name log)"
  [[ "${lines[0]}" == "line 4" || "${lines[0]}" == "line 5" ]]
  run -0 engine logs -f "$(name log)"
  [ "${lines[-1]}" = last ]
  run -0 engine logs -t --tail 1 "$(name log)"
  [[ "$output" =~ ^20[0-9-]+T[0-9:]+\.[0-9]{9}Z\ last$ ]]
  run -0 engine logs --since 1h --tail all "$(name log)"
  [ "${#lines[@]}" -eq 6 ]
  run -0 engine logs --until 2001-01-01T00:00:00Z "$(name log)"
  [ -z "$output" ]
}

@test "logs keep long lines, missing newlines and odd bytes" {
  engine run --name "$(name odd)" e2e-busybox sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; printf "a\001b"; printf end' >/dev/null
  engine logs "$(name odd)" >"$BATS_TEST_TMPDIR/out"
  [ "$(head -1 "$BATS_TEST_TMPDIR/out" | wc -c)" = 100001 ]
  [ "$(tail -c 6 "$BATS_TEST_TMPDIR/out" | od -An -c | tr -d ' \n')" = 'a001bend' ]
}

@test "attach sees output and passes input" {
  engine run -d -i --name "$(name att)" e2e-busybox sh -c 'while read line && [ "$line" != quit ]; do echo "got $line"; done; exit 6'
  code=0
  { printf 'one\ntwo\n'; sleep 0.5; echo quit; } | engine attach "$(name att)" >"$BATS_TEST_TMPDIR/out" || code=$?
  [ "$code" = 6 ]
  [ "$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/out")" = "got one got two " ]
}

@test "top lists the container's processes" {
  running
  run -0 engine top "$(name c)"
  [[ "${lines[0]}" == *PID*CMD* ]]
  [[ "${lines[1]}" == *"sleep 1000"* ]]
  run -0 engine top "$(name c)" -o pid,args
  [[ "${lines[1]}" == *"sleep 1000"* ]]
}

@test "stats shows one sample" {
  running
  run -0 engine stats --no-stream --format '{{.Name}} {{.PIDs}}' "$(name c)"
  [ "$output" = "$(name c) 1" ]
}

@test "cp in and out, also of a stopped container" {
  running
  mkdir -p "$BATS_TEST_TMPDIR/dir/sub"
  echo content >"$BATS_TEST_TMPDIR/dir/sub/file"
  engine cp "$BATS_TEST_TMPDIR/dir" "$(name c):/copied"
  run -0 engine exec "$(name c)" cat /copied/sub/file
  [ "$output" = content ]
  engine cp "$(name c):/copied/sub/file" "$BATS_TEST_TMPDIR/back"
  [ "$(cat "$BATS_TEST_TMPDIR/back")" = content ]
  engine stop -t 0 "$(name c)"
  engine cp "$(name c):/copied" "$BATS_TEST_TMPDIR/tree"
  [ "$(cat "$BATS_TEST_TMPDIR/tree/sub/file")" = content ]
  [ "$(engine cp "$(name c):/copied/sub/file" - | tar -xO)" = content ]
  run -1 engine cp "$(name c):/nope" "$BATS_TEST_TMPDIR/x"
  [[ "$output" == *"Could not find the file /nope in container"* ]]
}

@test "inspect has Docker's fields" {
  running -p 0:80
  run -0 engine inspect "$(name c)"
  echo "$output" | jq -e '.[0] | .State.Running and (.Id | length == 64) and (.Mounts | type == "array")
    and (.NetworkSettings.Networks.bridge.IPAddress | length > 6) and .HostConfig.NetworkMode and .Config.Cmd == ["sleep", "1000"]'
  run -1 engine inspect nosuchthing
  [[ "$output" == *"nosuchthing"* ]]
}

@test "ps: table, quiet, filters, formats" {
  running --label kind=test
  run -0 engine ps
  [[ "${lines[0]}" == "CONTAINER ID   IMAGE "*"COMMAND "*"CREATED "*"STATUS "*"PORTS "*"NAMES" ]]
  run -0 engine ps -q --no-trunc --filter label=kind=test
  [ ${#output} -eq 64 ]
  run -0 engine ps --filter status=exited --filter "name=$(name c)" -q
  [ -z "$output" ]
  run -0 engine ps -a --format json --filter "name=$(name c)"
  [ "$(echo "$output" | jq -r .Names)" = "$(name c)" ]
  run -1 engine ps --filter nosuch=1
  [[ "$output" == *"invalid filter 'nosuch'"* ]]
}

@test "events tell a container's life" {
  since=$(date +%s)
  engine run --rm --name "$(name ev)" e2e-busybox true
  sleep 1.1
  run -0 engine events --since "$since" --until "$(date +%s)" --filter "container=$(name ev)" --format '{{.Action}}'
  [[ "${lines[*]}" == "create attach "*"start "*"die "*"destroy" ]]
}
