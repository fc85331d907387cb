#include "cli/progress.h"

#include "base/strings.h"
#include "cli/terminal.h"
#include "spec/docker/progress_bar.h"

namespace skiff::cli {

namespace {

int columns() {
  const auto size = terminal_size();
  return size && size->second > 0 ? size->second : 80;
}

void note_result(const json::Value& aux, BuildOutcome& outcome) {
  const json::Value* id = aux.is_object() ? aux.get_object().if_contains("ID") : nullptr;
  if (id && id->is_string()) outcome.image_id = std::string(id->get_string());
}

}  // namespace

void ProgressLines::show_in_place(const std::string& id, const std::string& text) {
  const auto [place, is_new] = places_.try_emplace(id, printed_);
  if (is_new) {
    write_(text + "\n");
    ++printed_;
    return;
  }
  const auto up = printed_ - place->second;
  write_(fmt::format("\x1b[{0}A\x1b[2K\r{1}\r\x1b[{0}B", up, text));
}

void ProgressLines::show(const spec::docker::ProgressLine& line) {
  std::string text = line.id.empty() ? line.status : line.id + ": " + line.status;
  const bool is_bar =
      line.progress_detail && (line.progress_detail->current > 0 || line.progress_detail->total > 0);
  if (!in_place_ || line.id.empty() || !line.progress_detail) {
    if (is_bar && !in_place_) return;  // a bar that cannot move says nothing
    // What comes later under the same names is something else.
    places_.clear();
    printed_ = 0;
    write_(text + "\n");
    return;
  }
  if (is_bar) text += " " + spec::docker::progress_bar(*line.progress_detail, columns());
  show_in_place(line.id, text);
}

Result<ProgressStyle> parse_progress_style(std::string_view text) {
  if (text == "auto" || text == "tty" || text.empty()) return ProgressStyle::Auto;
  if (text == "plain") return ProgressStyle::Plain;
  if (text == "quiet" || text == "none") return ProgressStyle::Quiet;
  if (text == "json") return ProgressStyle::Json;
  return fail(Kind::InvalidArgument, "invalid progress mode {}: must be one of: auto, plain, quiet, json",
              quote(text));
}

void add_progress_flag(FlagSet& flags, std::string& target) {
  flags.string(target, "progress", 0,
               "Set type of progress output (\"auto\", \"plain\", \"quiet\", \"json\")");
}

ProgressPrinter::ProgressPrinter(Output& out, ProgressStyle style, BuildOutcome* outcome)
    : out_(out),
      style_(style),
      outcome_(outcome),
      lines_([this](std::string_view text) { out_.write(text); },
             style == ProgressStyle::Auto && out.is_terminal()) {}

Result<void> ProgressPrinter::take(json::Value value) {
  if (style_ == ProgressStyle::Json) {
    out_.write(json::to_text(value) + "\n");
    out_.flush();
  }
  const auto line = TRY(json::from_value<spec::docker::ProgressLine>(std::move(value)));
  if (line.aux && outcome_) note_result(*line.aux, *outcome_);
  if (!line.error.empty() || line.error_detail) {
    const auto& detail = line.error_detail;
    const std::string message = detail && !detail->message.empty() ? detail->message : line.error;
    return Error(Kind::Internal, message, detail ? detail->code : 0);
  }
  if (style_ == ProgressStyle::Json) return {};
  if (style_ == ProgressStyle::Quiet) {
    if (outcome_) outcome_->text += line.stream;
    return {};
  }
  if (!line.stream.empty()) out_.write(line.stream);
  if (!line.status.empty()) lines_.show(line);
  out_.flush();
  return {};
}

Result<void> ProgressPrinter::take_all(client::Stream& stream) {
  while (auto value = TRY(stream.next_json())) TRY(take(*std::move(value)));
  return {};
}

Result<void> show_progress(client::Stream& stream, Output& out, ProgressStyle style, BuildOutcome* outcome) {
  return ProgressPrinter(out, style, outcome).take_all(stream);
}

}  // namespace skiff::cli
