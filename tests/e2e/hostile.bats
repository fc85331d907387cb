# Containers that behave as badly as they are allowed to: the engine answers all the same, and in bounded time.
load lib

# within SECONDS ARGS: the engine command succeeds and takes no longer.
within() {
  local limit=$1 from=$EPOCHREALTIME; shift
  engine "$@" >/dev/null
  local took=$(( (${EPOCHREALTIME/./} - ${from/./}) / 1000 ))
  [ "$took" -le $((limit * 1000)) ] || { echo "$* took $took ms" >&2; return 1; }
}

# still_answers CONTAINER: everything that does not end it.
still_answers() {
  within 5 inspect "$1"
  within 5 ps -a
  within 5 logs -n 1 "$1"
  within 5 top "$1"
  within 5 stats --no-stream "$1"
}

# ends_in_time CONTAINER: by stop with its timeout of one second, and by rm.
ends_in_time() {
  within 10 stop -t 1 "$1"
  [ "$(engine inspect --format '{{.State.Status}}' "$1")" = exited ]
  within 10 rm "$1"
}

hostile() { # SUFFIX [FLAG...] -- SCRIPT
  local suffix=$1 flags=(); shift
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  engine run -d --name "$(name "$suffix")" "${flags[@]}" e2e-busybox sh -c "$2" >/dev/null
}

@test "a program that ignores every signal it can" {
  hostile c -- 'trap "" TERM INT HUP QUIT USR1 USR2; echo ready; while :; do sleep 1000; done'
  eventually 10 has_said "$(name c)" ready
  still_answers "$(name c)"
  ends_in_time "$(name c)"
  hostile c -- 'trap "" TERM; echo ready; while :; do sleep 1000; done'
  eventually 10 has_said "$(name c)" ready
  within 5 kill -s TERM "$(name c)"
  shows "$(name c)" '{{.State.Running}}' true
  within 5 kill -s KILL "$(name c)"
  eventually 5 shows "$(name c)" '{{.State.ExitCode}}' 137
  within 5 rm "$(name c)"
}

@test "a fork bomb in its pids limit" {
  hostile c --pids-limit 40 -- '(for i in $(seq 100); do sleep 1000 & done) 2>/dev/null; echo ready; exec sleep 1000'
  eventually 10 has_said "$(name c)" ready
  still_answers "$(name c)"
  engine exec "$(name c)" true || true  # there may be no room for it; an answer is what counts
  within 10 rm -f "$(name c)"
}

@test "a storm of zombies" {
  # pid 1 never waits: what is orphaned stays a zombie of it.
  hostile c --pids-limit 2000 -- 'for i in $(seq 300); do (true & exec true) & done; echo ready; exec sleep 1000'
  eventually 20 has_said "$(name c)" ready
  still_answers "$(name c)"
  engine exec "$(name c)" true
  ends_in_time "$(name c)"
}

@test "a stopped program" {
  hostile c -- 'echo ready; exec sleep 1000'
  eventually 10 has_said "$(name c)" ready
  engine kill -s STOP "$(name c)"
  still_answers "$(name c)"
  within 5 exec "$(name c)" true
  ends_in_time "$(name c)"
  hostile c -- 'echo ready; exec sleep 1000'
  eventually 10 has_said "$(name c)" ready
  engine kill -s STOP "$(name c)"
  within 10 rm -f "$(name c)"
}

@test "a program that stops all processes that come in" {
  [ "$E2E_ENGINE" != docker ] || skip "Docker's exec and top wait for what is stopped, without end"
  hostile c -- 'echo ready; while :; do kill -STOP -1 2>/dev/null; done'
  eventually 10 has_said "$(name c)" ready
  local pids=()
  for i in 1 2 3 4 5; do
    engine exec "$(name c)" true >/dev/null 2>&1 & pids+=($!)
  done
  sleep 1
  still_answers "$(name c)"
  within 10 rm -f "$(name c)"
  for pid in "${pids[@]}"; do wait "$pid" || true; done
}

# What comes in is stopped while it is made, in the namespace of the other.
@test "a program that stops all processes that come in cannot hold those that join its pid namespace" {
  [ "$E2E_ENGINE" != docker ] || skip "Docker waits for what is stopped, without end"
  hostile c -- 'echo ready; while :; do kill -STOP -1 2>/dev/null; done'
  eventually 10 has_said "$(name c)" ready
  local from=$SECONDS pid
  engine run --rm --name "$(name joins)" --pid "container:$(name c)" e2e-busybox true >"$BATS_TEST_TMPDIR/said" 2>&1 & pid=$!
  sleep 1
  still_answers "$(name c)"
  within 5 inspect "$(name joins)"
  local code=0
  wait "$pid" || code=$?
  [ $((SECONDS - from)) -le 25 ]
  # Should it have come through once, nothing is to be seen here.
  [ "$code" = 0 ] || grep -q "stands still during its set-up" "$BATS_TEST_TMPDIR/said"
  eventually 5 is_gone "$(name joins)"
  still_answers "$(name c)"
  within 10 rm -f "$(name c)"
}

@test "a first process that execs itself over and over" {
  hostile c -- 'again="exec sh -c \"\$0\" \"\$0\""; echo ready; exec sh -c "$again" "$again"'
  eventually 10 has_said "$(name c)" ready
  still_answers "$(name c)"
  engine exec "$(name c)" true
  ends_in_time "$(name c)"
}

@test "a flood of output, read by nobody" {
  hostile c --log-opt max-size=1m --log-opt max-file=2 -- 'echo ready; exec yes 0123456789012345678901234567890123456789'
  eventually 10 has_said "$(name c)" .
  still_answers "$(name c)"
  engine exec "$(name c)" true
  ends_in_time "$(name c)"
}

@test "a program that closes its standard streams" {
  hostile c -- 'echo ready; exec <&- >&- 2>&-; exec sleep 1000'
  eventually 10 has_said "$(name c)" ready
  shows "$(name c)" '{{.State.Running}}' true
  still_answers "$(name c)"
  [ "$(engine exec "$(name c)" echo inside)" = inside ]
  ends_in_time "$(name c)"
}

@test "a grandchild that keeps the output open after the end" {
  [ "$E2E_ENGINE" != docker ] || skip "for Docker the container runs until its output ends"
  hostile c --pid host -- 'echo ready; sleep 1000 & exit 3'
  eventually 15 shows "$(name c)" '{{.State.Status}} {{.State.ExitCode}}' "exited 3"
  within 10 rm -f "$(name c)"
}
