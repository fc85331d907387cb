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

Result<void> show_progress(client::Stream& stream, Output& out, ProgressStyle style, BuildOutcome* outcome) {
  ProgressLines lines([&out](std::string_view text) { out.write(text); },
                      style == ProgressStyle::Auto && out.is_terminal());
  while (true) {
    auto value = TRY(stream.next_json());
    if (!value) return {};
    const auto line = TRY(json::from_value<spec::docker::ProgressLine>(*std::move(value)));
    if (line.aux && outcome) note_result(*line.aux, *outcome);
    if (!line.error.empty() || line.error_detail) {
      const auto& detail = line.error_detail;
      const std::string message = detail && !detail->message.empty() ? detail->message : line.error;
      return Error(Kind::Internal, message, detail ? detail->code : 0);
    }
    if (style == ProgressStyle::Quiet) {
      if (outcome) outcome->text += line.stream;
      continue;
    }
    if (!line.stream.empty()) out.write(line.stream);
    if (!line.status.empty()) lines.show(line);
    out.flush();
  }
}

}  // namespace skiff::cli
