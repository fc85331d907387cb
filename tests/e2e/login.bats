# Login and logout: at a terminal, from a pipe, in the configuration file and with credential helpers, against Debian's
# docker-registry with a password.
load lib

eval "lib_$(declare -f setup_file)"
eval "lib_$(declare -f teardown_file)"

setup_file() {
  export REGISTRY DOCKER_CONFIG STORE
  lib_setup_file
  DOCKER_CONFIG=$E2E_DIR/docker-config
  STORE=$E2E_DIR/secrets
  local port
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  python3 -W ignore -c "import crypt; print('user:' + crypt.crypt('secret', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))" \
    >"$E2E_DIR/htpasswd"
  cat >"$E2E_DIR/registry.yml" <<YML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $E2E_DIR/registry}}
http: {addr: "127.0.0.1:$port"}
auth: {htpasswd: {realm: test, path: $E2E_DIR/htpasswd}}
YML
  setsid docker-registry serve "$E2E_DIR/registry.yml" >"$E2E_DIR/registry.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$E2E_DIR/registry.pid"
  eventually 20 curl -s -o /dev/null "http://127.0.0.1:$port/v2/"
  REGISTRY=localhost:$port
  mkdir "$E2E_DIR/bin"
  # A helper that keeps secrets in the file $STORE and writes down what it was asked.
  cat >"$E2E_DIR/bin/docker-credential-e2e" <<'HELPER'
#!/usr/bin/env python3
import json, os, sys
path = os.environ["STORE"]
secrets = json.load(open(path)) if os.path.exists(path) else {}
verb, words = sys.argv[1], sys.stdin.read().strip()
with open(path + ".log", "a") as log:
    log.write(f"{verb} {words}\n")
if verb == "store":
    entry = json.loads(words)
    secrets[entry["ServerURL"]] = entry
elif verb == "get":
    if words not in secrets:
        sys.exit(print("credentials not found in native keychain") or 1)
    print(json.dumps(secrets[words]))
elif verb == "erase":
    secrets.pop(words, None)
elif verb == "list":
    print(json.dumps({server: entry["Username"] for server, entry in secrets.items()}))
json.dump(secrets, open(path, "w"))
HELPER
  chmod +x "$E2E_DIR/bin/docker-credential-e2e"
  export PATH=$E2E_DIR/bin:$PATH
}

teardown_file() {
  kill "$(cat "$E2E_DIR/registry.pid")"
  lib_teardown_file
}

setup() { mkdir -p "$DOCKER_CONFIG"; }
teardown() { rm -rf "$DOCKER_CONFIG" "$STORE" "$STORE.log"; }

config() { jq -c . "$DOCKER_CONFIG/config.json"; }
write_config() { echo "$1" >"$DOCKER_CONFIG/config.json"; }
refused="Error response from daemon: login attempt to http://"

@test "at a terminal user and password are asked for, and the password is not shown" {
  run -0 on_terminal "expect=Username: " 'send=  user  \r' "expect=Password: " 'send= secret \r' -- login "$REGISTRY"
  [[ "$output" != *secret* ]]
  [[ "$output" == *"WARNING! Your credentials are stored unencrypted in '$DOCKER_CONFIG/config.json'."*"Login Succeeded" ]]
  [ "$(config)" = "{\"auths\":{\"$REGISTRY\":{\"auth\":\"$(printf user:secret | base64)\"}}}" ]
  [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
  # Now it is known.
  run -0 on_terminal -- login "$REGISTRY"
  [[ "$output" == "Authenticating with existing credentials... [Username: user]"*"To login with a different account, run 'docker logout' followed by 'docker login'"*"Login Succeeded" ]]
  run -0 engine login "$REGISTRY"
  [[ "$output" == *" Info -> To login with a different account"*"Login Succeeded" ]]
  run -0 engine logout "$REGISTRY"
  [ "$output" = "Removing login credentials for $REGISTRY" ]
  [ "$(config)" = '{"auths":{}}' ]
}

@test "at a terminal: what is missing or wrong, and a prompt that is left" {
  run -1 on_terminal "expect=Username: " 'send=\r' -- login "$REGISTRY"
  [ "${lines[-1]}" = "Error: Non-null Username Required" ]
  run -1 on_terminal "expect=Password: " 'send=\r' -- login -u user "$REGISTRY"
  [ "${lines[-1]}" = "Error: Password Required" ]
  run -1 on_terminal "expect=Password: " 'send=wrong\r' -- login -u user "$REGISTRY"
  [ "${lines[-1]}" = "$refused$REGISTRY/v2/ failed with status: 401 Unauthorized" ]
  # The terminal is as it was (terminal.py looks).
  run on_terminal "expect=Password: " 'send=\x03' -- login -u user "$REGISTRY"
  [ "$status" != 99 ]
  [ ! -e "$DOCKER_CONFIG/config.json" ]
}

@test "credentials that are not taken any more are asked for again" {
  write_config "{\"auths\":{\"$REGISTRY\":{\"auth\":\"$(printf user:old | base64)\"}}}"
  run -0 on_terminal "expect=Username (user): " 'send=\r' "expect=Password: " 'send=secret\r' -- login "$REGISTRY"
  [[ "$output" == *"Login did not succeed, error: $refused$REGISTRY/v2/ failed with status: 401 Unauthorized"*"Login Succeeded" ]]
  [ "$(config)" = "{\"auths\":{\"$REGISTRY\":{\"auth\":\"$(printf user:secret | base64)\"}}}" ]
}

@test "from a pipe" {
  run -0 engine login -u user --password-stdin "https://$REGISTRY/v2/" <<<secret
  [[ "$output" == *"Login Succeeded" ]]
  [ "$(config)" = "{\"auths\":{\"$REGISTRY\":{\"auth\":\"$(printf user:secret | base64)\"}}}" ]
  # What is in the file already is not said again.
  run -0 engine login -u user --password-stdin "$REGISTRY" <<<secret
  [ "$output" = "Login Succeeded" ]
  run -1 engine login -u user --password-stdin "$REGISTRY" <<<wrong
  [ "$output" = "$refused$REGISTRY/v2/ failed with status: 401 Unauthorized" ]
  rm "$DOCKER_CONFIG/config.json"
  run -1 engine login -u user --password-stdin "$REGISTRY" </dev/null
  [ "$output" = "Error: Cannot perform an interactive login from a non TTY device" ]
  run -1 engine login -u user "$REGISTRY" </dev/null
  [ "$output" = "Error: Cannot perform an interactive login from a non TTY device" ]
  run -1 engine login --password-stdin "$REGISTRY" <<<secret
  [ "$output" = "the --password-stdin option requires --username to be set" ]
  run -1 engine login -p secret --password-stdin "$REGISTRY" <<<secret
  [ "$output" = "conflicting options: cannot specify both --password and --password-stdin" ]
  run -0 engine login -u user -p secret "$REGISTRY"
  [ "${lines[0]}" = "WARNING! Using --password via the CLI is insecure. Use --password-stdin." ]
}

@test "a credential helper keeps the secrets, for all servers or for one" {
  for keeper in '"credsStore":"e2e"' "\"credHelpers\":{\"$REGISTRY\":\"e2e\"}"; do
    write_config "{$keeper,\"other\":1}"
    run -0 engine login -u user --password-stdin "$REGISTRY" <<<secret
    [ "$output" = "Login Succeeded" ]
    [ "$(jq -c ".\"$REGISTRY\"" "$STORE")" = "{\"ServerURL\":\"$REGISTRY\",\"Username\":\"user\",\"Secret\":\"secret\"}" ]
    [ "$(config | jq -c .auths)" = "{\"$REGISTRY\":{}}" ]
    # Docker's client keeps only what it knows.
    [ "$E2E_ENGINE" != skiff ] || [ "$(config | jq .other)" = 1 ]
    engine tag e2e-busybox "$REGISTRY/private:1"
    engine push -q "$REGISTRY/private:1"
    engine rmi "$REGISTRY/private:1"
    engine pull -q "$REGISTRY/private:1"
    engine rmi "$REGISTRY/private:1"
    run -0 engine logout "$REGISTRY"
    [ "$(jq -c . "$STORE")" = "{}" ]
    [ "$(config | jq -c .auths)" = "{}" ]
    # The whole addresses are asked of whoever keeps them: a helper for one server knows of that name alone.
    grep -qx "erase $REGISTRY" "$STORE.log"
    [[ $keeper == *credHelpers* ]] || grep -qx "erase https://$REGISTRY" "$STORE.log"
    rm "$STORE" "$STORE.log"
  done
  run -1 engine pull "$REGISTRY/private:1"
  [[ "$output" == *"no basic auth credentials"* ]]
}

@test "a helper that is not there is named" {
  write_config '{"credsStore":"e2e-missing"}'
  run -1 engine login -u user --password-stdin "$REGISTRY" <<<secret
  [ "$output" = 'Error saving credentials: error storing credentials - err: exec: "docker-credential-e2e-missing": executable file not found in $PATH, out: ``' ]
  run -1 engine pull "$REGISTRY/private:1"
  [[ "$output" == *"no basic auth credentials"* ]]
  run -0 engine logout "$REGISTRY"
}
