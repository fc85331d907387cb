#pragma once

#include <memory>
#include <string>

#include "monitor/log_compressor.h"
#include "monitor/log_settings.h"
#include "monitor/log_writer.h"

namespace skiff::monitor {

/// The "local" driver: a LogWriter whose old segments are compressed.
class LocalLog final : public LogDriver {
 public:
  /// In settings.directory.
  static Result<std::unique_ptr<LocalLog>> open(Loop& loop, const LogSettings& settings);

  void append(Stream stream, std::string_view bytes, Time time) override {
    writer_.append(stream, bytes, time);
  }
  void finish(Stream stream, Time time) override { writer_.finish(stream, time); }
  Result<void> flush() override;
  void trim() override { writer_.trim(); }
  void close() override { compressor_.reset(); }

 private:
  explicit LocalLog(LogWriter writer) : writer_(std::move(writer)) {}

  LogWriter writer_;
  std::uint64_t segment_ = 0;  ///< the last one that was seen
  std::unique_ptr<LogCompressor> compressor_;
};

}  // namespace skiff::monitor
