#include "monitor/json_file_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/gzip_members.h"
#include "monitor/json_text.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kPendingLimit = 256 << 10;
// What a tail begins with.
constexpr std::string_view kNewline = "\\n";
constexpr std::string_view kEndOfText = "\",";

}  // namespace

std::string rotated_path(const std::string& path, int index, bool compressed) {
  return fmt::format("{}.{}{}", path, index, compressed ? ".gz" : "");
}

std::optional<std::string> plain_rotated_file(const std::string& path, int max_files) {
  for (int index = max_files - 1; index >= 1; --index) {
    std::string name = rotated_path(path, index, false);
    if (sys::exists(name)) return name;
  }
  return std::nullopt;
}

Result<std::unique_ptr<JsonFileLog>> JsonFileLog::open(Loop& loop, const LogSettings& settings) {
  std::unique_ptr<JsonFileLog> log(new JsonFileLog());
  log->path_ = settings.path;
  log->max_bytes_ = settings.max_bytes;
  log->max_files_ = std::max(settings.max_files, 1);
  if (!settings.fields.empty()) {
    log->attributes_ = "\"attrs\":";
    append_json_object(log->attributes_, settings.fields);
    log->attributes_ += ',';
  }
  for (int index = 1; index < log->max_files_; ++index)
    ::unlink((rotated_path(log->path_, index, true) + ".tmp").c_str());
  TRY(log->open_file(0));
  if (!settings.compress || log->max_files_ < 2) return log;
  const auto next = [path = log->path_, files = log->max_files_]() -> std::optional<LogCompressor::Work> {
    const auto old = plain_rotated_file(path, files);
    if (!old) return std::nullopt;
    return [old = *old] { return gzip_file(old); };
  };
  log->compressor_ = std::make_unique<LogCompressor>(loop, next);
  return log;
}

Result<void> JsonFileLog::open_file(int flags) {
  sys::Fd file = TRY(sys::open_file(path_, O_RDWR | O_CREAT | O_APPEND | flags, 0640));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat {}", path_);
  file_ = std::move(file);
  size_ = static_cast<std::uint64_t>(status.st_size);
  // A line that a killed writer left half written would spoil the next one.
  char last = '\n';
  if (size_ > 0 && ::pread(file_.get(), &last, 1, status.st_size - 1) == 1 && last != '\n') pending_ += '\n';
  return success();
}

Result<void> JsonFileLog::rotate() {
  if (max_files_ < 2) return open_file(O_TRUNC);
  if (compressor_) compressor_->stop();  // files change their names
  for (const bool compressed : {false, true})
    ::unlink(rotated_path(path_, max_files_ - 1, compressed).c_str());
  for (int index = max_files_ - 2; index >= 1; --index) {
    for (const bool compressed : {false, true})
      ::rename(rotated_path(path_, index, compressed).c_str(),
               rotated_path(path_, index + 1, compressed).c_str());
  }
  if (::rename(path_.c_str(), rotated_path(path_, 1, false).c_str()) != 0)
    return fail_errno("rename {}", path_);
  if (compressor_) compressor_->schedule();
  return open_file(0);
}

void JsonFileLog::make_tail(Stream stream, Time time) {
  tail_stream_ = stream;
  tail_time_ = time;
  tail_ = fmt::format("{}{}\"stream\":\"{}\",{}\"time\":\"{}\"}}\n", kNewline, kEndOfText,
                      stream == Stream::Stdout ? "stdout" : "stderr", attributes_, format_rfc3339(time));
}

void JsonFileLog::put(Stream stream, const LogLines::Line& line, Time time) {
  if (max_bytes_ > 0 && size_ + pending_.size() >= max_bytes_) {
    write_out();
    if (auto rotated = rotate(); !rotated && !failure_) failure_ = std::move(rotated).error();
  }
  if (time != tail_time_ || stream != tail_stream_ || tail_.empty()) make_tail(stream, time);
  if (line.partial && line.bytes.empty()) {
    pending_.append("{").append(tail_, kNewline.size() + kEndOfText.size());
  } else {
    pending_ += "{\"log\":\"";
    append_json_escaped(pending_, line.bytes);
    pending_.append(tail_, line.partial ? kNewline.size() : 0);
  }
  ++pending_lines_;
  if (pending_.size() > kPendingLimit) write_out();
}

void JsonFileLog::append(Stream stream, std::string_view bytes, Time time) {
  while (const auto line = lines_.next(stream, bytes)) put(stream, *line, time);
}

void JsonFileLog::finish(Stream stream, Time time) {
  if (const auto line = lines_.finish(stream)) put(stream, *line, time);
}

/// Lines that do not fit on the disk are lost, as a whole: what got through is taken back.
void JsonFileLog::write_out() {
  if (pending_.empty()) return;
  if (auto written = sys::write_all(file_, pending_)) {
    size_ += pending_.size();
  } else {
    if (!failure_) failure_ = std::move(written).error();
    lost_ += pending_lines_;
    (void)!::ftruncate(file_.get(), static_cast<off_t>(size_));
  }
  pending_.clear();
  pending_lines_ = 0;
}

Result<void> JsonFileLog::flush() {
  write_out();
  if (!failure_) return success();
  Error error = *std::move(failure_);
  failure_.reset();
  return error;
}

void JsonFileLog::trim() {
  if (pending_.empty()) pending_ = std::string();
}

}  // namespace skiff::monitor
