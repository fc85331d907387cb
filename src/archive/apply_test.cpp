#include "archive/apply.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/diff.h"
#include "archive/testing_test.h"

namespace skiff::archive {
namespace {

using testing::apply_bytes;
using testing::Tar;

class ApplyTest : public testing::TreeTest {
 protected:
  Result<ApplyStats> layer(Tar& tar) { return apply_bytes(tar.bytes(), root_, layer_options()); }
  Result<ApplyStats> context(Tar& tar) { return apply_bytes(tar.bytes(), root_, context_options()); }
  static void expect_refused(const Result<ApplyStats>& result, std::string_view entry) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), Kind::Forbidden) << result.error().message();
    EXPECT_NE(result.error().message().find(entry), std::string::npos) << result.error().message();
  }
};

TEST_F(ApplyTest, FilesKeepWhatTheArchiveSays) {
  Tar tar;
  Entry owned = Tar::make("bin/sh", Entry::Type::Regular, 04755);
  owned.uid = 1000;
  owned.gid = 3'000'000;  // beyond what the ustar field holds
  owned.xattrs = {{"user.colour", std::string("blue\0green", 10)}};
  Entry link = owned;
  link.path = "bin/ash";
  link.type = Entry::Type::HardLink;
  link.link = "bin/sh";
  tar.directory("bin", 0711).add(owned).link("bin/bash", "sh").add(link);
  tar.file("gr\xc3\xbc\xc3\x9f", "hallo").file("raw\xff\xfe", "bytes");
  auto stats = layer(tar);
  ASSERT_TRUE(stats.ok()) << stats.error().message();
  EXPECT_EQ(stats->entries, 6u);
  EXPECT_EQ(stats->bytes, 10u);
  EXPECT_EQ(status("root/bin").st_mode & 07777, 0711u);
  EXPECT_EQ(status("root/bin").st_mtim.tv_sec, 1'000'000'000);
  const auto sh = status("root/bin/sh");
  EXPECT_EQ(sh.st_mode & 07777, 04755u);
  EXPECT_EQ(sh.st_uid, 1000u);
  EXPECT_EQ(sh.st_gid, 3'000'000u);
  EXPECT_EQ(sh.st_nlink, 2u);
  EXPECT_EQ(sh.st_mtim.tv_sec, 1'000'000'000);
  char value[16];
  EXPECT_EQ(::getxattr(path("root/bin/sh").c_str(), "user.colour", value, sizeof value), 10);
  EXPECT_EQ(std::filesystem::read_symlink(path("root/bin/bash")), "sh");
  EXPECT_EQ(read("root/gr\xc3\xbc\xc3\x9f"), "hallo");
}

TEST_F(ApplyTest, LongNamesAndDeepPaths) {
  std::string deep;
  for (int i = 0; i < 30; ++i) deep += std::string(20, static_cast<char>('a' + i % 26)) + "/";
  const std::string target(300, 't');
  Tar tar;
  tar.file(deep + std::string(255, 'n'), "deep").link("long-link", target);
  auto result = layer(tar);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(read("root/" + deep + std::string(255, 'n')), "deep");
  EXPECT_EQ(std::filesystem::read_symlink(path("root/long-link")), target);
}

TEST_F(ApplyTest, ALaterEntryReplacesAnEarlierOne) {
  Tar tar;
  tar.file("a", "old").file("a", "new");
  tar.directory("d").file("d/x").file("d", "file now");
  tar.file("f").directory("f").file("f/inside", "yes");
  ASSERT_TRUE(layer(tar).ok());
  EXPECT_EQ(read("root/a"), "new");
  EXPECT_EQ(read("root/d"), "file now");
  EXPECT_EQ(read("root/f/inside"), "yes");
}

TEST_F(ApplyTest, WhiteoutsBecomeOverlays) {
  Tar tar;
  tar.directory("etc").file("etc/.wh.gone", "").file("etc/.wh..wh..opq", "").file(".wh..wh.plnk", "");
  tar.file(".wh.again", "").directory("again").file("kept").file(".wh.kept", "");
  ASSERT_TRUE(layer(tar).ok());
  const auto gone = status("root/etc/gone");
  EXPECT_TRUE(is_whiteout(gone));
  EXPECT_TRUE(is_opaque(*sys::open_directory(path("root/etc"))));
  EXPECT_TRUE(is_opaque(*sys::open_directory(path("root/again"))));
  EXPECT_FALSE(there("root/.wh..wh.plnk"));
  EXPECT_EQ(read("root/kept"), "data");
}

TEST_F(ApplyTest, WhiteoutsAreOrdinaryFilesInAContext) {
  Tar tar;
  tar.file(".wh.x", "literal");
  ASSERT_TRUE(context(tar).ok());
  EXPECT_EQ(read("root/.wh.x"), "literal");
}

TEST_F(ApplyTest, DevicesInLayersOnly) {
  Entry device = Tar::make("null", Entry::Type::CharacterDevice, 0666);
  device.major = 1;
  device.minor = 3;
  Tar in_layer;
  in_layer.add(device);
  ASSERT_TRUE(layer(in_layer).ok());
  EXPECT_EQ(status("root/null").st_rdev, makedev(1, 3));
  EXPECT_EQ(status("root/null").st_mode & 07777, 0666u);
  Tar in_context;
  expect_refused(context(in_context.add(device)), "\"null\"");
}

TEST_F(ApplyTest, OverlayAttributesOfAnArchiveAreNotSet) {
  Entry redirect = Tar::make("d", Entry::Type::Directory, 0755);
  redirect.xattrs = {{"trusted.overlay.redirect", "/etc"}, {"trusted.overlay.opaque", "y"}};
  Tar tar;
  ASSERT_TRUE(layer(tar.add(redirect)).ok());
  EXPECT_LT(::getxattr(path("root/d").c_str(), "trusted.overlay.redirect", nullptr, 0), 0);
  EXPECT_FALSE(is_opaque(*sys::open_directory(path("root/d"))));
}

TEST_F(ApplyTest, ParentPathsAreRefusedAndNamed) {
  for (const char* name : {"../outside", "a/../../outside", "..", "./../outside"}) {
    Tar in_layer;
    expect_refused(layer(in_layer.file(name, "pwned")), name);
    Tar in_context;
    expect_refused(context(in_context.file(name, "pwned")), name);
  }
}

TEST_F(ApplyTest, AbsoluteNamesAreRefusedInContextsAndConfinedInLayers) {
  Tar in_context;
  expect_refused(context(in_context.file(path("outside"), "pwned")), path("outside"));
  Tar in_layer;
  ASSERT_TRUE(layer(in_layer.file("/etc/passwd", "mine")).ok());
  EXPECT_EQ(read("root/etc/passwd"), "mine");
}

TEST_F(ApplyTest, WritingThroughALinkOutOfTheTreeIsRefusedOrConfined) {
  for (const std::string& target : {std::string(".."), base_, std::string("../../../../../..") + base_}) {
    Tar in_context;
    expect_refused(context(in_context.link("way", target).file("way/outside", "pwned")), "\"way/outside\"");
    Tar in_layer;
    auto result = layer(in_layer.link("way", target).file("way/outside", "pwned"));
    EXPECT_EQ(read("outside"), "untouched");
    std::filesystem::remove_all(path("root/way"));
  }
}

TEST_F(ApplyTest, WhatALinkOfALayerLeadsToIsMadeInside) {
  // A layer may have a link to what only a layer below has: var/run -> /run.
  Tar tar;
  tar.link("var/run", "/run/all").file("var/run/pid", "1");
  tar.link("a", "b").link("b", "../../c/d").file("a/x/file", "2");
  ASSERT_TRUE(layer(tar).ok());
  EXPECT_EQ(read("root/run/all/pid"), "1");
  EXPECT_EQ(read("root/c/d/x/file"), "2");
  Tar circle;
  EXPECT_FALSE(layer(circle.link("m", "n").link("n", "m/x").file("m/file")).ok());
  Tar in_context;
  EXPECT_FALSE(context(in_context.link("to", "nothing").file("to/file")).ok());
}

TEST_F(ApplyTest, AFileDoesNotGoThroughALinkOfItsOwnName) {
  Tar tar;
  tar.link("x", "../outside").file("x", "replaced");
  ASSERT_TRUE(layer(tar).ok());
  EXPECT_EQ(read("root/x"), "replaced");
  EXPECT_TRUE(S_ISREG(status("root/x").st_mode));
}

TEST_F(ApplyTest, ADirectoryEntryDoesNotChangeWhatALinkLeadsTo) {
  const auto before = status("root/..").st_mode;
  Tar tar;
  tar.link("up", "..").directory("up", 0777);
  ASSERT_TRUE(layer(tar).ok());
  EXPECT_EQ(status("root/..").st_mode, before);
  EXPECT_TRUE(S_ISDIR(status("root/up").st_mode));
}

TEST_F(ApplyTest, AHardLinksEntrySpeaksOfTheFile) {
  Entry link = Tar::make("d/link", Entry::Type::HardLink, 04711);
  link.link = "file";
  link.uid = ::getuid();
  link.gid = ::getgid();
  link.mtime.tv_sec = 1'234'567'890;
  Entry to_link = Tar::make("to-link", Entry::Type::HardLink, 0600);
  to_link.link = "symbolic";
  to_link.mtime.tv_sec = 5;
  Tar tar;
  tar.file("file").directory("d").add(link).link("symbolic", "file").add(to_link);
  ASSERT_TRUE(layer(tar).ok());
  EXPECT_EQ(status("root/file").st_ino, status("root/d/link").st_ino);
  EXPECT_EQ(status("root/file").st_mode & 07777, 04711U);
  EXPECT_EQ(status("root/file").st_mtim.tv_sec, 1'234'567'890);
  EXPECT_EQ(status("root/symbolic").st_mtim.tv_sec, 1'000'000'000);
}

TEST_F(ApplyTest, WhatNoFileSystemHasIsTheArchivesFault) {
  Tar missing;
  Tar circle;
  Tar name;
  Tar attribute;
  Entry file = Tar::make("file", Entry::Type::Regular, 0644);
  file.xattrs = {{"user.huge", std::string(100'000, 'x')}};
  missing.link("link", "no/such", Entry::Type::HardLink);
  circle.link("a", "b").link("b", "a").file("a/file");
  name.file(std::string(300, 'n'));
  attribute.add(file);
  for (auto* tar : {&missing, &circle, &name, &attribute}) {
    const auto applied = layer(*tar);
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().kind(), Kind::InvalidArgument) << applied.error().message();
    EXPECT_TRUE(applied.error().message().starts_with("archive entry \"")) << applied.error().message();
  }
}

TEST_F(ApplyTest, HardLinksOutOfTheTreeAreRefused) {
  Tar up;
  expect_refused(context(up.link("h", "../outside", Entry::Type::HardLink)), "../outside");
  Tar absolute;
  expect_refused(context(absolute.link("h", path("outside"), Entry::Type::HardLink)), path("outside"));
  Tar through;
  EXPECT_FALSE(context(through.link("way", "..").link("h", "way/outside", Entry::Type::HardLink)).ok());
  EXPECT_FALSE(there("root/h"));
}

TEST_F(ApplyTest, WhiteoutsOutsideAreRefused) {
  Tar up;
  expect_refused(layer(up.file("../.wh.outside", "")), "../.wh.outside");
  Tar dots;
  expect_refused(layer(dots.file(".wh...", "")), ".wh...");
  Tar through;
  (void)layer(through.link("way", "..").file("way/.wh.outside", "").file("way/.wh..wh..opq", ""));
  EXPECT_FALSE(is_opaque(*sys::open_directory(base_)));
}

TEST_F(ApplyTest, HugeNamesAreRefusedByAShortSentence) {
  Tar tar;
  auto result = context(tar.file(std::string(100'000, 'x')));
  ASSERT_FALSE(result.ok());
  EXPECT_LT(result.error().message().size(), 1000u);
}

TEST_F(ApplyTest, TheLastFileNeedsNoPadding) {
  Tar tar;
  tar.file("first", "1").file("last", "content");
  const std::string bytes = tar.bytes();
  const std::size_t end = bytes.find("content") + 7;
  ASSERT_TRUE(apply_bytes(bytes.substr(0, end), root_, context_options()).ok());
  EXPECT_EQ(read("root/last"), "content");
  ASSERT_TRUE(apply_bytes(bytes.substr(0, end + 100), root_, context_options()).ok());
  EXPECT_FALSE(apply_bytes(bytes.substr(0, end - 1), root_, context_options()).ok());
}

TEST_F(ApplyTest, TruncatedArchivesAreErrors) {
  Tar tar;
  const std::string whole = tar.file("a", std::string(10'000, 'a')).file("b", "b").bytes();
  for (const std::size_t size : {std::size_t{300}, std::size_t{700}, std::size_t{5'000}, std::size_t{11'000}})
    EXPECT_FALSE(apply_bytes(whole.substr(0, size), root_, layer_options()).ok()) << size;
}

TEST_F(ApplyTest, GarbageIsNoArchive) {
  for (const std::string& bytes : {std::string("hello"), std::string(5'000, 'g'), std::string(600, '\xff')}) {
    auto result = apply_bytes(bytes, root_, context_options());
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), Kind::InvalidArgument);
  }
}

TEST_F(ApplyTest, AnEmptyArchiveIsFine) {
  Tar tar;
  EXPECT_TRUE(context(tar).ok());
  EXPECT_TRUE(apply_bytes("", root_, context_options()).ok());
}

TEST_F(ApplyTest, ALayersTopDirectoryIsLeftAsItIs) {
  ASSERT_EQ(::chmod(path("root").c_str(), 0755), 0);
  Tar tar;
  Entry top = Tar::make("./", Entry::Type::Directory, 0700);
  top.uid = 5;
  ASSERT_TRUE(layer(tar.add(top).file("./f")).ok());
  EXPECT_EQ(status("root").st_mode & 07777, 0755u);
  EXPECT_EQ(status("root").st_uid, 0u);
  EXPECT_EQ(read("root/f"), "data");
}

TEST_F(ApplyTest, ACopysTopDirectoryBecomesAsTheArchiveSays) {
  Tar tar;
  Entry top = Tar::make("./", Entry::Type::Directory, 0710);
  top.uid = 5;
  ASSERT_TRUE(apply_bytes(tar.add(top).bytes(), root_, ApplyOptions()).ok());
  EXPECT_EQ(status("root").st_mode & 07777, 0710u);
  EXPECT_EQ(status("root").st_uid, 5u);
}

TEST_F(ApplyTest, KindsAreKeptWhenCopying) {
  std::filesystem::create_directory(path("root/d"));
  write("root/f", "file");
  ApplyOptions options = layer_options();
  options.keep_kinds = true;
  Tar over_directory;
  EXPECT_FALSE(apply_bytes(over_directory.file("d").bytes(), root_, options).ok());
  Tar over_file;
  EXPECT_FALSE(apply_bytes(over_file.directory("f").bytes(), root_, options).ok());
  EXPECT_TRUE(S_ISDIR(status("root/d").st_mode));
  EXPECT_EQ(read("root/f"), "file");
}

TEST_F(ApplyTest, ADiffOfWhatWasAppliedIsTheSameLayerAgain) {
  Tar tar;
  tar.directory("d").file("d/.wh..wh..opq", "").file("d/.wh.gone", "").file("d/a", "aaa").file(".wh.top", "");
  tar.link("d/hard", "d/a", Entry::Type::HardLink).link("d/soft", "a").file("gr\xc3\xbc\xc3\x9f", "u", 04755);
  ASSERT_TRUE(layer(tar).ok());
  std::string first;
  auto diffed = diff(root_, [&](std::string_view bytes) -> Result<void> {
    first += bytes;
    return {};
  });
  ASSERT_TRUE(diffed.ok()) << diffed.error().message();
  EXPECT_EQ(diffed->diff_id, spec::Digest::of(first));
  EXPECT_EQ(diffed->bytes, 4u);
  std::filesystem::create_directory(path("second"));
  const sys::Fd second = *sys::open_directory(path("second"));
  ASSERT_TRUE(apply_bytes(first, second, layer_options()).ok());
  EXPECT_EQ(diff(second)->diff_id, diffed->diff_id);
  EXPECT_TRUE(is_opaque(*sys::open_directory(path("second/d"))));
  EXPECT_TRUE(is_whiteout(status("second/d/gone")));
}

}  // namespace
}  // namespace skiff::archive
