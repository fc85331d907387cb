#include "engine/mounts.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

std::string error_of(std::string_view spec) {
  const auto mount = parse_bind(spec, "");
  return mount.ok() ? "" : mount.error().message();
}

TEST(Mounts, BindForms) {
  auto mount = parse_bind("/a/../b:/c/:ro", "");
  ASSERT_TRUE(mount.ok());
  EXPECT_EQ(mount->point.type, "bind");
  EXPECT_EQ(mount->point.source, "/b");
  EXPECT_EQ(mount->point.destination, "/c");
  EXPECT_FALSE(mount->point.rw);
  EXPECT_EQ(mount->point.propagation, "rprivate");
  EXPECT_TRUE(mount->create_source);
  mount = parse_bind("/a:/c:rw,rslave", "");
  EXPECT_EQ(mount->point.propagation, "rslave");
}

TEST(Mounts, VolumeForms) {
  auto mount = parse_bind("data:/var/lib", "");
  ASSERT_TRUE(mount.ok());
  EXPECT_EQ(mount->point.type, "volume");
  EXPECT_EQ(mount->point.name, "data");
  EXPECT_EQ(mount->point.mode, "z");
  EXPECT_TRUE(mount->copy_up);
  EXPECT_FALSE(parse_bind("data:/x:nocopy", "")->copy_up);
  EXPECT_TRUE(parse_bind("/x", "")->anonymous);
}

TEST(Mounts, DockersSentences) {
  EXPECT_EQ(
      error_of("/:/"),
      "invalid volume specification: '/:/': invalid mount config for type \"bind\": invalid specification: "
      "destination can't be '/'");
  EXPECT_EQ(error_of("/tmp/aaa:/x:zz"), "invalid mode: zz");
  EXPECT_EQ(error_of("a:b:c:d"), "invalid volume specification: 'a:b:c:d'");
  EXPECT_EQ(error_of(":/x"), "invalid volume specification: ':/x'");
  EXPECT_EQ(error_of("/a:/x:ro,rw"), "invalid mode: ro,rw");
}

TEST(Mounts, MountRequests) {
  spec::docker::MountRequest request;
  request.type = "bind";
  request.source = "/nonex";
  request.target = "/x";
  const auto missing = [](const std::string&) { return false; };
  EXPECT_EQ(parse_mount(request, missing).error().message(),
            "invalid mount config for type \"bind\": bind source path does not exist: /nonex");
  request.type = "strange";
  EXPECT_EQ(parse_mount(request, missing).error().message(),
            "invalid mount config for type \"strange\": mount type unknown");
  request.type = "tmpfs";
  request.source.clear();
  request.tmpfs_options.emplace();
  request.tmpfs_options->size_bytes = 1024;
  request.tmpfs_options->mode = 01770;
  const auto mount = parse_mount(request, missing);
  ASSERT_TRUE(mount.ok());
  EXPECT_EQ(mount->tmpfs_options,
            (std::vector<std::string>{"noexec", "nosuid", "nodev", "size=1024", "mode=1770"}));
  request.type = "volume";
  request.tmpfs_options.reset();
  request.volume_options.emplace();
  request.volume_options->subpath = "../up";
  EXPECT_FALSE(parse_mount(request, missing).ok());
}

TEST(Mounts, TmpfsOptions) {
  EXPECT_EQ(*tmpfs_options("size=64m,exec"),
            (std::vector<std::string>{"nosuid", "nodev", "size=64m", "exec"}));
  EXPECT_FALSE(tmpfs_options("upperdir=/etc").ok());
}

TEST(Mounts, VolumesFrom) {
  EXPECT_TRUE(parse_volumes_from("web:ro")->read_only);
  EXPECT_FALSE(parse_volumes_from("web")->read_only);
  EXPECT_FALSE(parse_volumes_from("web:odd").ok());
  EXPECT_FALSE(parse_volumes_from("").ok());
}

TEST(Mounts, ParentsComeFirst) {
  std::vector<ContainerMount> mounts(3);
  mounts[0].point.destination = "/a/b/c";
  mounts[1].point.destination = "/z";
  mounts[2].point.destination = "/a/b";
  sort_by_destination(mounts);
  EXPECT_EQ(mounts[0].point.destination, "/z");
  EXPECT_EQ(mounts[2].point.destination, "/a/b/c");
}

}  // namespace
}  // namespace skiff::engine
