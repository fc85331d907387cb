#include "cli/progress.h"

#include <map>

#include "base/strings.h"

namespace skiff::cli {

namespace {

/// Lines with an id keep their place on a terminal, as a pull's layers do.
class Lines {
 public:
  Lines(Output& out, bool in_place) : out_(out), in_place_(in_place) {}

  void show(const spec::docker::ProgressLine& line) {
    std::string text = line.status;
    if (!line.id.empty()) text = line.id + ": " + text;
    if (!in_place_ || line.id.empty()) {
      if (!line.progress.empty() && !in_place_) return;  // a bar that cannot move says nothing
      out_.write(text + "\n");
      ++printed_;
      return;
    }
    if (!line.progress.empty()) text += " " + line.progress;
    const auto [place, is_new] = places_.try_emplace(line.id, printed_);
    if (is_new) {
      out_.write(text + "\n");
      ++printed_;
      return;
    }
    const auto up = printed_ - place->second;
    out_.write(fmt::format("\x1b[{0}A\x1b[2K\r{1}\r\x1b[{0}B", up, text));
  }

 private:
  Output& out_;
  bool in_place_;
  std::size_t printed_ = 0;
  std::map<std::string, std::size_t> places_;
};

void note_result(const json::Value& aux, BuildOutcome& outcome) {
  const json::Value* id = aux.is_object() ? aux.get_object().if_contains("ID") : nullptr;
  if (id && id->is_string()) outcome.image_id = std::string(id->get_string());
}

}  // namespace

Result<void> show_progress(client::Stream& stream, Output& out, ProgressStyle style, BuildOutcome* outcome) {
  Lines lines(out, style == ProgressStyle::Auto && out.is_terminal());
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
