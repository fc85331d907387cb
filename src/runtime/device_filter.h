#pragma once

#include <linux/bpf.h>

#include <vector>

#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"

namespace skiff::runtime {

/// What may be used by everybody, whatever the rules say: config-linux.md "Default Devices", ptys and mknod
/// as such.
const std::vector<spec::oci::DeviceRule>& default_device_allowances();

/// The devices controller of version 2: a BPF program that says 1 or 0 to each access. Rules count as in
/// version 1, the last one that matches decides; without any match the answer is yes unless everything was
/// denied.
std::vector<bpf_insn> device_program(const std::vector<spec::oci::DeviceRule>& rules);

/// Loads the program and attaches it to the cgroup directory in place of the one that was there.
Result<void> attach_device_program(const sys::Fd& cgroup, const std::vector<bpf_insn>& program);

}  // namespace skiff::runtime
