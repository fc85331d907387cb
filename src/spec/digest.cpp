#include "spec/digest.h"

#include <openssl/evp.h>

#include <array>

#include "base/strings.h"

namespace skiff::spec {
namespace {

struct Algorithm {
  std::string_view name;
  std::size_t hex_digits;
};
constexpr std::array kAlgorithms = {Algorithm{"sha256", 64}, Algorithm{"sha384", 96},
                                    Algorithm{"sha512", 128}};

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<Digest> read_digest(json::Fields& f, const json::Value& value) {
  const auto* text = value.if_string();
  if (!text) {
    f.reject("digest", value);
    return std::nullopt;
  }
  if (text->empty()) return Digest();
  auto digest = Digest::parse(std::string_view(text->data(), text->size()));
  if (digest.ok()) return *std::move(digest);
  f.reject("digest", value);
  return std::nullopt;
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(Kind::InvalidArgument, "invalid checksum digest format");
  for (const auto& algorithm : kAlgorithms) {
    if (text.substr(0, colon) != algorithm.name) continue;
    const auto hex = text.substr(colon + 1);
    if (hex.size() != algorithm.hex_digits)
      return fail(Kind::InvalidArgument, "invalid checksum digest length");
    if (!is_lower_hex(hex)) return fail(Kind::InvalidArgument, "invalid checksum digest format");
    return Digest(std::string(text), colon);
  }
  return fail(Kind::InvalidArgument, "unsupported digest algorithm");
}

Digest Digest::of(std::string_view bytes) {
  Hasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

bool is_full_id(std::string_view text) { return text.size() == 64 && is_lower_hex(text); }

void Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Hasher::Hasher() : Hasher(kAlgorithms.front().name) {}
Hasher::Hasher(std::string_view algorithm)
    : algorithm_(kAlgorithms.front().name), context_(EVP_MD_CTX_new()) {
  for (const auto& known : kAlgorithms)
    if (known.name == algorithm) algorithm_ = known.name;
  start();
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::start() {
  const EVP_MD* const method = algorithm_ == "sha512"   ? EVP_sha512()
                               : algorithm_ == "sha384" ? EVP_sha384()
                                                        : EVP_sha256();
  EVP_DigestInit_ex(context_.get(), method, nullptr);
}

void Hasher::update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }

Digest Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_.get(), bytes.data(), &size);
  start();
  const std::string hex = to_hex({reinterpret_cast<const char*>(bytes.data()), size});
  return {std::string(algorithm_) + ":" + hex, algorithm_.size()};
}

void digest_field(json::Fields& f, std::string_view name, Digest& digest, json::Omit omit) {
  if (!f.reading()) {
    std::string text = digest.to_string();
    f(name, text, omit);
    return;
  }
  json::Value value;
  f(name, value);
  if (value.is_null()) return;
  if (auto read = read_digest(f, value)) digest = *std::move(read);
}

void digest_list_field(json::Fields& f, std::string_view name, std::vector<Digest>& digests) {
  if (!f.reading()) {
    std::vector<std::string> texts;
    for (const auto& digest : digests) texts.push_back(digest.to_string());
    f(name, texts);
    return;
  }
  std::vector<json::Value> values;
  f(name, values);
  digests.clear();
  for (const auto& value : values)
    if (auto read = read_digest(f, value)) digests.push_back(*std::move(read));
}

}  // namespace skiff::spec
