# Named, anonymous and bind volumes, tmpfs.
load lib

teardown() {
  local ids
  ids=$(engine ps -aq --filter name="e2e-"); [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
  ids=$(engine volume ls -q --filter name="e2e-"); [ -z "$ids" ] || engine volume rm -f $ids >/dev/null
}

@test "a named volume outlives its containers" {
  engine volume create "$(name v)"
  engine run --rm -v "$(name v):/data" e2e-busybox sh -c 'echo kept > /data/f'
  run -0 engine run --rm -v "$(name v):/data:ro" e2e-busybox cat /data/f
  [ "$output" = kept ]
  run engine run --rm -v "$(name v):/data:ro" e2e-busybox touch /data/g
  [ "$status" -eq 1 ]
  [[ "$output" == *"Read-only file system"* ]]
}

@test "a fresh volume gets the image's content, with its owner" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN mkdir -p /seed/sub && echo s > /seed/sub/f && chown -R app:app /seed\nVOLUME /seed\n' >"$dir/Dockerfile"
  engine build -q -t e2e-seeded "$dir" >/dev/null
  run -0 engine run --rm -v "$(name seed):/seed" e2e-seeded sh -c 'cat /seed/sub/f; stat -c %U /seed /seed/sub'
  [ "${lines[*]}" = "s app app" ]
  engine create --name "$(name anon)" e2e-seeded true
  volume=$(engine inspect --format '{{(index .Mounts 0).Name}}' "$(name anon)")
  [ ${#volume} -eq 64 ]
  engine rm -v "$(name anon)"
  run -1 engine volume inspect "$volume"
  engine rmi e2e-seeded
}

@test "a volume in use is not removed" {
  engine create --name "$(name holder)" -v "$(name busy):/x" e2e-busybox true
  run -1 engine volume rm "$(name busy)"
  [[ "$output" == *"volume is in use - ["* ]]
  engine rm "$(name holder)"
  engine volume rm "$(name busy)"
  run -1 engine volume inspect "$(name busy)"
  [[ "$output" == *"no such volume"* ]]
}

@test "bind mounts of directories and files" {
  mkdir -p "$E2E_DIR/host"; echo h >"$E2E_DIR/host/f"
  [ "$E2E_ENGINE" != docker ] || skip "the reference engine runs in another root"
  run -0 engine run --rm -v "$E2E_DIR/host:/m" -v "$E2E_DIR/host/f:/file:ro" e2e-busybox sh -c 'cat /m/f /file; echo w > /m/g'
  [ "${lines[*]}" = "h h" ]
  [ "$(cat "$E2E_DIR/host/g")" = w ]
  engine run --rm -v "$E2E_DIR/made:/m" e2e-busybox true
  [ -d "$E2E_DIR/made" ]
  run -0 engine run --rm --mount "type=bind,source=$E2E_DIR/host,target=/m,readonly" e2e-busybox sh -c 'touch /m/x || echo refused'
  [[ "$output" == *refused ]]
}

@test "tmpfs and read-only root" {
  run -0 engine run --rm --tmpfs /t:size=1m,mode=1777 e2e-busybox sh -c 'df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
  [ "$output" = 1024 ]
  run -0 engine run --rm --read-only --tmpfs /t e2e-busybox sh -c 'touch /x || touch /t/x && echo fine'
  [[ "$output" == *fine ]]
  run -0 engine run --rm --mount type=tmpfs,target=/t,tmpfs-size=2m e2e-busybox sh -c 'df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
  [ "$output" = 2048 ]
}

@test "volume ls, inspect, labels, names, prune" {
  engine volume create --label a=b "$(name l)"
  run -0 engine volume inspect --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels.a}}' "$(name l)"
  [ "$output" = "$(name l) local local b" ]
  run -0 engine volume ls -q --filter label=a=b
  [ "$output" = "$(name l)" ]
  run -1 engine volume create 'bad name'
  [[ "$output" == *'includes invalid characters for a local volume name'* ]]
  engine create --name "$(name p)" -v /anonymous e2e-busybox true
  engine rm "$(name p)"
  run -0 engine volume prune -f --filter label=com.docker.volume.anonymous
  [[ "$output" == *"Deleted Volumes:"* ]]
  engine volume inspect "$(name l)"
}
