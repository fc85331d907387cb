#include <algorithm>

#include "base/strings.h"
#include "cli/commands/image_rows.h"
#include "cli/commands/image_tree.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "spec/reference.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kNone = "<none>";

bool is_dangling(const docker::ImageSummary& image) {
  if (image.repo_tags.empty() && image.repo_digests.empty()) return true;
  return image.repo_tags == std::vector<std::string>{"<none>:<none>"} &&
         image.repo_digests == std::vector<std::string>{"<none>@<none>"};
}

/// Names of one repository: tags, or digests, in the order the engine gave them.
using Names = std::vector<std::pair<std::string, std::vector<std::string>>>;

void add_name(Names& names, const std::string& repository, std::string name) {
  // From the end, as the engine gives them sorted: mostly it is the last one's.
  const auto found = std::find_if(names.rbegin(), names.rend(),
                                  [&](const auto& entry) { return entry.first == repository; });
  if (found != names.rend())
    found->second.push_back(std::move(name));
  else
    names.push_back({repository, {std::move(name)}});
}

/// Another name of an image whose row is there: nothing else is told in words again.
Row renamed(Row row, std::string_view repository, std::string_view tag, std::string_view digest) {
  row.fields["Repository"] = repository;
  row.fields["Tag"] = tag;
  row.fields["Digest"] = digest;
  return row;
}

/// The rows of an image with names: one for each tag, and with digests one for each of both.
void add_named(std::vector<Row>& rows, const docker::ImageSummary& image, bool digests, bool truncate) {
  Names tags;
  Names by_digest;
  for (const auto& text : image.repo_tags)
    if (const auto name = spec::Reference::parse(text); name.ok() && !name->tag().empty())
      add_name(tags, name->familiar_name(), name->tag());
  for (const auto& text : image.repo_digests)
    if (const auto name = spec::Reference::parse(text); name.ok() && name->digest())
      add_name(by_digest, name->familiar_name(), name->digest()->to_string());
  const Row row = image_row(image, "", "", "", truncate);
  for (const auto& [repository, names] : tags) {
    std::vector<std::string> shown;
    const auto found =
        std::find_if(by_digest.begin(), by_digest.end(),
                     [&, &wanted = repository](const auto& entry) { return entry.first == wanted; });
    if (found != by_digest.end()) {
      if (digests) shown = found->second;
      by_digest.erase(found);
    }
    if (shown.empty()) shown.emplace_back(kNone);
    for (const auto& tag : names)
      for (const auto& digest : shown) rows.push_back(renamed(row, repository, tag, digest));
  }
  for (const auto& [repository, names] : by_digest) {
    if (!digests)
      rows.push_back(renamed(row, repository, kNone, ""));
    else
      for (const auto& digest : names) rows.push_back(renamed(row, repository, kNone, digest));
  }
}

class ImageLs : public Command {
 public:
  ImageLs() {
    flags.boolean(all_, "all", 'a', "Show all images (default hides intermediate images)");
    flags.boolean(digests_, "digests", 0, "Show digests");
    add_filter_flag(flags, filters_, 'f', "Filter output based on conditions provided");
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(no_truncate_, "no-trunc", 0, "Don't truncate output");
    flags.boolean(quiet_, "quiet", 'q', "Only show image IDs");
    flags.boolean(tree_, "tree", 0, "List multi-platform images as a tree (EXPERIMENTAL)");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (!arguments.empty()) filters_["reference"].push_back(arguments[0]);
    if (tree_) return show_tree(cli);
    const auto images = TRY(TRY(cli.engine())->images(all_, digests_, filters_));
    ListFormat format;
    format.text = choose_format(cli, format_, "imagesFormat", quiet_, "{{.ID}}");
    format.default_table = digests_ ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{if "
                                      ".CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}"
                                    : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if "
                                      ".CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}";
    format.go_type = "*formatter.imageContext";
    format.columns = image_columns();
    const bool digests = digests_ || format.text.find("{{.Digest}}") != std::string::npos;
    std::vector<Row> rows;
    for (const auto& image : images) {
      if (is_dangling(image))
        rows.push_back(image_row(image, kNone, kNone, kNone, !no_truncate_));
      else
        add_named(rows, image, digests, !no_truncate_);
    }
    return print_list(cli, format, rows);
  }

 private:
  Result<int> show_tree(Cli& cli) {
    const auto refused = [](std::string_view flag) {
      return fail(Kind::InvalidArgument, "{} is not yet supported with --tree", flag);
    };
    if (quiet_) return refused("--quiet");
    if (no_truncate_) return refused("--no-trunc");
    if (digests_) return refused("--show-digest");
    if (!format_.empty()) return refused("--format");
    show_image_tree(cli, TRY(TRY(cli.engine())->images(all_, false, filters_)));
    return 0;
  }

  client::Filters filters_;
  std::string format_;
  bool all_ = false, digests_ = false, no_truncate_ = false, quiet_ = false, tree_ = false;
};

Row history_row(const docker::ImageHistoryItem& item, bool truncate, bool human) {
  Row row;
  std::string created_by = item.created_by;
  std::replace(created_by.begin(), created_by.end(), '\t', ' ');
  std::string created_at = format_rfc3339(from_unix(item.created));
  row.fields = {{"Comment", item.comment},
                {"CreatedAt", created_at},
                {"CreatedBy", truncate ? ellipsis(created_by, 45) : created_by},
                {"CreatedSince", human ? time_ago(from_unix(item.created)) : created_at},
                {"ID", truncate ? short_id(item.id) : item.id},
                {"Size", human ? human_size(static_cast<double>(item.size), 3) : std::to_string(item.size)}};
  return row;
}

class ImageHistory : public Command {
 public:
  ImageHistory() {
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(human_, "human", 'H', "Print sizes and dates in human readable format");
    flags.boolean(no_truncate_, "no-trunc", 0, "Don't truncate output");
    flags.string(platform_, "platform", 0,
                 "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., "
                 "\"linux/amd64\")");
    flags.boolean(quiet_, "quiet", 'q', "Only show image IDs");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const auto platform = TRY(platform_parameter(platform_));
    const auto history = TRY(TRY(cli.engine())->image_history(arguments[0], platform));
    ListFormat format;
    format.text = choose_format(cli, format_, "", quiet_, "{{.ID}}");
    format.default_table = human_ ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
                                  : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
    format.go_type = "*image.historyContext";
    format.columns = {{"Comment", "COMMENT"},
                      {"CreatedAt", "CREATED AT"},
                      {"CreatedBy", "CREATED BY"},
                      {"CreatedSince", "CREATED"},
                      {"ID", "IMAGE"},
                      {"Size", "SIZE"}};
    std::vector<Row> rows;
    for (const auto& item : history) rows.push_back(history_row(item, !no_truncate_, human_));
    return print_list(cli, format, rows);
  }

 private:
  std::string format_, platform_;
  bool human_ = true, no_truncate_ = false, quiet_ = false;
};

}  // namespace

Columns image_columns() {
  return {{"Containers", "CONTAINERS"},
          {"CreatedAt", "CREATED AT"},
          {"CreatedSince", "CREATED"},
          {"Digest", "DIGEST"},
          {"ID", "IMAGE ID"},
          {"Pinned", "PINNED"},
          {"Repository", "REPOSITORY"},
          {"SharedSize", "SHARED SIZE"},
          {"Size", "SIZE"},
          {"Tag", "TAG"},
          {"UniqueSize", "UNIQUE SIZE"},
          {"VirtualSize", "SIZE"}};
}

Row image_row(const docker::ImageSummary& image, std::string_view repository, std::string_view tag,
              std::string_view digest, bool truncate) {
  Row row;
  const bool measured = image.size != -1 && image.shared_size != -1;
  row.fields = {
      {"Containers", image.containers == -1 ? "N/A" : std::to_string(image.containers)},
      {"CreatedAt", go_time(from_unix(image.created), true)},
      {"CreatedSince", image.created > 0 ? time_ago(from_unix(image.created)) : ""},
      {"Digest", digest},
      {"ID", truncate ? short_id(image.id) : image.id},
      {"Pinned", image.skiff.pinned ? "true" : "false"},
      {"Repository", repository},
      {"SharedSize", image.shared_size == -1 ? "N/A" : human_size(static_cast<double>(image.shared_size))},
      {"Size", human_size(static_cast<double>(image.size), 3)},
      {"Tag", tag},
      {"UniqueSize", measured ? human_size(static_cast<double>(image.size - image.shared_size)) : "N/A"},
      {"VirtualSize", human_size(static_cast<double>(image.size))}};
  return row;
}

namespace make {
std::unique_ptr<Command> image_ls() { return std::make_unique<ImageLs>(); }
std::unique_ptr<Command> image_history() { return std::make_unique<ImageHistory>(); }
}  // namespace make

}  // namespace skiff::cli
