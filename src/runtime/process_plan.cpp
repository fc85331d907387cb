#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "runtime/plan.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

struct NamedNumber {
  std::string_view name;
  int number;
};

constexpr NamedNumber kRlimits[] = {{"RLIMIT_AS", RLIMIT_AS},
                                    {"RLIMIT_CORE", RLIMIT_CORE},
                                    {"RLIMIT_CPU", RLIMIT_CPU},
                                    {"RLIMIT_DATA", RLIMIT_DATA},
                                    {"RLIMIT_FSIZE", RLIMIT_FSIZE},
                                    {"RLIMIT_LOCKS", RLIMIT_LOCKS},
                                    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
                                    {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
                                    {"RLIMIT_NICE", RLIMIT_NICE},
                                    {"RLIMIT_NOFILE", RLIMIT_NOFILE},
                                    {"RLIMIT_NPROC", RLIMIT_NPROC},
                                    {"RLIMIT_RSS", RLIMIT_RSS},
                                    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
                                    {"RLIMIT_RTTIME", RLIMIT_RTTIME},
                                    {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
                                    {"RLIMIT_STACK", RLIMIT_STACK}};

constexpr NamedNumber kPolicies[] = {{"SCHED_OTHER", 0},   {"SCHED_FIFO", 1}, {"SCHED_RR", 2},
                                     {"SCHED_BATCH", 3},   {"SCHED_ISO", 4},  {"SCHED_IDLE", 5},
                                     {"SCHED_DEADLINE", 6}};
constexpr NamedNumber kSchedulerFlags[] = {
    {"SCHED_FLAG_RESET_ON_FORK", 1},    {"SCHED_FLAG_RECLAIM", 2},        {"SCHED_FLAG_DL_OVERRUN", 4},
    {"SCHED_FLAG_KEEP_POLICY", 8},      {"SCHED_FLAG_KEEP_PARAMS", 0x10}, {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};

template <std::size_t N>
std::optional<int> find(const NamedNumber (&table)[N], std::string_view name) {
  for (const auto& entry : table)
    if (entry.name == name) return entry.number;
  return std::nullopt;
}

/// Names that this kernel does not have are passed over, as everywhere: profiles are written for newer ones.
std::uint64_t capability_mask(const std::vector<std::string>& names) {
  std::uint64_t mask = 0;
  for (const auto& name : names)
    if (const auto number = sys::capability_number(name)) mask |= std::uint64_t{1} << *number;
  return mask & sys::known_capabilities();
}

Result<void> plan_scheduling(const spec::oci::Process& process, ProcessPlan& plan) {
  if (process.io_priority) {
    constexpr NamedNumber kClasses[] = {
        {"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}};
    const auto number = find(kClasses, process.io_priority->priority_class);
    if (!number)
      return fail(Kind::InvalidArgument, "invalid ioPriority class {}",
                  quote(process.io_priority->priority_class));
    plan.io_priority = *number << 13 | process.io_priority->priority;
  }
  if (process.scheduler) {
    const auto policy = find(kPolicies, process.scheduler->policy);
    if (!policy)
      return fail(Kind::InvalidArgument, "invalid scheduler policy {}", quote(process.scheduler->policy));
    plan.scheduler = process.scheduler;
    plan.scheduler_policy = *policy;
    for (const auto& flag : process.scheduler->flags) {
      const auto bit = find(kSchedulerFlags, flag);
      if (!bit) return fail(Kind::InvalidArgument, "invalid scheduler flag {}", quote(flag));
      plan.scheduler_flags |= static_cast<unsigned>(*bit);
    }
  }
  return {};
}

Result<std::optional<cpu_set_t>> cpu_set(const std::string& list) {
  if (list.empty()) return std::optional<cpu_set_t>();
  const auto cpus = spec::oci::parse_cpu_list(list);
  if (!cpus) return fail(Kind::InvalidArgument, "execCPUAffinity: {} is no list of CPUs", quote(list));
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const auto cpu : *cpus) CPU_SET(cpu, &set);
  return std::optional<cpu_set_t>(set);
}

Result<void> plan_labels(const spec::oci::Process& process, ProcessPlan& plan) {
  if (!process.apparmor_profile.empty() && process.apparmor_profile != "unconfined") {
    if (!sys::exists("/sys/kernel/security/apparmor"))
      return fail(Kind::Unsupported,
                  "process.apparmorProfile is {}, but AppArmor is not enabled on this machine",
                  quote(process.apparmor_profile));
    plan.label = "exec " + process.apparmor_profile;
    plan.label_file =
        sys::exists("/proc/self/attr/apparmor/exec") ? "self/attr/apparmor/exec" : "self/attr/exec";
  } else if (!process.selinux_label.empty()) {
    if (!sys::exists("/sys/fs/selinux/enforce"))
      return Error(Kind::Unsupported,
                   "process.selinuxLabel is specified, but SELinux is not enabled on this machine");
    plan.label = process.selinux_label;
    plan.label_file = "self/attr/exec";
  }
  return {};
}

}  // namespace

Result<ProcessPlan> make_process_plan(const spec::oci::Process& process) {
  ProcessPlan plan;
  if (process.args.empty()) return Error(Kind::InvalidArgument, "process.args must not be empty");
  plan.arguments = CStrings(process.args);
  auto environment = process.env;
  if (std::none_of(environment.begin(), environment.end(),
                   [](const auto& v) { return v.starts_with("HOME="); })) {
    constexpr std::string_view kDefault = "HOME=/";
    environment.emplace_back(kHomeSpace, '\0');
    std::copy(kDefault.begin(), kDefault.end(), environment.back().begin());
  }
  plan.environment = CStrings(std::move(environment));
  for (const auto& variable : process.env) {
    if (!variable.starts_with("PATH=")) continue;
    plan.search_path = variable.substr(5);
    plan.has_search_path = true;
  }
  plan.cwd = process.cwd.empty() ? "/" : process.cwd;
  if (plan.cwd[0] != '/')
    return fail(Kind::InvalidArgument, "Cwd must be an absolute path, not {}", quote(plan.cwd));
  plan.uid = process.user.uid;
  plan.gid = process.user.gid;
  plan.groups.assign(process.user.additional_gids.begin(), process.user.additional_gids.end());
  if (process.user.umask) plan.umask = *process.user.umask;
  if (process.capabilities) {
    const auto& sets = *process.capabilities;
    plan.capabilities = {capability_mask(sets.bounding), capability_mask(sets.effective),
                         capability_mask(sets.permitted), capability_mask(sets.inheritable),
                         capability_mask(sets.ambient)};
  }
  if (process.exec_cpu_affinity) {
    plan.initial_cpus = TRY(cpu_set(process.exec_cpu_affinity->initial));
    plan.final_cpus = TRY(cpu_set(process.exec_cpu_affinity->final));
  }
  plan.last_capability = 63 - std::countl_zero(sys::known_capabilities() | 1);
  plan.no_new_privileges = process.no_new_privileges;
  for (const auto& limit : process.rlimits) {
    const auto resource = find(kRlimits, limit.type);
    if (!resource) return fail(Kind::InvalidArgument, "invalid rlimit type {}", quote(limit.type));
    if (std::any_of(plan.rlimits.begin(), plan.rlimits.end(),
                    [&](const auto& l) { return l.resource == *resource; }))
      return fail(Kind::InvalidArgument, "rlimit {} is given twice", limit.type);
    plan.rlimits.push_back({*resource, limit.soft, limit.hard, limit.type});
  }
  if (process.oom_score_adj) plan.oom_score = std::to_string(*process.oom_score_adj);
  plan.terminal = process.terminal;
  if (process.console_size) {
    plan.size.ws_row = static_cast<unsigned short>(process.console_size->height);
    plan.size.ws_col = static_cast<unsigned short>(process.console_size->width);
  }
  TRY(plan_scheduling(process, plan));
  TRY(plan_labels(process, plan));
  return plan;
}

void limit_capabilities(ProcessPlan& plan) {
  if (plan.user_namespace) return;
  const std::uint64_t ours = sys::permitted_capabilities();
  auto& sets = plan.capabilities;
  for (std::uint64_t* set :
       {&sets.bounding, &sets.effective, &sets.permitted, &sets.inheritable, &sets.ambient})
    *set &= ours;
}

}  // namespace skiff::runtime
