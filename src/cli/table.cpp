#include "cli/table.h"

#include <boost/json/monotonic_resource.hpp>

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace skiff::cli {

namespace {

constexpr std::size_t kPadding = 3;
constexpr std::size_t kRowMemory = 4 << 10;  ///< as much as most rows take

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

using Line = std::vector<std::string_view>;
using Lines = std::vector<Line>;

Line cells_of(std::string_view line) {
  Line cells;
  for (;;) {
    const auto tab = line.find('\t');
    cells.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return cells;
    line.remove_prefix(tab + 1);
  }
}

/// Prints lines [from, to), whose columns before `widths.size()` have those widths. Where neighbouring lines
/// have a further column they are taken together; the last cell of a line belongs to no column.
void print_block(const Lines& lines, std::size_t from, std::size_t to, std::size_t minimum,
                 std::vector<std::size_t>& widths, std::string& out) {
  const std::size_t column = widths.size();
  for (std::size_t at = from; at < to; ++at) {
    if (column + 1 < lines[at].size()) {
      std::size_t end = at;
      std::size_t width = minimum;
      for (; end < to && column + 1 < lines[end].size(); ++end)
        width = std::max(width, width_of(lines[end][column]) + kPadding);
      widths.push_back(width);
      print_block(lines, at, end, minimum, widths, out);
      widths.pop_back();
      at = end - 1;
      continue;
    }
    for (std::size_t i = 0; i < lines[at].size(); ++i) {
      out += lines[at][i];
      if (i < widths.size() && i + 1 < lines[at].size()) out.append(widths[i] - width_of(lines[at][i]), ' ');
    }
    out += '\n';
  }
}

}  // namespace

std::string align_columns(std::string_view text, std::size_t minimum) {
  Lines lines;
  if (text.ends_with('\n'))
    text.remove_suffix(1);
  else if (text.empty())
    return {};
  for (;;) {
    const auto end = text.find('\n');
    lines.push_back(cells_of(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  std::string out;
  std::vector<std::size_t> widths;
  print_block(lines, 0, lines.size(), minimum, widths, out);
  return out;
}

std::string unescape_format(std::string_view format) {
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '\\' && i + 1 < format.size() && (format[i + 1] == 't' || format[i + 1] == 'n'))
      out += format[++i] == 't' ? '\t' : '\n';
    else
      out += format[i];
  }
  return out;
}

std::string ellipsis(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t points = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (starts && points++ == width - 1) break;
    ++end;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string label_text(const std::map<std::string, std::string>& labels) {
  std::string out;
  for (const auto& [key, value] : labels) {
    if (!out.empty()) out += ',';
    out += key + "=" + value;
  }
  return out;
}

namespace {

/// `row` is the one at work.
TemplateOptions row_options(const ListFormat& format, const Row* const& row) {
  TemplateOptions options;
  options.root_type = format.go_type;
  options.escape_html = true;
  options.method = [&row](std::string_view name,
                          const std::vector<json::Value>& arguments) -> std::optional<Result<json::Value>> {
    if (name != "Label" || arguments.size() != 1 || !arguments[0].is_string()) return std::nullopt;
    const auto found = row->labels.find(std::string(arguments[0].get_string()));
    return Result<json::Value>(json::Value(found == row->labels.end() ? "" : found->second));
  };
  return options;
}

Result<void> add_header(const ListFormat& format, const Template& parsed, std::string& out) {
  json::Object titles;
  for (const auto& [field, title] : format.columns) titles.emplace(field, title);
  TemplateOptions options;
  options.root_type = format.go_type;
  options.header = true;
  options.method = [](std::string_view name,
                      const std::vector<json::Value>& arguments) -> std::optional<Result<json::Value>> {
    // A label's heading is the last part of its name: "com.docker.x_y" is "x y".
    if (name != "Label" || arguments.empty() || !arguments[0].is_string()) return std::nullopt;
    std::string title(arguments[0].get_string());
    title = title.substr(title.rfind('.') + 1);
    std::replace(title.begin(), title.end(), '-', ' ');
    std::replace(title.begin(), title.end(), '_', ' ');
    return Result<json::Value>(json::Value(title));
  };
  const json::Value data = std::move(titles);
  auto done = parsed.execute(data, options, out);
  if (!done.ok()) return fail(Kind::InvalidArgument, "template parsing error: {}", done.error().message());
  out += '\n';
  return {};
}

/// {{json .}} of a row has its fields sorted. The copy lives in `memory`.
json::Value sorted(const json::Object& fields, const boost::json::storage_ptr& memory) {
  const auto by_name = [](const auto& a, const auto& b) { return a.key() < b.key(); };
  if (std::is_sorted(fields.begin(), fields.end(), by_name)) return json::Value(fields, memory);
  std::vector<std::string_view> names;
  for (const auto& [name, value] : fields) names.emplace_back(name.data(), name.size());
  std::sort(names.begin(), names.end());
  json::Object out(memory);
  out.reserve(names.size());
  for (const auto name : names) out.emplace(name, fields.at(name));
  return out;
}

}  // namespace

Result<std::string> format_list(const ListFormat& format, const std::vector<Row>& rows) {
  std::string text = format.text;
  bool table = false;
  if (text == "json") text = "{{json .}}";
  if (text == "table") text = "table " + format.default_table;
  if (text.starts_with("table ")) {
    table = true;
    text = std::string(trim(std::string_view(text).substr(6)));
  }
  auto parsed = Template::parse(unescape_format(text));
  if (!parsed.ok())
    return fail(Kind::InvalidArgument, "template parsing error: {}", parsed.error().message());
  std::string out;
  const Row* current = nullptr;
  const auto options = row_options(format, current);
  for (const Row& row : rows) {
    current = &row;
    std::array<unsigned char, kRowMemory> room;  // NOLINT: not set, as it is written before it is read
    boost::json::monotonic_resource memory(room.data(), room.size());
    const json::Value data = sorted(row.fields, &memory);
    auto done = parsed->execute(data, options, out);
    if (!done.ok()) return fail(Kind::InvalidArgument, "template parsing error: {}", done.error().message());
    out += '\n';
  }
  if (!table) return out;
  std::string header;
  TRY(add_header(format, *parsed, header));
  return align_columns(header + out);
}

}  // namespace skiff::cli
