# Images in and out as files: save, load, import, export, commit, diff. With E2E_PEER, the socket of a real Docker ("unix://..."), images
# also go there and back.
load lib

id_of() { engine image inspect --format '{{.Id}}' "$1"; }

# Removes an image by all its names.
forget() { engine rmi -f "$@" >/dev/null; }

# What is in an image: every file with its type, mode, owner, size, time, target and content.
listing() {
  engine run --rm --network none "$1" sh -c 'cd /; find . -xdev -not -path "./proc*" -not -path "./sys*" -not -path "./dev*" -not -path ./etc/hosts \
    -not -path ./etc/hostname -not -path ./etc/resolv.conf -not -path ./etc -not -path . -not -path ./etc/mtab -not -path ./.dockerenv |
    sort | while read -r f; do stat -c "%n %f %u %g %h %Y" "$f"; [ -L "$f" ] && readlink "$f"; [ -f "$f" ] && [ ! -L "$f" ] && sha256sum <"$f"; done; true'
}

# An image of several layers with what layers can have: links, whiteouts, opaque directories, odd modes and names.
odd_image() {
  local dir; dir=$(context)
  cat >"$dir/Dockerfile" <<'END'
FROM e2e-busybox
RUN mkdir -p /d/sub /gone /hidden && echo one >/d/file && ln /d/file /d/hard && ln -s ../etc /d/link && echo x >/gone/x && echo y >/hidden/y
RUN rm -rf /gone /hidden && mkdir /hidden && echo z >/hidden/z && chmod 4755 /d/file && chown 1000:2000 /d/sub && mkfifo /d/fifo
RUN echo two >/d/file && touch "/d/a name with spaces" && rm /d/hard && dd if=/dev/zero of=/d/sparse bs=1 count=1 seek=3000000 2>/dev/null
ENV A="b c"
CMD ["sh", "-c", "echo it runs"]
END
  engine build -q -t "$1" "$dir" >/dev/null
}

@test "what is saved is loaded with the same id, names and files" {
  odd_image "$(name odd):1"; engine tag "$(name odd):1" example.com:5000/odd:2
  id=$(id_of "$(name odd):1"); before=$(listing "$(name odd):1")
  engine save -o "$E2E_DIR/odd.tar" "$(name odd):1" example.com:5000/odd:2
  run -0 python3 "$HERE/oci_check.py" "$E2E_DIR/odd.tar"
  [ "$output" = "$id $(name odd):1 example.com:5000/odd:2" ]
  [ "$(stat -c %a "$E2E_DIR/odd.tar")" = 600 ]
  forget "$(name odd):1" example.com:5000/odd:2
  run -0 engine load -i "$E2E_DIR/odd.tar"
  [ "$output" = "Loaded image: $(name odd):1"$'\n'"Loaded image: example.com:5000/odd:2" ]
  [ "$(id_of example.com:5000/odd:2)" = "$id" ]
  diff <(echo "$before") <(listing "$(name odd):1")
  [ "$(engine run --rm "$(name odd):1")" = "it runs" ]
  # What was loaded is saved as the same bytes, except for what Docker takes from its clock.
  engine save "$(name odd):1" example.com:5000/odd:2 | cat >"$E2E_DIR/again.tar"
  for tar in odd again; do mkdir "$E2E_DIR/$tar"; tar -C "$E2E_DIR/$tar" -xf "$E2E_DIR/$tar.tar"; done
  diff -r "$E2E_DIR/odd" "$E2E_DIR/again"
  [ "$E2E_ENGINE" = docker ] || cmp "$E2E_DIR/odd.tar" "$E2E_DIR/again.tar"
  # Nothing changes when it is there already.
  run -0 engine load -q -i "$E2E_DIR/odd.tar"
  [ "${lines[0]}" = "Loaded image: $(name odd):1" ]
  forget "$(name odd):1" example.com:5000/odd:2
}

@test "names, ids and repositories say what is saved" {
  engine tag e2e-busybox "$(name x):1"; engine tag e2e-busybox "$(name x):2"
  id=$(id_of e2e-busybox)
  [ "$(engine save "$(name x)" | tar -xO manifest.json | jq -c '.[0].RepoTags | sort')" = "[\"$(name x):1\",\"$(name x):2\"]" ]
  [ "$(engine save "$(name x):2" | tar -xO manifest.json | jq -c '.[0].RepoTags')" = "[\"$(name x):2\"]" ]
  engine save "$id" >"$E2E_DIR/by-id.tar"
  [ "$(tar -xOf "$E2E_DIR/by-id.tar" manifest.json | jq -c '.[0].RepoTags')" = null ]
  run -0 engine load -i "$E2E_DIR/by-id.tar"
  [ "$output" = "Loaded image ID: $id" ]
  run -1 engine save nosuchimage -o "$E2E_DIR/none.tar"
  [ "$output" = "Error response from daemon: No such image: nosuchimage" ]
  [ ! -e "$E2E_DIR/none.tar" ]
  run -1 engine save --platform linux/s390x e2e-busybox -o "$E2E_DIR/none.tar"
  [ "$output" = "Error response from daemon: no suitable export target found for platform linux/s390x" ]
  run -1 engine save -o "$E2E_DIR/no/where" e2e-busybox
  [ "$output" = "failed to save image: invalid output path: stat $E2E_DIR/no: no such file or directory" ]
  run -1 engine save -o "$E2E_DIR" e2e-busybox
  [ "$output" = "failed to save image: cannot write to a directory" ]
  forget "$(name x):1" "$(name x):2"
}

@test "a name that another image has moves, and that is said" {
  engine tag e2e-busybox "$(name m):1"; engine save "$(name m):1" -o "$E2E_DIR/m.tar"
  dir=$(context); printf 'FROM e2e-busybox\nLABEL other=one\n' >"$dir/Dockerfile"; engine build -q -t "$(name m):1" "$dir"
  other=$(id_of "$(name m):1")
  run -0 engine load -i "$E2E_DIR/m.tar"
  [ "${lines[0]}" = "The image $(name m):1 already exists, renaming the old one with ID $other to empty string" ]
  [ "${lines[1]}" = "Loaded image: $(name m):1" ]
  [ "$(id_of "$(name m):1")" = "$(id_of e2e-busybox)" ]
  forget "$(name m):1" "$other"
}

@test "load shows its progress while the archive is read" {
  # No real Docker here: its daemon may have the layer from another test.
  [ "$E2E_ENGINE" != docker ] || skip "our engine's bars"
  dir=$(context)
  head -c 60000000 /dev/urandom >"$dir/noise"
  printf 'FROM scratch\nCOPY noise /noise\n' >"$dir/Dockerfile"
  engine build -q -t "$(name noise)" "$dir" >/dev/null
  layer=$(engine image inspect --format '{{index .RootFS.Layers 0}}' "$(name noise)")
  engine save -o "$dir/noise.tar" "$(name noise)"
  engine rmi "$(name noise)"
  run -0 on_terminal size=24x120 -- load -i "$dir/noise.tar"
  [[ "$output" == *"${layer:7:12}: Loading layer ["*"60"*"Loaded image: $(name noise):latest" ]]
  engine rmi "$(name noise)"
  # The first steps are there before the last bytes of the archive are.
  mkfifo "$dir/pipe"
  api POST /images/load -T "$dir/pipe" -N >"$dir/lines" &
  loading=$!
  exec 5>"$dir/pipe"
  head -c 40000000 "$dir/noise.tar" >&5
  eventually 20 grep -q '"status":"Loading layer"' "$dir/lines"
  tail -c +40000001 "$dir/noise.tar" >&5
  exec 5>&-
  wait "$loading"
  [ "$(jq -sr 'map(select(.status == "Loading layer")) | .[0].id' "$dir/lines")" = "${layer:7:12}" ]
  [ "$(jq -sr '.[-1].stream' "$dir/lines")" = "Loaded image: $(name noise):latest" ]
  engine rmi "$(name noise)"
  if [ "$E2E_ENGINE" = skiff ]; then
    run -0 engine load --progress json -i "$dir/noise.tar"
    [ "$(jq -sr '[.[] | select(.status == "Loading layer") | .progressDetail] | .[-1].current == .[-1].total' <<<"$output")" = true ]
    engine rmi "$(name noise)"
  fi
}

@test "compressed archives, from standard input" {
  odd_image "$(name z)"; id=$(id_of "$(name z)")
  engine save "$(name z)" >"$E2E_DIR/z.tar"
  for program in gzip zstd xz bzip2; do
    command -v $program >/dev/null || continue
    forget "$(name z)"
    run -0 engine load < <($program -c "$E2E_DIR/z.tar")
    [ "$output" = "Loaded image: $(name z):latest" ]
    [ "$(id_of "$(name z)")" = "$id" ]
  done
  forget "$(name z)"
}

@test "tars of every format come out of an image as they came in" {
  dir=$E2E_DIR/formats; mkdir -p "$dir/$(printf 'd%.0s' {1..90})/$(printf 'e%.0s' {1..90})"
  echo long >"$dir/$(printf 'd%.0s' {1..90})/$(printf 'e%.0s' {1..90})/$(printf 'f%.0s' {1..100})"
  echo $'not UTF-8' >"$dir/"$'\xff\xfe'; head -c 300000 /dev/urandom >"$dir/data"; ln "$dir/data" "$dir/hard"; truncate -s 5M "$dir/sparse"
  sparse=(-S); [ "$E2E_ENGINE" != docker ] || sparse=()  # Docker cannot read GNU's sparse files
  for format in gnu posix oldgnu; do
    tar -C "$dir" --format=$format "${sparse[@]}" -cf "$E2E_DIR/$format.tar" .
    [ $format != gnu ] || [ "$E2E_ENGINE" = docker ] || tar -C "$dir" --format=$format -rf "$E2E_DIR/$format.tar" ./data   # and once more
    id=$(engine import "$E2E_DIR/$format.tar")
    layer=$(engine image inspect --format '{{index .RootFS.Layers 0}}' "$id")
    [ "$layer" = "sha256:$(sha256sum <"$E2E_DIR/$format.tar" | cut -d' ' -f1)" ]
    engine save "$id" | tar -xO "blobs/sha256/${layer#sha256:}" | cmp - "$E2E_DIR/$format.tar"
    forget "$id"
  done
}

@test "archives as Docker wrote them before, with a folder for each layer" {
  odd_image "$(name old)"; id=$(id_of "$(name old)")
  engine save "$(name old)" -o "$E2E_DIR/new.tar"; mkdir "$E2E_DIR/new" "$E2E_DIR/old"; tar -C "$E2E_DIR/new" -xf "$E2E_DIR/new.tar"
  python3 - "$E2E_DIR/new" "$E2E_DIR/old" <<'END'
import json, os, shutil, sys
new, old = sys.argv[1:]
image = json.load(open(new + "/manifest.json"))[0]
layers = []
for i, layer in enumerate(image["Layers"]):
    folder = f"{i:064x}"
    os.mkdir(f"{old}/{folder}")
    shutil.copy(f"{new}/{layer}", f"{old}/{folder}/layer.tar")
    open(f"{old}/{folder}/VERSION", "w").write("1.0")
    layers.append(folder + "/layer.tar")
config = image["Config"].split("/")[-1] + ".json"
shutil.copy(f"{new}/{image['Config']}", f"{old}/{config}")
json.dump([{"Config": config, "RepoTags": image["RepoTags"], "Layers": layers}], open(old + "/manifest.json", "w"))
END
  forget "$(name old)"
  run -0 engine load < <(tar -C "$E2E_DIR/old" -c .)
  [ "$output" = "Loaded image: $(name old):latest" ]
  [ "$(id_of "$(name old)")" = "$id" ]
  forget "$(name old)"
}

@test "a layout of OCI's own, with compressed layers" {
  [ "$E2E_ENGINE" != docker ] || skip "Docker reads such a layout only with the containerd store"
  odd_image "$(name oci)"; before=$(listing "$(name oci)"); id=$(id_of "$(name oci)")
  mkdir "$E2E_DIR/oci"; engine save "$(name oci)" | tar -C "$E2E_DIR/oci" -x
  python3 - "$E2E_DIR/oci" <<'END'
import gzip, hashlib, json, os, sys
root = sys.argv[1]
def put(data):
    digest = hashlib.sha256(data).hexdigest()
    open(f"{root}/blobs/sha256/{digest}", "wb").write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}
index = json.load(open(root + "/index.json"))
entry = index["manifests"][0]
manifest = json.load(open(root + "/blobs/sha256/" + entry["digest"][7:]))
for layer in manifest["layers"]:
    path = root + "/blobs/sha256/" + layer["digest"][7:]
    layer.update(put(gzip.compress(open(path, "rb").read(), mtime=0)), mediaType="application/vnd.oci.image.layer.v1.tar+gzip")
    if os.path.exists(path): os.unlink(path)
entry.update(put(json.dumps(manifest).encode()))
json.dump(index, open(root + "/index.json", "w"))
for name in ("manifest.json", "repositories"): os.unlink(f"{root}/{name}")
END
  forget "$(name oci)"
  run -0 engine load < <(tar -C "$E2E_DIR/oci" -c .)
  [ "$output" = "Loaded image: $(name oci):latest" ]
  [ "$(id_of "$(name oci)")" = "$id" ]
  [ "$(listing "$(name oci)")" = "$before" ]
  forget "$(name oci)"
}

@test "an image of 130 layers" {
  [ "$E2E_ENGINE" != docker ] || skip "Docker has a limit of 125 layers"
  dir=$(context); echo 'FROM e2e-busybox' >"$dir/Dockerfile"; touch "$dir/f"
  for i in $(seq 129); do echo "COPY f /$i" >>"$dir/Dockerfile"; done
  engine build -q -t "$(name deep)" "$dir"; id=$(id_of "$(name deep)")
  engine save "$(name deep)" -o "$E2E_DIR/deep.tar"
  run -0 python3 "$HERE/oci_check.py" "$E2E_DIR/deep.tar"
  engine builder prune -af >/dev/null; forget "$(name deep)"
  engine load -i "$E2E_DIR/deep.tar"
  [ "$(id_of "$(name deep)")" = "$id" ]
  [ "$(engine run --rm "$(name deep)" sh -c 'ls -d /[0-9]* | wc -l')" = 129 ]
  forget "$(name deep)"
}

@test "hostile archives are refused in words, and nothing of them stays" {
  [ "$E2E_ENGINE" != docker ] || skip "sentences of our own"
  odd_image "$(name evil)"; mkdir "$E2E_DIR/evil"; engine save "$(name evil)" | tar -C "$E2E_DIR/evil" -x
  forget "$(name evil)"; images=$(engine images -aq | sort); snapshots=$(ls "$E2E_DIR/data/snapshots" | wc -l)
  config=$(jq -r '.[0].Config' "$E2E_DIR/evil/manifest.json"); top=$(jq -r '.[0].Layers[-1]' "$E2E_DIR/evil/manifest.json")
  cp -r "$E2E_DIR/evil" "$E2E_DIR/evil2"; echo x >"$E2E_DIR/file"; tar -C "$E2E_DIR/data" -Pcf "$E2E_DIR/evil2/$top" ../file
  run -1 engine load < <(tar -C "$E2E_DIR/evil2" -c .)
  [ "$output" = "layer \"$top\": archive entry \"../file\": the path \"../file\" leads out of the archive's tree" ]
  cp -r "$E2E_DIR/evil" "$E2E_DIR/evil3"; tar -C "$E2E_DIR" -cf "$E2E_DIR/evil3/$top" file
  run -1 engine load < <(tar -C "$E2E_DIR/evil3" -c .)
  [[ "$output" == "layer \"$top\": its diff id is "*", and \"sha256:${top##*/}\" is wanted" ]]
  cp -r "$E2E_DIR/evil" "$E2E_DIR/evil4"; rm "$E2E_DIR/evil4/$config"; ln -s /etc/passwd "$E2E_DIR/evil4/$config"
  run -1 engine load < <(tar -C "$E2E_DIR/evil4" -c .)
  [ "$output" = "invalid archive: it has no file \"$config\"" ]
  run -1 engine load < <(tar -C "$E2E_DIR/evil" -c . | head -c 100000)
  [[ "$output" == *"invalid"* ]]
  run -1 engine load < <(echo this is no archive)
  [[ "$output" == *"invalid tar archive"* ]]
  run -1 engine load </dev/null
  [[ "$output" == "invalid archive: neither manifest.json nor index.json is in it"* ]]
  [ "$(engine images -aq | sort)" = "$images" ]
  eventually 5 test "$(ls "$E2E_DIR/data/snapshots" | wc -l)" -le "$snapshots"
}

@test "import: names, messages and changes" {
  busybox_tar "$E2E_DIR/rootfs.tar"
  run -0 engine import -m 'a message' -c 'CMD ["echo","hi"]' -c 'ENV X=1' -c 'EXPOSE 80' "$E2E_DIR/rootfs.tar" "$(name imp):2"
  [[ "$output" =~ ^sha256:[0-9a-f]{64}$ ]]
  engine image inspect "$(name imp):2" | jq -e --arg id "$output" '.[0] | .Id == $id and .Comment == "a message" and .Config.Cmd == ["echo","hi"]
    and .Config.Env == ["X=1"] and .Config.ExposedPorts == {"80/tcp": {}} and (.RootFS.Layers | length) == 1 and (.Parent // "") == ""'
  [ "$(engine run --rm "$(name imp):2")" = hi ]
  id=$(gzip -c "$E2E_DIR/rootfs.tar" | engine import -)
  engine image inspect "$id" | jq -e '.[0] | .Comment == "Imported from -" and .RepoTags == []'
  run -1 engine import -c 'RUN x' "$E2E_DIR/rootfs.tar"
  [ "$output" = "Error response from daemon: RUN is not a valid change command" ]
  run -1 engine import "$E2E_DIR/rootfs.tar" BAD:x
  [ "$output" = "invalid reference format: repository name (library/BAD) must be lowercase" ]
  run -1 engine import "$E2E_DIR/nosuchfile"
  [ "$output" = "open $E2E_DIR/nosuchfile: no such file or directory" ]
  run -1 engine import --platform windows/amd64 "$E2E_DIR/rootfs.tar"
  [ "$output" = "Error response from daemon: operating system is not supported" ]
  run -1 engine import - < <(echo junk)
  [[ "$output" == "Error response from daemon: "* ]]
  run -1 engine import http://127.0.0.1:1/rootfs.tar
  [[ "$output" == *'Get "http://127.0.0.1:1/rootfs.tar"'* ]]
  forget "$(name imp):2" "$id"
}

@test "import from a web server" {
  busybox_tar "$E2E_DIR/web.tar"
  python3 -u -m http.server --bind 127.0.0.1 --directory "$E2E_DIR" 0 >"$E2E_DIR/web.log" 2>&1 3>&- & web=$!
  eventually 10 grep -q 'port [0-9]' "$E2E_DIR/web.log"
  port=$(grep -o 'port [0-9]*' "$E2E_DIR/web.log" | cut -d' ' -f2)
  run -0 engine import "http://127.0.0.1:$port/web.tar" "$(name web)"
  kill "$web"
  [ "${lines[0]}" = "Downloading from http://127.0.0.1:$port/web.tar" ]
  [ "${lines[-1]}" = "$(id_of "$(name web)")" ]
  forget "$(name web)"
}

@test "export: the container's files, as a tar that is an image again" {
  engine run --name "$(name c)" -v "$E2E_DIR:/mnt" e2e-busybox sh -c 'echo mine >/mine; rm /etc/group; mkdir /dir; echo x >/mnt/outside'
  engine export -o "$E2E_DIR/export.tar" "$(name c)"
  [ "$(tar -xOf "$E2E_DIR/export.tar" mine)" = mine ]
  run -0 tar -tf "$E2E_DIR/export.tar"
  [[ "$output" == *$'\nbin/busybox\n'* && "$output" == *$'\ndir/\n'* && "$output" != *etc/group* && "$output" != *outside* ]]
  id=$(engine export "$(name c)" | engine import -c 'CMD ["cat","/mine"]' -)
  [ "$(engine run --rm "$id")" = mine ]
  # Of a running one as well.
  engine run -d --name "$(name r)" e2e-busybox sh -c 'echo now >/now; sleep 1000' >/dev/null
  eventually 10 engine exec "$(name r)" test -s /now
  [ "$(engine export "$(name r)" | tar -xO now)" = now ]
  [ "$(engine exec "$(name r)" cat /now)" = now ]
  run -1 engine export nosuch
  [ "$output" = "Error response from daemon: No such container: nosuch" ]
  run -1 engine export -o "$E2E_DIR/no/where" "$(name c)"
  [ "$output" = "failed to export container: invalid output path: stat $E2E_DIR/no: no such file or directory" ]
  engine rm -f "$(name c)" "$(name r)"; forget "$id"
}

@test "diff: what was added, changed and deleted" {
  engine create --name "$(name new)" e2e-busybox true
  [ -z "$(engine diff "$(name new)")" ]
  engine run --name "$(name c)" e2e-busybox sh -c 'echo >/new; mkdir -p /d1/d2; echo >/d1/d2/f; rm /etc/group; echo x >>/etc/passwd; rm /bin/ls; mkdir /etc/sub; ln -s x /lnk'
  run -0 engine diff "$(name c)"
  [ "$(sort <<<"$output")" = "$(printf '%s\n' 'A /d1' 'A /d1/d2' 'A /d1/d2/f' 'A /etc/sub' 'A /lnk' 'A /new' 'C /bin' 'C /etc' 'C /etc/passwd' 'D /bin/ls' 'D /etc/group')" ]
  engine run --name "$(name e)" e2e-busybox sh -c 'echo x >>/etc/passwd'
  [ "$(engine diff "$(name e)")" = "C /etc"$'\n'"C /etc/passwd" ] || [ "$(engine diff "$(name e)")" = "C /etc/passwd" ]
  run -1 engine diff nosuch
  [ "$output" = "Error response from daemon: No such container: nosuch" ]
}

@test "commit: the container's changes and configuration become an image" {
  engine run --name "$(name c)" -e KEPT=yes -w /work -l mark=1 e2e-busybox sh -c 'echo mine >/mine; rm -f /etc/group'
  run -0 engine commit -a 'Me <me@example.com>' -m 'a message' -c 'CMD ["cat","/mine"]' -c 'ENV ADDED=1' -c 'EXPOSE 80' "$(name c)" "$(name image):v1"
  [[ "$output" =~ ^sha256:[0-9a-f]{64}$ ]]
  engine image inspect "$(name image):v1" | jq -e --arg id "$output" --arg base "$(id_of e2e-busybox)" '.[0] | .Id == $id and .Author == "Me <me@example.com>"
    and .Comment == "a message" and .Parent == $base and .Config.Cmd == ["cat","/mine"] and .Config.WorkingDir == "/work" and .Config.Labels.mark == "1"
    and (.Config.Env | index("KEPT=yes") != null and index("ADDED=1") != null) and .Config.ExposedPorts == {"80/tcp": {}} and (.RootFS.Layers | length) == 2'
  [ "$(engine run --rm "$(name image):v1")" = mine ]
  run -1 engine run --rm "$(name image):v1" cat /etc/group
  [ "$(engine history --format '{{.CreatedBy}}|{{.Comment}}' "$(name image):v1" | head -1)" = "sh -c echo mine >/mine; rm -f /etc/group|a message" ]
  engine save "$(name image):v1" >"$E2E_DIR/commit.tar"; python3 "$HERE/oci_check.py" "$E2E_DIR/commit.tar"
  # The container is as it was.
  engine start -a "$(name c)"; forget "$(name image):v1"
  # Nothing changed: no layer.
  engine create --name "$(name same)" e2e-busybox sh; id=$(engine commit "$(name same)")
  [ "$(engine image inspect --format '{{len .RootFS.Layers}} {{.RepoTags}}' "$id")" = "1 []" ]
  forget "$id"
}

@test "commit of a running container pauses it meanwhile, unless told not to" {
  engine run -d --name "$(name c)" e2e-busybox sh -c 'while :; do echo x >>/log; sleep 0.1; done' >/dev/null
  since=$(date +%s)
  one=$(engine commit "$(name c)"); two=$(engine commit --pause=false "$(name c)")
  run -0 engine events --since "$since" --until "$(($(date +%s) + 1))" --filter "container=$(name c)" --format '{{.Action}}'
  [ "$(grep -cE '^(pause|unpause)$' <<<"$output")" = 2 ]
  [ "$(grep -c '^commit$' <<<"$output")" = 2 ]
  shows "$(name c)" '{{.State.Status}}' running
  engine rm -f "$(name c)"; forget "$one" "$two"
}

@test "commit refuses in Docker's words" {
  run -1 engine commit nosuch
  [ "$output" = "Error response from daemon: No such container: nosuch" ]
  engine create --name "$(name c)" e2e-busybox sh
  run -1 engine commit "$(name c)" BAD:x
  [ "$output" = "invalid reference format: repository name (library/BAD) must be lowercase" ]
  run -1 engine commit -c 'FOO x' "$(name c)"
  [ "$output" = "Error response from daemon: FOO is not a valid change command" ]
  run -1 engine commit -c ENV "$(name c)"
  [ "$output" = "Error response from daemon: ENV requires at least one argument" ]
}

@test "images go to a real Docker and back" {
  [ -n "${E2E_PEER:-}" ] && [ "$E2E_ENGINE" != docker ] || skip "E2E_PEER names no Docker"
  peer() { "$DOCKER_CLIENT" -H "$E2E_PEER" "$@"; }
  odd_image e2e-peer:1; id=$(id_of e2e-peer:1); before=$(listing e2e-peer:1)
  engine save e2e-peer:1 | peer load
  [ "$(peer image inspect --format '{{.Id}}' e2e-peer:1)" = "$id" ]
  [ "$(peer run --rm e2e-peer:1)" = "it runs" ]
  peer save e2e-peer:1 >"$E2E_DIR/peer.tar"; peer rmi e2e-peer:1 >/dev/null
  forget e2e-peer:1
  engine load -i "$E2E_DIR/peer.tar"
  [ "$(id_of e2e-peer:1)" = "$id" ]
  [ "$(listing e2e-peer:1)" = "$before" ]
  forget e2e-peer:1
  # One that was built there.
  dir=$(context); printf 'FROM debian:bookworm\nRUN rm /etc/passwd; echo a >/a; ln /a /b\nRUN rm -r /var/lib; mkdir /var/lib; echo b >/a\n' >"$dir/Dockerfile"
  peer build -q -t e2e-peer:2 "$dir"
  peer save e2e-peer:2 >"$E2E_DIR/peer.tar"
  engine load -i "$E2E_DIR/peer.tar"
  [ "$(id_of e2e-peer:2)" = "$(peer image inspect --format '{{.Id}}' e2e-peer:2)" ]
  mkdir "$E2E_DIR/theirs" "$E2E_DIR/ours"; tar -C "$E2E_DIR/theirs" -xf "$E2E_DIR/peer.tar"; engine save e2e-peer:2 | tar -C "$E2E_DIR/ours" -x
  for layer in $(jq -r '.[0].Layers[]' "$E2E_DIR/ours/manifest.json"); do cmp "$E2E_DIR/ours/$layer" "$E2E_DIR/theirs/$layer"; done
  # Entry by entry what Docker sees in it.
  entries() { tar -tv --numeric-owner | grep -vE ' (dev|proc|sys|run)/| (\.dockerenv|etc/(hosts|hostname|resolv.conf|mtab))( |$)| (\.|etc|dev|proc|sys|run)/$' | sort; }
  engine create --name "$(name p)" e2e-peer:2 true; peer create --name "$(name p)" e2e-peer:2 true
  diff <(engine export "$(name p)" | entries) <(peer export "$(name p)" | entries)
  peer rm "$(name p)"; peer rmi e2e-peer:2 >/dev/null; engine rm "$(name p)"; forget e2e-peer:2
}
