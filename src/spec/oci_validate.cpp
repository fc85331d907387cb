#include <algorithm>
#include <set>

#include "base/strings.h"
#include "spec/oci_runtime.h"

namespace skiff::spec::oci {
namespace {

constexpr std::string_view kNamespaceTypes[] = {"pid", "network", "mount",  "ipc",
                                                "uts", "user",    "cgroup", "time"};

template <std::size_t N>
bool is_one_of(const std::string_view (&table)[N], std::string_view text) {
  return std::find(std::begin(table), std::end(table), text) != std::end(table);
}

Error invalid(std::string text) { return Error(Kind::InvalidArgument, std::move(text)); }

Result<void> validate_rlimits(const std::vector<Rlimit>& limits) {
  std::set<std::string> seen;
  for (const auto& limit : limits) {
    if (limit.soft > limit.hard)
      return invalid(fmt::format("process.rlimits: {}: soft limit is above the hard limit", limit.type));
    if (!seen.insert(limit.type).second)
      return invalid(fmt::format("process.rlimits: {} is given twice", limit.type));
  }
  return {};
}

/// What sched_setattr(2) would answer with a bare EINVAL.
Result<void> validate_scheduler(const Scheduler& scheduler) {
  constexpr std::string_view kPolicies[] = {"SCHED_OTHER", "SCHED_FIFO", "SCHED_RR",      "SCHED_BATCH",
                                            "SCHED_ISO",   "SCHED_IDLE", "SCHED_DEADLINE"};
  if (!is_one_of(kPolicies, scheduler.policy))
    return invalid(fmt::format("process.scheduler.policy: {} is not known", quote(scheduler.policy)));
  if (scheduler.nice < -20 || scheduler.nice > 19)
    return invalid(fmt::format("process.scheduler.nice: {} is not from -20 to 19", scheduler.nice));
  if (scheduler.priority != 0 && scheduler.policy != "SCHED_FIFO" && scheduler.policy != "SCHED_RR")
    return invalid("process.scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy");
  const bool deadline = scheduler.runtime != 0 || scheduler.deadline != 0 || scheduler.period != 0;
  if (deadline && scheduler.policy != "SCHED_DEADLINE")
    return invalid(
        "process.scheduler.runtime, deadline and period can only be specified for SCHED_DEADLINE policy");
  return {};
}

Result<void> validate_priorities(const Process& process) {
  if (process.oom_score_adj && (*process.oom_score_adj < -1000 || *process.oom_score_adj > 1000))
    return invalid(fmt::format("process.oomScoreAdj: {} is not from -1000 to 1000", *process.oom_score_adj));
  if (process.io_priority) {
    constexpr std::string_view kClasses[] = {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"};
    const auto& io = *process.io_priority;
    if (!is_one_of(kClasses, io.priority_class))
      return invalid(fmt::format("process.ioPriority.class: {} is not known", quote(io.priority_class)));
    if (io.priority < 0 || io.priority > 7)
      return invalid(fmt::format("process.ioPriority.priority: {} is not from 0 to 7", io.priority));
  }
  if (process.scheduler) TRY(validate_scheduler(*process.scheduler));
  if (process.exec_cpu_affinity) {
    const auto& affinity = *process.exec_cpu_affinity;
    for (const auto& [name, list] :
         {std::pair("initial", affinity.initial), std::pair("final", affinity.final)})
      if (!list.empty() && !parse_cpu_list(list))
        return invalid(fmt::format("process.execCPUAffinity.{}: {} is no list of CPUs", name, quote(list)));
  }
  return {};
}

Result<void> validate_hooks(const std::vector<Hook>& hooks, std::string_view name) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (!hooks[i].path.starts_with('/'))
      return invalid(
          fmt::format("hooks.{}[{}].path: {} is not an absolute path", name, i, quote(hooks[i].path)));
    if (hooks[i].timeout && *hooks[i].timeout <= 0)
      return invalid(fmt::format("hooks.{}[{}].timeout: must be greater than zero", name, i));
  }
  return {};
}

Result<void> validate_namespaces(const std::vector<Namespace>& namespaces) {
  std::set<std::string> seen;
  for (const auto& space : namespaces) {
    if (!is_one_of(kNamespaceTypes, space.type))
      return invalid(fmt::format("linux.namespaces: unknown type {}", quote(space.type)));
    if (!space.path.empty() && !space.path.starts_with('/'))
      return invalid(fmt::format("linux.namespaces: {}: path is not absolute", space.type));
    if (!seen.insert(space.type).second)
      return invalid(fmt::format("linux.namespaces: {} is given twice", space.type));
  }
  return {};
}

/// Whether the configuration makes, or with `joined` also enters, a namespace of that type.
bool has_namespace(const Linux& part, std::string_view type, bool joined) {
  return std::any_of(part.namespaces.begin(), part.namespaces.end(), [&](const Namespace& space) {
    return space.type == type && (joined || space.path.empty());
  });
}

bool is_mapped(const std::vector<IdMapping>& mappings, std::uint32_t id) {
  return std::any_of(mappings.begin(), mappings.end(), [&](const IdMapping& m) {
    return id >= m.container_id && id - m.container_id < m.size;
  });
}

/// Ids that a new user namespace does not have would be refused by setuid(2), in the middle of the set-up.
Result<void> validate_user(const User& user, const Linux& part) {
  if (!has_namespace(part, "user", false)) return {};
  const auto check = [](const auto& mappings, std::uint32_t id, std::string_view member) -> Result<void> {
    if (mappings.empty() || is_mapped(mappings, id)) return {};
    return invalid(fmt::format("process.user.{}: {} is not mapped in the user namespace", member, id));
  };
  TRY(check(part.uid_mappings, user.uid, "uid"));
  TRY(check(part.gid_mappings, user.gid, "gid"));
  for (const auto gid : user.additional_gids) TRY(check(part.gid_mappings, gid, "additionalGids"));
  return {};
}

Result<void> validate_seccomp(const Seccomp& seccomp) {
  constexpr std::string_view kNotify = "SCMP_ACT_NOTIFY";
  // Nobody would be left to answer: the set-up itself goes on making system calls.
  if (seccomp.default_action == kNotify)
    return invalid("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action");
  for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
    const auto& rule = seccomp.syscalls[i];
    if (rule.action != kNotify) continue;
    if (seccomp.listener_path.empty())
      return invalid(
          fmt::format("linux.seccomp.listenerPath: is needed by SCMP_ACT_NOTIFY in syscalls[{}]", i));
    if (std::find(rule.names.begin(), rule.names.end(), "write") != rule.names.end())
      return invalid(
          fmt::format("linux.seccomp.syscalls[{}]: SCMP_ACT_NOTIFY cannot be used for the write syscall", i));
  }
  return {};
}

Result<void> validate_time(const Linux& part) {
  for (const auto& [clock, offset] : part.time_offsets) {
    if (clock != "monotonic" && clock != "boottime")
      return invalid(fmt::format("linux.timeOffsets: unknown clock {}", quote(clock)));
    if (offset.nanosecs >= 1'000'000'000)
      return invalid(
          fmt::format("linux.timeOffsets.{}.nanosecs: {} is a second or more", clock, offset.nanosecs));
  }
  if (!part.time_offsets.empty() && !has_namespace(part, "time", false))
    return invalid("linux.timeOffsets: time namespace offsets are specified, but no new time namespace is");
  return {};
}

Result<void> validate_linux(const Linux& part) {
  TRY(validate_namespaces(part.namespaces));
  TRY(validate_time(part));
  if (part.seccomp) TRY(validate_seccomp(*part.seccomp));
  for (std::size_t i = 0; i < part.devices.size(); ++i)
    if (part.devices[i].path.empty()) return invalid(fmt::format("linux.devices[{}].path: is missing", i));
  if (part.personality && part.personality->domain != "LINUX" && part.personality->domain != "LINUX32")
    return invalid(fmt::format("linux.personality.domain: {} is not known", quote(part.personality->domain)));
  return {};
}

}  // namespace

std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text) {
  constexpr std::uint64_t kMaxCpus = 1024;
  std::set<unsigned> cpus;
  for (const auto& part : split(text, ',')) {
    const auto [first, last] = cut(trim(part), '-');
    const auto low = parse_uint(trim(first));
    const auto high = last ? parse_uint(trim(*last)) : low;
    if (!low || !high || *low > *high || *high >= kMaxCpus) return std::nullopt;
    for (auto cpu = *low; cpu <= *high; ++cpu) cpus.insert(static_cast<unsigned>(cpu));
  }
  return std::vector<unsigned>(cpus.begin(), cpus.end());
}

Result<void> validate(const Process& process) {
  if (process.args.empty()) return invalid("process.args must not be empty");
  if (process.cwd.empty()) return invalid("process.cwd must not be empty");
  if (!process.cwd.starts_with('/'))
    return invalid(fmt::format("process.cwd: {} is not an absolute path", quote(process.cwd)));
  for (std::size_t i = 0; i < process.env.size(); ++i) {
    const auto equals = process.env[i].find('=');
    if (equals == std::string::npos)
      return invalid(fmt::format("process.env[{}]: invalid environment variable: missing '='", i));
    if (equals == 0)
      return invalid(fmt::format("process.env[{}]: invalid environment variable: name cannot be empty", i));
  }
  TRY(validate_rlimits(process.rlimits));
  return validate_priorities(process);
}

Result<void> validate(const Runtime& runtime) {
  if (runtime.oci_version.empty()) return invalid("ociVersion is missing");
  if (!runtime.oci_version.starts_with("1."))
    return invalid(fmt::format("ociVersion: {} is not supported", quote(runtime.oci_version)));
  if (runtime.process) TRY(validate(*runtime.process));
  for (std::size_t i = 0; i < runtime.mounts.size(); ++i)
    if (runtime.mounts[i].destination.empty())
      return invalid(fmt::format("mounts[{}].destination: is missing", i));
  if (runtime.hooks) {
    const auto& hooks = *runtime.hooks;
    TRY(validate_hooks(hooks.prestart, "prestart"));
    TRY(validate_hooks(hooks.create_runtime, "createRuntime"));
    TRY(validate_hooks(hooks.create_container, "createContainer"));
    TRY(validate_hooks(hooks.start_container, "startContainer"));
    TRY(validate_hooks(hooks.poststart, "poststart"));
    TRY(validate_hooks(hooks.poststop, "poststop"));
  }
  if (!runtime.linux_) return {};
  TRY(validate_linux(*runtime.linux_));
  return runtime.process ? validate_user(runtime.process->user, *runtime.linux_) : Result<void>{};
}

}  // namespace skiff::spec::oci
