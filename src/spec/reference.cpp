#include "spec/reference.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::spec {
namespace {

constexpr std::string_view kDefaultDomain = "docker.io";
constexpr std::string_view kOldDefaultDomain = "index.docker.io";
constexpr std::string_view kOfficialPrefix = "library/";
constexpr std::size_t kMaxNameLength = 255;
constexpr std::size_t kMaxTagLength = 128;

Error bad_format() { return {Kind::InvalidArgument, "invalid reference format"}; }

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alnum(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// alphanumerics joined by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
  std::size_t i = 0;
  while (true) {
    const std::size_t word = i;
    while (i < text.size() && is_lower_alnum(text[i])) ++i;
    if (i == word) return false;
    if (i == text.size()) return true;
    const std::size_t separator = i;
    while (i < text.size() && text[i] == text[separator]) ++i;
    const std::size_t length = i - separator;
    switch (text[separator]) {
      case '.':
        if (length != 1) return false;
        break;
      case '_':
        if (length > 2) return false;
        break;
      case '-':
        break;
      default:
        return false;
    }
  }
}

bool is_path(std::string_view text) {
  for (const auto& component : split(text, '/'))
    if (!is_path_component(component)) return false;
  return true;
}

bool is_domain_name(std::string_view host) {
  for (const auto& label : split(host, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; }))
      return false;
  }
  return true;
}

bool is_bracketed_address(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdefABCDEF:") ==
             std::string_view::npos;
}

bool is_domain(std::string_view text) {
  std::string_view host = text;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    const auto port = text.substr(colon + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    host = text.substr(0, colon);
  }
  return is_domain_name(host) || is_bracketed_address(host);
}

struct Split {
  std::string domain;
  std::string rest;
};

/// Docker's rule for what is a registry: it has a dot or a colon, is "localhost", or has an upper-case
/// letter.
Split split_domain(std::string_view text) {
  const auto slash = text.find('/');
  Split out;
  const auto first = text.substr(0, slash);
  const bool is_registry =
      slash != std::string_view::npos && (first.find_first_of(".:") != std::string_view::npos ||
                                          first == "localhost" || to_lower(first) != first);
  if (is_registry) {
    out.domain = first;
    out.rest = text.substr(slash + 1);
  } else {
    out.domain = kDefaultDomain;
    out.rest = text;
  }
  if (out.domain == kOldDefaultDomain) out.domain = kDefaultDomain;
  if (out.domain == kDefaultDomain && out.rest.find('/') == std::string::npos)
    out.rest = std::string(kOfficialPrefix) + out.rest;
  return out;
}

}  // namespace

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTagLength) return false;
  if (!is_alnum(text.front()) && text.front() != '_') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

Result<Reference> Reference::parse(std::string_view text) {
  if (text.empty()) return bad_format();
  if (is_full_id(text))
    return fail(Kind::InvalidArgument,
                "invalid repository name ({}), cannot specify 64-byte hexadecimal strings", text);

  auto [domain, rest] = split_domain(text);
  // The lower-case rule is checked before everything else, because it has a sentence of its own.
  const auto name_end = rest.find_first_of(":@");
  const std::string name = rest.substr(0, name_end);
  if (to_lower(name) != name)
    return fail(Kind::InvalidArgument, "invalid reference format: repository name ({}) must be lowercase",
                name);

  Reference reference;
  std::string_view tail = std::string_view(rest).substr(name.size());
  if (!tail.empty() && tail.front() == ':') {
    const auto at = tail.find('@');
    reference.tag_ = tail.substr(1, at == std::string_view::npos ? at : at - 1);
    if (!is_tag(reference.tag_)) return bad_format();
    tail = at == std::string_view::npos ? std::string_view() : tail.substr(at);
  }
  if (!tail.empty()) {
    auto digest = Digest::parse(tail.substr(1));
    if (!digest.ok()) {
      const bool unknown = digest.error().message().starts_with("unsupported");
      return unknown ? digest.error() : bad_format();
    }
    reference.digest_ = *std::move(digest);
  }
  if (!is_domain(domain) || !is_path(name)) return bad_format();
  if (name.size() > kMaxNameLength)
    return fail(Kind::InvalidArgument, "repository name must not be more than {} characters", kMaxNameLength);
  reference.domain_ = std::move(domain);
  reference.path_ = name;
  return reference;
}

Result<Reference> Reference::parse_tagged(std::string_view text) {
  return TRY(parse(text)).with_default_tag();
}

std::string Reference::to_string() const {
  std::string out = name();
  if (!tag_.empty()) out += ":" + tag_;
  if (digest_) out += "@" + digest_->to_string();
  return out;
}

std::string Reference::familiar_name() const {
  if (domain_ != kDefaultDomain) return name();
  const bool official =
      path_.starts_with(kOfficialPrefix) && path_.find('/', kOfficialPrefix.size()) == std::string::npos;
  return official ? path_.substr(kOfficialPrefix.size()) : path_;
}

std::string Reference::familiar() const {
  std::string out = familiar_name();
  if (!tag_.empty()) out += ":" + tag_;
  if (digest_) out += "@" + digest_->to_string();
  return out;
}

Reference Reference::with_default_tag() const {
  return tag_.empty() && !digest_ ? with_tag("latest") : *this;
}

Reference Reference::with_tag(std::string tag) const {
  Reference out = *this;
  out.tag_ = std::move(tag);
  return out;
}

Reference Reference::with_digest(Digest digest) const {
  Reference out = *this;
  out.digest_ = std::move(digest);
  return out;
}

Reference Reference::without_tag() const {
  Reference out = *this;
  out.tag_.clear();
  out.digest_.reset();
  return out;
}

Result<Reference> reference_from_parts(std::string_view repository, std::string_view tag) {
  auto reference = TRY(Reference::parse(repository));
  if (tag.empty()) return reference.with_default_tag();
  if (tag.find(':') != std::string_view::npos) return reference.with_digest(TRY(Digest::parse(tag)));
  if (!is_tag(tag)) return Error(Kind::InvalidArgument, "invalid tag format");
  return reference.with_tag(std::string(tag));
}

}  // namespace skiff::spec
