#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/template/template.h"

/// Lists as Docker prints them: aligned columns, or a template per row.
namespace skiff::cli {

/// Aligns tab-separated cells in columns of at least `minimum` characters, 3 spaces apart (Go's
/// text/tabwriter as Docker sets it up). A column reaches over neighbouring lines that have it.
std::string align_columns(std::string_view text, std::size_t minimum = 10);

/// The columns a list can show: the template's field and its heading, in alphabetical order of no matter.
using Columns = std::vector<std::pair<std::string_view, std::string_view>>;

struct ListFormat {
  std::string text;           ///< what the user gave with --format, or the default
  std::string default_table;  ///< what "table" alone means, without the word itself
  std::string go_type;        ///< named in errors: "*formatter.ContainerContext"
  Columns columns;
};

/// One object of a list: what its fields print; `labels` answers {{.Label "key"}}.
struct Row {
  json::Object fields;
  std::map<std::string, std::string> labels;
};

/// The whole list as text.
Result<std::string> format_list(const ListFormat& format, const std::vector<Row>& rows);

/// --format's escapes: backslash t and backslash n.
std::string unescape_format(std::string_view format);

/// Cuts to `width` columns with an ellipsis as the last (formatter.Ellipsis); counts code points.
std::string ellipsis(std::string_view text, std::size_t width);

/// "a=1,b=2", sorted.
std::string label_text(const std::map<std::string, std::string>& labels);

}  // namespace skiff::cli
