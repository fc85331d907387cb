# What a build is given: contexts that are not there, are no folder or hold odd files; and what -q tells of a failure.
load lib

@test "a context that is missing, a file, empty, or without its Dockerfile" {
  cd "$BATS_TEST_TMPDIR"; mkdir empty; touch file
  run -1 engine build nosuch
  [[ "${lines[-1]}" == 'unable to prepare context: path "nosuch" not found' ]]
  run -1 engine build file
  [[ "${lines[-1]}" == "unable to prepare context: context must be a directory: $PWD/file" ]]
  run -1 engine build empty
  [[ "${lines[-1]}" == *"Dockerfile: no such file or directory" ]]
  run -1 engine build -f "$PWD/file" empty
  [[ "$output" == *"the Dockerfile ("*") cannot be empty"* ]]
  run -1 engine build -f nosuch empty
  [[ "${lines[-1]}" == *"nosuch: no such file or directory" ]]
}

@test "a FIFO and a socket in the context do not hold the build up" {
  dir=$(context)
  printf 'FROM e2e-busybox\nCOPY . /in\nRUN ls -A /in | sort > /list\nCMD cat /list\n' >"$dir/Dockerfile"
  mkfifo "$dir/pipe"
  python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$dir/socket"
  echo f >"$dir/f"
  run -0 engine build -q -t "$(name i)" "$dir"
  run -0 engine run --rm "$(name i)"
  [[ "${lines[*]}" == "Dockerfile f"* ]]
  engine rmi "$(name i)"
}

@test "build -q with a failing RUN shows the command, its code and its last output" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo early; echo "the reason" >&2; exit 7\n' >"$dir/Dockerfile"
  run -7 engine build -q --force-rm "$dir"
  [[ "$output" == *"the reason"* ]]
  [[ "$output" == *"The command '/bin/sh -c echo early; echo \"the reason\" >&2; exit 7' returned a non-zero code: 7"* ]]
}
