# Which images are taken: a policy, and signatures made as cosign makes them, asked at pull, load, run and FROM.
load lib
load docker_registry

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

engine_options() { printf '%s\n' --policy "$E2E_DIR/policy.json"; }

setup_file() {
  export HOST E2E_DIR
  # The engine is started with a policy that takes everything, and lib makes the directory.
  eval "real_$(declare -f start_engine)"
  start_engine() { everything >"$E2E_DIR/policy.json"; real_start_engine; }
  lib_setup_file
  registry_start open
  HOST=localhost:$REGISTRY_PORT
  openssl ecparam -name prime256v1 -genkey -noout -out "$E2E_DIR/ecdsa.key"
  openssl genpkey -algorithm ed25519 -out "$E2E_DIR/ed25519.key"
  openssl genpkey -algorithm ed25519 -out "$E2E_DIR/other.key"
  local key
  for key in ecdsa ed25519 other; do openssl pkey -in "$E2E_DIR/$key.key" -pubout -out "$E2E_DIR/$key.pub"; done
}

teardown_file() {
  local images
  images=$(engine images -q --no-trunc --filter "reference=$HOST/*" | sort -u) || true
  [ -z "$images" ] || engine rmi -f $images >/dev/null || true
  registries_stop
  lib_teardown_file
}

setup() {
  [ "$E2E_ENGINE" != docker ] || skip "Docker has no policy"
  policy <<<"$(everything)"
}

everything() { echo '{"default": [{"type": "insecureAcceptAnything"}]}'; }
# signed_by KEY: a rule for our registry; everything else is taken.
signed_by() {
  printf '{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": {"%s": [{"type": "sigstoreSigned", "keyPath": "%s", "signedIdentity": {"type": "matchRepository"}}]}}}\n' \
    "$HOST" "$E2E_DIR/$1.pub"
}
# policy <FILE: puts it in force; the engine says nothing of it, so what follows is asked for eventually.
policy() {
  cat >"$E2E_DIR/policy.json"
  kill -HUP "$(cat "$E2E_DIR/pid")"
}

# push_new NAME WORD: an image of our registry that is not here; sets DIGEST.
push_new() {
  local dir; dir=$(context)
  printf 'FROM e2e-busybox\nRUN echo %s >/word\nCMD cat /word\n' "$2" >"$dir/Dockerfile"
  engine build -q -t "$HOST/$1" "$dir" >/dev/null
  engine push -q "$HOST/$1" >/dev/null
  DIGEST=$(engine image inspect --format '{{index .RepoDigests 0}}' "$HOST/$1" | cut -d@ -f2)
  engine rmi "$HOST/$1" >/dev/null
}

# sign KEY REPOSITORY DIGEST [NAME]
sign() {
  local dir=$BATS_TEST_TMPDIR signature blob config
  printf '{"critical":{"identity":{"docker-reference":"%s"},"image":{"docker-manifest-digest":"%s"},"type":"cosign container image signature"},"optional":null}' \
    "${4:-$HOST/$2}" "$3" >"$dir/payload"
  case $1 in
    ecdsa) openssl dgst -sha256 -sign "$E2E_DIR/$1.key" -out "$dir/signature" "$dir/payload" ;;
    *) openssl pkeyutl -sign -rawin -inkey "$E2E_DIR/$1.key" -in "$dir/payload" -out "$dir/signature" ;;
  esac
  signature=$(base64 -w0 "$dir/signature")
  printf '{}' >"$dir/config"
  blob=$(put_blob "$HOST" "$2" "$dir/payload")
  config=$(put_blob "$HOST" "$2" "$dir/config")
  cat >"$dir/manifest" <<JSON
{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
 "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": "$config"},
 "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "size": $(stat -c %s "$dir/payload"), "digest": "$blob",
             "annotations": {"dev.cosignproject.cosign/signature": "$signature"}}]}
JSON
  put_manifest "$HOST" "$2" "sha256-${3#sha256:}.sig" "$dir/manifest"
}

# refused REASON ARGS: the command fails and says so, whatever else it prints.
refused() {
  local reason=$1; shift
  run engine "$@"
  [ "$status" -ne 0 ]
  [[ $output == *"is refused by the rule \"docker $HOST\" of the policy $E2E_DIR/policy.json: $reason"* ]] || { echo "$output" >&2; return 1; }
}

@test "an image without a good signature is not pulled" {
  push_new app:v1 one
  signed_by ecdsa | policy
  eventually 5 refused "it has no signature" pull "$HOST/app:v1"
  run ! engine image inspect "$HOST/app:v1"
  sign other app "$DIGEST"
  refused "none of its signatures is by a key of the rule" pull "$HOST/app:v1"
  sign ecdsa app "sha256:$(printf x | sha256sum | cut -d' ' -f1)"
  refused "none of its signatures is by a key of the rule" pull "$HOST/app:v1"
  sign ecdsa app "$DIGEST" "$HOST/elsewhere"
  refused "its signature is one for the name \"$HOST/elsewhere\"" pull "$HOST/app:v1"
  refused "its signature is one for the name \"$HOST/elsewhere\"" run --rm --network none "$HOST/app:v1"
  sign ecdsa app "$DIGEST"
  engine pull -q "$HOST/app:v1"
  [ "$(engine run --rm --network none "$HOST/app:v1")" = one ]
  engine rmi "$HOST/app:v1" >/dev/null
  engine pull -q "$HOST/app@$DIGEST"
  engine rmi "$HOST/app@$DIGEST" >/dev/null
}

@test "Ed25519, and a key that is withdrawn" {
  push_new edwards:v1 two
  sign ed25519 edwards "$DIGEST"
  signed_by ed25519 | policy
  eventually 5 engine pull -q "$HOST/edwards:v1"
  [ "$(engine run --rm --network none "$HOST/edwards:v1")" = two ]
  signed_by other | policy
  eventually 5 refused "none of its signatures is by a key of the rule" run --rm --network none "$HOST/edwards:v1"
  # Another name for it changes nothing, nor does its id.
  engine tag "$HOST/edwards:v1" "$(name mine):v1"
  refused "none of its signatures is by a key of the rule" create "$(name mine):v1"
  engine rmi "$(name mine):v1" "$HOST/edwards:v1" >/dev/null
}

@test "an image from before the policy is not used until it is pulled again" {
  push_new before:v1 three
  engine pull -q "$HOST/before:v1"
  sign ecdsa before "$DIGEST"
  signed_by ecdsa | policy
  eventually 5 refused "no signature was recorded when it was pulled; pull it again" run --rm --network none "$HOST/before:v1"
  local dir; dir=$(context)
  printf 'FROM %s\nRUN true\n' "$HOST/before:v1" >"$dir/Dockerfile"
  refused "no signature was recorded" build -q "$dir"
  [ -z "$(engine ps -aq)" ]
  engine pull -q "$HOST/before:v1"
  engine build -q -t "$(name child)" "$dir" >/dev/null
  [ "$(engine run --rm --network none "$(name child)")" = three ]
  engine rmi "$(name child)" "$HOST/before:v1" >/dev/null
}

@test "what was made here is taken under every policy" {
  echo '{"default": [{"type": "reject"}]}' | policy
  push_mine() { engine tag e2e-busybox "$HOST/mine:v1" && engine push -q "$HOST/mine:v1"; }
  push_mine >/dev/null
  [ "$(engine run --rm --network none "$HOST/mine:v1" echo ran)" = ran ]
  engine rmi "$HOST/mine:v1" >/dev/null
}

@test "archives have a rule of their own" {
  engine save -o "$BATS_TEST_TMPDIR/image.tar" e2e-busybox
  echo '{"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker-archive": {"": [{"type": "reject"}]}}}' | policy
  refused_archive() {
    run engine load -i "$BATS_TEST_TMPDIR/image.tar"
    [ "$status" -ne 0 ] && [[ $output == *"refused by the rule \"docker-archive\" of the policy $E2E_DIR/policy.json: archives are rejected"* ]]
  }
  eventually 5 refused_archive
}

@test "a policy that is wrong changes nothing, and keeps an engine from starting" {
  signed_by ecdsa | policy
  push_new wrong:v1 four
  eventually 5 refused "it has no signature" pull "$HOST/wrong:v1"
  echo '{"default": [{"type": "rejekt"}]}' >"$E2E_DIR/policy.json"
  kill -HUP "$(cat "$E2E_DIR/pid")"
  said() { grep -q 'reload: policy .* has the unknown type .*rejekt.*; the policy stays as it was' "$E2E_DIR/log"; }
  eventually 5 said
  refused "it has no signature" pull "$HOST/wrong:v1"
  mv "$E2E_DIR/policy.json" "$BATS_TEST_TMPDIR/policy.json"
  kill -HUP "$(cat "$E2E_DIR/pid")"
  gone() { grep -q 'reload: the policy .*policy.json is gone; it ends when the engine is started without it; the policy stays as it was' "$E2E_DIR/log"; }
  eventually 5 gone
  refused "it has no signature" pull "$HOST/wrong:v1"
  mv "$BATS_TEST_TMPDIR/policy.json" "$E2E_DIR/policy.json"
  run -1 "$SKIFF_BIN/skiffd" --validate --policy "$E2E_DIR/policy.json"
  [[ $output == *"policy $E2E_DIR/policy.json: requirement 1 of the rule \"default\" has the unknown type \"rejekt\""* ]]
  run -1 "$SKIFF_BIN/skiffd" --validate --policy "$E2E_DIR/none.json"
}
