#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::http {

/// Takes the chunked coding off a body (RFC 9112, 7.1). Extensions and trailers are read over. Ours and not
/// Beast's, because Beast's aborts in debug builds when a last chunk arrives byte by byte.
class ChunkedDecoder {
 public:
  /// Eats what it can of `bytes`, appends content to `body`, and says how much it ate: everything, or what
  /// lies before the end of the body. InvalidArgument: this is no chunked body.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  bool done() const { return state_ == State::Done; }
  /// What is still to come of a chunk's content before anything else; 0 elsewhere.
  std::uint64_t content_left() const { return state_ == State::Content ? left_ : 0; }
  /// Takes so much of that for eaten.
  void skip_content(std::uint64_t count) {
    left_ -= count;
    if (left_ == 0) state_ = State::ContentCr;
  }

 private:
  enum class State : std::uint8_t { Size, Extension, SizeEnd, Content, ContentCr, ContentLf, Trailer, Done };

  Result<void> step(char c);
  Result<void> size_digit(char c);
  void line_done();
  Result<void> count_overhead();

  State state_ = State::Size;
  std::uint64_t left_ = 0;  ///< of the chunk
  int digits_ = 0;
  std::size_t overhead_ = 0;     ///< bytes of extensions and trailers, which are limited
  std::size_t line_length_ = 0;  ///< of the trailer line
  bool carriage_return_ = false;
};

}  // namespace skiff::http
