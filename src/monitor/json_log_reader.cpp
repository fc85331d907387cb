#include "monitor/json_log_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/json.h"
#include "base/strings.h"
#include "monitor/json_file_log.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kReadSize = 128 << 10;

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

/// The time at the end of a record's line, without parsing the rest.
std::optional<Time> time_of(std::string_view line) {
  constexpr std::string_view kName = "\"time\":\"";
  const auto begin = line.rfind(kName);
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + kName.size());
  return parse_rfc3339(line.substr(0, line.find('"')));
}

}  // namespace

class JsonLogReader::File {
 public:
  /// Nothing when it is not there.
  static Result<std::unique_ptr<File>> open(const std::string& path, bool compressed) {
    auto opened = sys::open_file(path, O_RDONLY);
    if (!opened) {
      if (opened.error().kind() == Kind::NotFound) return std::unique_ptr<File>();
      return std::move(opened).error();
    }
    auto file = std::make_unique<File>();
    file->fd_ = *std::move(opened);
    if (compressed) TRY(file->rewind());
    return file;
  }
  ~File() {
    if (unpacked_) ::gzclose(unpacked_);
  }

  bool compressed() const { return unpacked_ != nullptr; }
  std::uint64_t offset() const { return offset_; }
  void seek(std::uint64_t offset) { offset_ = offset; }
  /// What a plain file gets from now on is not there.
  Result<void> end_here() {
    limit_ = TRY(size());
    return success();
  }
  Result<std::uint64_t> size() const {
    return std::min(static_cast<std::uint64_t>(TRY(status()).st_size), limit_);
  }
  /// A compressed file begins anew.
  Result<void> rewind() {
    if (unpacked_) ::gzclose(unpacked_);
    sys::Fd copy = TRY(sys::duplicate(fd_));
    ::lseek(copy.get(), 0, SEEK_SET);
    unpacked_ = ::gzdopen(copy.get(), "rb");
    if (!unpacked_) return fail(Kind::Exhausted, "read log: no memory");
    (void)copy.release();  // gzclose closes it
    return success();
  }

  Result<struct stat> status() const {
    struct stat found {};
    if (::fstat(fd_.get(), &found) != 0) return fail_errno("stat log");
    return found;
  }

  /// Appends what comes next; false at the end.
  Result<bool> read(std::string& out) {
    const std::size_t old = out.size();
    const auto size =
        static_cast<unsigned>(std::min<std::uint64_t>(kReadSize, limit_ > offset_ ? limit_ - offset_ : 0));
    out.resize(old + size);
    ssize_t count = 0;
    if (unpacked_) {
      count = std::max(::gzread(unpacked_, out.data() + old, size), 0);  // a damaged rest is not there
    } else {
      do count = ::pread(fd_.get(), out.data() + old, size, static_cast<off_t>(offset_));
      while (count < 0 && errno == EINTR);
    }
    const int code = errno;
    out.resize(old + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return Error::from_errno("read log", code);
    offset_ += static_cast<std::uint64_t>(count);
    return count > 0;
  }

  /// Of a plain file: the whole line that begins at or after `offset`, and where it begins; "" at the end.
  Result<std::string> line_after(std::uint64_t& offset) {
    std::string text;
    // The byte before tells whether a line begins right here.
    std::uint64_t at = offset == 0 ? 0 : offset - 1;
    std::size_t begin = offset == 0 ? 0 : std::string::npos;
    const std::uint64_t kept = offset_;
    offset_ = at;
    while (true) {
      if (begin == std::string::npos) {
        if (const auto newline = text.find('\n'); newline != std::string::npos) begin = newline + 1;
      }
      const auto end = begin == std::string::npos ? begin : text.find('\n', begin);
      if (end != std::string::npos) {
        offset_ = kept;
        offset = at + begin;
        return text.substr(begin, end - begin);
      }
      if (TRY(read(text))) continue;
      offset_ = kept;
      return std::string();
    }
  }

 private:
  sys::Fd fd_;
  gzFile unpacked_ = nullptr;
  std::uint64_t offset_ = 0;
  std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
};

JsonLogReader::JsonLogReader(std::string directory, std::string path, LogQuery query)
    : LogSource(std::move(directory)), path_(std::move(path)), query_(query) {}
JsonLogReader::~JsonLogReader() = default;

Result<std::unique_ptr<JsonLogReader>> JsonLogReader::open(std::string path, LogQuery query) {
  std::string directory(sys::dir_name(path));
  std::unique_ptr<JsonLogReader> reader(new JsonLogReader(std::move(directory), std::move(path), query));
  TRY(reader->open_files(reader->oldest_index()));
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

/// All are opened at once: they change their names when the log is rotated.
Result<void> JsonLogReader::open_files(int oldest) {
  for (int index = oldest; index >= 1; --index) {
    for (const bool compressed : {false, true}) {
      auto file = TRY(File::open(rotated_path(path_, index, compressed), compressed));
      if (!file) continue;
      files_.push_back(std::move(file));
      break;
    }
  }
  if (auto file = TRY(File::open(path_, false))) files_.push_back(std::move(file));
  return success();
}

/// Goes back until there are enough line ends; a compressed file is counted from its beginning.
Result<void> JsonLogReader::seek_tail(std::uint64_t lines) {
  std::uint64_t seen = 0;
  for (std::size_t i = files_.size(); i-- > 0;) {
    File& file = *files_[i];
    std::string chunk;
    if (file.compressed()) {
      std::uint64_t count = 0;
      while (TRY(file.read(chunk))) {
        count += static_cast<std::uint64_t>(std::count(chunk.begin(), chunk.end(), '\n'));
        chunk.clear();
      }
      TRY(file.rewind());
      seen += count;
      if (seen < lines) continue;
      skip_lines_ = seen - lines;
      files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(i));
      return success();
    }
    auto end = TRY(file.size());
    while (end > 0) {
      const std::uint64_t begin = end > kReadSize ? end - kReadSize : 0;
      file.seek(begin);
      chunk.clear();
      TRY(file.read(chunk));
      chunk.resize(std::min<std::size_t>(chunk.size(), end - begin));
      for (std::size_t at = chunk.size();
           (at = chunk.rfind('\n', at == 0 ? 0 : at - 1)) != std::string::npos;) {
        if (++seen > lines) {
          file.seek(begin + at + 1);
          files_.erase(files_.begin(), files_.begin() + static_cast<std::ptrdiff_t>(i));
          return success();
        }
        if (at == 0) break;
      }
      end = begin;
    }
    file.seek(0);
  }
  return success();
}

Result<void> JsonLogReader::seek_since(Time since) {
  // Plain files whose successor begins before are passed over, the first of the others is bisected.
  while (files_.size() > 1 && !files_[0]->compressed() && !files_[1]->compressed()) {
    std::uint64_t begin = 0;
    const auto time = time_of(TRY(files_[1]->line_after(begin)));
    if (!time || *time >= since) break;
    files_.pop_front();
  }
  if (files_.empty() || files_[0]->compressed()) return success();
  File& file = *files_[0];
  std::uint64_t low = 0;
  auto high = TRY(file.size());
  while (high - low > kReadSize) {
    std::uint64_t middle = low + (high - low) / 2;
    const std::uint64_t probe = middle;
    const auto time = time_of(TRY(file.line_after(middle)));
    if (time && *time < since && middle < high)
      low = middle;
    else
      high = probe;
  }
  file.seek(low);
  return success();
}

/// Whether the file that was being written is an old one by now; its successors are opened then.
Result<bool> JsonLogReader::follow_rotation() {
  if (files_.empty()) {
    TRY(open_files(0));
    return !files_.empty();
  }
  const auto ours = TRY(files_[0]->status());
  struct stat current {};
  if (::stat(path_.c_str(), &current) != 0) return false;
  if (current.st_ino == ours.st_ino && current.st_dev == ours.st_dev) {
    // Emptied, as it is when only one file is kept?
    if (static_cast<std::uint64_t>(ours.st_size) >= files_[0]->offset()) return false;
    files_[0]->seek(0);
    buffer_.clear();
    position_ = 0;
    return true;
  }
  int index = 0;
  const int oldest = oldest_index();
  for (int i = 1; i <= oldest && index == 0; ++i) {
    struct stat old {};
    if (::stat(rotated_path(path_, i, false).c_str(), &old) == 0 && old.st_ino == ours.st_ino) index = i;
  }
  TRY(open_files(std::max(index - 1, 0)));
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
