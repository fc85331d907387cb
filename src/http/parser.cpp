#include "http/parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/strings.h"
#include "http/chunked.h"

namespace skiff::http {
namespace {

namespace beast = boost::beast::http;

constexpr std::uint64_t kMany = 16 << 10;
using Code = boost::system::error_code;

/// Beast's parser for the head of a message. It is told that there is no body; bodies are ours.
template <bool kRequest>
class HeadParser : public beast::basic_parser<kRequest> {
 public:
  explicit HeadParser(MessageHead& head) : head_(head) { this->skip(true); }

 private:
  void on_request_impl(beast::verb, boost::beast::string_view method, boost::beast::string_view target,
                       int version, Code&) override {
    head_.method.assign(method.data(), method.size());
    head_.target.assign(target.data(), target.size());
    head_.version = version;
  }
  void on_response_impl(int status, boost::beast::string_view reason, int version, Code&) override {
    head_.status = status;
    head_.reason.assign(reason.data(), reason.size());
    head_.version = version;
  }
  void on_field_impl(beast::field, boost::beast::string_view name, boost::beast::string_view value,
                     Code&) override {
    head_.fields.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, Code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view, Code&) override { return 0; }
  void on_finish_impl(Code&) override {}

  MessageHead& head_;
};

Error to_error(const Code& code) {
  if (code == beast::error::header_limit) return {Kind::Exhausted, "the head of the message is too large"};
  return fail(Kind::InvalidArgument, "malformed HTTP message: {}", code.message());
}

}  // namespace

struct MessageParser::State {
  enum class Body : std::uint8_t { Length, Chunked, UntilEnd };

  MessageHead head;
  std::variant<std::monostate, HeadParser<true>, HeadParser<false>> parser;
  bool head_complete = false;
  bool no_body = false;
  Body body = Body::Length;
  std::uint64_t left = 0;  ///< of a body with a length
  ChunkedDecoder chunks;
  bool ended = false;  ///< of a body that lasts until the connection's end

  template <typename F>
  auto with(F&& function) {
    if (auto* request = std::get_if<HeadParser<true>>(&parser)) return function(*request);
    return function(std::get<HeadParser<false>>(parser));
  }

  Result<std::size_t> feed_head(std::string_view bytes) {
    return with([&](auto& p) -> Result<std::size_t> {
      Code code;
      const std::size_t eaten = p.put(boost::asio::const_buffer(bytes.data(), bytes.size()), code);
      if (code && code != beast::error::need_more) return to_error(code);
      if (p.is_header_done()) complete_head();
      return eaten;
    });
  }

  /// Decides where the body ends (RFC 9112, 6.3).
  void complete_head() {
    head_complete = true;
    with([&](auto& p) {
      head.keep_alive = p.keep_alive();
      head.chunked = p.chunked();
      head.upgrade = p.upgrade();
      if (const auto length = p.content_length()) head.content_length = *length;
    });
    const bool response = std::holds_alternative<HeadParser<false>>(parser);
    const bool bodiless = response && (head.status / 100 == 1 || head.status == 204 || head.status == 304);
    if (no_body || bodiless) return;
    if (head.chunked) {
      body = Body::Chunked;
    } else if (head.content_length || !response) {
      left = head.content_length.value_or(0);
    } else {
      body = Body::UntilEnd;
      head.keep_alive = false;
    }
  }

  Result<std::size_t> feed_body(std::string_view bytes, std::string& out) {
    switch (body) {
      case Body::Chunked:
        return chunks.feed(bytes, out);
      case Body::Length:
        bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size())));
        left -= bytes.size();
        break;
      case Body::UntilEnd:
        break;
    }
    out += bytes;
    return bytes.size();
  }

  bool done() const {
    if (!head_complete) return false;
    switch (body) {
      case Body::Chunked:
        return chunks.done();
      case Body::Length:
        return left == 0;
      case Body::UntilEnd:
        return ended;
    }
    return true;
  }
};

MessageParser::MessageParser(Side side, std::size_t head_limit) : state_(std::make_unique<State>()) {
  if (side == Side::Request)
    state_->parser.emplace<1>(state_->head);
  else
    state_->parser.emplace<2>(state_->head);
  state_->with([&](auto& p) { p.header_limit(static_cast<std::uint32_t>(head_limit)); });
}
MessageParser::~MessageParser() = default;
MessageParser::MessageParser(MessageParser&&) noexcept = default;
MessageParser& MessageParser::operator=(MessageParser&&) noexcept = default;

void MessageParser::expect_no_body() { state_->no_body = true; }

Result<std::size_t> MessageParser::feed(std::string_view bytes, std::string& body) {
  return state_->head_complete ? state_->feed_body(bytes, body) : state_->feed_head(bytes);
}

std::uint64_t MessageParser::plain_body_left() const {
  if (!state_->head_complete || state_->body == State::Body::UntilEnd) return 0;
  const std::uint64_t left =
      state_->body == State::Body::Length ? state_->left : state_->chunks.content_left();
  return left >= kMany ? left : 0;
}

void MessageParser::skip_plain_body(std::uint64_t count) {
  if (state_->body == State::Body::Chunked)
    state_->chunks.skip_content(std::min(count, state_->chunks.content_left()));
  else
    state_->left -= std::min(count, state_->left);
}

Result<void> MessageParser::end() {
  if (state_->head_complete && state_->body == State::Body::UntilEnd) state_->ended = true;
  if (!done()) return Error(Kind::Unavailable, "the connection ended in the middle of a message");
  return {};
}

bool MessageParser::head_done() const { return state_->head_complete; }
bool MessageParser::done() const { return state_->done(); }
const MessageHead& MessageParser::head() const { return state_->head; }

}  // namespace skiff::http
