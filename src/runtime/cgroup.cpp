#include "runtime/cgroup.h"

#include <algorithm>

#include "base/strings.h"
#include "runtime/device_filter.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

using namespace spec::oci;

/// The cgroup that is written to, and where its values are noted before, if anywhere.
struct Target {
  const sys::Cgroup& cgroup;
  FormerValues* former = nullptr;
};

/// What sets back the value that `written` took the place of. Files with a line for each device or interface
/// are written one line at a time, which begins with a key: `unset` is what such a line says where there is
/// none.
std::string former_text(std::string_view content, std::string_view written, std::string_view unset) {
  const auto key = std::string(written.substr(0, written.find(' '))) + " ";
  if (!unset.empty()) {
    for (const auto& line : split(content, '\n'))
      if (line.starts_with(key)) return line;
    return key + std::string(unset);
  }
  auto value = trim(content.substr(0, content.find('\n')));
  // These are shown with a name, and written without it.
  for (const std::string_view name : {"default ", "oom_kill_disable "})
    if (!written.starts_with(name) && value.starts_with(name)) value.remove_prefix(name.size());
  return value.empty() ? "\n" : std::string(value);  // nothing at all would not be written
}

/// Writes of one controller, in whichever version it is mounted.
class Controller {
 public:
  Controller(const Target& target, std::string_view name)
      : cgroup_(target.cgroup),
        former_(target.former),
        name_(name),
        hierarchy_(target.cgroup.layout().find(name)) {}

  bool present() const { return hierarchy_ != nullptr; }
  bool unified() const { return hierarchy_ && hierarchy_->unified; }
  /// `unset`: see former_text().
  template <typename T>
  Result<void> set(std::string_view file, const T& value, std::string_view unset = {}) const {
    const auto text = fmt::format("{}", value);
    const auto before = former_ ? get(file).value_or("") : "";
    TRY(cgroup_.write(name_, file, text));
    if (former_)
      former_->note(fmt::format("{}/{}", cgroup_.directory(name_), file), former_text(before, text, unset));
    return {};
  }
  bool has(std::string_view file) const {
    return sys::exists(fmt::format("{}/{}", cgroup_.directory(name_), file));
  }
  Result<std::string> get(std::string_view file) const { return cgroup_.read(name_, file); }

 private:
  const sys::Cgroup& cgroup_;
  FormerValues* former_;
  std::string_view name_;
  const sys::CgroupHierarchy* hierarchy_;
};

/// Version 2 says "max" where version 1 has -1.
std::string limit_text(std::int64_t value) { return value < 0 ? "max" : std::to_string(value); }

/// The kernel could not take back what is in use already.
Error in_use(const Controller& c, std::int64_t limit) {
  const auto bytes = [&](const char* file) { return std::string(trim(c.get(file).value_or("unknown"))); };
  return Error(Kind::Conflict,
               fmt::format("unable to set memory limit to {} (current usage: {}, peak usage: {})", limit,
                           bytes("memory.usage_in_bytes"), bytes("memory.max_usage_in_bytes")),
               EBUSY);
}

Result<void> apply_memory_v1(const Controller& c, const Memory& memory) {
  const bool with_swap = memory.swap && c.has("memory.memsw.limit_in_bytes");
  const auto set_swap = [&] {
    return with_swap ? c.set("memory.memsw.limit_in_bytes", *memory.swap) : success();
  };
  if (memory.limit) {
    // Memory must never be above memory and swap together: whichever order the old limits demand.
    if (c.set("memory.limit_in_bytes", *memory.limit)) {
      TRY(set_swap());
    } else {
      TRY(set_swap());
      auto limited = c.set("memory.limit_in_bytes", *memory.limit);
      if (!limited && limited.error().code() == EBUSY) return in_use(c, *memory.limit);
      TRY(std::move(limited));
    }
  } else {
    TRY(set_swap());
  }
  if (memory.reservation) TRY(c.set("memory.soft_limit_in_bytes", *memory.reservation));
  if (memory.kernel && c.has("memory.kmem.limit_in_bytes"))
    TRY(c.set("memory.kmem.limit_in_bytes", *memory.kernel));
  if (memory.kernel_tcp && c.has("memory.kmem.tcp.limit_in_bytes"))
    TRY(c.set("memory.kmem.tcp.limit_in_bytes", *memory.kernel_tcp));
  if (memory.swappiness) TRY(c.set("memory.swappiness", *memory.swappiness));
  if (memory.disable_oom_killer && *memory.disable_oom_killer) TRY(c.set("memory.oom_control", 1));
  return {};
}

Result<void> apply_memory_v2(const Controller& c, const Memory& memory) {
  if (memory.swap && c.has("memory.swap.max")) {
    // The specification counts memory and swap together, version 2 counts swap alone.
    std::int64_t swap = *memory.swap;
    if (swap > 0 && memory.limit && *memory.limit > 0) {
      if (swap < *memory.limit)
        return Error(Kind::InvalidArgument, "memory+swap limit should be >= memory limit");
      swap -= *memory.limit;
    }
    TRY(c.set("memory.swap.max", limit_text(swap)));
  }
  if (memory.limit) TRY(c.set("memory.max", limit_text(*memory.limit)));
  if (memory.reservation) TRY(c.set("memory.low", limit_text(*memory.reservation)));
  return {};
}

Result<void> apply_memory(const Target& target, const Memory& memory) {
  const Controller c(target, "memory");
  const bool asked = memory.limit || memory.reservation || memory.swap || memory.swappiness;
  if (!c.present() && !asked) return {};
  return c.unified() ? apply_memory_v2(c, memory) : apply_memory_v1(c, memory);
}

Result<void> apply_cpu_v1(const Controller& c, const Cpu& cpu) {
  if (cpu.shares && *cpu.shares != 0) TRY(c.set("cpu.shares", *cpu.shares));
  // A burst may not exceed the quota, so what shrinks goes first.
  const bool burst_first =
      cpu.burst && c.has("cpu.cfs_burst_us") && c.set("cpu.cfs_burst_us", *cpu.burst).ok();
  if (cpu.period && *cpu.period != 0) TRY(c.set("cpu.cfs_period_us", *cpu.period));
  if (cpu.quota && *cpu.quota != 0) TRY(c.set("cpu.cfs_quota_us", *cpu.quota));
  if (cpu.burst && !burst_first) TRY(c.set("cpu.cfs_burst_us", *cpu.burst));
  if (cpu.realtime_period && *cpu.realtime_period != 0) TRY(c.set("cpu.rt_period_us", *cpu.realtime_period));
  if (cpu.realtime_runtime && *cpu.realtime_runtime != 0)
    TRY(c.set("cpu.rt_runtime_us", *cpu.realtime_runtime));
  if (cpu.idle) TRY(c.set("cpu.idle", *cpu.idle));
  return {};
}

Result<void> apply_cpu_v2(const Controller& c, const Cpu& cpu) {
  if (cpu.idle) TRY(c.set("cpu.idle", *cpu.idle));
  if (cpu.shares && *cpu.shares != 0 && cpu.idle.value_or(0) == 0)
    TRY(c.set("cpu.weight", cpu_weight_from_shares(*cpu.shares)));
  if ((cpu.quota && *cpu.quota != 0) || (cpu.period && *cpu.period != 0)) {
    auto text = cpu.quota && *cpu.quota > 0 ? std::to_string(*cpu.quota) : std::string("max");
    if (cpu.period && *cpu.period != 0) text += fmt::format(" {}", *cpu.period);
    TRY(c.set("cpu.max", text));
  }
  if (cpu.burst) TRY(c.set("cpu.max.burst", *cpu.burst));
  return {};
}

Result<void> apply_cpu(const Target& target, const Cpu& cpu) {
  const Controller c(target, "cpu");
  const bool asked =
      cpu.shares.value_or(0) || cpu.quota.value_or(0) || cpu.period.value_or(0) || cpu.burst || cpu.idle;
  if (c.present() || asked) TRY(c.unified() ? apply_cpu_v2(c, cpu) : apply_cpu_v1(c, cpu));
  const Controller set(target, "cpuset");
  if (!cpu.cpus.empty()) TRY(set.set("cpuset.cpus", cpu.cpus));
  if (!cpu.mems.empty()) TRY(set.set("cpuset.mems", cpu.mems));
  return {};
}

Result<void> apply_pids(const Target& target, const Pids& pids) {
  const Controller c(target, "pids");
  if (!pids.limit) return {};
  return c.set("pids.max", *pids.limit <= 0 ? std::string("max") : std::to_string(*pids.limit));
}

Result<void> throttle(const Controller& c, const std::vector<ThrottleDevice>& devices, std::string_view v1,
                      std::string_view v2) {
  for (const auto& device : devices) {
    if (c.unified()) {
      TRY(c.set("io.max",
                fmt::format("{}:{} {}={}", device.major, device.minor, v2,
                            device.rate ? std::to_string(device.rate) : "max"),
                fmt::format("{}=max", v2)));
    } else {
      TRY(c.set(v1, fmt::format("{}:{} {}", device.major, device.minor, device.rate), "0"));
    }
  }
  return {};
}

Result<void> apply_block_io(const Target& target, const BlockIo& io) {
  const Controller c(target, target.cgroup.has("io") ? "io" : "blkio");
  if (io.weight && *io.weight != 0) {
    if (c.unified()) {
      if (c.has("io.bfq.weight"))
        TRY(c.set("io.bfq.weight", *io.weight));
      else
        TRY(c.set("io.weight", fmt::format("default {}", io_weight_from_blkio(*io.weight)), "100"));
    } else {
      TRY(c.set(c.has("blkio.bfq.weight") ? "blkio.bfq.weight" : "blkio.weight", *io.weight));
    }
  }
  for (const auto& device : io.weight_device) {
    if (!device.weight) continue;
    const auto file = c.unified()                        ? "io.bfq.weight"
                      : c.has("blkio.bfq.weight_device") ? "blkio.bfq.weight_device"
                                                         : "blkio.weight_device";
    TRY(c.set(file, fmt::format("{}:{} {}", device.major, device.minor, *device.weight), "default"));
  }
  TRY(throttle(c, io.throttle_read_bps, "blkio.throttle.read_bps_device", "rbps"));
  TRY(throttle(c, io.throttle_write_bps, "blkio.throttle.write_bps_device", "wbps"));
  TRY(throttle(c, io.throttle_read_iops, "blkio.throttle.read_iops_device", "riops"));
  return throttle(c, io.throttle_write_iops, "blkio.throttle.write_iops_device", "wiops");
}

Result<void> apply_others(const Target& target, const Resources& resources) {
  const Controller hugetlb(target, "hugetlb");
  for (const auto& limit : resources.hugepage_limits)
    TRY(hugetlb.set(
        fmt::format("hugetlb.{}.{}", limit.page_size, hugetlb.unified() ? "max" : "limit_in_bytes"),
        limit.limit));
  if (resources.network) {
    if (resources.network->class_id)
      TRY(Controller(target, "net_cls").set("net_cls.classid", *resources.network->class_id));
    for (const auto& priority : resources.network->priorities)
      TRY(Controller(target, "net_prio")
              .set("net_prio.ifpriomap", fmt::format("{} {}", priority.name, priority.priority), "0"));
  }
  for (const auto& [device, limit] : resources.rdma) {
    auto text = device;
    if (limit.hca_handles) text += fmt::format(" hca_handle={}", *limit.hca_handles);
    if (limit.hca_objects) text += fmt::format(" hca_object={}", *limit.hca_objects);
    TRY(Controller(target, "rdma").set("rdma.max", text, "hca_handle=max hca_object=max"));
  }
  if (resources.unified.empty()) return {};
  const auto* hierarchy = target.cgroup.layout().unified();
  if (!hierarchy) return Error(Kind::Unsupported, "invalid configuration: cannot set unified on cgroup v1");
  for (const auto& [file, value] : resources.unified) {
    if (file.find('/') != std::string::npos)
      return fail(Kind::InvalidArgument, "unified resource {} must be a file name (no slashes)", quote(file));
    const auto path = target.cgroup.directory(*hierarchy) + "/" + file;
    const auto before = target.former ? sys::read_file(path).value_or("") : "";
    TRY_CONTEXT(sys::write_existing(path, value), "set unified resource {}", quote(file));
    // What a line of many meant is known for the controllers above alone.
    if (target.former && std::count(before.begin(), before.end(), '\n') == 1)
      target.former->note(path, before);
  }
  return {};
}

std::string device_text(const DeviceRule& rule) {
  const auto number = [](const std::optional<std::int64_t>& n) {
    return n && *n >= 0 ? std::to_string(*n) : std::string("*");
  };
  const auto type = rule.type.empty() ? std::string("a") : rule.type == "u" ? std::string("c") : rule.type;
  if (type == "a" && !rule.major && !rule.minor) return "a";
  return fmt::format("{} {}:{} {}", type, number(rule.major), number(rule.minor),
                     rule.access.empty() ? "rwm" : rule.access);
}

Result<void> apply_devices(const sys::Cgroup& cgroup, std::vector<DeviceRule> rules) {
  if (rules.empty()) return {};
  const auto& always = default_device_allowances();
  rules.insert(rules.end(), always.begin(), always.end());
  const Controller c({cgroup}, "devices");
  if (c.present()) {
    const auto where = cgroup.directory("devices");
    const auto allow = TRY(sys::open_file(where + "/devices.allow", O_WRONLY));
    const auto deny = TRY(sys::open_file(where + "/devices.deny", O_WRONLY));
    for (const auto& rule : rules) {
      const auto text = device_text(rule);
      TRY_CONTEXT(sys::write_all(rule.allow ? allow : deny, text), "device rule {}", quote(text));
    }
    return {};
  }
  const auto directory = TRY(cgroup.open_unified());
  if (!directory) return {};
  return attach_device_program(directory, device_program(rules));
}

}  // namespace

std::uint64_t cpu_weight_from_shares(std::uint64_t shares) {
  if (shares == 0) return 0;
  shares = std::clamp<std::uint64_t>(shares, 2, 262144);
  return 1 + ((shares - 2) * 9999) / 262142;
}

std::uint64_t io_weight_from_blkio(std::uint64_t weight) {
  if (weight == 0) return 0;
  return 1 + (std::clamp<std::uint64_t>(weight, 10, 1000) - 10) * 9999 / 990;
}

void FormerValues::note(std::string path, std::string text) {
  values_.emplace_back(std::move(path), std::move(text));
}

Result<void> FormerValues::restore() {
  Result<void> first;
  for (; !values_.empty(); values_.pop_back()) {
    const auto& [path, text] = values_.back();
    auto written = sys::write_existing(path, text);
    if (!written && first) first = std::move(written).error().with_context(path);
  }
  return first;
}

Result<void> update_resources(const sys::Cgroup& cgroup, const Resources& resources, FormerValues* former) {
  const Target target{cgroup, former};
  if (resources.memory) TRY(apply_memory(target, *resources.memory));
  if (resources.cpu) TRY(apply_cpu(target, *resources.cpu));
  if (resources.pids) TRY(apply_pids(target, *resources.pids));
  if (resources.block_io) TRY(apply_block_io(target, *resources.block_io));
  return apply_others(target, resources);
}

Result<void> apply_resources(const sys::Cgroup& cgroup, const Resources& resources) {
  TRY(apply_devices(cgroup, resources.devices));
  return update_resources(cgroup, resources, nullptr);
}

}  // namespace skiff::runtime
