# Dockerfile builds through the classic builder's protocol.
load lib

build() { # CONTEXT [ARGS]: the Dockerfile comes from standard input
  local dir=$1; shift
  cat >"$dir/Dockerfile"
  engine build "$@" "$dir"
}

@test "steps, cache, tag and history" {
  dir=$(context); echo data >"$dir/file"
  run -0 build "$dir" --no-cache -t "$(name img)" <<'D'
FROM e2e-busybox
RUN echo made > /made
COPY file /copied
ENV A=b
CMD ["cat", "/made", "/copied"]
D
  [[ "$output" == *"Step 1/5 : FROM e2e-busybox"* ]]
  [[ "$output" == *"Step 2/5 : RUN echo made > /made"* ]]
  [[ "$output" == *" ---> Running in "* ]]
  [[ "$output" == *"Successfully built "* ]]
  [[ "$output" == *"Successfully tagged $(name img):latest"* ]]
  run -0 engine run --rm "$(name img)"
  [ "${lines[*]}" = "made data" ]
  first=$(engine image inspect --format '{{.Id}}' "$(name img)")
  run -0 engine build -t "$(name img)" "$dir"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 4 ]
  [ "$(engine image inspect --format '{{.Id}}' "$(name img)")" = "$first" ]
  run -0 engine history --no-trunc --format '{{.CreatedBy}}' "$(name img)"
  [ "${lines[0]}" = '/bin/sh -c #(nop)  CMD ["cat" "/made" "/copied"]' ]
  [ "${lines[3]}" = '/bin/sh -c echo made > /made' ]
  echo changed >"$dir/file"
  run -0 engine build -t "$(name img)" "$dir"
  [ "$(grep -c 'Using cache' <<<"$output")" -eq 1 ]
  run -0 engine build --no-cache -t "$(name img)" "$dir"
  [[ "$output" != *"Using cache"* ]]
  run -0 engine rmi "$(name img)"
}

@test "quiet prints the id alone" {
  dir=$(context)
  run -0 --separate-stderr build "$dir" -q <<'D'
FROM e2e-busybox
LABEL quiet=yes
D
  [[ "$output" =~ ^sha256:[0-9a-f]{64}$ ]]
  run -0 engine image inspect --format '{{.Config.Labels.quiet}}' "$output"
  [ "$output" = yes ]
}

@test "multi-stage, AS, --target, COPY --from, ARG before FROM" {
  dir=$(context)
  cat >"$dir/Dockerfile" <<'D'
ARG BASE=e2e-busybox
FROM ${BASE} AS compile
ARG WHAT=world
RUN echo "hello $WHAT" > /result
FROM ${BASE}
COPY --from=compile /result /app/result
CMD ["cat", "/app/result"]
D
  engine build -t "$(name ms)" --build-arg WHAT=stage "$dir"
  run -0 engine run --rm "$(name ms)"
  [ "$output" = "hello stage" ]
  engine build -t "$(name ms)" --target compile "$dir"
  run -0 engine run --rm "$(name ms)" cat /result
  [ "$output" = "hello world" ]
}

@test "the image's configuration" {
  dir=$(context)
  build "$dir" -t "$(name cfg)" --label by=flag <<'D'
FROM e2e-busybox
LABEL a="1 2" b=3
ENV X=1 Y="two words"
ENV Z ${X}-${Y}
WORKDIR /w
WORKDIR sub
USER app:extra
EXPOSE 80 53/udp
VOLUME ["/data"]
STOPSIGNAL SIGUSR1
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=5s --timeout=2s --start-period=1s --retries=4 CMD true
ENTRYPOINT ["echo"]
CMD ["a", "b"]
D
  engine image inspect "$(name cfg)" >"$BATS_TEST_TMPDIR/json"
  jq -e '.[0].Config
    | .Labels == {"a":"1 2","b":"3","by":"flag"}
    and (.Env | index("Z=1-two words") != null)
    and .WorkingDir == "/w/sub" and .User == "app:extra"
    and .ExposedPorts == {"80/tcp":{},"53/udp":{}} and .Volumes == {"/data":{}}
    and .StopSignal == "SIGUSR1" and .Shell == ["/bin/sh","-ec"]
    and .Healthcheck == {"Test":["CMD-SHELL","true"],"Interval":5000000000,"Timeout":2000000000,"StartPeriod":1000000000,"Retries":4}
    and .Entrypoint == ["echo"] and .Cmd == ["a","b"]' "$BATS_TEST_TMPDIR/json"
  run -0 engine run --rm "$(name cfg)"
  [ "$output" = "a b" ]
}

@test "COPY: directories, wildcards, ownership, modes, links, .dockerignore" {
  dir=$(context)
  mkdir -p "$dir/tree/deep" "$dir/skip"
  echo 1 >"$dir/tree/a.txt"; echo 2 >"$dir/tree/b.txt"; echo 3 >"$dir/tree/deep/c"; echo no >"$dir/skip/x"; echo yes >"$dir/skip/keep"
  chmod 640 "$dir/tree/a.txt"; ln -s a.txt "$dir/tree/link"
  printf '# comment\nskip/*\n!skip/keep\n' >"$dir/.dockerignore"
  build "$dir" -t "$(name cp)" <<'D'
FROM e2e-busybox
COPY tree /t
COPY tree/*.txt /only/
COPY --chown=app:extra tree/deep /owned/
COPY skip /skip
WORKDIR /rel
COPY tree/a.txt .
D
  run -0 engine run --rm "$(name cp)" sh -c 'cat /t/deep/c; readlink /t/link; stat -c %a /t/a.txt; ls /only /skip; stat -c %U:%G /owned/c; ls /rel'
  [ "${lines[*]}" = "3 a.txt 640 /only: a.txt b.txt /skip: keep app:extra a.txt" ]
}

@test "ADD unpacks local archives, COPY does not" {
  dir=$(context)
  mkdir "$dir/in"; echo packed >"$dir/in/f"
  tar -C "$dir/in" -czf "$dir/a.tar.gz" f; rm -r "$dir/in"
  build "$dir" -t "$(name add)" <<'D'
FROM e2e-busybox
ADD a.tar.gz /added/
COPY a.tar.gz /copied/
D
  run -0 engine run --rm "$(name add)" sh -c 'cat /added/f; ls /copied'
  [ "${lines[*]}" = "packed a.tar.gz" ]
}

@test "deleting in a later layer stays deleted" {
  dir=$(context)
  build "$dir" -t "$(name del)" <<'D'
FROM e2e-busybox
RUN mkdir /d && echo 1 > /d/f && echo 2 > /g
RUN rm -r /d /g && mkdir /d && echo 3 > /d/new
D
  run -0 engine run --rm "$(name del)" sh -c 'ls /d; test ! -e /g'
  [ "$output" = new ]
}

@test "ONBUILD runs in the child" {
  dir=$(context); echo on >"$dir/f"
  build "$dir" -t "$(name parent)" <<'D'
FROM e2e-busybox
ONBUILD COPY f /from-parent
ONBUILD RUN cat /from-parent > /ran
D
  build "$dir" -t "$(name child)" <<D
FROM $(name parent)
CMD cat /ran
D
  run -0 engine run --rm "$(name child)"
  [ "$output" = on ]
}

@test "context and Dockerfile from standard input" {
  dir=$(context); echo piped >"$dir/f"
  printf 'FROM e2e-busybox\nCOPY f /f\nCMD cat /f\n' >"$dir/Other"
  tar -C "$dir" -c . | engine build -t "$(name in)" -f Other -
  run -0 engine run --rm "$(name in)"
  [ "$output" = piped ]
  printf 'FROM e2e-busybox\nCMD echo alone\n' | engine build -t "$(name in)" -
  run -0 engine run --rm "$(name in)"
  [ "$output" = alone ]
}

@test "a failing RUN shows command, code and output" {
  dir=$(context)
  run -3 build "$dir" <<'D'
FROM e2e-busybox
RUN echo about to fail; exit 3
D
  [[ "$output" == *"about to fail"* ]]
  [[ "$output" == *"The command '/bin/sh -c echo about to fail; exit 3' returned a non-zero code: 3"* ]]
}

@test "errors of the Dockerfile and its sources" {
  dir=$(context)
  run -1 build "$dir" <<'D'
FROM e2e-busybox
RUNN true
D
  [[ "$output" == *"line 2"*"unknown instruction: RUNN"* ]]
  run -1 build "$dir" <<'D'
FROM e2e-busybox
COPY nope /x
D
  [[ "$output" == *"COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does not exist"* ]]
  run -1 build "$dir" <<'D'
FROM e2e-busybox
COPY ../outside /x
D
  [[ "$output" == *"COPY failed: forbidden path outside the build context: ../outside"* ]]
  run -1 build "$dir" <<'D'
FROM UPPER
D
  [[ "$output" == *"invalid reference format"* ]]
  run -1 build "$dir" </dev/null
  [[ "$output" == *"cannot be empty"* ]]
  run -1 engine build -f nosuchfile "$dir"
  run -1 engine build "$dir/nosuchdirectory"
  [[ "$output" == *"not found"* || "$output" == *"unable to"* ]]
}

@test "errors of .dockerignore" {
  local pattern
  dir=$(context)
  echo 'FROM e2e-busybox' >"$dir/Dockerfile"
  for pattern in '[' 'a[b-' 'a\' '[^]' '[]a]' '[-]' '[b-a]'; do
    printf 'fine\n%s\n' "$pattern" >"$dir/.dockerignore"
    run -1 engine build "$dir"
    [[ "$output" == *"error checking context: "*"syntax error in pattern"* ]]
  done
  for pattern in '!' '! '; do
    echo "$pattern" >"$dir/.dockerignore"
    run -1 engine build "$dir"
    [[ "$output" == *"error checking context: "*'illegal exclusion pattern: "!"'* ]]
  done
  for pattern in '/' '***' '../x' '!.' '#['; do
    echo "$pattern" >"$dir/.dockerignore"
    run -0 engine build -q "$dir"
  done
  rm "$dir/.dockerignore"
  mkdir "$dir/.dockerignore"
  run -1 engine build "$dir"
  [[ "$output" == *"error reading .dockerignore: "*"is a directory"* ]]
}

@test "an unused build argument is mentioned" {
  dir=$(context)
  run -0 build "$dir" --build-arg NOPE=1 <<'D'
FROM e2e-busybox
D
  [[ "$output" == *"[Warning] One or more build-args [NOPE] were not consumed"* ]]
}

@test "a hostile context cannot leave its directory" {
  dir=$(context)
  printf 'FROM e2e-busybox\nCOPY link/passwd /stolen\n' >"$dir/Dockerfile"
  ln -s /etc "$dir/link"
  run -1 engine build "$dir"
  [[ "$output" == *"COPY failed"* ]]
  printf 'FROM e2e-busybox\n' >"$dir/Dockerfile"
  rm "$dir/link"
  tar -C "$dir" --transform 's,^Dockerfile$,../escaped,' -cPf "$BATS_TEST_TMPDIR/evil.tar" Dockerfile
  tar -C "$dir" -rf "$BATS_TEST_TMPDIR/evil.tar" Dockerfile
  code=$(api POST "/v1.41/build?t=e2e-evil" -H 'Content-Type: application/x-tar' --data-binary @"$BATS_TEST_TMPDIR/evil.tar" -o "$BATS_TEST_TMPDIR/answer" -w '%{http_code}')
  if [ "$code" = 200 ]; then run ! engine image inspect e2e-evil-escaped; fi
  [ ! -e "$E2E_DIR/data/escaped" ] && [ ! -e "$E2E_DIR/data/tmp/escaped" ]
}

@test "ADD unpacks xz and bzip2 too, and copies what only looks compressed" {
  dir=$(context)
  mkdir "$dir/in"; echo packed >"$dir/in/f"
  tar -C "$dir/in" -cJf "$dir/a.tar.xz" f
  tar -C "$dir/in" -cjf "$dir/b.tar.bz2" f
  xz -c "$dir/in/f" >"$dir/plain.xz"
  rm -r "$dir/in"
  run -0 build "$dir" -t "$(name xz)" <<'D'
FROM e2e-busybox
ADD a.tar.xz /a/
ADD b.tar.bz2 /b/
ADD plain.xz /c/
D
  run -0 engine run --rm "$(name xz)" sh -c 'cat /a/f /b/f; ls /c'
  [ "${lines[*]}" = "packed packed plain.xz" ]
}

@test "ADD from a URL: name, mode, owner and time; a changed file runs the step again; refusals are told" {
  dir=$(context)
  mkdir "$BATS_TEST_TMPDIR/www"
  echo one >"$BATS_TEST_TMPDIR/www/file"
  touch -d @1000000000 "$BATS_TEST_TMPDIR/www/file"
  (cd "$BATS_TEST_TMPDIR/www" && exec timeout 60 python3 -u -m http.server 0 --bind 127.0.0.1 >"$BATS_TEST_TMPDIR/server" 2>&1 3>&-) &
  server=$!
  eventually 10 grep -q 'port [0-9]' "$BATS_TEST_TMPDIR/server"
  url=http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$BATS_TEST_TMPDIR/server")
  cat >"$dir/Dockerfile" <<D
FROM e2e-busybox
ADD $url/file /into/
ADD --chown=7:8 $url/file?version=2 /as
RUN stat -c '%n %a %u %g %Y' /into/file /as
D
  run -0 engine build --no-cache -t "$(name url)" "$dir"
  [[ "$output" == *"/into/file 600 0 0 1000000000"*"/as 600 7 8 1000000000"* ]]
  run -0 engine build -t "$(name url)" "$dir"
  [ "$(grep -c 'Using cache' <<<"$output")" = 3 ]
  echo two >"$BATS_TEST_TMPDIR/www/file"
  run -0 engine build -t "$(name url)" "$dir"
  run -0 engine run --rm "$(name url)" cat /into/file /as
  [ "${lines[*]}" = "two two" ]
  run -1 build "$dir" <<<"FROM e2e-busybox
ADD $url/nosuch /x"
  [[ "$output" == *"ADD failed: failed to GET $url/nosuch with status 404"* ]]
  run -1 build "$dir" <<<"FROM e2e-busybox
ADD $url/ /x/"
  [[ "$output" == *"ADD failed: cannot determine filename for source $url/"* ]]
  kill "$server"
  run -1 build "$dir" <<<"FROM e2e-busybox
COPY $url/file /x"
  [[ "$output" == *"COPY failed: source can't be a URL for COPY"* ]]
}

@test "--label: a step each; triggers of the base show one result; a stage's name is taken once" {
  dir=$(context)
  run -0 build "$dir" --no-cache -t "$(name parent)" --label b=2 --label a=1 <<'D'
FROM e2e-busybox
ONBUILD RUN true
ONBUILD ENV A=b
D
  [[ "$output" == *"Step 4/5 : LABEL a=1"*"Step 5/5 : LABEL b=2"* ]]
  run -0 build "$dir" --no-cache <<D
FROM $(name parent)
CMD true
D
  [[ "$output" == *"# Executing 2 build triggers"* ]]
  [ "$(grep -c ' ---> [0-9a-f]\{12\}' <<<"$output")" = 2 ]
  engine rmi "$(name parent)"
  run -1 build "$dir" <<'D'
FROM e2e-busybox AS x
FROM e2e-busybox AS X
D
  [[ "$output" == *"x stage name already used"* ]]
}

@test "limits of RUN: --ulimit, --shm-size, --memory; options that Docker refuses" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo files $(ulimit -n), shm $(df -k /dev/shm | awk "END {print \\$2}")\n' >"$dir/Dockerfile"
  run -0 engine build --no-cache --ulimit nofile=500:600 --shm-size 3m --memory 64m --cpu-shares 512 "$dir"
  [[ "$output" == *"files 500, shm 3072"* ]]
  run -1 engine build --no-cache --memory 1m "$dir"
  [[ "$output" == *"Minimum memory limit allowed is 6MB"* ]]
  run -1 engine build --isolation bogus "$dir"
  [[ "$output" == *'unsupported isolation: "bogus"'* ]]
  run -1 engine build --security-opt a=b "$dir"
  [[ "$output" == *"security options are not supported on linux"* ]]
  run -1 engine build --platform a/b/c/d "$dir"
  [[ "$output" == *"cannot parse platform specifier"* ]]
  run -1 engine build --squash "$dir"
  [[ "$output" == *"only supported on a Docker daemon with experimental features enabled"* ]]
  run -1 build "$dir" <<'D'
FROM e2e-busybox
WORKDIR /bin/sh
D
  [[ "$output" == *"Cannot mkdir: /bin/sh is not a directory"* ]]
}
