#include "cli/commands/image_progress.h"

namespace skiff::cli {

Result<ProgressEnd> read_progress(client::Stream& stream, ProgressLines& lines,
                                  const std::function<void(std::string_view)>& write,
                                  const std::function<void(const json::Value&)>& aux,
                                  const std::function<void(const json::Value&)>& raw) {
  while (auto value = TRY(stream.next_json())) {
    if (raw) raw(*value);
    const auto line = TRY(json::from_value<spec::docker::ProgressLine>(*std::move(value)));
    if (line.error_detail || !line.error.empty()) {
      ProgressEnd end;
      end.error =
          line.error_detail && !line.error_detail->message.empty() ? line.error_detail->message : line.error;
      end.code = line.error_detail && line.error_detail->code != 0 ? line.error_detail->code : 1;
      return end;
    }
    if (line.aux && aux) aux(*line.aux);
    if (!line.stream.empty()) {
      write(line.stream);
    } else if (!line.status.empty()) {
      lines.show(line);
    }
  }
  return ProgressEnd{};
}

}  // namespace skiff::cli
