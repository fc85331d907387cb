#include "cli/commands/image_tree.h"

#include <algorithm>

#include "base/strings.h"
#include "cli/commands/resource_support.h"
#include "cli/terminal.h"

namespace skiff::cli {
namespace {

constexpr std::size_t kGap = 3;
constexpr std::size_t kIdWidth = 12;
constexpr std::string_view kIdTitle = "ID";
constexpr std::string_view kUsageTitle = "DISK USAGE";
constexpr std::string_view kContentTitle = "CONTENT SIZE";
constexpr std::string_view kExtraTitle = "EXTRA";
constexpr std::string_view kWarning =
    "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";

// Select Graphic Rendition (ECMA-48): what Docker's client sends for each part.
constexpr std::string_view kPlain = "\x1b[39m";
constexpr std::string_view kTitle = "\x1b[39m\x1b[1m";
constexpr std::string_view kName = "\x1b[34m\x1b[1m";
constexpr std::string_view kFaint = "\x1b[39m\x1b[2m";
constexpr std::string_view kEnd = "\x1b[0m";

class Tree {
 public:
  explicit Tree(Cli& cli) : out_(cli.out), colours_(cli.out.is_terminal()) {
    if (const auto size = terminal_size(); colours_ && size && size->second > 0)
      width_ = static_cast<std::size_t>(size->second);
  }

  void show(const std::vector<spec::docker::ImageSummary>& images) {
    out_.print("{}\n{}\n\n", colours_ ? fmt::format("\x1b[93m{}{}", kWarning, kEnd) : std::string(kWarning),
               legend());
    for (const auto& image : images)
      for (const auto& name : image.repo_tags) names_ = std::max(names_, name.size());
    const std::size_t others = 4 * kGap + kIdWidth + kUsageTitle.size() + kContentTitle.size();
    extra_ = names_ + others + kExtraTitle.size() <= width_;
    if (colours_ && names_ + others - kGap > width_)
      names_ = std::max<std::size_t>(5, width_ - std::min(width_, others - kGap));
    header();
    for (const auto& image : images) row(image);
  }

 private:
  std::string legend() const {
    const std::string_view plain = "Info ->  U In Use ";
    const std::string indent(width_ - std::min(width_, plain.size()), ' ');
    if (!colours_) return indent + std::string(plain);
    return indent.substr(std::min<std::size_t>(indent.size(), 3)) +
           "\x1b[1m\x1b[106m\x1b[30mi\x1b[0m\x1b[0m \x1b[96mInfo \xe2\x86\x92 \x1b[0m\x1b[0m "
           "\x1b[38;5;0m\x1b[48;5;14m U \x1b[0m In Use ";
  }

  void header() {
    const auto title = [](std::string_view text, std::size_t width) {
      return fmt::format("{}{}{}{}", kTitle, text, kEnd, std::string(width - text.size(), ' '));
    };
    const std::string gap(kGap, ' ');
    std::string line = title("IMAGE", names_) + gap + title(kIdTitle, kIdWidth) + gap +
                       title(kUsageTitle, kUsageTitle.size()) + gap +
                       title(kContentTitle, kContentTitle.size());
    if (extra_) line += gap + title(kExtraTitle, kExtraTitle.size());
    out_.write(line + "\n");
  }

  std::string coloured(std::string_view colour, std::string text) const {
    return colours_ ? fmt::format("{}{}{}", colour, text, kEnd) : text;
  }

  /// A name in the first column, which follows a gap only when more comes on the line.
  std::string name(std::string text, std::string_view colour, bool more) const {
    if (colours_ && text.size() > names_) text = text.substr(0, names_ - 1) + "\xe2\x80\xa6";
    const std::size_t shown = std::min(text.size(), names_);
    return coloured(colour, std::move(text)) + (more ? std::string(names_ - shown + kGap, ' ') : "");
  }

  void row(const spec::docker::ImageSummary& image) {
    std::vector<std::string> names = image.repo_tags;
    std::stable_sort(names.begin(), names.end(),
                     [](const auto& a, const auto& b) { return a.size() > b.size(); });
    for (std::size_t i = 0; i + 1 < names.size(); ++i) out_.write(name(names[i], kName, false) + "\n");
    const std::string gap(kGap, ' ');
    const auto size = [&](std::int64_t bytes, std::size_t width) {
      const std::string text = human_size(static_cast<double>(bytes), 3);
      return std::string(width - std::min(width, text.size()), ' ') + coloured(kPlain, text);
    };
    std::string line = names.empty() ? name("<untagged>", kFaint, true) : name(names.back(), kName, true);
    line += coloured(kPlain, short_id(image.id)) + gap + size(image.size, kUsageTitle.size()) + gap +
            size(0, kContentTitle.size());
    if (extra_) line += gap + std::string(kExtraTitle.size(), ' ');
    out_.write(line + "\n");
  }

  Output& out_;
  const bool colours_;
  std::size_t width_ = 80;
  std::size_t names_ = 5;  ///< width of the first column, at least that of its title
  bool extra_ = true;
};

}  // namespace

void show_image_tree(Cli& cli, const std::vector<spec::docker::ImageSummary>& images) {
  Tree(cli).show(images);
}

}  // namespace skiff::cli
