#pragma once

#include <memory>
#include <optional>
#include <string>

#include "monitor/log_compressor.h"
#include "monitor/log_driver.h"
#include "monitor/log_lines.h"
#include "monitor/log_settings.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// The "json-file" driver: Docker's form, one JSON object a line,
///
///     {"log":"text\n","stream":"stdout","attrs":{...},"time":"2026-01-02T03:04:05.678901234Z"}
///
/// in `path`, the older ones in path.1, path.2 ... (path.2.gz once compressed). A file that has
/// reached max_bytes is set aside before the next line; with one file only it is emptied.
class JsonFileLog final : public LogDriver {
 public:
  static Result<std::unique_ptr<JsonFileLog>> open(Loop& loop, const LogSettings& settings);

  void append(Stream stream, std::string_view bytes, Time time) override;
  void finish(Stream stream, Time time) override;
  Result<void> flush() override;
  void trim() override;
  void close() override { compressor_.reset(); }

  std::uint64_t lost_lines() const { return lost_; }

 private:
  JsonFileLog() = default;

  void put(Stream stream, const LogLines::Line& line, Time time);
  void make_tail(Stream stream, Time time);
  void write_out();
  Result<void> open_file(int flags);
  Result<void> rotate();

  std::string path_;
  std::uint64_t max_bytes_ = 0;
  int max_files_ = 1;
  std::string attributes_;  ///< `"attrs":{...},` or nothing
  sys::Fd file_;
  std::uint64_t size_ = 0;  ///< of the file
  std::string pending_;
  std::uint64_t pending_lines_ = 0;
  std::string tail_;  ///< what stands behind the text of a line of this stream and time
  Stream tail_stream_ = Stream::Stdout;
  Time tail_time_{};
  LogLines lines_;
  std::uint64_t lost_ = 0;
  std::optional<Error> failure_;
  std::unique_ptr<LogCompressor> compressor_;
};

/// path.1, or path.1.gz.
std::string rotated_path(const std::string& path, int index, bool compressed);
/// The lowest-numbered old file of the log at `path` that is not compressed.
std::optional<std::string> plain_rotated_file(const std::string& path, int max_files);

}  // namespace skiff::monitor
