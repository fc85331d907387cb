#include <algorithm>

#include "base/strings.h"
#include "cli/auth/credentials.h"
#include "cli/auth/registry_auth.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"

namespace skiff::cli {

namespace docker = spec::docker;

namespace {

constexpr std::size_t kDescriptionWidth = 45;
constexpr std::string_view kTable = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}";

/// `words`: a program reads the row, and no mark stands for "true".
Row search_row(const docker::SearchResult& found, bool truncate, bool words) {
  std::string description = found.description;
  std::replace_if(
      description.begin(), description.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  if (truncate) description = ellipsis(description, kDescriptionWidth);
  std::string_view official = found.is_official ? "[OK]" : "";
  if (words) official = found.is_official ? "true" : "false";
  Row row;
  row.fields = {{"Description", description},
                {"IsOfficial", official},
                {"Name", found.name},
                {"StarCount", std::to_string(found.star_count)}};
  return row;
}

class Search : public Command {
 public:
  Search() {
    add_filter_flag(flags, filters_, 'f', "Filter output based on conditions provided");
    flags.string(format_, "format", 0, "Pretty-print search using a Go template");
    flags.integer(limit_, "limit", 0, "Max number of search results").show_default("");
    flags.boolean(no_truncate_, "no-trunc", 0, "Don't truncate output");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (filters_.contains("is-automated"))
      cli.err.write(
          "WARNING: the \"is-automated\" filter is deprecated, and searching for \"is-automated=true\" will "
          "not yield any results in future.\n");
    const std::string auth = TRY(registry_auth(cli, server_of_term(arguments[0])));
    const auto found = TRY(TRY(cli.engine())->search(arguments[0], limit_, filters_, auth));
    ListFormat format;
    format.text = choose_format(cli, format_, "", false, "");
    format.default_table = kTable;
    format.go_type = "*registry.searchContext";
    format.columns = {
        {"Description", "DESCRIPTION"}, {"IsOfficial", "OFFICIAL"}, {"Name", "NAME"}, {"StarCount", "STARS"}};
    const bool words = format.text == "json" || format.text.find("json .") != std::string::npos;
    std::vector<Row> rows;
    for (const auto& result : found) rows.push_back(search_row(result, !no_truncate_, words));
    return print_list(cli, format, rows);
  }

 private:
  /// The server whose credentials go along: that which the term names, else Docker Hub.
  static std::string server_of_term(std::string_view term) {
    const std::string_view server = spec::docker::registry_of_search(term);
    return std::string(server.empty() || server == "docker.io" ? kHubServer : server);
  }

  client::Filters filters_;
  std::string format_;
  std::int64_t limit_ = 0;
  bool no_truncate_ = false;
};

}  // namespace

std::unique_ptr<Command> make::search() { return make_command<Search>(); }

}  // namespace skiff::cli
