# The terminal: run, exec, start and attach with -it under a pty.
load lib

# Answers each line with "got LINE" and "quit" with 6.
ANSWERING='echo ready; while read line; do [ "$line" != quit ] || exit 6; echo "got $line"; done'
# Answers a resize with the size and SIGINT with 5.
WAITING='trap "stty size" WINCH; trap "echo int; exit 5" INT; echo ready; while :; do sleep 0.1; done'

status_of() { engine inspect --format '{{.State.Status}}' "$1"; }

# answering NAME: a detached container with a terminal that answers.
answering() {
  engine run -dit --name "$1" e2e-busybox sh -c "$ANSWERING" >/dev/null
  eventually 20 has_said "$1" ready
}

@test "run -it: the program has the terminal's size from its first instant, and TERM" {
  run -0 on_terminal size=33x77 -- run -it --rm e2e-busybox sh -c 'stty size; echo $TERM; tty'
  [ "${lines[*]}" = "33 77 xterm /dev/pts/0" ]
}

@test "run -it: a resize is followed, ctrl-c reaches the program, its exit code comes back" {
  run -5 on_terminal expect=ready size=40x100 'expect=40 100' 'send=\x03' expect=int -- run -it --rm e2e-busybox sh -c "$WAITING"
}

@test "exec -it: size, TERM, resize, ctrl-c, exit code" {
  answering "$(name c)"
  run -4 on_terminal size=33x77 -- exec -it "$(name c)" sh -c 'stty size; echo $TERM; exit 4'
  [ "${lines[*]}" = "33 77 xterm" ]
  run -5 on_terminal expect=ready size=40x100 'expect=40 100' 'send=\x03' expect=int -- exec -it "$(name c)" sh -c "$WAITING"
  [ "$(status_of "$(name c)")" = running ]
}

@test "ctrl-p ctrl-q leaves a run silently with 0 and the container running" {
  run -0 on_terminal expect=ready 'send=one\r' 'expect=got one' 'send=\x10\x11' -- run -it --name "$(name c)" e2e-busybox sh -c "$ANSWERING"
  [ "${lines[*]}" = "ready one got one" ]
  [ "$(status_of "$(name c)")" = running ]
}

@test "attach: detach is an error, attach again, the exit code comes back" {
  answering "$(name c)"
  run -1 on_terminal 'send=one\r' 'expect=got one' 'send=\x10\x11' -- attach "$(name c)"
  [ "${lines[-1]}" = "read escape sequence" ]
  run -1 on_terminal 'send=two\r' 'expect=got two' 'send=\x10' 'send=\x11' -- attach "$(name c)"
  [ "${lines[-1]}" = "read escape sequence" ]
  [ "$(status_of "$(name c)")" = running ]
  run -6 on_terminal 'send=three\r' 'expect=got three' 'send=quit\r' -- attach "$(name c)"
  [[ "$output" != *"got two"* ]]
  [ "$(engine logs "$(name c)" | tr -d '\r' | grep -c '^got')" = 3 ]
  run -1 on_terminal -- attach "$(name c)"
  [ "$output" = "You cannot attach to a stopped container, start it first" ]
}

@test "attach: the program gets the size of the terminal that comes" {
  engine run -dit --name "$(name c)" e2e-busybox sh -c "$WAITING" >/dev/null
  eventually 20 has_said "$(name c)" ready
  run -5 on_terminal size=51x123 'expect=51 123' size=52x124 'expect=52 124' 'send=\x03' expect=int -- attach "$(name c)"
}

@test "start -ai: detach is silent, the exit code comes back" {
  engine create -it --name "$(name c)" e2e-busybox sh -c "$ANSWERING" >/dev/null
  run -0 on_terminal size=44x55 expect=ready 'send=one\r' 'expect=got one' 'send=\x10\x11' -- start -ai "$(name c)"
  [[ "$output" != *"escape"* ]]
  [ "$(status_of "$(name c)")" = running ]
  engine kill "$(name c)"
  run -6 on_terminal expect=ready 'send=quit\r' -- start -ai "$(name c)"
}

@test "exec -it: detach is an error and the process goes on" {
  answering "$(name c)"
  run -1 on_terminal expect=here 'send=\x10\x11' -- exec -it "$(name c)" sh -c 'echo here; sleep 1234'
  [ "${lines[-1]}" = "read escape sequence" ]
  [[ "$(engine top "$(name c)")" == *"sleep 1234"* ]]
}

@test "--detach-keys and the configuration's detachKeys change the keys" {
  run -0 on_terminal expect=ready 'send=\x10\x11one\r' 'expect=one' 'send=\x01d' -- run -it --detach-keys ctrl-a,d --name "$(name c)" e2e-busybox sh -c "$ANSWERING"
  run -1 on_terminal 'send=two\r' 'expect=got two' 'send=xyz' -- attach --detach-keys x,y,z "$(name c)"
  [ "${lines[-1]}" = "read escape sequence" ]
  mkdir "$BATS_TEST_TMPDIR/config"
  echo '{"detachKeys": "ctrl-x,d"}' >"$BATS_TEST_TMPDIR/config/config.json"
  DOCKER_CONFIG=$BATS_TEST_TMPDIR/config run -1 on_terminal 'send=three\r' 'expect=got three' 'send=\x18d' -- attach "$(name c)"
  [ "${lines[-1]}" = "read escape sequence" ]
  [ "$(status_of "$(name c)")" = running ]
  run -1 on_terminal -- exec -it --detach-keys nope "$(name c)" true
  [ "$output" = "Error response from daemon: Invalid escape keys (nope) provided" ]
}

@test "a detach sequence that is broken off is passed on, at once" {
  run -0 on_terminal expect=ready 'send=\x10x\x10\x10\x11y\r' -- run -it --rm e2e-busybox sh -c 'stty raw -echo; echo ready; head -c 6 | od -An -tx1; stty sane'
  [[ "$output" == *"10 78 10 10 11 79"* ]]
}

@test "a terminal is refused where there is none" {
  answering "$(name c)"
  for words in "run -it --rm e2e-busybox true" "exec -it $(name c) true" "attach $(name c)"; do
    run -1 engine $words </dev/null
    [ "$output" = "the input device is not a TTY" ]
  done
  engine run -dt --name "$(name o)" e2e-busybox sleep 1000
  run -1 engine attach "$(name o)" </dev/null
  [ "$output" = "the input device is not a TTY" ]
  run -0 engine exec -t "$(name c)" tty </dev/null
  [[ "$output" == /dev/pts/* ]]
}

@test "without -t the terminal stays as it is and the program has none" {
  run -3 on_terminal expect=ready 'send=line\r' 'expect=got line' -- run -i --rm e2e-busybox sh -c 'test ! -t 0 && echo ready; read x; echo "got $x"; exit 3'
  [[ "${lines[0]}" = ready ]]
}
