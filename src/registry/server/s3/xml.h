#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::registry::server::s3 {

/// The contents of every element `name` in `xml`, as they stand there; elements of one name are not nested in
/// what S3 answers.
std::vector<std::string_view> elements(std::string_view xml, std::string_view name);

/// The text of the first element `name`, with its entities resolved; "" when there is none.
std::string text_of(std::string_view xml, std::string_view name);

}  // namespace skiff::registry::server::s3
