#pragma once

#include <deque>
#include <memory>
#include <string>

#include "monitor/json_log_file.h"
#include "monitor/log_source.h"

namespace skiff::monitor {

/// Reads a log of the "json-file" driver, its old files included, compressed or not. A moment is found by
/// bisection: an end of line stands nowhere but between records. Rotation while it is read loses nothing and
/// shows nothing twice.
class JsonLogReader final : public LogSource {
 public:
  static Result<std::unique_ptr<JsonLogReader>> open(std::string path, LogQuery query);

  Result<std::optional<LogRecord>> next() override;

 private:
  JsonLogReader(std::string directory, std::string path, LogQuery query);

  Result<void> open_files();
  Result<bool> is_reached(JsonLogFile& file);
  Result<void> seek_tail(std::uint64_t lines);
  Result<void> seek_since(Time since);
  Result<bool> next_line(std::string_view& line);
  Result<bool> follow_rotation();
  bool parse(std::string_view line, LogRecord& record);
  int oldest_index() const;

  std::string path_;
  LogQuery query_;
  std::deque<std::unique_ptr<JsonLogFile>> files_;  ///< the first is being read, the last is written
  std::string buffer_;
  std::size_t position_ = 0;
  std::uint64_t skip_lines_ = 0;
  bool over_ = false;  ///< past query_.until
  std::string text_;
  std::string details_;
};

}  // namespace skiff::monitor
