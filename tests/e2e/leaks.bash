# What an engine may leave behind, as sorted text: taken before and after, any difference is a leak.

leak_snapshot() {
  {
    ls -d /proc/[0-9]* 2>/dev/null | while read -r proc; do
      exe=$(readlink "$proc/exe" 2>/dev/null) || continue
      case ${exe##*/} in skiff*) echo "process ${exe##*/} $(tr '\0' ' ' <"$proc/cmdline" 2>/dev/null)" ;; esac
    done
    awk '{print "mount", $5, $(NF-2), $(NF-1)}' /proc/self/mountinfo
    find /sys/fs/cgroup -mindepth 2 -type d -path '*skiff*' -printf 'cgroup %p\n' 2>/dev/null
    ip -o link | awk -F': ' '{print "interface", $2}' | sed 's/@.*//'
    nft list tables 2>/dev/null | sed 's/^/nft /'
    find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%l\n' 2>/dev/null | sort -u | wc -l | sed 's/^/network namespaces /'
    find /tmp -maxdepth 1 -name 'skiff-*' -printf 'temporary %p\n'
  } | sort
}

# leak_check BEFORE-FILE: waits up to five seconds for what ends by itself (namespaces, cgroups), then complains.
leak_check() {
  local before=$1 after
  for _ in $(seq 50); do
    after=$(leak_snapshot)
    diff <(cat "$before") <(echo "$after") >/dev/null && return 0
    sleep 0.1
  done
  echo "left behind (> is new):" >&2
  diff <(cat "$before") <(echo "$after") >&2
  return 1
}
