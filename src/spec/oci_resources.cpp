#include "spec/oci_runtime.h"

/// The resource and seccomp parts of config.json.
namespace skiff::spec::oci {

using json::Omit;

void describe(json::Fields& f, DeviceRule& rule) {
  f("allow", rule.allow);
  f("type", rule.type, Omit::Empty);
  f("major", rule.major, Omit::Empty);
  f("minor", rule.minor, Omit::Empty);
  f("access", rule.access, Omit::Empty);
}

void describe(json::Fields& f, Memory& memory) {
  f("limit", memory.limit, Omit::Empty);
  f("reservation", memory.reservation, Omit::Empty);
  f("swap", memory.swap, Omit::Empty);
  f("kernel", memory.kernel, Omit::Empty);
  f("kernelTCP", memory.kernel_tcp, Omit::Empty);
  f("swappiness", memory.swappiness, Omit::Empty);
  f("disableOOMKiller", memory.disable_oom_killer, Omit::Empty);
  f("useHierarchy", memory.use_hierarchy, Omit::Empty);
  f("checkBeforeUpdate", memory.check_before_update, Omit::Empty);
}

void describe(json::Fields& f, Cpu& cpu) {
  f("shares", cpu.shares, Omit::Empty);
  f("quota", cpu.quota, Omit::Empty);
  f("burst", cpu.burst, Omit::Empty);
  f("period", cpu.period, Omit::Empty);
  f("realtimeRuntime", cpu.realtime_runtime, Omit::Empty);
  f("realtimePeriod", cpu.realtime_period, Omit::Empty);
  f("cpus", cpu.cpus, Omit::Empty);
  f("mems", cpu.mems, Omit::Empty);
  f("idle", cpu.idle, Omit::Empty);
}

void describe(json::Fields& f, Pids& pids) { f("limit", pids.limit, Omit::Empty); }

void describe(json::Fields& f, WeightDevice& device) {
  f("major", device.major);
  f("minor", device.minor);
  f("weight", device.weight, Omit::Empty);
  f("leafWeight", device.leaf_weight, Omit::Empty);
}

void describe(json::Fields& f, ThrottleDevice& device) {
  f("major", device.major);
  f("minor", device.minor);
  f("rate", device.rate);
}

void describe(json::Fields& f, BlockIo& io) {
  f("weight", io.weight, Omit::Empty);
  f("leafWeight", io.leaf_weight, Omit::Empty);
  f("weightDevice", io.weight_device, Omit::Empty);
  f("throttleReadBpsDevice", io.throttle_read_bps, Omit::Empty);
  f("throttleWriteBpsDevice", io.throttle_write_bps, Omit::Empty);
  f("throttleReadIOPSDevice", io.throttle_read_iops, Omit::Empty);
  f("throttleWriteIOPSDevice", io.throttle_write_iops, Omit::Empty);
}

void describe(json::Fields& f, HugepageLimit& limit) {
  f("pageSize", limit.page_size);
  f("limit", limit.limit);
}

void describe(json::Fields& f, InterfacePriority& priority) {
  f("name", priority.name);
  f("priority", priority.priority);
}

void describe(json::Fields& f, NetworkResources& network) {
  f("classID", network.class_id, Omit::Empty);
  f("priorities", network.priorities, Omit::Empty);
}

void describe(json::Fields& f, Rdma& rdma) {
  f("hcaHandles", rdma.hca_handles, Omit::Empty);
  f("hcaObjects", rdma.hca_objects, Omit::Empty);
}

void describe(json::Fields& f, Resources& resources) {
  f("devices", resources.devices, Omit::Empty);
  f("memory", resources.memory, Omit::Empty);
  f("cpu", resources.cpu, Omit::Empty);
  f("pids", resources.pids, Omit::Empty);
  f("blockIO", resources.block_io, Omit::Empty);
  f("hugepageLimits", resources.hugepage_limits, Omit::Empty);
  f("network", resources.network, Omit::Empty);
  f("rdma", resources.rdma, Omit::Empty);
  f("unified", resources.unified, Omit::Empty);
}

void describe(json::Fields& f, SeccompArgument& argument) {
  f("index", argument.index);
  f("value", argument.value);
  f("valueTwo", argument.value_two, Omit::Empty);
  f("op", argument.op);
}

void describe(json::Fields& f, SeccompRule& rule) {
  f("names", rule.names);
  f("action", rule.action);
  f("errnoRet", rule.errno_ret, Omit::Empty);
  f("args", rule.args, Omit::Empty);
}

void describe(json::Fields& f, Seccomp& seccomp) {
  f("defaultAction", seccomp.default_action);
  f("defaultErrnoRet", seccomp.default_errno_ret, Omit::Empty);
  f("architectures", seccomp.architectures, Omit::Empty);
  f("flags", seccomp.flags, Omit::Empty);
  f("listenerPath", seccomp.listener_path, Omit::Empty);
  f("listenerMetadata", seccomp.listener_metadata, Omit::Empty);
  f("syscalls", seccomp.syscalls, Omit::Empty);
}

}  // namespace skiff::spec::oci
