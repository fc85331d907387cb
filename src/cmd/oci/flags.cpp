#include "cmd/oci/flags.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::oci {

namespace {

Result<void> check_value(const Flag& flag, std::string_view name, std::string_view value) {
  const bool good = flag.type == Flag::Type::Number     ? parse_int(value).has_value()
                    : flag.type == Flag::Type::Duration ? parse_duration(value).has_value()
                                                        : true;
  if (good) return {};
  return fail(Kind::InvalidArgument, "invalid value {} for flag -{}: parse error", quote(value), name);
}

}  // namespace

Result<Flags> Flags::parse(const std::vector<std::string>& words, const std::vector<Flag>& known) {
  Flags flags;
  std::size_t i = 0;
  for (; i < words.size() && words[i].size() > 1 && words[i][0] == '-'; ++i) {
    if (words[i] == "--") {
      ++i;
      break;
    }
    const auto text = std::string_view(words[i]).substr(words[i].starts_with("--") ? 2 : 1);
    const auto [name, attached] = cut(text, '=');
    const auto flag = std::find_if(known.begin(), known.end(), [&, wanted = name](const Flag& f) {
      return f.name == wanted || (wanted.size() == 1 && f.letter == wanted[0]);
    });
    if (flag == known.end()) return fail(Kind::InvalidArgument, "flag provided but not defined: -{}", name);
    auto& values = flags.values_[std::string(flag->name)];
    if (flag->type == Flag::Type::Switch) {
      const auto said = to_lower(attached.value_or("true"));
      if (said == "false" || said == "f" || said == "0")
        flags.values_.erase(std::string(flag->name));
      else if (said == "true" || said == "t" || said == "1")
        values.emplace_back("true");
      else
        return fail(Kind::InvalidArgument, "invalid boolean value {} for -{}: parse error", quote(*attached),
                    name);
      continue;
    }
    if (!attached && i + 1 >= words.size())
      return fail(Kind::InvalidArgument, "flag needs an argument: -{}", name);
    values.push_back(attached ? std::string(*attached) : words[++i]);
    TRY(check_value(*flag, name, values.back()));
  }
  flags.arguments_.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  return flags;
}

std::string Flags::get(std::string_view name, std::string otherwise) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::move(otherwise) : found->second.back();
}

std::vector<std::string> Flags::all(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

Result<int> preserved_descriptors(const Flags& flags, std::int64_t more) {
  const auto asked = parse_int(flags.get("preserve-fds", "0")).value_or(0);
  if (asked < 0) return Error(Kind::InvalidArgument, "preserve-fds must not be negative");
  const auto count = asked + more;
  const sys::Fd null = count > 0 ? TRY(sys::open_file("/dev/null", O_RDONLY)) : sys::Fd();
  for (int fd = 3; fd < 3 + count; ++fd)
    if (::fcntl(fd, F_GETFD) < 0 && ::dup3(null.get(), fd, O_CLOEXEC) < 0)
      return fail_errno("--preserve-fds: take descriptor {}", fd);
  return static_cast<int>(count);
}

}  // namespace skiff::oci
