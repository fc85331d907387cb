# Images and the whole system: ls, tag, rmi, inspect, prune, df, info, version.
load lib

@test "tag, ls, rmi" {
  engine tag e2e-busybox "e2e-tagged:v1"
  run -0 engine images --format '{{.Repository}}:{{.Tag}}' e2e-tagged
  [ "$output" = "e2e-tagged:v1" ]
  [ "$(engine images -q --no-trunc e2e-tagged)" = "$(engine images -q --no-trunc e2e-busybox)" ]
  run -0 engine rmi e2e-tagged:v1
  [ "$output" = "Untagged: e2e-tagged:v1" ]
  run -1 engine rmi e2e-tagged:v1
  [[ "$output" == *"No such image: e2e-tagged:v1"* ]]
  run -1 engine tag e2e-busybox 'Bad:Ref:erence'
  [[ "$output" == *"not a valid repository/tag"* ]]
}

@test "rmi --platform takes only what is for that platform" {
  engine tag e2e-busybox "$(name p)"
  local here; here=$(engine image inspect --format '{{.Os}}/{{.Architecture}}' e2e-busybox)
  run -1 engine rmi --platform linux/ppc64le "$(name p)"
  [[ "$output" == *"image with reference $(name p) was found but its platform ($here) does not match the specified platform (linux/ppc64le)" ]]
  run -1 engine rmi --platform linux/ppc64le,linux/arm64 "$(name p)"
  [[ "$output" == *"multiple platforms are not supported" ]]
  run -1 engine rmi --platform nonsense "$(name p)"
  [ "$output" = '"nonsense": unknown operating system or architecture: invalid argument' ]
  [ "$(api DELETE "/v1.50/images/$(name p)" -G --data-urlencode 'platforms={"os":"linux"}' -o /dev/null -w '%{http_code}')" = 400 ]
  run -0 engine rmi --platform "$here" "$(name p)"
  [ "$output" = "Untagged: $(name p):latest" ]
}

@test "an image in use stays" {
  dir=$(context); printf 'FROM e2e-busybox\nLABEL in=use\n' >"$dir/Dockerfile"
  engine build -q -t e2e-used "$dir" >/dev/null
  engine create --name "$(name c)" e2e-used true
  run -1 engine rmi e2e-used
  [[ "$output" == *"conflict: unable to remove repository reference \"e2e-used\" (must force) - container"* ]]
  engine rm "$(name c)"
  run -0 engine rmi e2e-used
  [[ "$output" == *"Untagged: e2e-used:latest"* ]]
  [[ "$output" == *"Deleted: sha256:"* ]]
}

@test "inspect has Docker's fields" {
  engine image inspect e2e-busybox | jq -e '.[0] | (.Id | startswith("sha256:")) and (.RepoTags | index("e2e-busybox:latest") != null)
    and .Os == "linux" and (.Size > 100000) and .RootFS.Type == "layers" and (.RootFS.Layers | length == 1) and .Config.Cmd == ["sh"]'
  run -1 engine image inspect nosuchimage
  [[ "$output" == *"No such image: nosuchimage"* ]]
}

@test "dangling images are pruned" {
  dir=$(context); printf 'FROM e2e-busybox\nLABEL dangling=yes\n' >"$dir/Dockerfile"
  id=$(engine build -q "$dir")
  [ -n "$(engine images -q --filter dangling=true)" ]
  run -0 engine image prune -f
  [[ "$output" == *"Total reclaimed space"* ]]
  run -1 engine image inspect "$id"
}

@test "version, info, df answer" {
  run -0 engine version --format '{{.Server.Os}} {{.Client.Os}}'
  [ "$output" = "linux linux" ]
  run -0 engine info --format '{{.OSType}} {{.Images}}'
  [[ "$output" == "linux "* ]]
  run -0 engine system df
  [[ "${lines[0]}" == "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE" ]]
  [[ "${lines[1]}" == Images* && "${lines[2]}" == Containers* && "${lines[3]}" == "Local Volumes"* && "${lines[4]}" == "Build Cache"* ]]
}

@test "df tells what images share" {
  dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo some bytes >/own\n' >"$dir/Dockerfile"
  engine build -q -t "$(name heir)" "$dir"
  df=$(api GET /v1.41/system/df)
  size() { jq --arg tag "$1:latest" ".Images[] | select(.RepoTags | index(\$tag)) | .$2" <<<"$df"; }
  base=$(size e2e-busybox Size)
  [ "$base" -gt 0 ]
  [ "$(size e2e-busybox SharedSize)" = "$base" ]
  [ "$(size "$(name heir)" SharedSize)" = "$base" ]
  [ "$(size "$(name heir)" Size)" = $((base + 11)) ]
}

@test "a missing image cannot be run" {
  run -125 engine run --pull never --rm nosuchimage:tag true
  [[ "$output" == *"No such image: nosuchimage:tag"* ]]
}

@test "container prune removes what has ended" {
  engine create --name "$(name dead)" e2e-busybox true
  run -0 engine container prune -f
  [[ "$output" == *"Deleted Containers:"* ]]
  run -1 engine inspect "$(name dead)"
}

@test "pruning the build cache leaves images whole, and what an image shares is not counted as freed" {
  dir=$(context)
  printf 'FROM e2e-busybox AS side\nRUN echo side >/side\nFROM e2e-busybox\nCOPY --from=side /side /side\nRUN echo own >/own\nCMD cat /side /own\n' >"$dir/Dockerfile"
  engine build -q -t "$(name whole)" "$dir"
  engine builder prune -f
  run -0 engine run --rm "$(name whole)"
  [ "${lines[*]}" = "side own" ]
  run -0 engine build -t "$(name whole)" "$dir"
  [[ "$output" == *"RUN echo own >/own"*"Using cache"* ]]
  engine builder prune -f -a
  run -0 engine run --rm "$(name whole)"
  [ "${lines[*]}" = "side own" ]
  run -0 engine run --rm e2e-busybox true
  run -1 engine builder prune -f --filter bogus=1
  [[ "$output" == *"failed to prune build cache: invalid filter 'bogus'"* ]]
  run -0 engine builder prune -f --filter until=24h
  engine rmi "$(name whole)"
}

@test "the reference filter stops at slashes; bad filters and ambiguous tags are refused in words" {
  engine tag e2e-busybox e2e-glob.example/deep/x:1
  run -0 engine images --format '{{.Repository}}' 'e2e-glob*'
  [ -z "$output" ]
  run -0 engine images --format '{{.Repository}}' 'e2e-glob*/*/x'
  [ "$output" = e2e-glob.example/deep/x ]
  engine rmi e2e-glob.example/deep/x:1
  run -1 engine images --filter dangling=maybe
  [[ "$output" == *"invalid filter 'dangling=[maybe]'"* ]]
  run -1 engine image prune -f --filter until=never
  [[ "$output" == *'failed to parse value as time or duration: "never"'* ]]
  run -1 engine tag e2e-busybox sha256:abc
  [[ "$output" == *"refusing to create an ambiguous tag using digest algorithm as name"* ]]
  run -1 engine inspect e2e-nosuchobject
  [[ "$output" == *"No such object: e2e-nosuchobject"* ]]
}

@test "images --tree, and what it does not go together with" {
  engine tag e2e-busybox "$(name tree):a-longer-name"
  run -0 engine images --tree --filter "reference=e2e-busybox" --filter "reference=$(name tree)"
  [ "${lines[0]}" = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on." ]
  [ "${lines[1]}" = "                                                              Info ->  U In Use " ]
  [ "${lines[3]}" = "$(name tree):a-longer-name" ]
  [[ "${lines[4]}" == "e2e-busybox:latest"*"$(engine images -q e2e-busybox)"*MB*0B* ]]
  for flag in --quiet --no-trunc; do
    run -1 engine images --tree $flag
    [ "$output" = "$flag is not yet supported with --tree" ]
  done
  engine rmi "$(name tree):a-longer-name"
}

@test "a platform that an image is not for" {
  run -1 engine history --platform linux/ppc64le e2e-busybox
  [[ "$output" == "Error response from daemon: image with reference e2e-busybox"*" was found but its platform (linux/"*") does not match the specified platform (linux/ppc64le)" ]]
  run -1 engine history --platform a/b/c/d e2e-busybox
  [ "$output" = 'invalid platform: "a/b/c/d": cannot parse platform specifier: invalid argument' ]
  engine history --platform "linux/$(dpkg --print-architecture)" e2e-busybox
}

@test "images filters, before and since, labels, references, dangling" {
  dir=$(context)
  printf 'FROM e2e-busybox\nLABEL filter=one\n' >"$dir/Dockerfile"; engine build -q -t "$(name f):1" "$dir";
  printf 'FROM e2e-busybox\nLABEL filter=two\n' >"$dir/Dockerfile"; engine build -q -t "$(name f):2" "$dir";
  printf 'FROM e2e-busybox\nLABEL filter=three\n' >"$dir/Dockerfile"; engine build -q -t "$(name f):3" "$dir"
  list() { engine images --format '{{.Tag}}' "$@" "$(name f)" | sort | paste -sd' '; }
  [ "$(list)" = "1 2 3" ]
  [ "$(list --filter "before=$(name f):2")" = 1 ]
  [ "$(list --filter "since=$(name f):2")" = 3 ]
  [ "$(list --filter label=filter=two)" = 2 ]
  [ "$(list --filter label=filter)" = "1 2 3" ]
  [ "$(engine images --format '{{.Tag}}' --filter "reference=$(name f):[12]" | sort | paste -sd' ')" = "1 2" ]
  [ -z "$(list --filter dangling=true)" ]
  run -1 engine images --filter since=nosuch
  [ "$output" = "Error response from daemon: No such image: nosuch:latest" ]
  run -1 engine images --filter bogus=1
  [ "$output" = "Error response from daemon: invalid filter 'bogus'" ]
  run -1 engine images --filter dangling=maybe
  [ "$output" = "Error response from daemon: invalid filter 'dangling=[maybe]'" ]
  run -1 engine images --filter until=xx
  [ "$output" = 'Error response from daemon: failed to parse value as time or duration: "xx"' ]
  engine rmi "$(name f):1" "$(name f):2" "$(name f):3"
}
