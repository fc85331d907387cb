#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

/// Go's text/template over JSON values, as far as Docker's --format needs it: fields, variables, pipelines,
/// if/else/with/range/end with break and continue, comments and trim markers, Go's own functions (and, or,
/// not, eq, ne, lt, le, gt, ge, index, slice, len, print, printf, println) and Docker's (json, join, split,
/// title, lower, upper, pad, truncate).
namespace skiff::cli {

namespace templates {
struct Node;
}

/// How an execution treats what is not there.
struct TemplateOptions {
  /// The Go type named when an unknown field is asked of the root ("*formatter.ContainerContext"). When
  /// empty the data is a map, and an unknown key is "map has no entry for key".
  std::string root_type;
  /// Docker's functions hand their first argument through: the template is making a table's header.
  bool header = false;
  /// {{json .}} of the root writes <, > and & as \u003c ... , as Go's encoder does unless told not to.
  bool escape_html = false;
  /// Methods of the root that take arguments: nothing when there is no such method.
  using Method = std::function<std::optional<Result<json::Value>>(std::string_view name,
                                                                  const std::vector<json::Value>& arguments)>;
  Method method;
};

class Template {
 public:
  Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  /// InvalidArgument with Go's words, for example "template: :1: unclosed action".
  static Result<Template> parse(std::string_view text);

  /// Appends to `out`; on failure what was written before stays there, as in Go.
  Result<void> execute(const json::Value& data, const TemplateOptions& options, std::string& out) const;

 private:
  std::unique_ptr<templates::Node> root_;
};

}  // namespace skiff::cli
