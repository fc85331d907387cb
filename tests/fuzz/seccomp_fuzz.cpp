#include <linux/bpf_common.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "runtime/seccomp.h"

namespace {

/// What the kernel asks of a filter (seccomp_check_filter, bpf_check_classic): no jump leaves it, and it
/// ends.
bool is_sound(const std::vector<sock_filter>& program) {
  if (program.empty() || program.size() > BPF_MAXINSNS) return false;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const sock_filter& at = program[i];
    const std::size_t left = program.size() - i - 1;
    if (BPF_CLASS(at.code) != BPF_JMP) continue;
    if (BPF_OP(at.code) == BPF_JA ? at.k >= left : at.jt >= left || at.jf >= left) return false;
  }
  return BPF_CLASS(program.back().code) == BPF_RET;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLongest = 8 << 10;  // the library takes the square of the rules' number
  if (size > kLongest) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = skiff::json::decode<skiff::spec::oci::Seccomp>(text);
  if (!profile.ok()) return 0;
  const auto program = skiff::runtime::compile_seccomp(*profile);
  if (program.ok() && program->size() <= BPF_MAXINSNS && !is_sound(*program)) std::abort();
  // A filter without a profile's text in the cache is the same as one with it.
  const auto of_text = skiff::runtime::seccomp_filter(text, "");
  const auto of_profile = skiff::runtime::seccomp_filter(*profile, "");
  if (of_text.ok() != of_profile.ok()) std::abort();
  return 0;
}
