#include "runtime/seccomp.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>

#include "base/json.h"
#include "base/strings.h"
#include "sys/file.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace skiff::runtime {
namespace {

constexpr std::string_view kCacheMagic = "skiff-seccomp-2\n";

struct ContextDeleter {
  void operator()(void* context) const { ::seccomp_release(context); }
};
using FilterContext = std::unique_ptr<void, ContextDeleter>;

struct Named {
  std::string_view name;
  std::uint32_t value;
};

constexpr Named kOperators[] = {{"SCMP_CMP_NE", SCMP_CMP_NE},
                                {"SCMP_CMP_LT", SCMP_CMP_LT},
                                {"SCMP_CMP_LE", SCMP_CMP_LE},
                                {"SCMP_CMP_EQ", SCMP_CMP_EQ},
                                {"SCMP_CMP_GE", SCMP_CMP_GE},
                                {"SCMP_CMP_GT", SCMP_CMP_GT},
                                {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};

constexpr Named kFlags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV}};

Result<std::uint32_t> action_value(const std::string& name, std::optional<std::uint32_t> errno_ret) {
  const auto number = static_cast<std::uint16_t>(errno_ret.value_or(EPERM));
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(number);
  if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (name == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (name == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (name == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(number);
  if (name == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (name == "SCMP_ACT_NOTIFY") return SCMP_ACT_NOTIFY;
  return fail(Kind::InvalidArgument, "seccomp: unknown action {}", quote(name));
}

Result<std::uint32_t> architecture_value(const std::string& name) {
  const auto text = to_lower(name.starts_with("SCMP_ARCH_") ? name.substr(10) : name);
  const auto value = ::seccomp_arch_resolve_name(text.c_str());
  if (value == 0) return fail(Kind::InvalidArgument, "seccomp: unknown architecture {}", quote(name));
  return value;
}

Result<scmp_arg_cmp> argument_value(const spec::oci::SeccompArgument& argument) {
  for (const auto& known : kOperators) {
    if (known.name != argument.op) continue;
    return scmp_arg_cmp{argument.index, static_cast<scmp_compare>(known.value), argument.value,
                        argument.value_two};
  }
  return fail(Kind::InvalidArgument, "seccomp: unknown operator {}", quote(argument.op));
}

Result<void> add_rule(scmp_filter_ctx context, std::uint32_t action, int number, const std::string& name,
                      const std::vector<scmp_arg_cmp>& arguments) {
  const int result = ::seccomp_rule_add_array(context, action, number,
                                              static_cast<unsigned>(arguments.size()), arguments.data());
  // A rule that one of the architectures cannot express does not speak against the others.
  if (result == 0 || result == -EOPNOTSUPP || result == -EDOM) return {};
  return Error::from_errno("seccomp: rule for " + name, -result);
}

Result<void> add_rules(scmp_filter_ctx context, const spec::oci::SeccompRule& rule,
                       std::uint32_t default_action) {
  const auto action = TRY(action_value(rule.action, rule.errno_ret));
  if (action == default_action) return {};
  std::vector<scmp_arg_cmp> arguments;
  bool repeated = false;
  for (const auto& argument : rule.args) {
    arguments.push_back(TRY(argument_value(argument)));
    for (std::size_t i = 0; i + 1 < arguments.size(); ++i)
      repeated |= arguments[i].arg == arguments.back().arg;
  }
  for (const auto& name : rule.names) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    if (!repeated) {
      TRY(add_rule(context, action, number, name, arguments));
      continue;
    }
    // Conditions on one argument cannot be joined by "and" in one rule; Docker's profiles mean "or" then.
    for (const auto& argument : arguments) TRY(add_rule(context, action, number, name, {argument}));
  }
  return {};
}

Result<std::vector<sock_filter>> export_program(scmp_filter_ctx context) {
  const sys::Fd memory(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory) return fail_errno("memfd_create");
  if (const int result = ::seccomp_export_bpf(context, memory.get()); result != 0)
    return Error::from_errno("seccomp: export the filter", -result);
  if (::lseek(memory.get(), 0, SEEK_SET) < 0) return fail_errno("lseek");
  const auto bytes = TRY(sys::read_all(memory));
  std::vector<sock_filter> program(bytes.size() / sizeof(sock_filter));
  std::memcpy(program.data(), bytes.data(), program.size() * sizeof(sock_filter));
  return program;
}

void append_number(std::string& text, std::uint64_t value) {
  text.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// What a filter depends on beside its profile, and in which form that follows.
std::string fingerprint(char form) {
  std::string text;
  const auto* version = ::seccomp_version();
  append_number(text, std::uint64_t{version->major} << 32 | version->minor << 16 | version->micro);
  append_number(text, ::seccomp_arch_native());
  text.push_back(form);
  return text;
}

/// Everything that the filter depends on, as bytes.
std::string fingerprint(const spec::oci::Seccomp& profile) {
  std::string text = fingerprint('s');
  const auto number = [&](std::uint64_t value) { append_number(text, value); };
  const auto word = [&](const std::string& value) { text.append(value).push_back('\0'); };
  number(profile.flags.size());
  for (const auto& name : profile.flags) word(name);
  word(profile.default_action);
  number(profile.default_errno_ret.value_or(~0U));
  number(profile.architectures.size());
  for (const auto& name : profile.architectures) word(name);
  for (const auto& rule : profile.syscalls) {
    number(rule.names.size());
    for (const auto& name : rule.names) word(name);
    word(rule.action);
    number(rule.errno_ret.value_or(~0U));
    number(rule.args.size());
    for (const auto& argument : rule.args) {
      number(argument.index);
      number(argument.value);
      number(argument.value_two);
      word(argument.op);
    }
  }
  return text;
}

/// FNV-1a, only to name the file: what is in it is compared in full.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  return hash;
}

/// What stands in front of the key and the program in a file of the cache.
struct CacheHeader {
  char magic[kCacheMagic.size()];
  std::uint64_t key_size;
  std::uint32_t flags;
  std::uint32_t listener;
};

std::optional<SeccompFilter> read_cache(const std::string& path, std::string_view key) {
  const auto text = sys::read_file(path, 4 << 20);
  CacheHeader header{};
  if (!text || text->size() < sizeof header) return std::nullopt;
  std::memcpy(&header, text->data(), sizeof header);
  const std::string_view rest = std::string_view(*text).substr(sizeof header);
  if (std::string_view(header.magic, sizeof header.magic) != kCacheMagic || header.key_size != key.size() ||
      !rest.starts_with(key))
    return std::nullopt;
  const std::string_view program = rest.substr(key.size());
  if (program.empty() || program.size() % sizeof(sock_filter) != 0) return std::nullopt;
  SeccompFilter filter;
  filter.program.resize(program.size() / sizeof(sock_filter));
  std::memcpy(filter.program.data(), program.data(), program.size());
  filter.flags = header.flags;
  filter.listener = header.listener != 0;
  return filter;
}

void write_cache(const std::string& directory, const std::string& path, std::string_view key,
                 const SeccompFilter& filter) {
  CacheHeader header{.magic = {}, .key_size = key.size(), .flags = filter.flags, .listener = filter.listener};
  kCacheMagic.copy(header.magic, sizeof header.magic);
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  text.append(key);
  text.append(reinterpret_cast<const char*>(filter.program.data()),
              filter.program.size() * sizeof(sock_filter));
  if (!sys::make_directories(directory, 0700)) return;
  (void)sys::replace_file(path, text, 0600);
}

template <typename Make>
Result<SeccompFilter> cached_filter(const std::string& key, const std::string& cache, const Make& make) {
  if (cache.empty()) return make();
  const auto path = fmt::format("{}/{:016x}.bpf", cache, hash_of(key));
  if (auto filter = read_cache(path, key)) return *std::move(filter);
  auto filter = TRY(make());
  write_cache(cache, path, key, filter);
  return filter;
}

Result<unsigned> flags_of(const spec::oci::Seccomp& profile) {
  unsigned flags = 0;
  for (const auto& name : profile.flags) {
    bool found = false;
    for (const auto& known : kFlags) {
      if (known.name != name) continue;
      flags |= known.value;
      found = true;
    }
    if (!found) return fail(Kind::InvalidArgument, "seccomp: unknown flag {}", quote(name));
  }
  // The container is one process when the filter is loaded; TSYNC beside a listener is refused by the kernel.
  return flags & ~static_cast<unsigned>(SECCOMP_FILTER_FLAG_TSYNC);
}

Result<SeccompFilter> make_filter(const spec::oci::Seccomp& profile) {
  SeccompFilter filter;
  filter.program = TRY(compile_seccomp(profile));
  filter.flags = TRY(flags_of(profile));
  filter.listener = profile.default_action == "SCMP_ACT_NOTIFY";
  for (const auto& rule : profile.syscalls) filter.listener |= rule.action == "SCMP_ACT_NOTIFY";
  return filter;
}

}  // namespace

Result<std::vector<sock_filter>> compile_seccomp(const spec::oci::Seccomp& profile) {
  const auto default_action = TRY(action_value(profile.default_action, profile.default_errno_ret));
  const FilterContext context(::seccomp_init(default_action));
  if (!context) return Error(Kind::Internal, "seccomp: cannot make a filter");
  // Foreign architectures that are not listed must not slip through.
  for (const auto& name : profile.architectures) {
    const auto value = TRY(architecture_value(name));
    if (const int result = ::seccomp_arch_add(context.get(), value); result != 0 && result != -EEXIST)
      return Error::from_errno("seccomp: architecture " + name, -result);
  }
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_NNP, 0);
  // A binary tree over the numbers: a call passes a dozen instructions instead of hundreds.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const auto& rule : profile.syscalls) TRY(add_rules(context.get(), rule, default_action));
  return export_program(context.get());
}

Result<SeccompFilter> seccomp_filter(const spec::oci::Seccomp& profile, const std::string& cache) {
  return cached_filter(fingerprint(profile), cache, [&] { return make_filter(profile); });
}

Result<SeccompFilter> seccomp_filter(std::string_view json, const std::string& cache) {
  return cached_filter(fingerprint('j').append(json), cache, [&]() -> Result<SeccompFilter> {
    return make_filter(TRY(json::decode<spec::oci::Seccomp>(json)));
  });
}

}  // namespace skiff::runtime
