#include "spec/reference.h"

#include <gtest/gtest.h>

namespace skiff::spec {
namespace {

const std::string kHex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(ReferenceTest, NormalizesAsDockerDoes) {
  struct Case {
    const char* text;
    const char* full;
    const char* familiar;
  };
  for (const auto& [text, full, familiar] : {
           Case{"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
           Case{"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
           Case{"me/app", "docker.io/me/app:latest", "me/app:latest"},
           Case{"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
           Case{"index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
           Case{"localhost/x", "localhost/x:latest", "localhost/x:latest"},
           Case{"localhost:5000/x/y:z", "localhost:5000/x/y:z", "localhost:5000/x/y:z"},
           Case{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
           Case{"host.example/a__b/c-d--e.f", "host.example/a__b/c-d--e.f:latest",
                "host.example/a__b/c-d--e.f:latest"},
           Case{"UPPER/x", "UPPER/x:latest", "UPPER/x:latest"},
       }) {
    const auto reference = Reference::parse_tagged(text);
    ASSERT_TRUE(reference.ok()) << text << reference.error().message();
    EXPECT_EQ(reference->to_string(), full);
    EXPECT_EQ(reference->familiar(), familiar);
    EXPECT_EQ(Reference::parse(reference->to_string()).value(), *reference);
    EXPECT_EQ(Reference::parse(reference->familiar()).value(), *reference);
  }
}

TEST(ReferenceTest, DigestsKeepTheNameUntagged) {
  const auto reference = Reference::parse_tagged("busybox@sha256:" + kHex).value();
  EXPECT_EQ(reference.tag(), "");
  EXPECT_EQ(reference.familiar(), "busybox@sha256:" + kHex);
  EXPECT_EQ(Reference::parse("busybox:1@sha256:" + kHex).value().tag(), "1");
}

TEST(ReferenceTest, RefusesInDockersWords) {
  const auto message = [](const std::string& text) {
    const auto reference = Reference::parse(text);
    return reference.ok() ? "accepted " + reference->to_string() : reference.error().message();
  };
  for (const auto* text : {"", ":tag", "a b", "-x", "x-", "a..b", "a___b", "x:", "x:-t", "x/", "/x", "a//b",
                           "x@", "x@sha256:12", "host:port/x", "-host.example/x", "x:tag:tag"})
    EXPECT_EQ(message(text), "invalid reference format") << text;
  EXPECT_EQ(message("Busybox"),
            "invalid reference format: repository name (library/Busybox) must be lowercase");
  EXPECT_EQ(message(kHex),
            "invalid repository name (" + kHex + "), cannot specify 64-byte hexadecimal strings");
  EXPECT_EQ(message(std::string(300, 'a')), "repository name must not be more than 255 characters");
  EXPECT_EQ(message("x:" + std::string(129, 't')), "invalid reference format");
}

TEST(ReferenceTest, PartsOfOldParameters) {
  EXPECT_EQ(reference_from_parts("busybox", "").value().familiar(), "busybox:latest");
  EXPECT_EQ(reference_from_parts("busybox", "1").value().familiar(), "busybox:1");
  EXPECT_EQ(reference_from_parts("busybox", "sha256:" + kHex).value().familiar(), "busybox@sha256:" + kHex);
  EXPECT_FALSE(reference_from_parts("busybox", "a/b").ok());
}

TEST(ReferenceTest, FamiliarNameHasNoTag) {
  EXPECT_EQ(Reference::parse("busybox:x").value().familiar_name(), "busybox");
  EXPECT_EQ(Reference::parse("h.io/library/x").value().familiar_name(), "h.io/library/x");
  EXPECT_EQ(Reference::parse("library/a/b").value().familiar_name(), "library/a/b");
}

}  // namespace
}  // namespace skiff::spec
