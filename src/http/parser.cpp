#include "http/parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/strings.h"

namespace skiff::http {
namespace {

namespace beast = boost::beast::http;
using Code = boost::system::error_code;

/// Beast's parser, writing into a MessageHead and a body buffer.
template <bool kRequest>
class Parser : public beast::basic_parser<kRequest> {
 public:
  Parser(MessageHead& head, std::string*& body) : head_(head), body_(body) {
    this->eager(true);
    this->body_limit(boost::none);
  }

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
  std::size_t on_body_impl(boost::beast::string_view bytes, Code&) override {
    body_->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view bytes, Code&) override {
    body_->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Code&) override {}

  MessageHead& head_;
  std::string*& body_;
};

Error to_error(const Code& code) {
  if (code == beast::error::header_limit) return {Kind::Exhausted, "the head of the message is too large"};
  return fail(Kind::InvalidArgument, "malformed HTTP message: {}", code.message());
}

}  // namespace

struct MessageParser::State {
  MessageHead head;
  std::string* body = nullptr;
  std::variant<std::monostate, Parser<true>, Parser<false>> parser;
  bool head_complete = false;

  template <typename F>
  auto with(F&& function) {
    if (auto* request = std::get_if<Parser<true>>(&parser)) return function(*request);
    return function(std::get<Parser<false>>(parser));
  }

  void complete_head() {
    head_complete = true;
    with([&](auto& p) {
      head.keep_alive = p.keep_alive();
      head.chunked = p.chunked();
      head.upgrade = p.upgrade();
      if (const auto length = p.content_length()) head.content_length = *length;
    });
  }
};

MessageParser::MessageParser(Side side, std::size_t head_limit) : state_(std::make_unique<State>()) {
  if (side == Side::Request)
    state_->parser.emplace<1>(state_->head, state_->body);
  else
    state_->parser.emplace<2>(state_->head, state_->body);
  state_->with([&](auto& p) { p.header_limit(static_cast<std::uint32_t>(head_limit)); });
}
MessageParser::~MessageParser() = default;
MessageParser::MessageParser(MessageParser&&) noexcept = default;
MessageParser& MessageParser::operator=(MessageParser&&) noexcept = default;

void MessageParser::expect_no_body() {
  state_->with([](auto& p) { p.skip(true); });
}

Result<std::size_t> MessageParser::feed(std::string_view bytes, std::string& body) {
  auto& state = *state_;
  state.body = &body;
  return state.with([&](auto& parser) -> Result<std::size_t> {
    // Beast wants the head alone first, so that skip() and friends can still be said.
    parser.eager(state.head_complete);
    Code code;
    const std::size_t eaten = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), code);
    if (code && code != beast::error::need_more) return to_error(code);
    if (!state.head_complete && parser.is_header_done()) state.complete_head();
    return eaten;
  });
}

Result<void> MessageParser::end() {
  return state_->with([](auto& parser) -> Result<void> {
    if (parser.is_done()) return {};
    Code code;
    if (parser.got_some()) parser.put_eof(code);
    if (code || !parser.is_done())
      return Error(Kind::Unavailable, "the connection ended in the middle of a message");
    return {};
  });
}

bool MessageParser::head_done() const { return state_->head_complete; }
bool MessageParser::done() const {
  return state_->with([](auto& parser) { return parser.is_done(); });
}
const MessageHead& MessageParser::head() const { return state_->head; }

}  // namespace skiff::http
