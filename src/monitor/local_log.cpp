#include "monitor/local_log.h"

#include "monitor/log_segment.h"

namespace skiff::monitor {

Result<std::unique_ptr<LocalLog>> LocalLog::open(Loop& loop, const LogSettings& settings) {
  std::unique_ptr<LocalLog> log(new LocalLog(TRY(LogWriter::open(
      settings.directory, {.max_bytes = settings.max_bytes, .max_files = settings.max_files}))));
  if (!settings.compress) return log;
  const auto next = [raw = log.get(),
                     directory = settings.directory]() -> std::optional<LogCompressor::Work> {
    const auto number = plain_segment_below(directory, raw->writer_.current_segment());
    if (!number || !*number) return std::nullopt;
    return [directory, number = **number] { return compress_segment(directory, number); };
  };
  log->compressor_ = std::make_unique<LogCompressor>(loop, next);
  return log;
}

Result<void> LocalLog::flush() {
  auto flushed = writer_.flush();
  if (std::exchange(segment_, writer_.current_segment()) != segment_ && segment_ > 1 && compressor_)
    compressor_->schedule();
  return flushed;
}

}  // namespace skiff::monitor
