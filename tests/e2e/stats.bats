# What an engine tells while things happen: stats, top, events, logs.
load lib

running() { engine run -d --name "$(name c)" "$@" e2e-busybox sleep 1000 >/dev/null; }

@test "stats: the columns, a format, JSON, a container that does not run" {
  running --memory 64m
  run -0 engine stats --no-stream "$(name c)"
  [[ "${lines[0]}" =~ ^"CONTAINER ID   NAME "+"CPU %     MEM USAGE / LIMIT "+"MEM %     NET I/O "+"BLOCK I/O "+"PIDS"$ ]]
  [[ "${lines[1]}" =~ ^[0-9a-f]{12}\ +"$(name c)"\ +[0-9.]+%\ +[0-9.]+[KM]?i?B\ /\ ([0-9.]+[KMG]i)?[0-9]*B ]]
  run -0 engine stats --no-stream --format '{{.Container}}|{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}' "$(name c)"
  [[ "$output" =~ ^"$(name c)|$(name c)|"[0-9.]+%\|[0-9.]+[KM]?i?B\ /\ [0-9.]+M?i?B\|[0-9.]+%\|[0-9.]+[km]?B\ /\ [0-9.]+[km]?B\|[0-9.]+[km]?B\ /\ [0-9.]+[km]?B\|[0-9]+$ ]]
  run -0 engine stats --no-stream --format json "$(name c)"
  [ "$(jq -r 'keys | join(" ")' <<<"$output")" = "BlockIO CPUPerc Container ID MemPerc MemUsage Name NetIO PIDs" ]
  [ "$(engine stats --no-stream --no-trunc --format '{{.ID}}' "$(name c)")" = "$(engine inspect --format '{{.Id}}' "$(name c)")" ]
  engine kill "$(name c)"
  run -0 engine stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' "$(name c)"
  [ "$output" = "$(name c) 0.00% 0B / 0B 0" ]
  run -1 engine stats --no-stream nosuch
  [[ "$output" == *"No such container: nosuch"* ]]
}

@test "top: options of ps, and what it refuses" {
  running
  engine exec -d "$(name c)" sleep 2000
  run -0 engine top "$(name c)" -eo pid,comm,args
  [[ "${lines[0]}" =~ ^"PID "+"COMMAND "+"COMMAND"$ ]]
  [[ "$output" == *"sleep 1000"*"sleep 2000"* && "${#lines[@]}" = 3 ]]
  run -0 engine top "$(name c)" aux
  [[ "${lines[0]}" =~ ^USER\ +PID\ +%CPU ]]
  run -1 engine top "$(name c)" -o nosuch
  [ "$output" = 'Error response from daemon: ps: error: unknown user-defined format specifier "nosuch"' ]
  engine kill "$(name c)"
  run -1 engine top "$(name c)"
  [[ "$output" == "Error response from daemon: container "*" is not running" ]]
}

# told FORMAT [OPTIONS]: what events tell of this test's containers until now, in one line.
told() {
  local format=$1; shift
  engine events --since "$since" --until "$(date +%s.%N)" --format "$format" "$@" | tr '\n' ','
}
saw_line() { grep -qs "$1" "$BATS_TEST_TMPDIR/live"; }

@test "events: a container leaves its network before it is said to be dead, a restart stops too, and every prune is told" {
  since=$(date +%s.%N)
  running
  engine restart -t 0 "$(name c)" >/dev/null
  engine stop -t 0 "$(name c)" >/dev/null
  # Docker tells of "stop" before or after "die", as it comes.
  [ "$(told '{{.Type}} {{.Action}}' | tr ',' '\n' | grep -v "container stop\|container kill" | tr '\n' ',')" = "container create,network connect,container start,network disconnect,container die,network connect,container start,container restart,network disconnect,container die," ]
  [ "$(told '{{.Action}}' --filter "container=$(name c)" --filter event=stop)" = stop,stop, ]
  engine network create --label "$(name p)" "$(name p)" >/dev/null
  id=$(engine network inspect --format '{{.Id}}' "$(name p)")
  since=$(date +%s.%N)
  engine network prune -f --filter "label=$(name p)" >/dev/null
  [ "$(told '{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}} {{.Actor.Attributes.reclaimed}}' --filter type=network)" = "destroy $id $(name p) <no value>,prune  <no value> 0," ] || { told '{{json .}}'; return 1; }
}

@test "events: live while things happen, and afterwards since and until" {
  local ENGINE; engine_words
  since=$(date +%s.%N)
  running
  "${ENGINE[@]}" events --since "$since" --filter "container=$(name c)" --format '{{.Action}}' >"$BATS_TEST_TMPDIR/live" 3>&- &
  follower=$!
  eventually 20 saw_line start
  engine exec "$(name c)" true
  engine exec "$(name c)" echo a b
  eventually 20 saw_line '^exec_die'
  engine pause "$(name c)"; engine unpause "$(name c)"
  engine rename "$(name c)" "$(name c)2"; engine rename "$(name c)2" "$(name c)"
  engine kill "$(name c)"
  eventually 20 saw_line die
  between=$(date +%s.%N)
  engine rm "$(name c)"
  eventually 20 saw_line destroy
  kill "$follower"; wait "$follower" || true
  lived="create,start,exec_create: true ,exec_start: true ,exec_die,exec_create: echo a b,exec_start: echo a b,exec_die,pause,unpause,rename,rename,kill,die,"
  [ "$(grep -v destroy "$BATS_TEST_TMPDIR/live" | tr '\n' ',')" = "$lived" ]
  [ "$(engine events --since "$since" --until "$between" --filter "container=$(name c)" --format '{{.Action}}' | tr '\n' ',')" = "$lived" ]
  since=$between
  [ "$(told '{{.Action}} {{.Actor.Attributes.name}}' --filter "container=$(name c)")" = "destroy $(name c)," ]
}

@test "events: filters by event, type, label and image, and what they carry" {
  since=$(date +%s.%N)
  engine run --name "$(name c)" --label "test=$(name label)" e2e-busybox sh -c 'exit 3' || [ $? = 3 ]
  eventually 20 shows "$(name c)" '{{.State.Status}}' exited
  [ "$(told '{{.Type}} {{.Action}} {{.Actor.Attributes.image}} {{.Actor.Attributes.exitCode}}' --filter "container=$(name c)" --filter event=start --filter event=die)" \
    = "container start e2e-busybox <no value>,container die e2e-busybox 3," ]
  [ "$(told '{{.Action}}' --filter label="test=$(name label)" --filter event=create)" = "create," ]
  [ "$(told '{{.Action}}' --filter label="test=other")" = "" ]
  [ "$(told '{{.Action}} {{.Actor.Attributes.name}}' --filter type=network)" = "connect bridge,disconnect bridge," ]
  [ "$(told '{{.Action}}' --filter image=e2e-busybox --filter event=create)" = "create," ]
  [ "$(told '{{.Action}}' --filter nosuch=1 --filter event=die)" = "die," ]
  run -1 engine events --since nonsense
}

@test "logs: since, until, tail and timestamps" {
  engine run --name "$(name c)" e2e-busybox sh -c 'echo one; echo two; echo three' >/dev/null
  engine start -a "$(name c)" >/dev/null
  all=$(engine logs "$(name c)")
  [ "$(tr '\n' ' ' <<<"$all")" = "one two three one two three " ]
  middle=$(engine logs -t "$(name c)" | sed -n '4s/ .*//p')
  [ "$(engine logs --since "$middle" "$(name c)" | tr '\n' ' ')" = "one two three " ]
  [ "$(engine logs --until "$(engine logs -t "$(name c)" | sed -n '3s/ .*//p')" "$(name c)" | tr '\n' ' ')" = "one two three " ]
  [ "$(engine logs --tail 2 "$(name c)" | tr '\n' ' ')" = "two three " ]
  [ "$(engine logs -n 1 --since "$middle" "$(name c)")" = three ]
  [ -z "$(engine logs --tail 0 "$(name c)")" ]
  [ "$(engine logs --tail -1 "$(name c)")" = "$all" ]
  run -1 engine logs --since nonsense "$(name c)"
  run -1 engine logs nosuch
  [[ "$output" == "Error response from daemon: No such container: nosuch" ]]
}

@test "logs: what is rotated away is gone, what is left is whole, and a follower comes to the end" {
  local ENGINE; engine_words
  engine run -di --name "$(name c)" --log-opt max-size=2k --log-opt max-file=3 e2e-busybox \
    sh -c 'echo first; read x; for i in $(seq 4000); do echo line $i; done; echo last' >/dev/null
  "${ENGINE[@]}" logs -f "$(name c)" >"$BATS_TEST_TMPDIR/followed" 3>&- &
  follower=$!
  followed() { grep -qs "$1" "$BATS_TEST_TMPDIR/followed"; }
  eventually 20 followed first
  echo go | engine attach "$(name c)" >/dev/null
  wait "$follower"  # it ends with the container
  [ "$(head -1 "$BATS_TEST_TMPDIR/followed")$(tail -1 "$BATS_TEST_TMPDIR/followed")" = firstlast ]
  sed -n 's/^line //p' "$BATS_TEST_TMPDIR/followed" | sort -cnu  # it may be outrun, but never sees a line twice
  engine logs "$(name c)" >"$BATS_TEST_TMPDIR/kept"
  count=$(wc -l <"$BATS_TEST_TMPDIR/kept")
  [ "$count" -gt 10 ] && [ "$count" -lt 3800 ]
  { echo first; seq -f 'line %g' 4000; echo last; } | tail -n "$count" | cmp - "$BATS_TEST_TMPDIR/kept"
  [ "$(engine logs --tail 2 "$(name c)" | tr '\n' ' ')" = "line 4000 last " ]
}
