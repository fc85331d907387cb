#include "monitor/json_log_reader.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "base/json.h"
#include "base/strings.h"
#include "monitor/json_file_log.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::monitor {
namespace {

/// As in the query part of a URL.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      out += c;
    else if (c == ' ')
      out += '+';
    else
      out += "%" + to_upper(to_hex(std::string_view(&c, 1)));
  }
}

}  // namespace

JsonLogReader::JsonLogReader(std::string directory, std::string path, LogQuery query)
    : LogSource(std::move(directory)), path_(std::move(path)), query_(query) {}

Result<std::unique_ptr<JsonLogReader>> JsonLogReader::open(std::string path, LogQuery query) {
  std::string directory(sys::dir_name(path));
  std::unique_ptr<JsonLogReader> reader(new JsonLogReader(std::move(directory), std::move(path), query));
  TRY(reader->open_files());
  if (query.only_present && !reader->files_.empty() && !reader->files_.back()->compressed())
    TRY(reader->files_.back()->end_here());
  if (query.tail)
    TRY(reader->seek_tail(*query.tail));
  else if (query.since)
    TRY(reader->seek_since(*query.since));
  return reader;
}

/// The highest number of an old file; 0 when there is none.
int JsonLogReader::oldest_index() const {
  const auto names = sys::list_directory(directory_);
  const std::string prefix = path_.substr(path_.rfind('/') + 1) + ".";
  int oldest = 0;
  if (!names) return oldest;
  for (std::string_view name : *names) {
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    if (name.ends_with(".gz")) name.remove_suffix(3);
    if (const auto number = parse_uint(name); number && *number < 100000)
      oldest = std::max(oldest, static_cast<int>(*number));
  }
  return oldest;
}

/// Opens all files behind the one that is being read, or all that there are: at once, since they change their
/// names when the log is rotated, and the newest first, since one that moves on meanwhile is met again then
/// and not missed.
Result<void> JsonLogReader::open_files() {
  std::vector<std::unique_ptr<JsonLogFile>> newest_first;
  const auto known = [&](const struct stat& status) {
    return std::any_of(newest_first.begin(), newest_first.end(),
                       [&](const auto& file) { return file->same_as(status); });
  };
  for (int index = 0; index <= oldest_index(); ++index) {
    const std::string plain = index == 0 ? path_ : rotated_path(path_, index, false);
    auto file = TRY(JsonLogFile::open(plain, false));
    if (!file && index > 0) file = TRY(JsonLogFile::open(rotated_path(path_, index, true), true));
    if (!file) continue;
    if (TRY(is_reached(*file))) break;
    if (!known(TRY(file->status()))) newest_first.push_back(std::move(file));
  }
  files_.insert(files_.end(), std::make_move_iterator(newest_first.rbegin()),
                std::make_move_iterator(newest_first.rend()));
  return success();
}

/// Whether `file` is the one that is being read, or older. Once that is compressed it is another file, which
/// its first record tells.
Result<bool> JsonLogReader::is_reached(JsonLogFile& file) {
  if (files_.empty()) return false;
  if (!file.compressed()) return files_[0]->same_as(TRY(file.status()));
  const auto first = TRY(file.first_time());
  const auto ours = TRY(files_[0]->first_time());
  return first && ours && *first <= *ours;
}

Result<void> JsonLogReader::seek_tail(std::uint64_t lines) {
  for (std::size_t i = files_.size(); i-- > 0;) {
    lines = TRY(files_[i]->seek_tail(lines, skip_lines_));
    if (lines > 0) continue;
    files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(i));
    break;
  }
  return success();
}

/// Passes over files whose successor begins before.
Result<void> JsonLogReader::seek_since(Time since) {
  while (files_.size() > 1) {
    const auto time = TRY(files_[1]->first_time());
    if (!time || *time >= since) break;
    files_.pop_front();
  }
  return files_.empty() ? success() : files_[0]->seek_since(since);
}

/// Whether the file that was being written is an old one by now; its successors are opened then.
Result<bool> JsonLogReader::follow_rotation() {
  if (files_.empty()) {
    TRY(open_files());
    return !files_.empty();
  }
  struct stat current {};
  if (::stat(path_.c_str(), &current) != 0) return false;
  if (!files_[0]->same_as(current)) {
    TRY(open_files());
    return true;
  }
  // Emptied, as it is when only one file is kept?
  if (!TRY(files_[0]->was_emptied())) return false;
  files_[0]->seek_start();
  buffer_.clear();
  position_ = 0;
  return true;
}

Result<bool> JsonLogReader::next_line(std::string_view& line) {
  while (true) {
    if (const auto end = buffer_.find('\n', position_); end != std::string::npos) {
      line = std::string_view(buffer_).substr(position_, end - position_);
      position_ = end + 1;
      return true;
    }
    buffer_.erase(0, position_);
    position_ = 0;
    if (!files_.empty() && TRY(files_[0]->read(buffer_))) continue;
    if (files_.size() < 2) {
      if (query_.only_present || !TRY(follow_rotation())) return false;
      if (TRY(files_[0]->read(buffer_))) continue;  // written between the look above and the rotation
    }
    if (files_.size() < 2) return false;
    files_.pop_front();
    buffer_.clear();
  }
}

bool JsonLogReader::parse(std::string_view line, LogRecord& record) {
  auto value = json::parse(line);
  if (!value || !value->is_object()) return false;
  const json::Object& object = value->get_object();
  const auto text = [&](std::string_view name) -> std::string_view {
    const auto* member = object.if_contains(name);
    return member && member->is_string() ? std::string_view(member->get_string()) : std::string_view();
  };
  const auto time = parse_rfc3339(text("time"));
  if (!time) return false;
  record.time = *time;
  record.stream = text("stream") == "stderr" ? Stream::Stderr : Stream::Stdout;
  text_ = text("log");
  record.partial = !text_.ends_with('\n');
  if (!record.partial) text_.pop_back();
  record.bytes = text_;
  details_.clear();
  if (const auto* attributes = object.if_contains("attrs"); attributes && attributes->is_object()) {
    std::map<std::string, std::string> sorted;
    for (const auto& [name, member] : attributes->get_object()) {
      if (member.is_string()) sorted.emplace(name, member.get_string());
    }
    for (const auto& [name, member] : sorted) {
      if (!details_.empty()) details_ += ',';
      append_escaped(details_, name);
      details_ += '=';
      append_escaped(details_, member);
    }
  }
  record.details = details_;
  return true;
}

Result<std::optional<LogRecord>> JsonLogReader::next() {
  std::string_view line;
  while (!over_ && TRY(next_line(line))) {
    if (skip_lines_ > 0) {
      --skip_lines_;
      continue;
    }
    LogRecord record;
    if (!parse(line, record)) continue;
    if (query_.until && record.time > *query_.until) {
      over_ = true;
      break;
    }
    const bool wanted = record.stream == Stream::Stdout ? query_.standard_output : query_.standard_error;
    if (wanted && (!query_.since || record.time >= *query_.since)) return std::optional(record);
  }
  return std::optional<LogRecord>();
}

}  // namespace skiff::monitor
