#include "registry/server/access.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/ids.h"
#include "registry/server/access_log.h"
#include "registry/server/htpasswd.h"
#include "registry/server/metrics.h"
#include "registry/server/token.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

TEST(RightsTest, Patterns) {
  EXPECT_TRUE(matches("*", "a/b"));
  EXPECT_TRUE(matches("team/*", "team/a/b"));
  EXPECT_FALSE(matches("team/*", "team2/a"));
  EXPECT_TRUE(matches("*/x*y", "a/b/x/xzy"));
  EXPECT_FALSE(matches("a*b", "a"));
  EXPECT_TRUE(matches("a**", "a"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("", ""));
}

TEST(RightsTest, UsersMayWhatALineGives) {
  const auto rights = Rights::create({{{"alice"}, {"team/*"}, {"*"}},
                                      {{"*"}, {"public/*"}, {"pull", "push"}},
                                      {{"anonymous"}, {"public/*"}, {"pull"}}})
                          .value();
  EXPECT_TRUE(rights.allow("alice", Action::Delete, "team/x"));
  EXPECT_FALSE(rights.allow("bob", Action::Pull, "team/x"));
  EXPECT_TRUE(rights.allow("bob", Action::Push, "public/x"));
  EXPECT_FALSE(rights.allow("bob", Action::Delete, "public/x"));
  EXPECT_TRUE(rights.allow("", Action::Pull, "public/x"));
  EXPECT_FALSE(rights.allow("", Action::Push, "public/x"));
  // A user of that name is not everybody without one.
  const auto named = Rights::create({{{"anonymous"}, {"*"}, {"*"}}}).value();
  EXPECT_FALSE(named.allow("anonymous", Action::Pull, "x"));
  EXPECT_TRUE(Rights::create({})->allow("bob", Action::Delete, "x"));
  EXPECT_FALSE(Rights::create({})->allow("", Action::Pull, "x"));
  EXPECT_FALSE(Rights::create({{{"a"}, {"*"}, {"pul"}}}).ok());
  EXPECT_FALSE(Rights::create({{{"a"}, {}, {"pull"}}}).ok());
}

class FileTest : public testing::Test {
 protected:
  void TearDown() override { ::unlink(path_.c_str()); }
  const std::string path_ = testing::TempDir() + "skiff-access-" + random_hex(6);
};

// "secret", cost 4.
constexpr std::string_view kSecretHash = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

class HtpasswdTest : public FileTest {};

TEST_F(HtpasswdTest, KnowsUsersByTheirPasswords) {
  ASSERT_TRUE(sys::replace_file(path_, "# users\nalice:" + std::string(kSecretHash) + "\n\n").ok());
  const auto users = Htpasswd::open(path_).value();
  EXPECT_TRUE(users->verify("alice", "secret"));
  EXPECT_TRUE(users->verify("alice", "secret"));
  EXPECT_FALSE(users->verify("alice", "Secret"));
  EXPECT_FALSE(users->verify("alice", ""));
  EXPECT_FALSE(users->verify("bob", "secret"));
}

TEST_F(HtpasswdTest, AChangedFileIsReadAgain) {
  ASSERT_TRUE(sys::replace_file(path_, "alice:" + std::string(kSecretHash)).ok());
  const auto users = Htpasswd::open(path_).value();
  ASSERT_TRUE(users->verify("alice", "secret"));
  ASSERT_TRUE(sys::replace_file(path_, "bob:" + std::string(kSecretHash)).ok());
  EXPECT_FALSE(users->verify("alice", "secret"));
  EXPECT_TRUE(users->verify("bob", "secret"));
}

TEST_F(HtpasswdTest, OtherHashesAreRefused) {
  ASSERT_TRUE(sys::replace_file(path_, "alice:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=").ok());
  EXPECT_EQ(Htpasswd::open(path_).error().kind(), Kind::InvalidArgument);
  EXPECT_FALSE(Htpasswd::open("/nonexistent/htpasswd").ok());
}

/// A token server with a key of its own.
class TokenTest : public FileTest {
 protected:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;

  static Key make_key(const std::string& algorithm) {
    if (algorithm == "RS256") return Key(EVP_RSA_gen(2048));
    if (algorithm == "ES256") return Key(EVP_EC_gen("P-256"));
    return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  }

  std::unique_ptr<TokenVerifier> verifier_of(const Key& key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    EXPECT_TRUE(sys::replace_file(path_, {bytes, static_cast<std::size_t>(size)}).ok());
    BIO_free(bio);
    return TokenVerifier::create({"https://auth/token", "registry", "issuer", path_}).value();
  }

  static std::string sign(const Key& key, const std::string& algorithm, const std::string& claims) {
    const std::string text = part(R"({"alg":")" + algorithm + "\"}") + "." + part(claims);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    const EVP_MD* method = algorithm == "EdDSA" ? nullptr : EVP_sha256();
    EVP_DigestSignInit(context, nullptr, method, nullptr, key.get());
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    signature.resize(size);
    return text + "." + part(algorithm == "ES256" ? to_raw(signature) : signature);
  }

  static std::string part(const std::string& bytes) {
    std::string text = encode_base64_url(bytes);
    while (text.ends_with('=')) text.pop_back();
    return text;
  }

  static std::string to_raw(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    unsigned char raw[64];
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32);
    ECDSA_SIG_free(signature);
    return {reinterpret_cast<const char*>(raw), sizeof raw};
  }
};

constexpr Time kNow{std::chrono::seconds(1'800'000'000)};
const std::string kClaims =
    R"({"iss":"issuer","aud":"registry","sub":"alice","exp":1800000100,"nbf":1799999999.5,)"
    R"("access":[{"type":"repository","name":"team/x","actions":["pull","push"]}]})";

TEST_F(TokenTest, SignedTokensGiveTheirRights) {
  for (const std::string algorithm : {"RS256", "ES256", "EdDSA"}) {
    const auto key = make_key(algorithm);
    const auto verifier = verifier_of(key);
    const auto claims = verifier->verify(sign(key, algorithm, kClaims), kNow);
    ASSERT_TRUE(claims.ok()) << algorithm << claims.error().message();
    EXPECT_EQ(claims->subject, "alice");
    EXPECT_TRUE(allow(*claims, Action::Push, "team/x"));
    EXPECT_FALSE(allow(*claims, Action::Delete, "team/x"));
    EXPECT_FALSE(allow(*claims, Action::Pull, "team/y"));
  }
}

TEST_F(TokenTest, OtherTokensDoNot) {
  const auto key = make_key("ES256");
  const auto verifier = verifier_of(key);
  const auto refused = [&](const std::string& token, Time at = kNow) {
    const auto claims = verifier->verify(token, at);
    return !claims.ok() && claims.error().kind() == Kind::Forbidden;
  };
  const std::string good = sign(key, "ES256", kClaims);
  EXPECT_FALSE(refused(good));
  EXPECT_TRUE(refused(good, kNow + std::chrono::hours(1)));
  EXPECT_TRUE(refused(good, kNow - std::chrono::hours(1)));
  EXPECT_TRUE(refused(sign(make_key("ES256"), "ES256", kClaims)));
  EXPECT_TRUE(refused(part(R"({"alg":"none"})") + "." + part(kClaims) + "."));
  EXPECT_TRUE(refused(sign(key, "ES256", R"({"iss":"other","aud":"registry","exp":1800000100})")));
  EXPECT_TRUE(refused(sign(key, "ES256", R"({"iss":"issuer","aud":["a"],"exp":1800000100})")));
  EXPECT_TRUE(refused(sign(key, "ES256", R"({"iss":"issuer","aud":["a","registry"]})")));
  EXPECT_FALSE(refused(sign(key, "ES256", R"({"iss":"issuer","aud":["a","registry"],"exp":1800000100})")));
  std::string changed = good;
  changed[changed.find('.') + 5] ^= 1;
  EXPECT_TRUE(refused(changed));
  for (const auto* text : {"", ".", "..", "a.b", "a.b.c", "!.!.!"}) EXPECT_TRUE(refused(text)) << text;
}

TEST_F(TokenTest, AFileWithoutAKeyIsRefused) {
  ASSERT_TRUE(sys::replace_file(path_, "no key").ok());
  EXPECT_EQ(TokenVerifier::create({"r", "s", "i", path_}).error().kind(), Kind::InvalidArgument);
}

TEST(AccessLogTest, ClientsCannotEndALine) {
  AccessRecord record;
  record.peer = "192.0.2.1";
  record.user = "a b";
  record.time = Time(std::chrono::seconds(0));
  record.method = "GET";
  record.target = "/v2/\"\n";
  record.status = 200;
  record.bytes = 5;
  record.agent = "x\\";
  EXPECT_EQ(
      format_access(record),
      "192.0.2.1 - a_b [01/Jan/1970:00:00:00 +0000] \"GET /v2/\\\"\\x0a HTTP/1.1\" 200 5 \"-\" \"x\\\\\"\n");
}

TEST(MetricsTest, CountsRequests) {
  Metrics metrics;
  metrics.count_request("blob", "GET", 200, std::chrono::milliseconds(2), 10);
  metrics.count_request("blob", "BREW", 405, std::chrono::minutes(2), 0);
  const auto text = metrics.text();
  for (const auto* line :
       {"skiff_registry_requests_total{endpoint=\"blob\",method=\"GET\",code=\"200\"} 1\n",
        "method=\"other\",code=\"405\"} 1\n", "skiff_registry_request_seconds_bucket{le=\"0.001\"} 0\n",
        "skiff_registry_request_seconds_bucket{le=\"0.005\"} 1\n",
        "skiff_registry_request_seconds_bucket{le=\"+Inf\"} 2\n", "skiff_registry_sent_bytes_total 10\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace skiff::registry::server
