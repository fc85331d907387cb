#include "cmd/oci/flags.h"

#include <fcntl.h>

#include <algorithm>

#include "base/strings.h"

namespace skiff::oci {

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
    if (!flag->takes_value) {
      if (attached && *attached == "false")
        flags.values_.erase(std::string(flag->name));
      else
        values.emplace_back("true");
    } else if (attached) {
      values.emplace_back(*attached);
    } else if (i + 1 < words.size()) {
      values.push_back(words[++i]);
    } else {
      return fail(Kind::InvalidArgument, "flag needs an argument: -{}", name);
    }
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
  const auto text = flags.get("preserve-fds", "0");
  const auto asked = parse_int(text);
  if (!asked || *asked < 0)
    return fail(Kind::InvalidArgument, "invalid value {} for flag -preserve-fds", quote(text));
  const auto count = *asked + more;
  for (std::int64_t i = 0; i < count; ++i)
    if (::fcntl(static_cast<int>(3 + i), F_GETFD) < 0)
      return fail(Kind::InvalidArgument, "please check that preserved-fd {} (of {}) is present", i, count);
  return static_cast<int>(count);
}

}  // namespace skiff::oci
