#include <gtest/gtest.h>

#include <filesystem>

#include "cli/manifests/list.h"
#include "cli/manifests/store.h"
#include "sys/file.h"

namespace skiff::cli {
namespace {

namespace fs = std::filesystem;

class ManifestStoreTest : public testing::Test {
 protected:
  ManifestStoreTest() {
    char name[] = "/tmp/skiff-manifests-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~ManifestStoreTest() override { fs::remove_all(folder); }

  static spec::Reference reference(std::string_view text) { return *spec::Reference::parse_tagged(text); }
  static spec::docker::ManifestRecord record(const std::string& name, const std::string& media_type) {
    spec::docker::ManifestRecord made;
    made.reference = name;
    made.descriptor = {media_type, "sha256:" + std::string(64, 'a'), 7, {}};
    made.descriptor.platform = {"arm", "linux", "", {}, "v7"};
    made.raw = "e30=";
    return made;
  }

  std::string folder;
};

constexpr const char* kDocker = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* kOci = "application/vnd.oci.image.manifest.v1+json";

TEST_F(ManifestStoreTest, FilesAreWhereDockerLooksForThem) {
  const ManifestStore store(folder);
  const auto list = reference("localhost:5000/team/list:1");
  EXPECT_EQ(store.list(list).error().message(), "No such manifest: localhost:5000/team/list:1");
  ASSERT_TRUE(
      store.save(list, reference("busybox"), record("docker.io/library/busybox:latest", kDocker)).ok());
  const std::string path = folder + "/manifests/localhost-5000_team_list-1/docker.io_library_busybox-latest";
  EXPECT_EQ(*sys::read_file(path),
            "{\"Ref\":\"docker.io/library/busybox:latest\",\"Descriptor\":{\"mediaType\":\"" +
                std::string(kDocker) + "\",\"digest\":\"sha256:" + std::string(64, 'a') +
                "\",\"size\":7,\"platform\":{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}},"
                "\"Raw\":\"e30=\"}");
  EXPECT_EQ(store.get(list, reference("busybox"))->raw, "e30=");
  EXPECT_EQ(store.get(list, reference("other")).error().message(),
            "No such manifest: docker.io/library/other:latest");
  EXPECT_EQ(store.list(list)->size(), 1U);
  ASSERT_TRUE(store.remove(list).ok());
  EXPECT_EQ(store.list(list).error().kind(), Kind::NotFound);
}

TEST_F(ManifestStoreTest, ADamagedFileIsNamed) {
  const ManifestStore store(folder);
  const auto list = reference("list");
  ASSERT_TRUE(store.save(list, reference("busybox"), {}).ok());
  const std::string path =
      folder + "/manifests/docker.io_library_list-latest/docker.io_library_busybox-latest";
  ASSERT_TRUE(sys::replace_file(path, "{").ok());
  EXPECT_TRUE(store.list(list).error().message().starts_with(path + ": "));
}

TEST_F(ManifestStoreTest, AListIsOfItsFirstManifestsKind) {
  const auto target = reference("localhost:5000/list");
  const auto docker = *make_list({record("localhost:5000/a:1", kDocker)}, target);
  EXPECT_EQ(docker.media_type, "application/vnd.docker.distribution.manifest.list.v2+json");
  const auto oci = *make_list({record("localhost:5000/a:1", kOci)}, target);
  EXPECT_EQ(oci.media_type, "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(list_text(oci),
            "{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"application/vnd.oci.image.index.v1+json\",\n"
            "   \"manifests\": [\n      {\n         \"mediaType\": \"" +
                std::string(kOci) +
                "\",\n         \"size\": 7,\n         \"digest\": \"sha256:" + std::string(64, 'a') +
                "\",\n         \"platform\": {\n            \"architecture\": \"arm\",\n            \"os\": "
                "\"linux\",\n            \"variant\": \"v7\"\n         }\n      }\n   ]\n}");
  EXPECT_EQ(make_list({record("other/a:1", kOci)}, target).error().message(),
            "cannot use source images from a different registry than the target image: docker.io != "
            "localhost:5000");
}

TEST(Platforms, ThoseThatDockerKnows) {
  EXPECT_TRUE(is_known_platform("linux", "arm64"));
  EXPECT_TRUE(is_known_platform("windows", "amd64"));
  EXPECT_FALSE(is_known_platform("linux", "vax"));
  EXPECT_FALSE(is_known_platform("", ""));
}

}  // namespace
}  // namespace skiff::cli
