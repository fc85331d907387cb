#pragma once

#include <string>
#include <string_view>

namespace skiff {

/// 64 random hexadecimal digits, the form of container, exec and network ids. Like Docker's, an id whose
/// first twelve digits are all decimal is not given out: it would be mistaken for a number.
std::string random_id();

/// The first twelve digits, as people see them.
std::string_view short_id(std::string_view id);

/// `count` bytes from the kernel's generator as hexadecimal digits, for temporary names.
std::string random_hex(std::size_t bytes);

/// A name such as "brave_lovelace" for containers that were given none; `attempt` > 0 adds a number.
std::string random_name(int attempt);

}  // namespace skiff
