#include <stdlib.h>

#include <gtest/gtest.h>

#include <fstream>

#include "cli/specs/mounts.h"
#include "cli/specs/network_spec.h"
#include "cli/specs/ports.h"
#include "cli/specs/values.h"

namespace skiff::cli {
namespace {

std::string publish(std::string_view text) {
  PublishedPorts ports;
  auto added = add_published_port(text, ports);
  if (!added.ok()) return added.error().message();
  std::string out;
  for (const auto& [port, bindings] : ports.bindings)
    for (const auto& binding : bindings)
      out += fmt::format("{}<-{}|{} ", port, binding.host_ip, binding.host_port);
  return out;
}

TEST(Ports, Forms) {
  EXPECT_EQ(publish("80"), "80/tcp<-| ");
  EXPECT_EQ(publish("8080:80"), "80/tcp<-|8080 ");
  EXPECT_EQ(publish("8080:80/udp"), "80/udp<-|8080 ");
  EXPECT_EQ(publish("127.0.0.1:8080:80"), "80/tcp<-127.0.0.1|8080 ");
  EXPECT_EQ(publish("127.0.0.1::80"), "80/tcp<-127.0.0.1| ");
  EXPECT_EQ(publish("[::1]:8080:80"), "80/tcp<-::1|8080 ");
  EXPECT_EQ(publish("8000-8001:80-81"), "80/tcp<-|8000 81/tcp<-|8001 ");
  EXPECT_EQ(publish("8000-8010:80"), "80/tcp<-|8000-8010 ");
  EXPECT_EQ(publish("target=80,published=8080,protocol=udp"), "80/udp<-|8080 ");
}

TEST(Ports, Complaints) {
  EXPECT_EQ(publish("x"), "invalid containerPort: x");
  EXPECT_EQ(publish("99999:1"), "invalid hostPort: 99999");
  EXPECT_EQ(publish("1-3:4-5"), "invalid ranges specified for container and host Ports: 4-5 and 1-3");
  EXPECT_EQ(publish("1.2.3:80:80"), "invalid IP address: 1.2.3");
  EXPECT_EQ(publish("80/foo"), "invalid proto: foo");
  PublishedPorts ports;
  EXPECT_EQ(add_exposed_port("x", ports).error().message(),
            "invalid range format for --expose: x, error: strconv.ParseUint: parsing \"x\": invalid syntax");
  ASSERT_TRUE(add_exposed_port("7-8/udp", ports).ok());
  EXPECT_EQ(ports.exposed.size(), 2u);
}

TEST(Volumes, BindsAndAnonymous) {
  EXPECT_FALSE(parse_volume("/data")->bind);
  EXPECT_TRUE(parse_volume("data:/data:ro")->bind);
  EXPECT_EQ(parse_volume("data:/data:ro")->text, "data:/data:ro");
  EXPECT_EQ(parse_volume("./x:/y")->text, absolute_path("x") + ":/y");
  EXPECT_FALSE(parse_volume("").ok());
}

TEST(Mounts, Fields) {
  auto mount = parse_mount("type=bind,source=/a,target=/b,readonly,bind-propagation=rslave");
  ASSERT_TRUE(mount.ok());
  EXPECT_EQ(mount->type, "bind");
  EXPECT_TRUE(mount->read_only);
  EXPECT_EQ(mount->bind_options->propagation, "rslave");
  auto tmpfs = parse_mount("type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777");
  ASSERT_TRUE(tmpfs.ok());
  EXPECT_EQ(tmpfs->tmpfs_options->size_bytes, 64 << 20);
  EXPECT_EQ(tmpfs->tmpfs_options->mode, 01777u);
  auto volume = parse_mount("src=v,dst=/v,volume-opt=type=nfs,\"volume-opt=o=addr=1,rw\"");
  ASSERT_TRUE(volume.ok());
  EXPECT_EQ(volume->volume_options->driver_config->options.at("o"), "addr=1,rw");
}

TEST(Mounts, Complaints) {
  EXPECT_EQ(parse_mount("x").error().message(), "invalid field 'x' must be a key=value pair");
  EXPECT_EQ(parse_mount("type=bind").error().message(), "target is required");
  EXPECT_EQ(parse_mount("type=bind,target=/x,foo=bar").error().message(),
            "unexpected key 'foo' in 'foo=bar'");
  EXPECT_EQ(parse_mount("type=bind,target=/x,volume-nocopy").error().message(),
            "cannot mix 'volume-*' options with mount type 'bind'");
}

TEST(Values, Ulimits) {
  EXPECT_EQ(parse_ulimit("nofile=1:2")->hard, 2);
  EXPECT_EQ(parse_ulimit("core=-1")->soft, -1);
  EXPECT_EQ(parse_ulimit("x").error().message(), "invalid ulimit argument: x");
  EXPECT_EQ(parse_ulimit("nofile=5:3").error().message(),
            "ulimit soft limit must be less than or equal to hard limit: 5 > 3");
  EXPECT_EQ(parse_ulimit("nofile=-1:5").error().message(),
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: 5");
}

TEST(Values, ExtraHosts) {
  EXPECT_EQ(*check_extra_host("a:1.2.3.4"), "a:1.2.3.4");
  EXPECT_EQ(*check_extra_host("a=::1"), "a:::1");
  EXPECT_EQ(*check_extra_host("a:[::1]"), "a:::1");
  EXPECT_EQ(*check_extra_host("a:host-gateway"), "a:host-gateway");
  EXPECT_EQ(check_extra_host("x").error().message(), "bad format for add-host: \"x\"");
  EXPECT_EQ(check_extra_host("x:y").error().message(), "invalid IP address in add-host: \"y\"");
}

TEST(Values, EnvironmentAndFiles) {
  ::setenv("SKIFF_TEST_VARIABLE", "from us", 1);
  EXPECT_EQ(*check_env("SKIFF_TEST_VARIABLE"), "SKIFF_TEST_VARIABLE=from us");
  EXPECT_EQ(*check_env("SKIFF_TEST_UNSET"), "SKIFF_TEST_UNSET");
  EXPECT_EQ(*check_env("A="), "A=");
  EXPECT_EQ(check_env("=x").error().message(), "invalid environment variable: =x");
  char path[] = "/tmp/skiff-env-XXXXXX";
  ::close(::mkstemp(path));
  std::ofstream(path) << "# note\n\n  A=b c \nSKIFF_TEST_VARIABLE\nSKIFF_TEST_UNSET\n";
  EXPECT_EQ(*read_variables(path, "env", true),
            (std::vector<std::string>{"A=b c ", "SKIFF_TEST_VARIABLE=from us"}));
  std::ofstream(path) << "A B=c\n";
  EXPECT_EQ(read_variables(path, "env", true).error().message(),
            fmt::format("invalid env file ({}): variable 'A B' contains whitespaces", path));
  ::unlink(path);
  EXPECT_EQ(read_variables("/nonexistent", "env", true).error().message(),
            "open /nonexistent: no such file or directory");
}

TEST(Values, RestartDevicesAndCpus) {
  EXPECT_EQ(parse_restart_policy("on-failure:3")->maximum_retry_count, 3);
  EXPECT_EQ(parse_restart_policy("on-failure:x").error().message(),
            "invalid restart policy format: maximum retry count must be an integer");
  EXPECT_EQ(parse_device("/dev/null:/dev/zero:r")->cgroup_permissions, "r");
  EXPECT_EQ(parse_device("/dev/null:rw")->path_in_container, "/dev/null");
  EXPECT_EQ(parse_device("x").error().message(), "x is not an absolute path");
  EXPECT_EQ(*parse_cpus("1.5"), 1'500'000'000);
  EXPECT_EQ(*parse_cpus(".25"), 250'000'000);
  EXPECT_EQ(parse_cpus("x").error().message(), "failed to parse x as a rational number");
  EXPECT_EQ(parse_throttle_device("/dev/sda:1mb", false)->rate, 1u << 20);
}

TEST(Networks, LongForm) {
  auto network = parse_network("name=net,alias=a,alias=b,ip=10.0.0.2,driver-opt=k=v");
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(network->aliases.size(), 2u);
  EXPECT_EQ(network->driver_options.at("k"), "v");
  EXPECT_EQ(parse_network("plain")->name, "plain");
}

}  // namespace
}  // namespace skiff::cli
