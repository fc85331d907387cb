#!/usr/bin/env bats
# Log drivers: where output goes, what comes back, what is refused.

load lib

# The engine trusts one more authority, by the variable that programs with TLS know.
start_engine() {
  mkdir -p "$E2E_DIR/keys"
  [ -e "$E2E_DIR/keys/cert.pem" ] || certificate "$E2E_DIR/keys"
  SSL_CERT_FILE=$E2E_DIR/keys/cert.pem engine_start "$E2E_DIR"
}

certificate() { # DIRECTORY: one for localhost, that vouches for itself
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout "$1/key.pem" -out "$1/cert.pem" 2>/dev/null
}

# log_server FORM ADDRESS [CERTIFICATE KEY]: starts one; sets SERVER to its address and MESSAGES to the file of what it got.
log_server() {
  MESSAGES=$BATS_TEST_TMPDIR/messages-$RANDOM
  python3 "$HERE/log_server.py" "$1" "$2" "$MESSAGES" "${@:3}" 3>&- 4>&- &
  echo $! >>"$BATS_TEST_TMPDIR/servers"
  eventually 10 [ -s "$MESSAGES.address" ]
  SERVER=$(cat "$MESSAGES.address")
}

teardown() {
  local pid ids
  if [ -f "$BATS_TEST_TMPDIR/servers" ]; then
    while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$BATS_TEST_TMPDIR/servers"
  fi
  ids=$(engine ps -aq --filter name="e2e-") || true
  [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
}

got() { grep -q -- "$1" "$MESSAGES"; }
own_engine() { [ "$E2E_ENGINE" != docker ] || skip "about $1 of our own"; }
of_json() { python3 -c "import json,sys; m=json.loads(sys.stdin.readline()); print(*[m.get(k) for k in sys.argv[1:]], sep='|')" "$@"; }

@test "local is bounded: the newest lines stay, and followers see every line across rotations" {
  local c; c=$(name bounded)
  engine run -d --name "$c" --log-driver local --log-opt max-size=100k --log-opt max-file=3 e2e-busybox sh -c \
    'sleep 1; for i in 1 2 3 4 5 6 7 8 9 10; do seq $((i * 10000)) $((i * 10000 + 9999)); usleep 100000; done' >/dev/null
  engine logs -f "$c" >"$BATS_TEST_TMPDIR/followed"
  # A real Docker's follower misses lines when files rotate as fast as this.
  [ "$E2E_ENGINE" = docker ] || seq 10000 109999 | cmp - "$BATS_TEST_TMPDIR/followed"
  engine logs "$c" >"$BATS_TEST_TMPDIR/kept"
  [ "$(wc -c <"$BATS_TEST_TMPDIR/kept")" -le 320000 ]
  seq 10000 109999 | tail -n "$(wc -l <"$BATS_TEST_TMPDIR/kept")" | cmp - "$BATS_TEST_TMPDIR/kept"
  [ "$(engine inspect --format '{{.LogPath}}|{{.HostConfig.LogConfig.Type}}|{{index .HostConfig.LogConfig.Config "max-size"}}' "$c")" = "|local|100k" ]
}

@test "old segments of local are compressed, and read as before" {
  own_engine "files"
  local c dir; c=$(name compressed)
  engine run -d --name "$c" --log-driver local --log-opt max-size=500k e2e-busybox sh -c 'seq 200000; sleep 100' >/dev/null
  dir=$E2E_DIR/data/containers/$(engine inspect --format '{{.Id}}' "$c")/log
  two_compressed() { [ "$(find "$dir" -name '*.log.z' | wc -l)" -ge 2 ]; }
  eventually 20 two_compressed
  engine logs "$c" | cmp - <(seq 200000)
  [ "$(engine logs --tail 100000 "$c" | head -1)" = 100001 ]
}

@test "long lines, unfinished lines and NUL bytes come back as they went in" {
  local c driver; c=$(name bytes)
  for driver in local json-file; do
    engine run --name "$c" --log-driver $driver e2e-busybox sh -c \
      'head -c 1048576 /dev/zero | tr "\0" x; echo; printf "a\0b\tc\n\n"; printf "no newline"' >"$BATS_TEST_TMPDIR/said"
    engine logs "$c" | cmp - "$BATS_TEST_TMPDIR/said"
    engine rm "$c" >/dev/null
  done
}

@test "since, until and tail" {
  local c driver middle; c=$(name moments)
  for driver in local json-file; do
    engine run --name "$c" --log-driver $driver e2e-busybox sh -c 'echo one; sleep 1.1; echo two; echo three >&2; sleep 1.1; echo four' \
      >/dev/null 2>&1
    middle=$(engine logs -t "$c" 2>/dev/null | sed -n 's/ two$//p')
    [ "$(engine logs --since "$middle" "$c" 2>/dev/null)" = $'two\nfour' ]
    [ "$(engine logs --until "$middle" "$c" 2>/dev/null)" = $'one\ntwo' ]
    [ "$(engine logs --tail 1 "$c" 2>&1)" = four ]
    [ "$(engine logs --tail 0 "$c" 2>&1)" = "" ]
    engine rm "$c" >/dev/null
  done
}

@test "json-file has Docker's form, labels, variables and a tag" {
  local c; c=$(name json)
  engine run --name "$c" --log-driver json-file --log-opt labels=one --log-opt labels-regex='^t' --label one=1 --label two=2 \
    --label three=3 --log-opt env=E --env 'E=a b' --log-opt tag='{{.Name}}' e2e-busybox sh -c 'printf "<x>\n"; echo err >&2' >/dev/null 2>&1
  [ "$(engine logs --details "$c" 2>/dev/null)" = "E=a+b,one=1,tag=$c,three=3,two=2 <x>" ]
  [ "$(engine inspect --format '{{.LogPath}}' "$c" | sed 's/.*\///')" = "$(engine inspect --format '{{.Id}}' "$c")-json.log" ]
  if [ "$E2E_ENGINE" != docker ]; then
    sed 's/"time":".*"/"time":"T"/' "$(engine inspect --format '{{.LogPath}}' "$c")" | sort | cmp - <(cat <<END
{"log":"\u003cx\u003e\n","stream":"stdout","attrs":{"E":"a b","one":"1","tag":"$c","three":"3","two":"2"},"time":"T"}
{"log":"err\n","stream":"stderr","attrs":{"E":"a b","one":"1","tag":"$c","three":"3","two":"2"},"time":"T"}
END
)
  fi
}

@test "json-file rotates by max-size and max-file, and compresses" {
  local c; c=$(name rotated)
  engine run -d --name "$c" --log-driver json-file --log-opt max-size=100k --log-opt max-file=3 --log-opt compress=true \
    e2e-busybox sh -c 'seq 10000; sleep 100' >/dev/null
  eventually 10 has_said "$c" '^10000$'
  if [ "$E2E_ENGINE" != docker ]; then
    local path; path=$(engine inspect --format '{{.LogPath}}' "$c")
    eventually 10 [ -f "$path.1.gz" ]
    eventually 10 [ -f "$path.2.gz" ]
    [ ! -e "$path.3" ]
    [ "$(zcat "$path.1.gz" | head -c 8)" = '{"log":"' ]
  fi
  engine logs "$c" >"$BATS_TEST_TMPDIR/kept"
  seq 10000 | tail -n "$(wc -l <"$BATS_TEST_TMPDIR/kept")" | cmp - "$BATS_TEST_TMPDIR/kept"
}

@test "none keeps nothing and says so" {
  local c; c=$(name none)
  engine run --name "$c" --log-driver none e2e-busybox echo x
  run engine logs "$c"
  [ "$status" -ne 0 ]
  [[ $output == *"configured logging driver does not support reading"* ]]
}

@test "wrong drivers, names and values are refused at create, in Docker's words" {
  refused() { # WORDS OPTION...
    local words=$1; shift
    run engine create --name "$(name refused)" "$@" e2e-busybox true
    [ "$status" -ne 0 ]
    [[ $output == *"$words"* ]] || { echo "$output"; return 1; }
  }
  refused 'error looking up logging plugin foo: plugin "foo" not found' --log-driver foo
  refused "unknown log opt 'foo' for log driver local" --log-driver local --log-opt foo=bar
  refused "unknown log opt 'foo' for json-file log driver" --log-driver json-file --log-opt foo=bar
  refused "unknown log opt 'foo' for syslog log driver" --log-driver syslog --log-opt foo=bar
  refused "invalid logging opts for driver none" --log-driver none --log-opt foo=bar
  refused "logger: logging mode not supported: foo" --log-driver json-file --log-opt mode=foo
  refused "max-buffer-size option is only supported with 'mode=non-blocking'" --log-driver json-file --log-opt max-buffer-size=1m
  refused "invalid value for option cache-disabled: x" --log-driver json-file --log-opt cache-disabled=x
  refused "unsupported scheme: ''" --log-driver syslog --log-opt syslog-address=foo
  refused "invalid syslog facility" --log-driver syslog --log-opt syslog-facility=24
  refused "Invalid syslog format" --log-driver syslog --log-opt syslog-format=foo
  refused "invalid fluentd-address (unix://): path is empty" --log-driver fluentd --log-opt fluentd-address=unix://
  refused 'time: missing unit in duration "10"' --log-driver fluentd --log-opt fluentd-retry-wait=10
  refused "gelf-address is a required parameter" --log-driver gelf
  refused "gelf: endpoint needs to be TCP or UDP" --log-driver gelf --log-opt gelf-address=foo
  refused "compression is only supported on UDP" --log-driver gelf --log-opt gelf-address=tcp://127.0.0.1:9 --log-opt gelf-compression-level=1
}

@test "values that Docker notices at the start end a run with its words" {
  refused() { # WORDS OPTION...
    local words=$1; shift
    run engine run --name "$(name refused)" "$@" e2e-busybox true
    [ "$status" -eq 125 ]
    [[ $output == *"$words"* ]] || { echo "$output"; return 1; }
    engine rm -f "$(name refused)" >/dev/null 2>&1 || true
  }
  refused "max-size must be a positive number" --log-driver json-file --log-opt max-size=0
  refused "compress cannot be true when max-file is less than 2 or max-size is not set" --log-driver json-file --log-opt compress=true
  refused "invalid value for max-size: x: invalid size: 'x'" --log-driver local --log-opt max-size=x
  refused 'error parsing regexp: missing closing ]: `[`' --log-driver json-file --log-opt labels-regex='['
  refused "unclosed action" --log-driver json-file --log-opt tag='{{'
}

@test "info names driver and drivers" {
  local drivers; drivers=$(engine info --format '{{json .Plugins.Log}}')
  for driver in fluentd gelf journald json-file local syslog; do [[ $drivers == *"\"$driver\""* ]]; done
  if [ "$E2E_ENGINE" != docker ]; then [ "$(engine info --format '{{.LoggingDriver}}')" = local ]; fi
}

@test "syslog: formats, facility and tag over tcp and udp, and logs read from the cache" {
  local c stamp='[A-Z][a-z]\{2\} [ 0-9][0-9] [0-9:]\{8\}' modern='[0-9-]\{10\}T[0-9:]\{8\}'; c=$(name syslog)
  log_server lines tcp:0
  engine run --name "$c" --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt tag='t/{{.Name}}' e2e-busybox \
    sh -c 'echo out; echo err >&2' >/dev/null 2>&1
  eventually 5 got "^<30>$stamp t/$c\[[0-9]*\]: out$"
  eventually 5 got "^<27>$stamp t/$c\[[0-9]*\]: err$"
  [ "$(engine logs "$c" 2>/dev/null)" = out ]
  [ "$(engine logs "$c" 2>&1 >/dev/null)" = err ]
  engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-format=rfc3164 e2e-busybox echo third >/dev/null
  eventually 5 got "^<30>$stamp $(hostname) [0-9a-f]\{12\}\[[0-9]*\]: third$"
  engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-format=rfc5424 e2e-busybox echo fourth >/dev/null
  eventually 5 got "^<30>1 ${modern}[^ ]* $(hostname) \([0-9a-f]\{12\}\) [0-9]* \1 - fourth$"
  engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-format=rfc5424micro e2e-busybox echo fifth >/dev/null
  eventually 5 got "^<30>1 $modern\.[0-9]\{6\}[^ ]* $(hostname) [0-9a-f]\{12\} [0-9]* [0-9a-f]\{12\} - fifth$"
  log_server lines udp:0
  engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-facility=local3 e2e-busybox echo datagram >/dev/null
  eventually 5 got "^<158>.*: datagram$"
}

# tls_server [OPTION ...]: openssl as a syslog server for localhost with TLS; sets SERVER and MESSAGES.
tls_server() {
  MESSAGES=$BATS_TEST_TMPDIR/tls-$RANDOM
  (tail -f /dev/null --pid=$$ | exec openssl s_server -accept 127.0.0.1:0 -cert "$KEYS/cert.pem" -key "$KEYS/key.pem" "$@") >"$MESSAGES" 2>&1 3>&- 4>&- &
  local port
  eventually 10 got '^ACCEPT'
  pgrep -f "s_server .*-cert $KEYS/cert.pem" >>"$BATS_TEST_TMPDIR/servers"
  port=$(sed -n 's/^ACCEPT.*:\([0-9]*\).*/\1/p' "$MESSAGES")
  SERVER=tcp+tls://localhost:$port
}

@test "syslog over TLS: the server's name and both sides' certificates are checked; the start says which file is missing" {
  own_engine "a certificate that the engine can read"
  local c; c=$(name tls)
  KEYS=$BATS_TEST_TMPDIR
  certificate "$KEYS"
  tls_server
  engine run --name "$c" --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-tls-ca-cert="$KEYS/cert.pem" e2e-busybox \
    sh -c 'echo out; echo err >&2' >/dev/null 2>&1
  eventually 10 got '^<30>.*: out$'
  eventually 5 got '^<27>.*: err$'
  [ "$(engine logs "$c" 2>/dev/null)" = out ]
  # Not our authority, and not the name of the server: nothing is sent, unless nobody shall look.
  engine run -d --name "$c-2" --log-driver syslog --log-opt syslog-address="$SERVER" e2e-busybox sh -c 'echo secret; sleep 100' >/dev/null
  engine run -d --name "$c-3" --log-driver syslog --log-opt syslog-address="${SERVER/localhost/127.0.0.1}" --log-opt syslog-tls-ca-cert="$KEYS/cert.pem" \
    e2e-busybox sh -c 'echo secret; sleep 100' >/dev/null
  eventually 10 grep -q "certificate" "$E2E_DIR/run/containers/$(engine inspect -f '{{.Id}}' "$c-2")/monitor.log"
  eventually 10 grep -q "mismatch" "$E2E_DIR/run/containers/$(engine inspect -f '{{.Id}}' "$c-3")/monitor.log"
  engine rm -f "$c-2" "$c-3" >/dev/null
  ! got secret
  engine run --rm --log-driver syslog --log-opt syslog-address="${SERVER/localhost/127.0.0.1}" --log-opt syslog-tls-skip-verify=true e2e-busybox echo unseen >/dev/null
  eventually 10 got '^<30>.*: unseen$'
  # A server that wants to know who we are.
  tls_server -Verify 1 -CAfile "$KEYS/cert.pem" -verify_return_error
  engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-tls-ca-cert="$KEYS/cert.pem" \
    --log-opt syslog-tls-cert="$KEYS/cert.pem" --log-opt syslog-tls-key="$KEYS/key.pem" e2e-busybox echo known >/dev/null
  eventually 10 got '^<30>.*: known$'
  run ! engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-tls-ca-cert=/no/ca e2e-busybox true
  [[ "$output" == *'failed to initialize logging driver: could not read CA certificate "/no/ca": open /no/ca: no such file or directory'* ]]
  run ! engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt syslog-tls-cert=/no/c e2e-busybox true
  [[ "$output" == *'failed to initialize logging driver: Could not load X509 key pair: open /no/c: no such file or directory'* ]]
}

@test "syslog to unix sockets" {
  own_engine "a file system shared with the engine"
  local kind
  for kind in unix unixgram; do
    log_server lines "$kind:$BATS_TEST_TMPDIR/$kind"
    engine run --rm --log-driver syslog --log-opt syslog-address="$SERVER" e2e-busybox echo "by $kind" >/dev/null
    eventually 5 got ": by $kind$"
  done
}

@test "fluentd: the record, parts of long lines, acknowledgements" {
  local c; c=$(name fluentd)
  log_server fluentd tcp:0
  engine run --name "$c" --log-driver fluentd --log-opt fluentd-address="${SERVER#tcp://}" --log-opt tag=t --log-opt env=E --env E=1 \
    e2e-busybox sh -c 'echo out; head -c 20000 /dev/zero | tr "\0" x' >/dev/null
  eventually 5 got partial_last.*true
  [ "$(head -1 "$MESSAGES" | of_json tag source log container_name E container_id)" = "t|stdout|out|/$c|1|$(engine inspect --format '{{.Id}}' "$c")" ]
  [ "$(sed -n 2p "$MESSAGES" | of_json partial_message partial_ordinal partial_last)" = "true|1|false" ]
  [ "$(engine logs "$c" | head -1)" = out ]
  engine run --rm --log-driver fluentd --log-opt fluentd-address="$SERVER" --log-opt fluentd-request-ack=true \
    --log-opt fluentd-sub-second-precision=true e2e-busybox sh -c 'echo asked; echo again' >/dev/null
  eventually 5 got '"log": "again"'
  got '"time": [0-9]*\.[0-9]'
}

@test "fluentd over TLS: acknowledgements come back; who is not trusted, or not the one named, gets nothing" {
  own_engine "a certificate that the engine trusts"
  local c; c=$(name tls)
  log_server fluentd tls:0 "$E2E_DIR/keys/cert.pem" "$E2E_DIR/keys/key.pem"
  [[ "$SERVER" == tls://127.0.0.1:* ]]
  local named=${SERVER/127.0.0.1/localhost}
  engine run --name "$c" --log-driver fluentd --log-opt fluentd-address="$named" --log-opt fluentd-request-ack=true --log-opt tag=t \
    e2e-busybox sh -c 'echo out; echo again; head -c 20000 /dev/zero | tr "\0" x' >/dev/null
  eventually 10 got partial_last.*true
  [ "$(head -1 "$MESSAGES" | of_json tag source log container_name)" = "t|stdout|out|/$c" ]
  got '"log": "again"'
  [ "$(engine logs "$c" | head -1)" = out ]
  # The certificate is not for the address.
  engine run -d --name "$c-2" --log-driver fluentd --log-opt fluentd-address="$SERVER" e2e-busybox sh -c 'echo secret; sleep 100' >/dev/null
  eventually 10 grep -q "mismatch" "$E2E_DIR/run/containers/$(engine inspect -f '{{.Id}}' "$c-2")/monitor.log"
  certificate "$BATS_TEST_TMPDIR"
  log_server fluentd tls:0 "$BATS_TEST_TMPDIR/cert.pem" "$BATS_TEST_TMPDIR/key.pem"
  engine run -d --name "$c-3" --log-driver fluentd --log-opt fluentd-address="${SERVER/127.0.0.1/localhost}" e2e-busybox sh -c 'echo secret; sleep 100' >/dev/null
  eventually 10 grep -q "certificate" "$E2E_DIR/run/containers/$(engine inspect -f '{{.Id}}' "$c-3")/monitor.log"
  eventually 10 got handshake
  ! grep -q secret "$BATS_TEST_TMPDIR"/messages-*
  run ! engine run --rm --log-driver fluentd --log-opt fluentd-address="$SERVER/path" e2e-busybox true
  [[ "$output" == *"invalid fluentd-address ($SERVER/path): should not contain a path element"* ]]
}

@test "gelf: compressed and chunked datagrams, and tcp" {
  local c; c=$(name gelf)
  log_server gelf udp:0
  engine run --name "$c" --log-driver gelf --log-opt gelf-address="$SERVER" --log-opt labels=l --label l=v e2e-busybox \
    sh -c 'echo out; echo err >&2; head -c 6000 /dev/urandom | base64 | tr -d "\n"; echo' >/dev/null 2>&1
  eventually 5 eval '[ "$(wc -l <"$MESSAGES")" -ge 3 ]'
  [ "$(grep '"out"' "$MESSAGES" | of_json version level _container_name _image_name _l)" = "1.1|6|$c|e2e-busybox|v" ]
  [ "$(grep '"err"' "$MESSAGES" | of_json level)" = 3 ]
  [ "$(engine logs --tail 1 "$c" 2>/dev/null | wc -c)" -gt 8000 ]
  log_server gelf tcp:0
  engine run --rm --log-driver gelf --log-opt gelf-address="$SERVER" e2e-busybox echo stream >/dev/null
  eventually 5 got '"short_message":"stream"'
}

@test "journald: the journal's own protocol" {
  own_engine "a journal socket"
  [ ! -e /run/systemd/journal ] || skip "this machine has a journal, which is left alone"
  mkdir -p /run/systemd/journal
  log_server journald unixgram:/run/systemd/journal/socket
  local c; c=$(name journald)
  engine run --name "$c" --log-driver journald --log-opt tag=t --log-opt labels=a.b --label a.b=v e2e-busybox sh -c 'echo out; echo err >&2' >/dev/null 2>&1
  eventually 5 got '"MESSAGE": "err"' || { rm -rf /run/systemd/journal; return 1; }
  rm -rf /run/systemd/journal; rmdir /run/systemd 2>/dev/null || true
  [ "$(grep '"MESSAGE": "out"' "$MESSAGES" | of_json CONTAINER_NAME CONTAINER_TAG SYSLOG_IDENTIFIER IMAGE_NAME PRIORITY A_B)" = "$c|t|t|e2e-busybox|6|v" ]
  [ "$(grep '"MESSAGE": "err"' "$MESSAGES" | of_json PRIORITY CONTAINER_ID_FULL)" = "3|$(engine inspect --format '{{.Id}}' "$c")" ]
}

@test "a log server that is down delays nobody, and gets the lines when it comes" {
  own_engine "a policy"
  local c port started; c=$(name down)
  log_server lines tcp:0
  kill "$(tail -1 "$BATS_TEST_TMPDIR/servers")"
  port=${SERVER##*:}
  engine run -d --name "$c" --log-driver syslog --log-opt syslog-address="tcp://127.0.0.1:$port" e2e-busybox \
    sh -c 'seq 100000; echo done; sleep 100' >/dev/null
  eventually 10 has_said "$c" '^done$' # from the cache: nothing held the program
  log_server lines "tcp:$port"
  eventually 15 got ': done$'
}

@test "a cache that is switched off leaves nothing to read" {
  local c; c=$(name uncached)
  log_server lines udp:0
  engine run --name "$c" --log-driver syslog --log-opt syslog-address="$SERVER" --log-opt cache-disabled=true e2e-busybox echo x >/dev/null
  eventually 5 got ': x$'
  run engine logs "$c"
  [ "$status" -ne 0 ]
  [[ $output == *"configured logging driver does not support reading"* ]]
}

@test "a daemon has a driver and options for all, and refuses wrong ones" {
  own_engine "a daemon"
  local dir=$E2E_DIR/second second
  printf '{"log-driver": "json-file", "log-opts": {"max-size": "2m", "labels": "l"}}' >"$E2E_DIR/second.json"
  engine_start "$dir" --config-file "$E2E_DIR/second.json"
  second="$SKIFF_BIN/skiff -H unix://$dir/skiff.sock"
  $second build -q -t e2e-busybox "$E2E_DIR/base" >/dev/null
  $second create --name second e2e-busybox true >/dev/null
  local driver config
  driver=$($second info --format '{{.LoggingDriver}}')
  config=$($second inspect --format '{{json .HostConfig.LogConfig}}' second)
  engine_stop "$dir"
  rm -rf "$dir"
  [ "$driver $config" = 'json-file {"Type":"json-file","Config":{"labels":"l","max-size":"2m"}}' ]
  run "$SKIFF_BIN/skiffd" --validate --log-driver json-file --log-opt max-size=x
  [ "$status" -ne 0 ]
  [[ $output == *"invalid size: 'x'"* ]]
}
