#include "spec/oci_runtime.h"

namespace skiff::spec::oci {

using json::Omit;

void describe(json::Fields& f, User& user) {
  f("uid", user.uid);
  f("gid", user.gid);
  f("umask", user.umask, Omit::Empty);
  f("additionalGids", user.additional_gids, Omit::Empty);
  f("username", user.username, Omit::Empty);
}

void describe(json::Fields& f, ConsoleSize& size) {
  f("height", size.height);
  f("width", size.width);
}

void describe(json::Fields& f, Capabilities& capabilities) {
  f("bounding", capabilities.bounding, Omit::Empty);
  f("effective", capabilities.effective, Omit::Empty);
  f("inheritable", capabilities.inheritable, Omit::Empty);
  f("permitted", capabilities.permitted, Omit::Empty);
  f("ambient", capabilities.ambient, Omit::Empty);
}

void describe(json::Fields& f, Rlimit& limit) {
  f("type", limit.type);
  f("hard", limit.hard);
  f("soft", limit.soft);
}

void describe(json::Fields& f, IoPriority& priority) {
  f("class", priority.priority_class);
  f("priority", priority.priority);
}

void describe(json::Fields& f, Scheduler& scheduler) {
  f("policy", scheduler.policy);
  f("nice", scheduler.nice, Omit::Empty);
  f("priority", scheduler.priority, Omit::Empty);
  f("flags", scheduler.flags, Omit::Empty);
  f("runtime", scheduler.runtime, Omit::Empty);
  f("deadline", scheduler.deadline, Omit::Empty);
  f("period", scheduler.period, Omit::Empty);
}

void describe(json::Fields& f, CpuAffinity& affinity) {
  f("initial", affinity.initial, Omit::Empty);
  f("final", affinity.final, Omit::Empty);
}

void describe(json::Fields& f, Process& process) {
  f("terminal", process.terminal, Omit::Empty);
  f("consoleSize", process.console_size, Omit::Empty);
  f("user", process.user);
  f("args", process.args, Omit::Empty);
  f("env", process.env, Omit::Empty);
  f("cwd", process.cwd);
  f("capabilities", process.capabilities, Omit::Empty);
  f("rlimits", process.rlimits, Omit::Empty);
  f("noNewPrivileges", process.no_new_privileges, Omit::Empty);
  f("apparmorProfile", process.apparmor_profile, Omit::Empty);
  f("oomScoreAdj", process.oom_score_adj, Omit::Empty);
  f("scheduler", process.scheduler, Omit::Empty);
  f("selinuxLabel", process.selinux_label, Omit::Empty);
  f("ioPriority", process.io_priority, Omit::Empty);
  f("execCPUAffinity", process.exec_cpu_affinity, Omit::Empty);
}

void describe(json::Fields& f, Root& root) {
  f("path", root.path);
  f("readonly", root.readonly, Omit::Empty);
}

void describe(json::Fields& f, IdMapping& mapping) {
  f("containerID", mapping.container_id);
  f("hostID", mapping.host_id);
  f("size", mapping.size);
}

void describe(json::Fields& f, Mount& mount) {
  f("destination", mount.destination);
  f("type", mount.type, Omit::Empty);
  f("source", mount.source, Omit::Empty);
  f("options", mount.options, Omit::Empty);
  f("uidMappings", mount.uid_mappings, Omit::Empty);
  f("gidMappings", mount.gid_mappings, Omit::Empty);
}

void describe(json::Fields& f, Hook& hook) {
  f("path", hook.path);
  f("args", hook.args, Omit::Empty);
  f("env", hook.env, Omit::Empty);
  f("timeout", hook.timeout, Omit::Empty);
}

void describe(json::Fields& f, Hooks& hooks) {
  f("prestart", hooks.prestart, Omit::Empty);
  f("createRuntime", hooks.create_runtime, Omit::Empty);
  f("createContainer", hooks.create_container, Omit::Empty);
  f("startContainer", hooks.start_container, Omit::Empty);
  f("poststart", hooks.poststart, Omit::Empty);
  f("poststop", hooks.poststop, Omit::Empty);
}

void describe(json::Fields& f, Namespace& space) {
  f("type", space.type);
  f("path", space.path, Omit::Empty);
}

void describe(json::Fields& f, Device& device) {
  f("path", device.path);
  f("type", device.type);
  f("major", device.major);
  f("minor", device.minor);
  f("fileMode", device.file_mode, Omit::Empty);
  f("uid", device.uid, Omit::Empty);
  f("gid", device.gid, Omit::Empty);
}

void describe(json::Fields& f, IntelRdt& rdt) {
  f("closID", rdt.clos_id, Omit::Empty);
  f("schemata", rdt.schemata, Omit::Empty);
  f("l3CacheSchema", rdt.l3_cache_schema, Omit::Empty);
  f("memBwSchema", rdt.mem_bw_schema, Omit::Empty);
  f("enableCMT", rdt.enable_cmt, Omit::Empty);
  f("enableMBM", rdt.enable_mbm, Omit::Empty);
}

void describe(json::Fields& f, Personality& personality) {
  f("domain", personality.domain);
  f("flags", personality.flags, Omit::Empty);
}

void describe(json::Fields& f, TimeOffset& offset) {
  f("secs", offset.secs, Omit::Empty);
  f("nanosecs", offset.nanosecs, Omit::Empty);
}

void describe(json::Fields& f, Linux& part) {
  f("uidMappings", part.uid_mappings, Omit::Empty);
  f("gidMappings", part.gid_mappings, Omit::Empty);
  f("sysctl", part.sysctl, Omit::Empty);
  f("resources", part.resources, Omit::Empty);
  f("cgroupsPath", part.cgroups_path, Omit::Empty);
  f("namespaces", part.namespaces, Omit::Empty);
  f("devices", part.devices, Omit::Empty);
  f("seccomp", part.seccomp, Omit::Empty);
  f("rootfsPropagation", part.rootfs_propagation, Omit::Empty);
  f("maskedPaths", part.masked_paths, Omit::Empty);
  f("readonlyPaths", part.readonly_paths, Omit::Empty);
  f("mountLabel", part.mount_label, Omit::Empty);
  f("intelRdt", part.intel_rdt, Omit::Empty);
  f("personality", part.personality, Omit::Empty);
  f("timeOffsets", part.time_offsets, Omit::Empty);
}

void describe(json::Fields& f, Runtime& runtime) {
  f("ociVersion", runtime.oci_version);
  f("process", runtime.process, Omit::Empty);
  f("root", runtime.root, Omit::Empty);
  f("hostname", runtime.hostname, Omit::Empty);
  f("domainname", runtime.domainname, Omit::Empty);
  f("mounts", runtime.mounts, Omit::Empty);
  f("hooks", runtime.hooks, Omit::Empty);
  f("annotations", runtime.annotations, Omit::Empty);
  f("linux", runtime.linux_, Omit::Empty);
}

void describe(json::Fields& f, State& state) {
  f("ociVersion", state.oci_version);
  f("id", state.id);
  f("status", state.status);
  f("pid", state.pid, Omit::Empty);
  f("bundle", state.bundle);
  f("annotations", state.annotations, Omit::Empty);
}

}  // namespace skiff::spec::oci
