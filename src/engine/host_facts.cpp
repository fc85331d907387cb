#include "engine/host_facts.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "base/strings.h"
#include "spec/platform.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

std::string first_line(const std::string& path, std::string otherwise) {
  const auto text = sys::read_file(path, 1 << 16);
  if (!text.ok()) return otherwise;
  return std::string(trim(cut(*text, '\n').first));
}

std::string pretty_name() {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    const auto text = sys::read_file(path, 1 << 16);
    if (!text.ok()) continue;
    for (const std::string& line : split(*text, '\n')) {
      const auto [name, value] = cut(line, '=');
      if (name != "PRETTY_NAME" || !value) continue;
      std::string_view quoted = trim(*value);
      if (quoted.size() >= 2 && (quoted[0] == '"' || quoted[0] == '\''))
        quoted = quoted.substr(1, quoted.size() - 2);
      return std::string(quoted);
    }
  }
  return "Linux";
}

HostFacts read_facts() {
  HostFacts facts;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) facts.cpus = CPU_COUNT(&set);
  facts.online_cpus = first_line("/sys/devices/system/cpu/online", "0");
  facts.online_mems = first_line("/sys/devices/system/node/online", "0");
  struct sysinfo info {};
  if (::sysinfo(&info) == 0) facts.memory = static_cast<std::int64_t>(info.totalram) * info.mem_unit;
  facts.cgroup_v2 = sys::exists("/sys/fs/cgroup/cgroup.controllers");
  facts.blkio_weight = facts.cgroup_v2 || sys::exists("/sys/fs/cgroup/blkio/blkio.weight") ||
                       sys::exists("/sys/fs/cgroup/blkio/blkio.bfq.weight");
  struct utsname names {};
  if (::uname(&names) == 0) {
    facts.kernel_release = names.release;
    facts.hostname = names.nodename;
    std::sscanf(names.release, "%d.%d", &facts.kernel_major, &facts.kernel_minor);
  }
  facts.architecture = spec::Platform::host().architecture;
  facts.os_name = pretty_name();
  return facts;
}

/// The numbers of "0,2-3"; nothing when it is malformed or absurd.
std::optional<std::set<int>> parse_cpuset(const std::string& text) {
  constexpr int kMost = 8192;
  std::set<int> numbers;
  if (trim(text).empty()) return numbers;
  for (const std::string& part : split(trim(text), ',')) {
    const auto [low_text, high_text] = cut(part, '-');
    const auto low = parse_uint(low_text);
    const auto high = high_text ? parse_uint(*high_text) : low;
    if (!low || !high || *low > *high || *high > kMost) return std::nullopt;
    for (auto n = *low; n <= *high; ++n) numbers.insert(static_cast<int>(n));
  }
  return numbers;
}

}  // namespace

const HostFacts& host_facts() {
  static const HostFacts kFacts = read_facts();
  return kFacts;
}

bool cpuset_contains(const std::string& wanted, const std::string& available, bool* valid) {
  const auto asked = parse_cpuset(wanted);
  const auto there = parse_cpuset(available);
  *valid = asked.has_value();
  if (!asked || !there) return false;
  for (const int number : *asked)
    if (there->find(number) == there->end()) return false;
  return true;
}

}  // namespace skiff::engine
