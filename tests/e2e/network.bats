# Bridges, names, published ports, other network modes.
load lib

teardown() {
  local ids nets
  ids=$(engine ps -aq --filter name="e2e-"); [ -z "$ids" ] || engine rm -f -v $ids >/dev/null
  nets=$(engine network ls -q --filter name="e2e-"); [ -z "$nets" ] || engine network rm $nets >/dev/null
}

# A server that answers every connection with one line.
serve() { # NAME PORT [run arguments]
  local name=$1 port=$2; shift 2
  engine run -d --name "$name" "$@" e2e-busybox sh -c "while :; do echo from $name | nc -l -p $port; done" >/dev/null
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])'; }
ask() { nc_answer=$(python3 -c "
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); s.settimeout(2); print(s.recv(100).decode().strip())" "$1" "$2" 2>/dev/null); [ -n "$nc_answer" ]; }

@test "default bridge: address, route, names of the host" {
  run -0 engine run --rm e2e-busybox sh -c 'ip -o -4 addr show eth0 | wc -l; ip route | grep -c default; cat /etc/resolv.conf | grep -c nameserver'
  [ "${lines[0]}" = 1 ] && [ "${lines[1]}" = 1 ] && [ "${lines[2]}" -ge 1 ]
}

@test "containers reach each other by name and alias on a network" {
  engine network create "$(name net)"
  serve "$(name srv)" 8000 --network "$(name net)" --network-alias alias1
  eventually 5 engine run --rm --network "$(name net)" e2e-busybox sh -c "nc -w 2 $(name srv) 8000 </dev/null | grep from"
  eventually 5 engine run --rm --network "$(name net)" e2e-busybox sh -c "nc -w 2 alias1 8000 </dev/null | grep from"
  run -0 engine run --rm --network "$(name net)" e2e-busybox cat /etc/resolv.conf
  [[ "$output" == *"nameserver 127.0.0.11"* ]]
  run engine run --rm --network "$(name net)" e2e-busybox nslookup nosuchname.invalid
  [ "$status" -ne 0 ]
}

@test "networks are apart" {
  engine network create "$(name a)"; engine network create "$(name b)"
  serve "$(name srv)" 8000 --network "$(name a)"
  ip=$(engine inspect --format "{{(index .NetworkSettings.Networks \"$(name a)\").IPAddress}}" "$(name srv)")
  eventually 5 engine run --rm --network "$(name a)" e2e-busybox sh -c "nc -w 2 $ip 8000 </dev/null | grep from"
  run engine run --rm --network "$(name b)" e2e-busybox sh -c "nc -w 1 $ip 8000 </dev/null | grep from"
  [ "$status" -ne 0 ]
}

@test "a published port is reached by 127.0.0.1 and by the host's address" {
  port=$(free_port)
  serve "$(name srv)" 80 -p "$port:80"
  run -0 engine port "$(name srv)"
  [[ "${lines[0]}" == "80/tcp -> 0.0.0.0:$port" ]]
  eventually 5 ask 127.0.0.1 "$port"
  [ "$nc_answer" = "from $(name srv)" ]
  host=$(ip -4 -o addr show scope global | awk '!/docker|sk|br-/ {split($4, a, "/"); print a[1]; exit}')
  [ -z "$host" ] || eventually 5 ask "$host" "$port"
}

@test "a port that is taken is refused with a sentence, by us and by others" {
  port=$(free_port)
  serve "$(name one)" 80 -p "$port:80"
  run -125 engine run -d --name "$(name two)" -p "$port:80" e2e-busybox true
  [[ "$output" == *"port is already allocated"* ]]
  python3 -c "
import socket, sys, time
s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(20)" >"$BATS_TEST_TMPDIR/port" 3>&- &
  holder=$!
  eventually 5 test -s "$BATS_TEST_TMPDIR/port"
  run -125 engine run -d --name "$(name three)" -p "$(cat "$BATS_TEST_TMPDIR/port"):80" e2e-busybox true
  kill "$holder"
  [[ "$output" == *"address already in use"* ]]
}

@test "random host ports, ranges, udp, host address" {
  serve "$(name r)" 80 -p 80 -p 127.0.0.1::81/udp
  run -0 engine port "$(name r)" 80
  [[ "${lines[0]}" =~ ^0\.0\.0\.0:[0-9]+$ ]]
  run -0 engine port "$(name r)" 81/udp
  [[ "$output" =~ ^127\.0\.0\.1:[0-9]+$ ]]
  run -1 engine port "$(name r)" 99
  [[ "$output" == *"o public port '99' published for"* ]]
  base=$(free_port)
  serve "$(name range)" 80 -p "$base-$((base + 1)):80-81"
  run -0 engine port "$(name range)" 81
  [[ "${lines[0]}" == "0.0.0.0:$((base + 1))" ]]
}

@test "host, none and another container's network" {
  run -0 engine run --rm --network none e2e-busybox sh -c 'ls /sys/class/net'
  [ "$output" = lo ]
  run -0 engine run --rm --network host e2e-busybox sh -c 'readlink /proc/self/ns/net'
  [ "$E2E_ENGINE" = docker ] || [ "$output" = "$(readlink /proc/self/ns/net)" ]
  engine run -d --name "$(name base)" e2e-busybox sleep 1000
  one=$(engine exec "$(name base)" readlink /proc/self/ns/net)
  two=$(engine run --rm --network "container:$(name base)" e2e-busybox readlink /proc/self/ns/net)
  [ "$one" = "$two" ]
}

@test "connect and disconnect a running container" {
  engine network create "$(name late)"
  engine run -d --name "$(name c)" e2e-busybox sleep 1000
  engine network connect --alias later "$(name late)" "$(name c)"
  run -0 engine exec "$(name c)" ls /sys/class/net
  [[ "$output" == *eth1* ]]
  engine network disconnect "$(name late)" "$(name c)"
  run -0 engine exec "$(name c)" ls /sys/class/net
  [[ "$output" != *eth1* ]]
}

@test "network create, ls, inspect, rm and their errors" {
  id=$(engine network create --subnet 10.231.0.0/24 --gateway 10.231.0.1 --label a=b "$(name sub)")
  [ ${#id} -eq 64 ]
  run -0 engine network inspect --format '{{(index .IPAM.Config 0).Subnet}} {{.Driver}} {{.Labels.a}}' "$(name sub)"
  [ "$output" = "10.231.0.0/24 bridge b" ]
  run -0 engine network inspect --format '{{json .IPAM}}' "$(name sub)"
  [ "$output" = '{"Driver":"default","Options":{},"Config":[{"Subnet":"10.231.0.0/24","Gateway":"10.231.0.1"}]}' ]
  # A gateway that nobody named is not shown with the subnet, and is there.
  engine network create --subnet 10.232.0.0/24 "$(name free)" >/dev/null
  run -0 engine network inspect --format '{{json .IPAM.Config}}' "$(name free)"
  [ "$output" = '[{"Subnet":"10.232.0.0/24"}]' ]
  run -0 engine run --rm --network "$(name free)" e2e-busybox ip route
  [[ "${lines[0]}" == "default via 10.232.0.1 dev eth0"* ]]
  engine network rm "$(name free)"
  engine create --name "$(name once)" --network "$(name sub)" --log-driver json-file e2e-busybox true
  shows "$(name once)" '{{range .NetworkSettings.Networks}}{{.NetworkID}}{{end}}{{.LogPath}}' ''
  engine start -a "$(name once)"
  shows "$(name once)" '{{range .NetworkSettings.Networks}}{{.NetworkID}}{{.IPAddress}}{{end}}' "$id"
  [ -n "$(engine inspect --format '{{.LogPath}}' "$(name once)")" ]
  engine rm "$(name once)"
  run -0 engine run --rm --network "$(name sub)" --ip 10.231.0.77 e2e-busybox sh -c 'ip -o -4 addr show eth0'
  [[ "$output" == *"10.231.0.77/24"* ]]
  run -1 engine network create "$(name sub)"
  [[ "$output" == *"network with name $(name sub) already exists"* ]]
  run -1 engine network create --subnet 10.231.0.0/16 "$(name overlap)"
  [[ "$output" == *"Pool overlaps with other one on this address space"* ]]
  engine run -d --name "$(name user)" --network "$(name sub)" e2e-busybox sleep 1000
  run -1 engine network rm "$(name sub)"
  [[ "$output" == *"has active endpoints"* ]]
  run -1 engine network rm bridge
  [[ "$output" == *"bridge is a pre-defined network and cannot be removed"* ]]
  run -1 engine network inspect nosuchnet
  [[ "$output" == *"network nosuchnet not found"* ]]
  run -0 engine network ls --format '{{.Name}}' --filter driver=bridge
  [[ "$output" == *bridge* ]]
  run -125 engine run --rm --network nosuchnet e2e-busybox true
  [[ "$output" == *"network nosuchnet not found"* ]]
}

@test "hosts and resolver files follow the flags" {
  run -0 engine run --rm --add-host box:10.1.2.3 --dns 9.9.9.9 --dns-search example.org e2e-busybox sh -c 'cat /etc/hosts /etc/resolv.conf'
  [[ "$output" == *"10.1.2.3"*"box"* ]]
  [[ "$output" == *"nameserver 9.9.9.9"* ]]
  [[ "$output" == *"search example.org"* ]]
}

@test "a running container that joins a network finds its names, and forgets them when it leaves" {
  engine network create "$(name join)"
  engine run -d --name "$(name there)" --network "$(name join)" --network-alias elsewhere e2e-busybox sleep 1000
  engine run -d --name "$(name c)" --hostname joiner e2e-busybox sleep 1000
  before=$(engine exec "$(name c)" cat /etc/resolv.conf)
  engine network connect "$(name join)" "$(name c)"
  run -0 engine exec "$(name c)" cat /etc/resolv.conf
  [[ "$output" == *"nameserver 127.0.0.11"* ]]
  ip=$(engine inspect --format "{{(index .NetworkSettings.Networks \"$(name join)\").IPAddress}}" "$(name c)")
  run -0 engine exec "$(name c)" grep joiner /etc/hosts
  [[ "${lines[-1]}" == "$ip"*joiner ]]
  engine exec "$(name c)" ping -c 1 -W 2 "$(name there)"
  run -0 engine exec "$(name c)" nslookup elsewhere
  [[ "$output" == *"Name:"*elsewhere* ]]
  engine network disconnect "$(name join)" "$(name c)"
  run -0 engine exec "$(name c)" cat /etc/hosts
  [[ "$output" != *"$ip"* ]]
  [ "$E2E_ENGINE" = docker ] || [ "$(engine exec "$(name c)" cat /etc/resolv.conf)" = "$before" ]
}

@test "network filters that mean nothing are refused" {
  run -1 engine network ls --filter type=bogus
  [[ "$output" == *"invalid filter: 'type'='bogus'"* ]]
  run -1 engine network ls --filter dangling=maybe
  run -1 engine network ls --filter bogus=1
  [[ "$output" == *"invalid filter 'bogus'"* ]]
}
