#include "cli/image_copy.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "http/address.h"

namespace skiff::cli {
namespace {

TEST(ImagePlaces, AreAnEngineAndAnImage) {
  const auto place = [](std::string_view text) {
    const auto parsed = *parse_place(text);
    return parsed.engine + " " + parsed.image;
  };
  EXPECT_EQ(place("busybox:1"), " busybox:1");
  EXPECT_EQ(place("host:5000/a/b"), " host:5000/a/b");
  EXPECT_EQ(place("ssh://me@host:22/busybox:1"), "ssh://me@host:22 busybox:1");
  EXPECT_EQ(place("ssh://host"), "ssh://host ");
  EXPECT_EQ(place("ssh://host/"), "ssh://host ");
  EXPECT_EQ(place("ssh://host/reg.example/a/b:1"), "ssh://host reg.example/a/b:1");
  EXPECT_EQ(place("tcp://127.0.0.1:2375/a/b"), "tcp://127.0.0.1:2375 a/b");
}

TEST(ImagePlaces, AUnixAddressEndsAtItsSocket) {
  char name[] = "/tmp/skiff-places-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  const std::string address = "unix://" + folder + "/a.sock";
  const auto listener = http::listen(*http::Address::parse(address));
  ASSERT_TRUE(listener.ok());
  EXPECT_EQ(parse_place(address + "/x/y:1")->engine, address);
  EXPECT_EQ(parse_place(address + "/x/y:1")->image, "x/y:1");
  EXPECT_EQ(parse_place(address)->engine, address);
  EXPECT_EQ(parse_place(address)->image, "");
  EXPECT_EQ(parse_place("unix://" + folder + "/b.sock/x").error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(parse_place("unix://").error().kind(), Kind::InvalidArgument);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace skiff::cli
