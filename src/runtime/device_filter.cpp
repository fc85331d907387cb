#include "runtime/device_filter.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace skiff::runtime {
namespace {

bpf_insn instruction(int code, int destination, int source, int offset, int immediate) {
  bpf_insn insn = {};
  insn.code = static_cast<__u8>(code);
  insn.dst_reg = static_cast<__u8>(destination) & 0xf;
  insn.src_reg = static_cast<__u8>(source) & 0xf;
  insn.off = static_cast<__s16>(offset);
  insn.imm = immediate;
  return insn;
}

int access_bits(const std::string& access) {
  int bits = 0;
  for (const char c : access)
    bits |= c == 'm'   ? BPF_DEVCG_ACC_MKNOD
            : c == 'r' ? BPF_DEVCG_ACC_READ
            : c == 'w' ? BPF_DEVCG_ACC_WRITE
                       : 0;
  return bits;
}

constexpr int kAllAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

void finish(std::vector<bpf_insn>& program, bool allow) {
  program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow ? 1 : 0));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/// One rule: when it does not match, control jumps behind its answer. Registers: 2 type, 3 access, 4 major, 5
/// minor.
void add_rule(std::vector<bpf_insn>& program, const spec::oci::DeviceRule& rule) {
  std::vector<bpf_insn> tests;
  const auto unless_equal = [&](int reg, int value) {
    tests.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value));
  };
  if (rule.type == "c" || rule.type == "u") unless_equal(BPF_REG_2, BPF_DEVCG_DEV_CHAR);
  if (rule.type == "b") unless_equal(BPF_REG_2, BPF_DEVCG_DEV_BLOCK);
  const int bits = rule.access.empty() ? kAllAccess : access_bits(rule.access);
  if (bits != kAllAccess) {
    tests.push_back(instruction(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_3, 0, 0));
    if (rule.allow) {
      // Everything that is asked for must be allowed ...
      tests.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, kAllAccess & ~bits));
      unless_equal(BPF_REG_1, 0);
    } else {
      // ... and one denied kind is enough to deny.
      tests.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, bits));
      tests.push_back(instruction(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_1, 0, 0, 0));
    }
  }
  if (rule.major && *rule.major >= 0) unless_equal(BPF_REG_4, static_cast<int>(*rule.major));
  if (rule.minor && *rule.minor >= 0) unless_equal(BPF_REG_5, static_cast<int>(*rule.minor));
  constexpr int kAnswerLength = 2;
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const bool jump = BPF_CLASS(tests[i].code) == BPF_JMP;
    if (jump) tests[i].off = static_cast<__s16>(tests.size() - i - 1 + kAnswerLength);
    program.push_back(tests[i]);
  }
  finish(program, rule.allow);
}

bool is_everything(const spec::oci::DeviceRule& rule) {
  const bool all_access = rule.access.empty() || access_bits(rule.access) == kAllAccess;
  const bool all_types = rule.type.empty() || rule.type == "a";
  return all_access && all_types && (!rule.major || *rule.major < 0) && (!rule.minor || *rule.minor < 0);
}

}  // namespace

const std::vector<spec::oci::DeviceRule>& default_device_allowances() {
  static const std::vector<spec::oci::DeviceRule> rules = [] {
    std::vector<spec::oci::DeviceRule> list = {{true, "c", std::nullopt, std::nullopt, "m"},
                                               {true, "b", std::nullopt, std::nullopt, "m"}};
    constexpr std::pair<int, int> kDevices[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},
                                                {1, 9}, {5, 0}, {5, 1}, {5, 2}};
    for (const auto& [major, minor] : kDevices) list.push_back({true, "c", major, minor, "rwm"});
    constexpr int kPtySlaves = 136;
    list.push_back({true, "c", kPtySlaves, std::nullopt, "rwm"});
    return list;
  }();
  return rules;
}

std::vector<bpf_insn> device_program(const std::vector<spec::oci::DeviceRule>& rules) {
  std::vector<bpf_insn> program = {
      instruction(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0),
      instruction(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
      instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff),
      instruction(BPF_ALU | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16),
      instruction(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1, 4, 0),
      instruction(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1, 8, 0),
  };
  // The last rule that matches decides, so they are asked from the end; behind one that says something about
  // everything, nothing counts.
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (is_everything(*rule)) {
      finish(program, rule->allow);
      return program;
    }
    add_rule(program, *rule);
  }
  finish(program, true);
  return program;
}

Result<void> attach_device_program(const sys::Fd& cgroup, const std::vector<bpf_insn>& program) {
  static constexpr char kLicense[] = "Apache-2.0";
  bpf_attr load = {};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<std::uint64_t>(program.data());
  load.insn_cnt = static_cast<__u32>(program.size());
  load.license = reinterpret_cast<std::uint64_t>(kLicense);
  const sys::Fd loaded(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load)));
  if (!loaded) return fail_errno("load the device filter");

  constexpr std::size_t kMaxPrograms = 64;
  __u32 ids[kMaxPrograms] = {};
  bpf_attr query = {};
  query.query.target_fd = static_cast<__u32>(cgroup.get());
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<std::uint64_t>(ids);
  query.query.prog_cnt = kMaxPrograms;
  const bool queried = ::syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof query) == 0;

  bpf_attr attach = {};
  attach.target_fd = static_cast<__u32>(cgroup.get());
  attach.attach_bpf_fd = static_cast<__u32>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) != 0)
    return fail_errno("attach the device filter");
  // The new one stands before the old ones go: at no moment is everything allowed.
  for (__u32 i = 0; queried && i < query.query.prog_cnt; ++i) {
    bpf_attr open = {};
    open.prog_id = ids[i];
    const sys::Fd old(static_cast<int>(::syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &open, sizeof open)));
    bpf_attr detach = {};
    detach.target_fd = static_cast<__u32>(cgroup.get());
    detach.attach_bpf_fd = static_cast<__u32>(old.get());
    detach.attach_type = BPF_CGROUP_DEVICE;
    if (old) ::syscall(SYS_bpf, BPF_PROG_DETACH, &detach, sizeof detach);
  }
  return {};
}

}  // namespace skiff::runtime
