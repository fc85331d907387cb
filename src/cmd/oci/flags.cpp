#include "cmd/oci/flags.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::oci {

namespace {

constexpr Flag kHelp[] = {{"help", 'h', Flag::Type::Switch, {}}};

const Flag* find_flag(std::span<const Flag> known, std::string_view name) {
  const auto found = std::find_if(known.begin(), known.end(), [&](const Flag& flag) {
    return flag.name == name || (name.size() == 1 && flag.letter == name[0]);
  });
  return found == known.end() ? nullptr : &*found;
}

Result<void> check_value(const Flag& flag, std::string_view name, std::string_view value) {
  const bool good = flag.type == Flag::Type::Number || flag.type == Flag::Type::Numbers
                        ? parse_int(value).has_value()
                    : flag.type == Flag::Type::Duration ? parse_duration(value).has_value()
                                                        : true;
  if (good) return {};
  // What may stand more than once is read by another function there, with other words.
  const auto why = flag.type == Flag::Type::Numbers
                       ? fmt::format("strconv.ParseInt: parsing {}: invalid syntax", quote(value))
                       : "parse error";
  return fail(Kind::InvalidArgument, "invalid value {} for flag -{}: {}", quote(value), name, why);
}

}  // namespace

Result<Flags> Flags::parse(std::span<const std::string> words, std::span<const Flag> known) {
  Flags flags;
  std::size_t i = 0;
  for (; i < words.size() && words[i].size() > 1 && words[i][0] == '-'; ++i) {
    if (words[i] == "--") {
      ++i;
      break;
    }
    const auto text = std::string_view(words[i]).substr(words[i].starts_with("--") ? 2 : 1);
    const auto [name, attached] = cut(text, '=');
    const Flag* flag = find_flag(known, name);
    if (!flag) flag = find_flag(kHelp, name);
    if (!flag) return fail(Kind::InvalidArgument, "flag provided but not defined: -{}", name);
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

Result<Flags> Flags::parse_anywhere(std::span<const std::string> words, std::span<const Flag> known) {
  std::vector<std::string> options;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--") {
      // It ends the options and is no argument itself, wherever it stands; a further one is.
      if (others.empty()) options.emplace_back("--");
      others.insert(others.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    const std::string_view text = words[i];
    const auto [name, value] = cut(text.substr(std::min(text.find_first_not_of('-'), text.size())), '=');
    const Flag* flag = text.starts_with('-') ? find_flag(known, name) : nullptr;
    if (!flag && text.starts_with('-')) flag = find_flag(kHelp, name);
    if (!flag) {
      others.push_back(words[i]);
      continue;
    }
    options.push_back(words[i]);
    if (flag->type != Flag::Type::Switch && !value && i + 1 < words.size()) options.push_back(words[++i]);
  }
  options.insert(options.end(), others.begin(), others.end());
  return parse(options, known);
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
