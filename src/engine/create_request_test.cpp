#include "engine/create_request.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

using spec::docker::ContainerConfig;
using spec::docker::HostConfig;

HostFacts two_cpus() {
  HostFacts facts;
  facts.cpus = 2;
  facts.online_cpus = "0-1";
  return facts;
}

const spec::EngineConfig kEngine;

template <typename Change>
std::string refusal(Change change) {
  HostConfig host;
  change(host);
  const auto checked = check_host_config(host, kEngine, two_cpus());
  return checked.ok() ? "" : checked.error().message();
}

TEST(CreateRequest, NothingAskedIsFine) {
  EXPECT_EQ(refusal([](HostConfig&) {}), "");
}

TEST(CreateRequest, ResourcesAreJudgedInDockersWords) {
  EXPECT_EQ(refusal([](HostConfig& h) { h.resources.memory = 1 << 20; }),
            "Minimum memory limit allowed is 6MB");
  EXPECT_EQ(refusal([](HostConfig& h) { h.resources.nano_cpus = 100'000'000'000; }),
            "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
  EXPECT_EQ(refusal([](HostConfig& h) { h.resources.cpuset_cpus = "77"; }),
            "Requested CPUs are not available - requested 77, available: 0-1");
  EXPECT_EQ(refusal([](HostConfig& h) {
              h.resources.memory = 10 << 20;
              h.resources.memory_swap = 7 << 20;
            }),
            "Minimum memoryswap limit should be larger than memory limit, see usage");
  EXPECT_EQ(refusal([](HostConfig& h) { h.resources.memory_swap = 7 << 20; }),
            "You should always set the Memory limit when using Memoryswap limit, see usage");
  EXPECT_EQ(refusal([](HostConfig& h) { h.resources.cpuset_cpus = "x"; }),
            "Invalid value x for cpuset cpus: invalid format: x");
}

TEST(CreateRequest, PoliciesModesAndOptions) {
  EXPECT_EQ(refusal([](HostConfig& h) {
              h.restart_policy = {"on-failure", -1};
            }),
            "invalid restart policy: maximum retry count cannot be negative");
  EXPECT_EQ(refusal([](HostConfig& h) {
              h.restart_policy = {"always", 3};
            }),
            "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  EXPECT_EQ(refusal([](HostConfig& h) {
              h.auto_remove = true;
              h.restart_policy.name = "always";
            }),
            "can't create 'AutoRemove' container with restart policy");
  EXPECT_EQ(refusal([](HostConfig& h) { h.pid_mode = "mine"; }), "invalid PID mode: mine");
  EXPECT_EQ(refusal([](HostConfig& h) { h.log_config.type = "foo"; }),
            "error looking up logging plugin foo: plugin \"foo\" not found");
  EXPECT_EQ(refusal([](HostConfig& h) { h.runtime = "foo"; }), "unknown or invalid runtime name: foo");
  EXPECT_EQ(refusal([](HostConfig& h) { h.oom_score_adj = 5000; }),
            "Invalid value 5000, range for oom score adj is [-1000, 1000]");
  EXPECT_EQ(refusal([](HostConfig& h) { h.cap_add = {"FOO"}; }),
            "invalid CapAdd: unknown capability: \"CAP_FOO\"");
  EXPECT_EQ(refusal([](HostConfig& h) { h.security_opt = {"foo"}; }), "invalid --security-opt 1: \"foo\"");
  EXPECT_EQ(refusal([](HostConfig& h) { h.port_bindings["http"] = {}; }),
            "invalid port specification: \"http\"");
}

TEST(CreateRequest, ConfigIsJudged) {
  ContainerConfig config;
  config.working_dir = "rel";
  EXPECT_EQ(check_config(config).error().message(),
            "the working directory 'rel' is invalid, it needs to be an absolute path");
  config.working_dir.clear();
  config.stop_signal = "FOO";
  EXPECT_EQ(check_config(config).error().message(), "invalid signal: FOO");
  config.stop_signal = "SIGRTMIN+3";
  EXPECT_TRUE(check_config(config).ok());
}

TEST(CreateRequest, ImagesFillWhatWasLeftOpen) {
  spec::oci::ImageConfig image;
  image.user = "app";
  image.env = {"A=image", "B=image"};
  image.entrypoint = {"/entry"};
  image.cmd = {"serve"};
  image.labels = {{"a", "image"}, {"b", "image"}};
  ContainerConfig config;
  config.env = {"A=mine"};
  config.labels = {{"a", "mine"}};
  ASSERT_TRUE(merge_image(config, image).ok());
  EXPECT_EQ(config.user, "app");
  EXPECT_EQ(config.env, (std::vector<std::string>{"A=mine", "B=image"}));
  EXPECT_EQ(config.entrypoint->front(), "/entry");
  EXPECT_EQ(config.cmd.front(), "serve");
  EXPECT_EQ(config.labels.at("a"), "mine");
  EXPECT_EQ(config.labels.at("b"), "image");
}

TEST(CreateRequest, EntrypointAndCommandFollowDocker) {
  spec::oci::ImageConfig image;
  image.entrypoint = {"/entry"};
  image.cmd = {"serve"};
  ContainerConfig own_entrypoint;
  own_entrypoint.entrypoint = std::vector<std::string>{"sh"};
  ASSERT_TRUE(merge_image(own_entrypoint, image).ok());
  EXPECT_TRUE(own_entrypoint.cmd.empty()) << "the image's command belongs to its entrypoint";
  ContainerConfig cleared;
  cleared.entrypoint = std::vector<std::string>{""};
  EXPECT_EQ(merge_image(cleared, image).error().message(), "no command specified");
  ContainerConfig own_command;
  own_command.cmd = {"x"};
  ASSERT_TRUE(merge_image(own_command, image).ok());
  EXPECT_EQ(own_command.entrypoint->front(), "/entry");
  EXPECT_EQ(own_command.cmd.front(), "x");
}

TEST(CreateRequest, DefaultsAreDockers) {
  HostConfig host;
  host.resources.memory = 10 << 20;
  fill_defaults(host, kEngine, two_cpus());
  EXPECT_EQ(host.resources.memory_swap, 20 << 20);
  EXPECT_EQ(host.shm_size, 64 << 20);
  EXPECT_EQ(host.network_mode, "bridge");
  EXPECT_EQ(host.ipc_mode, "private");
  EXPECT_EQ(host.cgroupns_mode, "host");
  EXPECT_EQ(host.restart_policy.name, "no");
  EXPECT_FALSE(host.masked_paths->empty());
  HostConfig privileged;
  privileged.privileged = true;
  fill_defaults(privileged, kEngine, two_cpus());
  EXPECT_TRUE(privileged.masked_paths->empty());
}

TEST(CreateRequest, SecurityOptions) {
  const auto options =
      parse_security_options({"no-new-privileges", "seccomp={\"defaultAction\":\"x\"}", "label=disable"});
  ASSERT_TRUE(options.ok());
  EXPECT_TRUE(options->no_new_privileges);
  EXPECT_EQ(options->seccomp_profile, "{\"defaultAction\":\"x\"}");
  EXPECT_TRUE(parse_security_options({"seccomp=unconfined"})->unconfined);
}

}  // namespace
}  // namespace skiff::engine
