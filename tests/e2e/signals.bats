# Signals: from the client to the container, from stop and kill, and through --init.
load lib

# Tells of each signal; SIGTERM ends it with 21.
REPORTING='for s in HUP INT USR1 USR2; do trap "echo got $s" $s; done
           trap "echo got TERM; exit 21" TERM; echo ready; while :; do echo tick; sleep 0.05; done'
# Ignores SIGTERM.
DEAF='trap "" TERM; echo ready; while :; do sleep 0.05; done'

# client ARGS: starts the client in the background; CLIENT is its pid, OUT what it says.
client() {
  local ENGINE; engine_words
  OUT=$BATS_TEST_TMPDIR/client
  : >"$OUT" # what a client before it said must not be taken for its own
  "${ENGINE[@]}" "$@" >"$OUT" 2>&1 </dev/null 3>&- &
  CLIENT=$!
}
said() { grep -qs "^$1" "$OUT"; }
client_ends() { # CODE
  local code=0
  eventually 20 client_ended || { kill -KILL "$CLIENT"; echo "the client did not end" >&2; return 1; }
  wait "$CLIENT" || code=$?
  [ "$code" = "$1" ] || { echo "the client ended with $code" >&2; return 1; }
}
client_ended() { ! kill -0 "$CLIENT" 2>/dev/null; }

reporting() { # NAME [OPTIONS]
  local name=$1; shift
  engine run -d --name "$name" "$@" e2e-busybox sh -c "$REPORTING" >/dev/null
  eventually 20 has_said "$name" ready
}

@test "run passes signals on and ends with the program's code" {
  client run --name "$(name c)" e2e-busybox sh -c "$REPORTING"
  eventually 20 said ready
  for signal in HUP INT USR1 USR2; do
    kill -s "$signal" "$CLIENT"
    eventually 20 said "got $signal"
  done
  kill -s TERM "$CLIENT"
  client_ends 21
  said "got TERM"
}

@test "run --sig-proxy=false ends itself and leaves the container" {
  client run --sig-proxy=false --name "$(name c)" e2e-busybox sh -c "$REPORTING"
  eventually 20 said ready
  kill -s HUP "$CLIENT"
  client_ends 129
  run -0 engine inspect --format '{{.State.Status}}' "$(name c)"
  [ "$output" = running ]
  run ! has_said "$(name c)" "got"
}

@test "attach and start -a pass signals on" {
  reporting "$(name c)"
  client attach "$(name c)"
  eventually 20 said tick
  kill -s USR1 "$CLIENT"
  eventually 20 said "got USR1"
  kill -s TERM "$CLIENT"
  client_ends 21
  client start -a "$(name c)"
  eventually 20 said tick
  kill -s HUP "$CLIENT"
  eventually 20 said "got HUP"
  engine kill -s TERM "$(name c)"
  client_ends 21
}

@test "attach --sig-proxy=false ends itself and leaves the container" {
  reporting "$(name c)"
  client attach --sig-proxy=false "$(name c)"
  eventually 20 said tick
  kill -s HUP "$CLIENT"
  client_ends 129
  run ! has_said "$(name c)" "got"
  [ "$(engine inspect --format '{{.State.Status}}' "$(name c)")" = running ]
}

@test "run -t passes signals on too; an attach to a terminal and a client that is killed do not" {
  client run -t --name "$(name r)" e2e-busybox sh -c "$REPORTING"
  eventually 20 said tick
  kill -s TERM "$CLIENT"
  client_ends 21
  reporting "$(name t)" -t
  client attach --no-stdin "$(name t)"
  eventually 20 said tick
  kill -s HUP "$CLIENT"
  client_ends 129
  client run --name "$(name k)" e2e-busybox sh -c "$REPORTING"
  eventually 20 said tick
  kill -s KILL "$CLIENT"
  client_ends 137
  for each in t k; do
    run ! has_said "$(name $each)" "got"
    [ "$(engine inspect --format '{{.State.Status}}' "$(name $each)")" = running ]
  done
}

@test "kill: the signal's names and numbers, and wrong ones" {
  reporting "$(name c)"
  for signal in USR1 SIGUSR2 hup 2; do engine kill -s "$signal" "$(name c)"; done
  for signal in USR1 USR2 HUP INT; do eventually 20 has_said "$(name c)" "got $signal"; done
  for signal in NOSUCH 0; do
    run -1 engine kill -s "$signal" "$(name c)"
    [ "$output" = "Error response from daemon: cannot kill container: $(name c): invalid signal: $signal" ]
  done
  run -1 engine kill -s 200 "$(name c)"
  [ "$output" = "Error response from daemon: cannot kill container: $(name c): the linux daemon does not support signal 200" ]
  run -1 engine kill "$(name nosuch)"
  [ "$output" = "Error response from daemon: cannot kill container: $(name nosuch): No such container: $(name nosuch)" ]
  engine kill "$(name c)"
  [ "$(engine wait "$(name c)")" = 137 ]
}

@test "the stop signal: of the image, of the container, of stop, also for restart" {
  dir=$(context); printf 'FROM e2e-busybox\nSTOPSIGNAL SIGUSR1\n' >"$dir/Dockerfile"
  engine build -q -t e2e-stopsignal "$dir" >/dev/null
  ends='for s in USR1 USR2 HUP; do trap "echo got $s; exit 9" $s; done; echo ready; while :; do sleep 0.05; done'
  engine run -d --name "$(name i)" e2e-stopsignal sh -c "$ends" >/dev/null
  engine run -d --name "$(name c)" --stop-signal USR2 e2e-stopsignal sh -c "$ends" >/dev/null
  for each in i c; do eventually 20 has_said "$(name $each)" ready; done
  engine stop "$(name i)" "$(name c)"
  [ "$(engine logs "$(name i)")" = $'ready\ngot USR1' ]
  [ "$(engine logs "$(name c)")" = $'ready\ngot USR2' ]
  engine start "$(name c)"
  eventually 20 has_lines "$(name c)" 3
  engine stop -s HUP "$(name c)"
  engine start "$(name c)"
  eventually 20 has_lines "$(name c)" 5
  engine restart "$(name c)"
  eventually 20 has_lines "$(name c)" 7
  [ "$(engine logs "$(name c)" | tr '\n' ' ')" = "ready got USR2 ready got HUP ready got USR2 ready " ]
  run -125 engine run --stop-signal NOSUCH --rm e2e-busybox true
  [[ "$output" == *"invalid signal: NOSUCH"* ]]
  engine rm -f "$(name i)" "$(name c)"; engine rmi e2e-stopsignal
}

# signals_of NAME SINCE: the signals that events tell of.
signals_of() {
  engine events --since "$2" --until "$(date +%s.%N)" --filter "container=$1" \
    --format '{{.Action}} {{.Actor.Attributes.signal}}' | grep '^kill' | tr '\n' ','
}

@test "the stop timeout: of the container, of stop" {
  since=$(date +%s.%N)
  engine run -d --name "$(name c)" --stop-timeout 1 e2e-busybox sh -c "$DEAF" >/dev/null
  engine run -d --name "$(name zero)" --stop-timeout 1000 e2e-busybox sh -c "$DEAF" >/dev/null
  for each in c zero; do eventually 20 has_said "$(name $each)" ready; done
  engine stop "$(name c)"
  engine stop -t 0 "$(name zero)"
  for each in c zero; do
    [ "$(engine inspect --format '{{.State.ExitCode}}' "$(name $each)")" = 137 ]
    [ "$(signals_of "$(name $each)" "$since")" = "kill 15,kill 9," ]
  done
}

# zombies NAME COUNT
zombies() { [ "$(engine exec "$1" sh -c 'cat /proc/[0-9]*/stat 2>/dev/null | grep -c " Z "')" = "$2" ]; }

@test "--init reaps what is orphaned and dies of the program's signal; without it neither happens" {
  orphan='sh -c "sleep 0.1 & exec sleep 0.01"; echo ready; exec sleep 1000'
  engine run -d --init --name "$(name with)" e2e-busybox sh -c "$orphan" >/dev/null
  engine run -d --name "$(name without)" e2e-busybox sh -c "$orphan" >/dev/null
  for each in with without; do eventually 20 has_said "$(name $each)" ready; done
  eventually 20 zombies "$(name without)" 1
  eventually 20 zombies "$(name with)" 0
  engine kill -s TERM "$(name without)" "$(name with)"
  [ "$(engine wait "$(name with)")" = 143 ]
  [ "$(engine inspect --format '{{.State.Status}}' "$(name without)")" = running ]
}

@test "--init forwards every signal to the program and ends with its code" {
  reporting "$(name c)" --init
  for signal in HUP USR1 USR2 INT; do
    engine kill -s "$signal" "$(name c)"
    eventually 20 has_said "$(name c)" "got $signal"
  done
  engine stop "$(name c)"
  [ "$(engine wait "$(name c)")" = 21 ]
}
