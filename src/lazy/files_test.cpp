#include <linux/fuse.h>
#include <sys/stat.h>
#include <zstd.h>

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "archive/testing_test.h"
#include "lazy/fuse_handler.h"
#include "sys/file.h"

namespace skiff::lazy {
namespace {

/// A blob in memory that can be damaged, or be out of reach.
class FakeSource final : public RangeSource {
 public:
  std::string blob;
  bool reachable = true;
  int lies = 0;  ///< so many of the next answers are wrong
  std::vector<std::pair<std::uint64_t, std::size_t>> asked;

  Result<std::string> read(std::uint64_t offset, std::size_t size, const std::stop_token&) override {
    asked.emplace_back(offset, size);
    if (!reachable) return Error(Kind::Unavailable, "connection refused");
    std::string bytes = blob.substr(offset, size);
    if (lies > 0 && lies-- > 0)
      for (char& byte : bytes) byte = static_cast<char>(byte ^ 0x55);
    return bytes;
  }
};

std::string pack(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  return packed;
}

class LazyFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/.skiff-lazy-XXXXXX";
    ASSERT_TRUE(::mkdtemp(pattern.data()));
    base_ = pattern;
    auto& root = index_.nodes.emplace_back();
    root.mode = S_IFDIR | 0755;
  }
  void TearDown() override { ASSERT_TRUE(sys::remove_tree(base_).ok()); }

  /// A file in the root whose pieces are these texts, each in a place of its own in the blob.
  void add(const std::string& name, const std::vector<std::string>& pieces) {
    archive::IndexNode node;
    node.mode = S_IFREG | 0644;
    for (const auto& piece : pieces) {
      archive::Chunk chunk;
      chunk.offset = node.size;
      chunk.size = piece.size();
      chunk.blob_offset = source_.blob.size();
      const std::string packed = pack(piece);
      chunk.blob_size = packed.size();
      ::SHA256(reinterpret_cast<const unsigned char*>(piece.data()), piece.size(), chunk.sha256.data());
      source_.blob += packed;
      node.size += piece.size();
      node.chunks.push_back(chunk);
    }
    index_.nodes.front().children.emplace_back(name, static_cast<std::uint32_t>(index_.nodes.size()));
    index_.nodes.push_back(std::move(node));
  }
  void gap(std::size_t size) { source_.blob.append(size, '-'); }
  void open() {
    files_.reset();
    auto cache = BlobCache::open(base_ + "/blob", base_ + "/map", source_.blob.size(), source_);
    ASSERT_TRUE(cache.ok()) << cache.error().message();
    cache_ = *std::move(cache);
    files_ = std::make_unique<LayerFiles>(index_, *cache_,
                                          [this](const std::string& said) { complaints_.push_back(said); });
  }
  Result<std::string> read(std::uint64_t node, std::uint64_t offset = 0, std::size_t size = 1 << 20) {
    return files_->read(*files_->node(node), offset, size, {});
  }

  std::string base_;
  FakeSource source_;
  archive::LayerIndex index_;
  std::unique_ptr<BlobCache> cache_;
  std::unique_ptr<LayerFiles> files_;
  std::vector<std::string> complaints_;
};

TEST_F(LazyFiles, OnlyWhatIsReadIsFetchedAndOnce) {
  add("a", {"first ", "second ", "third"});
  gap(10 * BlobCache::kPieceSize);
  add("b", {"other"});
  open();
  EXPECT_EQ(*read(1), "first second third");
  EXPECT_EQ(*read(1, 3, 6), "st sec");
  EXPECT_EQ(*read(1, 18, 5), "");
  EXPECT_EQ(source_.asked.size(), 1u);
  EXPECT_EQ(*read(2), "other");
  ASSERT_EQ(source_.asked.size(), 2u);
  EXPECT_EQ(source_.asked[0], (std::pair<std::uint64_t, std::size_t>(0, BlobCache::kLeastAtOnce)));
  EXPECT_EQ(source_.asked[1].first % BlobCache::kPieceSize, 0u);
  // What came is there for the next process, without the registry.
  source_.reachable = false;
  open();
  EXPECT_EQ(*read(1), "first second third");
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(LazyFiles, WhatIsDamagedOnTheWayIsFetchedAgain) {
  add("a", {"contents"});
  open();
  source_.lies = 1;
  EXPECT_EQ(*read(1), "contents");
  EXPECT_EQ(source_.asked.size(), 2u);
  EXPECT_TRUE(complaints_.empty());
}

TEST_F(LazyFiles, WhatStaysWrongIsAnErrorAndNeverBytes) {
  add("a", {"contents"});
  open();
  source_.lies = 1000;
  EXPECT_EQ(read(1).error().kind(), Kind::DataLoss);
  EXPECT_EQ(complaints_.size(), 1u);
  source_.lies = 0;
  EXPECT_EQ(*read(1), "contents") << "once the registry is right again";
  index_.nodes[1].chunks[0].sha256[0] ^= 1;
  open();
  EXPECT_EQ(read(1).error().kind(), Kind::DataLoss);
  EXPECT_NE(complaints_.back().find("its digest is not sha256:"), std::string::npos) << complaints_.back();
}

TEST_F(LazyFiles, WhatCannotBeFetchedIsAnErrorAndTheRestIsRead) {
  add("a", {"here"});
  gap(2 * BlobCache::kLeastAtOnce);
  add("b", {"not here"});
  open();
  EXPECT_EQ(*read(1), "here");
  source_.reachable = false;
  EXPECT_EQ(read(2).error().kind(), Kind::Unavailable);
  EXPECT_EQ(*read(1), "here");
  source_.reachable = true;
  EXPECT_EQ(*read(2), "not here");
}

TEST_F(LazyFiles, WhatIsKeptDoesNotVouchForAnotherDigest) {
  add("a", {"contents"});
  add("b", {"contents"});
  auto& other = index_.nodes[2].chunks[0];
  other = index_.nodes[1].chunks[0];
  other.sha256[0] ^= 1;
  open();
  EXPECT_EQ(*read(1), "contents");
  EXPECT_EQ(read(2).error().kind(), Kind::DataLoss);
  EXPECT_EQ(*read(1), "contents");
}

/// As eStargz has it: two pieces in one gzip member, of which each knows what comes before it.
TEST_F(LazyFiles, PiecesOfGzipMembers) {
  const auto member = archive::testing::gzip("header  first pad  second");
  source_.blob =
      std::string(700, '-') + member + archive::testing::gzip("the next file's header") + "no gzip";
  const auto place = [&](std::string_view text, std::uint64_t before) {
    archive::IndexNode node;
    node.mode = S_IFREG | 0644;
    node.size = text.size();
    archive::Chunk chunk;
    chunk.size = text.size();
    chunk.before = before;
    chunk.blob_offset = 700;
    chunk.blob_size = source_.blob.size() - 700;
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), chunk.sha256.data());
    node.chunks = {chunk};
    index_.nodes.push_back(node);
  };
  place("first", 8);
  place("second", 19);
  place("secondthe next", 19);
  place("beyond", 100);
  open();
  EXPECT_EQ(*read(1), "first");
  EXPECT_EQ(*read(2), "second");
  EXPECT_EQ(*read(3), "secondthe next");
  EXPECT_EQ(read(4).error().kind(), Kind::DataLoss);
}

TEST_F(LazyFiles, HolesAreZerosWithoutTheRegistry) {
  add("a", {"x"});
  index_.nodes[1].chunks = {{0, 5, 0, 0, {}}};
  index_.nodes[1].size = 5;
  open();
  EXPECT_EQ(*read(1), std::string(5, '\0'));
  EXPECT_TRUE(source_.asked.empty());
}

TEST_F(LazyFiles, AllOfABlobComesAndIsVerified) {
  add("a", {"x"});
  for (std::size_t i = 0; i < 100; ++i) gap(BlobCache::kPieceSize + i);
  const auto digest = spec::Digest::of(source_.blob);
  open();
  EXPECT_EQ(*read(1), "x");
  EXPECT_FALSE(*cache_->verify(digest));
  while (*cache_->fetch_some({})) continue;
  EXPECT_TRUE(*cache_->verify(digest));
  std::uint64_t bytes = 0;
  for (const auto& [offset, size] : source_.asked) {
    bytes += size;
    EXPECT_LE(size, BlobCache::kMostAtOnce);
  }
  EXPECT_EQ(bytes, source_.blob.size()) << "each byte once";
  cache_->forget(0, 1);
  EXPECT_TRUE(*cache_->fetch_some({}));
}

/// The kernel's side of the protocol.
class Fuse : public LazyFiles {
 protected:
  struct Answer {
    int error = 0;
    std::string body;
    template <typename T>
    T as() const {
      T value{};
      std::memcpy(&value, body.data(), std::min(sizeof value, body.size()));
      return value;
    }
  };
  Answer ask(std::uint32_t opcode, std::uint64_t node, std::string_view body = {}) {
    if (!handler_) {
      struct stat root {};
      root.st_mode = S_IFDIR | 0711;
      root.st_uid = 7;
      handler_ = std::make_unique<FuseHandler>(*files_, root);
    }
    fuse_in_header header{};
    header.len = static_cast<std::uint32_t>(sizeof header + body.size());
    header.opcode = opcode;
    header.unique = ++unique_;
    header.nodeid = node;
    std::string request(reinterpret_cast<const char*>(&header), sizeof header);
    request.append(body);
    const std::string answer = handler_->handle(request, {});
    if (answer.empty()) return {-1, "silent"};
    fuse_out_header out{};
    std::memcpy(&out, answer.data(), sizeof out);
    EXPECT_EQ(out.len, answer.size());
    EXPECT_EQ(out.unique, unique_);
    return {-out.error, answer.substr(sizeof out)};
  }
  template <typename T>
  static std::string bytes(const T& value, std::string_view more = {}) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof value).append(more);
  }
  std::uint64_t lookup(const std::string& name) {
    return ask(FUSE_LOOKUP, FUSE_ROOT_ID, std::string_view(name.c_str(), name.size() + 1))
        .as<fuse_entry_out>()
        .nodeid;
  }

  std::unique_ptr<FuseHandler> handler_;
  std::uint64_t unique_ = 0;
};

TEST_F(Fuse, FilesAreFoundAndRead) {
  add("a", {"contents"});
  open();
  fuse_init_in init{};
  init.major = FUSE_KERNEL_VERSION;
  init.minor = 40;
  init.flags = ~0U;
  const auto agreed = ask(FUSE_INIT, 0, bytes(init)).as<fuse_init_out>();
  EXPECT_EQ(agreed.major, static_cast<unsigned>(FUSE_KERNEL_VERSION));
  EXPECT_TRUE(agreed.flags & FUSE_ASYNC_READ);
  EXPECT_FALSE(agreed.flags & FUSE_POSIX_ACL);
  EXPECT_EQ(ask(FUSE_OPEN, 2).error, ENOSYS) << "the kernel does without";
  EXPECT_EQ(ask(FUSE_GETXATTR, 2).error, ENOSYS) << "no file has any";
  const auto root = ask(FUSE_GETATTR, FUSE_ROOT_ID, bytes(fuse_getattr_in{})).as<fuse_attr_out>();
  EXPECT_EQ(root.attr.mode, static_cast<unsigned>(S_IFDIR | 0711));
  EXPECT_EQ(root.attr.uid, 7u);
  const auto node = lookup("a");
  ASSERT_EQ(node, 2u);
  EXPECT_EQ(lookup("b"), 0u);
  EXPECT_EQ(ask(FUSE_GETATTR, node, bytes(fuse_getattr_in{})).as<fuse_attr_out>().attr.size, 8u);
  fuse_read_in in{};
  in.offset = 3;
  in.size = 4096;
  EXPECT_EQ(ask(FUSE_READ, node, bytes(in)).body, "tents");
  source_.reachable = false;
  index_.nodes[1].chunks[0].sha256[0] ^= 1;
  open();
  handler_.reset();
  EXPECT_EQ(ask(FUSE_READ, node, bytes(in)).error, EIO);
  EXPECT_EQ(ask(FUSE_READ, 99, bytes(in)).error, ENOENT);
  EXPECT_EQ(ask(FUSE_WRITE, node).error, ENOSYS);
  EXPECT_EQ(ask(FUSE_INTERRUPT, 0).error, ENOSYS);
  EXPECT_EQ(ask(FUSE_FORGET, node).body, "silent");
}

TEST_F(Fuse, DirectoriesAreReadInPieces) {
  for (const char* name : {"a", "b", "c"}) add(name, {"x"});
  open();
  std::string names;
  for (const bool plus : {false, true}) {
    const std::size_t head = plus ? sizeof(fuse_entry_out) : 0;
    for (fuse_read_in in{};;) {
      in.size = static_cast<std::uint32_t>(2 * (head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 2)));
      const auto answer = ask(plus ? FUSE_READDIRPLUS : FUSE_READDIR, FUSE_ROOT_ID, bytes(in));
      if (answer.body.empty()) break;
      EXPECT_LE(answer.body.size(), in.size);
      for (std::string_view rest = answer.body; !rest.empty();) {
        fuse_dirent dirent{};
        std::memcpy(&dirent, rest.data() + head, FUSE_NAME_OFFSET);
        names += std::string(rest.substr(head + FUSE_NAME_OFFSET, dirent.namelen)) + " ";
        in.offset = dirent.off;
        rest.remove_prefix(head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + dirent.namelen));
      }
    }
  }
  EXPECT_EQ(names, ". .. a b c . .. a b c ");
}

TEST_F(Fuse, AttributesAreGivenInTheirSize) {
  add("a", {"x"});
  index_.nodes[1].xattrs = {{"security.capability", "12345"}, {"user.b", ""}};
  open();
  fuse_getxattr_in in{};
  const std::string name("security.capability\0", 20);
  EXPECT_EQ(ask(FUSE_GETXATTR, 2, bytes(in, name)).as<fuse_getxattr_out>().size, 5u);
  in.size = 4;
  EXPECT_EQ(ask(FUSE_GETXATTR, 2, bytes(in, name)).error, ERANGE);
  in.size = 5;
  EXPECT_EQ(ask(FUSE_GETXATTR, 2, bytes(in, name)).body, "12345");
  EXPECT_EQ(ask(FUSE_GETXATTR, 2, bytes(in, std::string_view("user.x\0", 7))).error, ENODATA);
  EXPECT_EQ(ask(FUSE_GETXATTR, 2, bytes(in, "unended")).error, EINVAL);
  in.size = 100;
  EXPECT_EQ(ask(FUSE_LISTXATTR, 2, bytes(in)).body, std::string("security.capability\0user.b\0", 27));
}

TEST_F(Fuse, HalfARequestIsNone) {
  add("a", {"x"});
  open();
  struct stat root {};
  FuseHandler handler(*files_, root);
  EXPECT_EQ(handler.handle("short", {}), "");
  EXPECT_EQ(ask(FUSE_READ, FUSE_ROOT_ID, "x").error, EINVAL);
  EXPECT_EQ(ask(FUSE_LOOKUP, FUSE_ROOT_ID, "no end").error, EINVAL);
}

}  // namespace
}  // namespace skiff::lazy
