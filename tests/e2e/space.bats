# What images take on disk: pins, a budget, prune, and what `system df` says.
load lib

engine_options() { printf '%s\n' --image-budget 20m; }

eval "lib_$(declare -f setup_file)"
setup_file() {
  lib_setup_file
  export BASE ALONE=yes  # ALONE: no images but ours are there
  BASE=$(engine inspect --format '{{.Id}}' e2e-busybox)
  if [ "$E2E_ENGINE" = docker ]; then ALONE=; else pin pin e2e-busybox; fi
}
own() { [ "$E2E_ENGINE" != docker ] || skip "$1 are of our own"; }
# pin pin|unpin NAME: the stock client has no such command.
pin() {
  if [ "$E2E_ENGINE" = skiff ]; then
    engine image "$1" "$2" >/dev/null
  else
    [ "$(api POST "/skiff/images/$2/$1" -o /dev/null -w '%{http_code}')" = 204 ]
  fi
}

there() { engine image inspect "$1" >/dev/null 2>&1; }
# megabytes NAME COUNT: an image of so many that nothing else has.
megabytes() {
  head -c "$(($2 * 1000000))" /dev/urandom >"$BATS_TEST_TMPDIR/random"
  tar -C "$BATS_TEST_TMPDIR" -cf - random | engine import - "$1" >/dev/null
}
# forget NAME...: whether they are there or not.
forget() {
  local image
  for image in "$@"; do engine rmi -f "$image" >/dev/null 2>&1 || true; done
}

@test "a pinned image stays until it is unpinned or forced" {
  own pins
  megabytes "$(name a):1" 1
  engine tag "$(name a):1" "$(name b):1"
  pin pin "$(name b):1"
  [ "$(engine images -q --filter pinned=true --filter "reference=$(name a)" | wc -l)" = 1 ]
  [ "$(engine images -q --filter pinned=false --filter "reference=$(name a)" | wc -l)" = 0 ]
  engine rmi "$(name b):1"
  run -1 engine rmi "$(name a):1"
  [[ $output == *"(must be forced) - image is pinned; unpin it first (skiff image unpin)"* ]]
  engine image prune -af >/dev/null
  there "$(name a):1"
  pin unpin "$(name a):1"
  engine rmi "$(name a):1"
  megabytes "$(name c):1" 1
  pin pin "$(name c):1"
  engine rmi -f "$(name c):1"
  run ! there "$(name c):1"
}

@test "pins outlive the engine" {
  own pins
  megabytes "$(name a):1" 1
  pin pin "$(name a):1"
  kill -KILL "$(cat "$E2E_DIR/pid")"
  eventually 5 gone "$(cat "$E2E_DIR/pid")"
  start_engine
  run -1 engine rmi "$(name a):1"
  engine rmi -f "$(name a):1"
}
gone() { ! kill -0 "$1" 2>/dev/null; }

@test "pin and unpin say what they did" {
  [ "$E2E_ENGINE" = skiff ] || skip "a command of skiff's"
  [ "$(engine image pin e2e-busybox e2e-busybox:latest)" = $'e2e-busybox\ne2e-busybox:latest' ]
  [ "$(engine image inspect --format '{{.Skiff.Pinned}}' e2e-busybox)" = true ]
  [ "$(engine images --format '{{.Pinned}}' e2e-busybox)" = true ]
  run -1 engine image pin "$(name none)" e2e-busybox
  [[ $output == *"No such image: $(name none):latest"* ]]
  run -1 engine image pin
}

@test "the image used longest ago makes room" {
  own budgets
  local since
  since=$(date +%s)
  megabytes "$(name a):1" 6
  megabytes "$(name b):1" 6
  megabytes "$(name c):1" 6
  there "$(name a):1"
  # Using the oldest makes another one the oldest.
  engine create --name "$(name used)" "$(name a):1" true >/dev/null
  engine rm "$(name used)" >/dev/null
  megabytes "$(name d):1" 6
  there "$(name a):1"; there "$(name c):1"; there "$(name d):1"; there e2e-busybox
  run ! there "$(name b):1"
  grep -q "image $(name b):1 (6MB), last used .*, was removed: images took .* of a budget of 20.97MB" "$E2E_DIR/log"
  engine events --since "$since" --until "$(($(date +%s) + 1))" --filter event=evict | grep -q "image evict .*name=$(name b):1"
  # What a container has, running or not, stays.
  engine create --name "$(name keeps)" "$(name c):1" true >/dev/null
  megabytes "$(name e):1" 6
  there "$(name c):1"; there "$(name e):1"
  run ! there "$(name a):1"
  [ "$(engine system df --format '{{.Type}} {{.TotalCount}}' | head -1)" = "Images 4" ]
  engine rm "$(name keeps)" >/dev/null
  forget "$(name c):1" "$(name d):1" "$(name e):1"
}

@test "more than the budget alone is taken and said" {
  own budgets
  megabytes "$(name large):1" 30
  there "$(name large):1"; there e2e-busybox
  grep -q "images take 3.*MB, more than the budget of 20.97MB: the others are pinned, in use or new" "$E2E_DIR/log"
  engine rmi "$(name large):1" >/dev/null
}

@test "the base of a build that runs stays" {
  own budgets
  local dir word=$((100000 + RANDOM)) build
  megabytes "$(name base):1" 12
  dir=$(context)
  printf 'FROM %s\nCOPY --from=e2e-busybox /bin /bin\nRUN sleep %s || true\n' "$(name base):1" "$word" >"$dir/Dockerfile"
  engine build -q -t "$(name child):1" "$dir" >"$BATS_TEST_TMPDIR/build" 2>&1 &
  build=$!
  eventually 30 pgrep -fx "sleep $word"
  megabytes "$(name other):1" 12
  there "$(name base):1"
  kill "$(pgrep -fx "sleep $word")"
  wait "$build" || { cat "$BATS_TEST_TMPDIR/build" >&2; return 1; }
  there "$(name child):1"
  forget "$(name child):1" "$(name base):1" "$(name other):1"
}

@test "build cache on what went goes too, and the room is free again" {
  own budgets
  local dir before
  before=$(du -s "$E2E_DIR/data/snapshots" | cut -f1)
  megabytes "$(name base):1" 12
  dir=$(context)
  printf 'FROM %s\nCOPY x /x\n' "$(name base):1" >"$dir/Dockerfile"
  head -c 4000000 /dev/urandom >"$dir/x"
  engine build -q -t "$(name child):1" "$dir" >/dev/null
  megabytes "$(name other):1" 12
  run ! there "$(name child):1"
  run ! there "$(name base):1"
  forget "$(name other):1"
  free_again() { [ "$(du -s "$E2E_DIR/data/snapshots" | cut -f1)" -lt $((before + 500)) ]; }
  eventually 10 free_again
}

@test "prune takes what its filters let through" {
  local dir; dir=$(context)
  for label in keep=1 keep=2; do
    printf 'FROM e2e-busybox\nLABEL %s\nRUN echo %s >/f\n' "$label" "$label" >"$dir/Dockerfile"
    engine build -q -t "$(name "${label/=/-}")" "$dir" >/dev/null
  done
  pruned() { engine image prune -f "$@" | sed -n 's/^untagged: //p' | sort; }
  [ -z "$(pruned --filter until=24h -a)" ]
  [ -z "$(pruned --filter label=keep=3 -a)" ]
  [ "$(pruned -a --filter 'label!=keep=1' --filter label=keep)" = "$(name keep-2):latest" ]
  engine tag e2e-busybox "$(name moved)"
  printf 'FROM e2e-busybox\nRUN echo other >/f\n' >"$dir/Dockerfile"
  engine build -q -t "$(name keep-1)" "$dir" >/dev/null  # leaves the former without a name
  run -0 engine image prune -f
  [ -z "$ALONE" ] || [[ $output == *"Total reclaimed space: 7B"* ]]
  run -1 engine image prune -f --filter nothing=1
  [[ $output == *"invalid filter 'nothing'"* ]]
  forget "$(name keep-1)" "$(name moved)"
}

@test "system df -v through a format" {
  engine create --name "$(name c)" -v "$(name v):/v" e2e-busybox sh -c 'sleep 10' >/dev/null
  run -0 engine system df -v --format json
  jq -e --arg n "$(name c)" --arg id "$BASE" --arg alone "$ALONE" '[keys_unsorted[]] == ["Images", "Containers", "Volumes", "BuildCache"] and
    (.Images[] | select(.ID == $id) | .Containers == "1" and (.UniqueSize != "0B" or $alone == "")) and
    (.Containers[] | select(.Names == $n) | .LocalVolumes == "1" and .Size == "0B") and (.Volumes | length > 0)' <<<"$output"
  run -0 engine system df -v --format '{{range .Containers}}{{.Names}} {{end}}{{len .Volumes}}'
  [ "$output" = "$(name c) 1" ]
  run -1 engine system df -v --format '{{.Nope}}'
  [[ $output == *"can't evaluate field Nope in type *formatter.diskUsageContext"* ]]
  run -0 engine system df -v
  [[ $output == *"$(name c)"* && $output == *"SHARED SIZE   UNIQUE SIZE   CONTAINERS"* ]]
  engine rm -v "$(name c)" >/dev/null; engine volume rm "$(name v)" >/dev/null
}

@test "what two images share is counted once" {
  local dir images layers; dir=$(context)
  for n in 1 2; do
    printf 'FROM e2e-busybox\nCOPY x /x\n' >"$dir/Dockerfile"
    head -c 1000000 /dev/urandom >"$dir/x"
    engine build -q -t "$(name "n$n")" "$dir" >/dev/null
  done
  engine system df -v --format json >"$BATS_TEST_TMPDIR/df"
  jq -e --arg a "$(name n1)" '.Images[] | select(.Repository == $a) | .UniqueSize == "1MB"' "$BATS_TEST_TMPDIR/df"
  jq -e --arg id "$BASE" '.Images[] | select(.ID == $id) | .UniqueSize == "0B"' "$BATS_TEST_TMPDIR/df"
  layers=$(api GET /system/df | jq .LayersSize)
  images=$(api GET /system/df | jq '[.Images[] | .Size - .SharedSize] | add')
  shared=$(api GET /system/df | jq '[.Images[] | .SharedSize] | max')
  [ -z "$ALONE" ] || [ "$layers" = $((images + shared)) ]
  forget "$(name n1)" "$(name n2)"
}
