#include "cmd/daemon/options.h"

#include <gtest/gtest.h>

#include "base/ids.h"
#include "cmd/daemon/pidfile.h"
#include "sys/file.h"

namespace skiff::daemon {
namespace {

class OptionsTest : public testing::Test {
 protected:
  void SetUp() override { file_ = testing::TempDir() + "skiffd-" + random_hex(6) + ".json"; }
  void TearDown() override { ::unlink(file_.c_str()); }

  Result<Options> read(std::vector<std::string> arguments, const std::string& file) {
    EXPECT_TRUE(sys::replace_file(file_, file).ok());
    arguments.insert(arguments.end(), {"--config-file", file_});
    return read_options(arguments, "/opt/bin/skiffd");
  }

  std::string file_;
};

TEST_F(OptionsTest, FlagsAndFileTogether) {
  const auto options =
      read({"-H", "tcp://127.0.0.1:99", "-H", "unix:///x.sock", "-D", "--add-runtime", "a=/bin/a"},
           R"({"data-root": "/d", "mtu": 1400, "log-opts": {"max-size": "1m"},
                                "runtimes": {"b": {"path": "/bin/b", "runtimeArgs": ["--x"]}},
                                "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]})")
          .value();
  EXPECT_EQ(options.config.hosts, (std::vector<std::string>{"tcp://127.0.0.1:99", "unix:///x.sock"}));
  EXPECT_TRUE(options.config.debug);
  EXPECT_EQ(options.config.data_root, "/d");
  EXPECT_EQ(options.config.mtu, 1400);
  EXPECT_EQ(options.config.log_options.at("max-size"), "1m");
  EXPECT_EQ(options.config.runtimes.at("a").path, "/bin/a");
  EXPECT_EQ(options.config.runtimes.at("b").arguments, std::vector<std::string>{"--x"});
  EXPECT_EQ(options.config.address_pools.at(0).size, 24);
}

TEST_F(OptionsTest, WhatNobodySaysFollowsFromTheRest) {
  const auto usual = read({}, "{}")->config;
  EXPECT_EQ(usual.hosts, std::vector<std::string>{"unix:///run/skiff/skiff.sock"});
  EXPECT_EQ(usual.firewall_table, "skiff");
  EXPECT_EQ(usual.cgroup_parent, "skiff");
  EXPECT_TRUE(usual.own_cgroup_parent);
  EXPECT_FALSE(read({"--cgroup-parent", "given"}, "{}")->config.own_cgroup_parent);
  EXPECT_EQ(usual.monitor_program, "/opt/bin/skiff-monitor");
  const auto second = read({"--exec-root", "/run/second", "--bridge", "br2"}, "{}")->config;
  EXPECT_EQ(second.hosts, std::vector<std::string>{"unix:///run/second/skiff.sock"});
  EXPECT_EQ(second.pidfile, "/run/second/skiffd.pid");
  EXPECT_EQ(second.firewall_table, "skiff-br2");
  EXPECT_NE(second.cgroup_parent, "skiff");
}

TEST_F(OptionsTest, LimitsOfLayers) {
  const auto usual = read({}, "{}")->config.layer_limits;
  EXPECT_EQ(usual.bytes, 100ULL << 30);
  EXPECT_EQ(usual.entries, 10'000'000U);
  EXPECT_EQ(usual.ratio, 200U);
  const auto chosen = read({"--layer-max-size", "2g"}, R"({"layer-max-entries": 0, "layer-max-ratio": 50})")
                          ->config.layer_limits;
  EXPECT_EQ(chosen.bytes, 2ULL << 30);
  EXPECT_EQ(chosen.entries, 0U);
  EXPECT_EQ(chosen.ratio, 50U);
  EXPECT_EQ(read({}, R"({"layer-max-entries": -1})").error().message(),
            "invalid layer-max-entries -1: must not be negative (0: no limit)");
}

TEST_F(OptionsTest, AnOptionInBothPlacesIsAnError) {
  const auto options = read({"--debug"}, R"({"debug": false})");
  ASSERT_FALSE(options.ok());
  EXPECT_NE(options.error().message().find("both as a flag and in the configuration file: debug"),
            std::string::npos)
      << options.error().message();
}

TEST_F(OptionsTest, RegistriesAreRead) {
  const auto options =
      read({"--insecure-registry", "host:5000", "--max-concurrent-uploads", "2"},
           R"({"registry-mirrors": ["https://mirror.example"], "max-concurrent-downloads": 7})");
  ASSERT_TRUE(options.ok()) << options.error().message();
  const auto& registries = options->config.registries;
  EXPECT_EQ(registries.insecure, (std::vector<std::string>{"host:5000"}));
  EXPECT_EQ(registries.mirrors, (std::vector<std::string>{"https://mirror.example/"}));
  EXPECT_EQ(registries.concurrent_downloads, 7);
  EXPECT_EQ(registries.concurrent_uploads, 2);
  EXPECT_FALSE(read({"--registry-mirror", "mirror.example"}, "{}").ok());
  EXPECT_FALSE(read({"--insecure-registry", "http://x"}, "{}").ok());
  EXPECT_FALSE(read({"--max-concurrent-downloads", "0"}, "{}").ok());
}

TEST_F(OptionsTest, SystemdMakesTheCgroupsWhenAsked) {
  const auto message = [&](std::vector<std::string> arguments, const std::string& file = "{}") {
    const auto options = read(std::move(arguments), file);
    return options.ok() ? std::string("accepted") : options.error().message();
  };
  const auto invalid = [](std::string_view value, std::string_view why) {
    return fmt::format("invalid argument \"{}\" for \"--exec-opt\" flag: {}", value, why);
  };
  const auto usual = read({}, "{}")->config;
  EXPECT_FALSE(usual.systemd_cgroups);
  EXPECT_EQ(spec::cgroups_path(usual, "", "id"), "skiff/id");
  EXPECT_EQ(spec::cgroups_path(usual, "/mine", "id"), "/mine/id");
  const auto asked = read({}, R"({"exec-opts": ["native.cgroupdriver=systemd"]})")->config;
  EXPECT_TRUE(asked.systemd_cgroups);
  EXPECT_FALSE(asked.own_cgroup_parent);
  EXPECT_EQ(spec::cgroups_path(asked, "", "id"), "system.slice:skiff:id");
  EXPECT_EQ(spec::cgroups_path(asked, "a.slice", "id"), "a.slice:skiff:id");
  EXPECT_TRUE(spec::check_cgroup_parent(asked, "a.slice").ok());
  EXPECT_FALSE(spec::check_cgroup_parent(asked, ".slice").ok());
  EXPECT_TRUE(spec::check_cgroup_parent(usual, "/anything").ok());
  EXPECT_EQ(message({"--exec-opt", "native.cgroupdriver=cgroupfs"}), "accepted");
  EXPECT_EQ(message({"--exec-opt", "native.cgroupdriver=x"}),
            invalid("native.cgroupdriver=x", "native.cgroupdriver option x not supported"));
  EXPECT_EQ(message({"--exec-opt", "native.cgroupdriver=none"}),
            invalid("native.cgroupdriver=none",
                    "native.cgroupdriver option none is internally used and cannot be specified manually"));
  EXPECT_EQ(message({"--exec-opt", "x"}), invalid("x", "unable to parse key/value option: x"));
  EXPECT_NE(message({"--exec-opt", "native.cgroupdrivr=systemd"}).find("the only one is native.cgroupdriver"),
            std::string::npos);
  EXPECT_EQ(message({"--exec-opt", "native.cgroupdriver=systemd", "--cgroup-parent", "/x"}),
            "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"");
}

TEST_F(OptionsTest, ProxiesStandInFlagsOrInAnObjectOfTheFile) {
  const auto options = read({"--no-proxy", "localhost"},
                            R"({"proxies": {"http-proxy": "http://p:1", "https-proxy": "socks5://q:2"}})");
  ASSERT_TRUE(options.ok()) << options.error().message();
  EXPECT_EQ(options->proxies.http, "http://p:1");
  EXPECT_EQ(options->proxies.https, "socks5://q:2");
  EXPECT_EQ(options->proxies.none, "localhost");
  for (const char* bad :
       {R"({"proxies": {"ftp-proxy": "x"}})", R"({"proxies": []})", R"({"proxies": {"no-proxy": 1}})",
        R"({"http-proxy": "http://p:1"})", R"({"proxies": {"http-proxy": "ftp://p"}})"})
    EXPECT_FALSE(read({}, bad).ok()) << bad;
  EXPECT_FALSE(read({"--no-proxy", "a"}, R"({"proxies": {"no-proxy": "b"}})").ok());
  const auto secret = read({"--https-proxy", "ftp://user:secret@p"}, "{}");
  EXPECT_EQ(secret.error().message().find("secret"), std::string::npos);
}

TEST_F(OptionsTest, MistakesAreNamed) {
  const auto message = [&](std::vector<std::string> arguments, const std::string& file) {
    const auto options = read(std::move(arguments), file);
    return options.ok() ? std::string("accepted") : options.error().message();
  };
  EXPECT_NE(message({}, R"({"nosuch": 1})").find("don't match any configuration option: nosuch"),
            std::string::npos);
  EXPECT_NE(message({}, R"({"validate": true})").find("don't match any configuration option"),
            std::string::npos);
  EXPECT_NE(message({}, "{").find(file_), std::string::npos);
  EXPECT_NE(message({}, R"({"mtu": {}})").find("mtu"), std::string::npos);
  EXPECT_NE(message({"--mtu", "1"}, "{}").find("invalid MTU"), std::string::npos);
  EXPECT_NE(message({"-H", "ftp://x"}, "{}").find("unable to parse docker host"), std::string::npos);
  EXPECT_NE(message({"--data-root", "relative"}, "{}").find("absolute"), std::string::npos);
  EXPECT_NE(message({"--default-runtime", "x"}, "{}").find("default runtime 'x' does not exist"),
            std::string::npos);
  EXPECT_NE(message({"--nosuch"}, "{}").find("nosuch"), std::string::npos);
  EXPECT_NE(message({"argument"}, "{}").find("accepts no arguments"), std::string::npos);
}

TEST_F(OptionsTest, RuntimesAreJudgedAsDockersAre) {
  const auto message = [&](std::vector<std::string> arguments, const std::string& runtimes) {
    const auto options = read(std::move(arguments), R"({"runtimes": )" + runtimes + "}");
    return options.ok() ? std::string("accepted") : options.error().message();
  };
  const auto ends = [](const std::string& text, std::string_view with) {
    return text.ends_with(with) ? "" : text;
  };
  EXPECT_EQ(ends(message({"--add-runtime", "foo"}, "{}"), "invalid runtime argument: foo"), "");
  EXPECT_EQ(ends(message({"--add-runtime", "=x"}, "{}"), "invalid runtime argument: =x"), "");
  EXPECT_EQ(ends(message({"--add-runtime", "Skiff=/x"}, "{}"), "runtime name 'skiff' is reserved"), "");
  EXPECT_EQ(ends(message({"--add-runtime", "a=/x", "--add-runtime", "A=/y"}, "{}"),
                 "runtime 'a' was already defined"),
            "");
  EXPECT_EQ(
      ends(message({}, R"({"foo": {}})"), "runtime foo: either a runtimeType or a path must be configured"),
      "");
  EXPECT_EQ(ends(message({}, R"({"foo": {"path": "/x", "runtimeType": "y"}})"),
                 "runtime foo: cannot configure both path and runtimeType for the same runtime"),
            "");
  EXPECT_EQ(ends(message({}, R"({"foo": {"path": "/x", "options": {"a": 1}}})"),
                 "runtime foo: options cannot be used with a path runtime"),
            "");
  EXPECT_NE(message({}, R"({"foo": {"runtimeType": "io.containerd.kata.v2"}})").find("shim"),
            std::string::npos);
  EXPECT_NE(message({}, "[]").find("runtimes: the value has the wrong type"), std::string::npos);
  EXPECT_NE(message({}, R"({"foo": {"path": "/x", "runtimeArgs": "a"}})").find("runtimeArgs"),
            std::string::npos);
  EXPECT_EQ(message({"--default-runtime", "foo", "--add-runtime", "bar=/y"}, R"({"foo": {"path": "/x"}})"),
            "accepted");
  EXPECT_EQ(message({"--default-runtime", "runc"}, "{}"), "accepted");
}

TEST(OptionsFileTest, ANamedFileMustExist) {
  EXPECT_FALSE(read_options({"--config-file", "/nonexistent/daemon.json"}, "/bin/skiffd").ok());
}

TEST(PidfileTest, KnowsALivingEngine) {
  const std::string path = testing::TempDir() + "skiffd-" + random_hex(6) + ".pid";
  {
    const auto own = Pidfile::create(path);
    ASSERT_TRUE(own.ok());
    EXPECT_EQ(sys::read_file(path).value(), std::to_string(::getpid()));
    ASSERT_TRUE(sys::replace_file(path, std::to_string(::getppid())).ok());
    EXPECT_EQ(Pidfile::create(path).error().kind(), Kind::Conflict);
  }
  EXPECT_FALSE(sys::exists(path));
}

}  // namespace
}  // namespace skiff::daemon
