#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <thread>

#include "base/ids.h"
#include "registry/server/s3/client.h"
#include "registry/server/s3/signature.h"
#include "registry/server/s3/storage.h"
#include "registry/server/s3/xml.h"
#include "registry/server/storage_conformance_test.h"
#include "sys/file.h"

extern char** environ;

namespace skiff::registry::server {
namespace {

TEST(S3SignatureTest, IsWhatAmazonsExampleSays) {
  // "GET Object" of the examples in Amazon's S3 reference ("Signature Calculations ... in a Single Chunk").
  s3::Request request;
  request.method = "GET";
  request.path = "/test.txt";
  request.payload_digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  request.headers = {{"host", "examplebucket.s3.amazonaws.com"},
                     {"range", "bytes=0-9"},
                     {"x-amz-content-sha256", request.payload_digest},
                     {"x-amz-date", "20130524T000000Z"}};
  const s3::Credentials credentials{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
  const Time time{std::chrono::seconds(1369353600)};
  EXPECT_EQ(s3::amz_date(time), "20130524T000000Z");
  EXPECT_EQ(s3::authorization(request, credentials, "us-east-1", time),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(S3SignatureTest, KeysAndQueriesAreEncoded) {
  EXPECT_EQ(s3::encode_path("/a b/c+d/_tags/v1"), "/a%20b/c%2Bd/_tags/v1");
  EXPECT_EQ(s3::encode_query({{"b", "x/y"}, {"a", ""}}), "a=&b=x%2Fy");
}

TEST(S3XmlTest, FindsElements) {
  const std::string_view xml = "<R><K>a&amp;b&lt;</K><K>c</K><Empty/><Open>x</R>";
  EXPECT_EQ(s3::elements(xml, "K").size(), 2U);
  EXPECT_EQ(s3::text_of(xml, "K"), "a&b<");
  EXPECT_EQ(s3::text_of(xml, "Open"), "");
  EXPECT_EQ(s3::text_of(xml, "Empty"), "");
}

/// A store in a process of its own (tests/e2e/object_store.py).
class ObjectStore {
 public:
  ObjectStore() {
    std::string file = __FILE__;
    std::string program = file.substr(0, file.rfind("/src/registry/")) + "/tests/e2e/object_store.py";
    std::string python = "python3";
    char* words[] = {python.data(), program.data(), address_file_.data(), nullptr};
    EXPECT_EQ(::posix_spawnp(&pid_, "python3", nullptr, nullptr, words, environ), 0);
    while (!sys::exists(address_file_) && ::waitpid(pid_, nullptr, WNOHANG) == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    address_ = sys::read_file(address_file_).value_or("");
  }
  ~ObjectStore() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::unlink(address_file_.c_str());
  }
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;

  s3::Settings settings() const {
    return {"http://" + address_, "bucket", "us-east-1", "some/prefix/", {"id", "secret", ""}};
  }

 private:
  std::string address_file_ = testing::TempDir() + "skiff-store-" + random_hex(6);
  std::string address_;
  pid_t pid_ = -1;
};

struct S3Factory {
  std::shared_ptr<Storage> open() { return open_s3_storage(store.settings()).value(); }
  ObjectStore store;
};

using Factories = testing::Types<S3Factory>;
INSTANTIATE_TYPED_TEST_SUITE_P(S3, StorageConformance, Factories);

TEST(S3StorageTest, LargeUploadsBecomeOneObjectWhateverTheirChunksWere) {
  S3Factory factory;
  const auto storage = factory.open();
  std::string bytes(12 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 % 251);
  for (const bool small_chunks : {false, true}) {
    const std::string id = small_chunks ? "small" : "large";
    auto incoming = storage->create_incoming(id).value();
    ASSERT_TRUE(incoming->append(std::string_view(bytes).substr(0, 1 << 20)).ok());
    if (small_chunks) {
      ASSERT_TRUE(incoming->suspend().ok());
    }
    ASSERT_TRUE(incoming->append(std::string_view(bytes).substr(1 << 20)).ok());
    ASSERT_TRUE(incoming->commit(id).ok());
    EXPECT_EQ(storage->read(id).value(), bytes);
    EXPECT_TRUE(storage->list_incoming()->empty());
  }
}

TEST(S3StorageTest, ManyObjectsAreListedOverSeveralPages) {
  S3Factory factory;
  const auto storage = factory.open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(storage->write(fmt::format("f/{:02}", i), "x").ok());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(storage->write(fmt::format("f/sub{:02}/x", i), "x").ok());
  EXPECT_EQ(storage->list("f")->objects.size(), 20U);
  EXPECT_EQ(storage->list("f")->folders.size(), 20U);
}

TEST(S3StorageTest, WrongSecretsAndBucketsAreSaid) {
  const ObjectStore store;
  auto settings = store.settings();
  settings.credentials.secret = "wrong";
  EXPECT_EQ(open_s3_storage(settings).error().kind(), Kind::Forbidden);
  settings = store.settings();
  settings.bucket = "nosuch";
  EXPECT_EQ(open_s3_storage(settings).error().kind(), Kind::NotFound);
}

}  // namespace
}  // namespace skiff::registry::server
