#include "http/chunked.h"

#include <algorithm>

namespace skiff::http {
namespace {

constexpr int kMostDigits = 15;  // more than any size that can be stored
constexpr std::size_t kMostOverhead = 64 << 10;

Error malformed() { return {Kind::InvalidArgument, "malformed HTTP message: bad chunk"}; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Result<std::size_t> ChunkedDecoder::feed(std::string_view bytes, std::string& body) {
  std::size_t eaten = 0;
  while (eaten < bytes.size() && !done()) {
    if (state_ == State::Content) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - eaten));
      body.append(bytes.substr(eaten, count));
      eaten += count;
      skip_content(count);
    } else {
      TRY(step(bytes[eaten++]));
    }
  }
  return eaten;
}

Result<void> ChunkedDecoder::step(char c) {
  switch (state_) {
    case State::Size:
      return size_digit(c);
    case State::Extension:
      if (c == '\r')
        state_ = State::SizeEnd;
      else if (c == '\n')
        return malformed();
      return count_overhead();
    case State::SizeEnd:
      if (c != '\n') return malformed();
      line_done();
      return {};
    case State::ContentCr:
      if (c != '\r') return malformed();
      state_ = State::ContentLf;
      return {};
    case State::ContentLf:
      if (c != '\n') return malformed();
      state_ = State::Size;
      digits_ = 0;
      return {};
    case State::Trailer:
      TRY(count_overhead());
      if (c == '\n') {
        if (!carriage_return_) return malformed();
        if (line_length_ == 0) state_ = State::Done;
        line_length_ = 0;
        carriage_return_ = false;
        return {};
      }
      if (carriage_return_) return malformed();
      if (c == '\r')
        carriage_return_ = true;
      else
        ++line_length_;
      return {};
    case State::Content:
    case State::Done:
      break;
  }
  return malformed();
}

Result<void> ChunkedDecoder::size_digit(char c) {
  if (const int value = hex_value(c); value >= 0) {
    if (++digits_ > kMostDigits) return malformed();
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    return {};
  }
  if (digits_ == 0) return malformed();
  if (c == '\r')
    state_ = State::SizeEnd;
  else if (c == ';' || c == ' ' || c == '\t')
    state_ = State::Extension;
  else
    return malformed();
  return {};
}

void ChunkedDecoder::line_done() { state_ = left_ == 0 ? State::Trailer : State::Content; }

Result<void> ChunkedDecoder::count_overhead() {
  if (++overhead_ > kMostOverhead) return malformed();
  return {};
}

}  // namespace skiff::http
