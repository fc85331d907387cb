#include "engine/container_views.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

using namespace std::chrono_literals;

TEST(ContainerViews, StatusTexts) {
  const Time at = now();
  RunState run;
  EXPECT_EQ(status_text(run, at), "Created");
  run.state = State::Running;
  run.started_at = at - 3s;
  EXPECT_EQ(status_text(run, at), "Up 3 seconds");
  run.health = spec::docker::Health{"healthy", 0, {}};
  EXPECT_EQ(status_text(run, at), "Up 3 seconds (healthy)");
  run.health->status = "starting";
  EXPECT_EQ(status_text(run, at), "Up 3 seconds (health: starting)");
  run.state = State::Paused;
  EXPECT_EQ(status_text(run, at), "Up 3 seconds (Paused)");
  run.state = State::Exited;
  run.exit_code = 137;
  run.finished_at = at - 120s;
  EXPECT_EQ(status_text(run, at), "Exited (137) 2 minutes ago");
  run.state = State::Restarting;
  EXPECT_EQ(status_text(run, at), "Restarting (137) 2 minutes ago");
}

TEST(ContainerViews, CommandsAreQuoted) {
  Definition definition;
  definition.path = "sh";
  definition.args = {"-c", "echo hi"};
  EXPECT_EQ(command_text(definition), "sh -c 'echo hi'");
}

TEST(ContainerViews, PublishedAndExposedPorts) {
  Definition definition;
  definition.config.exposed_ports["80/tcp"];
  definition.config.exposed_ports["53/udp"];
  RunState run;
  run.state = State::Running;
  run.ports["80/tcp"] = {{"0.0.0.0", "8080"}};
  const auto ports = port_list(definition, run);
  ASSERT_EQ(ports.size(), 2U);
  EXPECT_EQ(ports[0], (spec::docker::Port{"0.0.0.0", 80, 8080, "tcp"}));
  EXPECT_EQ(ports[1], (spec::docker::Port{"", 53, 0, "udp"}));
  const auto network = shown_network(definition, run, {});
  EXPECT_TRUE(network.ports.at("53/udp").empty());
  run.state = State::Exited;
  EXPECT_TRUE(port_list(definition, run).empty());
}

TEST(ContainerViews, EndpointsShowWhatWasGot) {
  Definition definition;
  definition.endpoints["bridge"].aliases = {"web"};
  RunState run;
  run.state = State::Running;
  network::Endpoint endpoint;
  endpoint.network = "n1";
  endpoint.network_name = "bridge";
  endpoint.ipv4 = "172.17.0.2";
  endpoint.prefix = 16;
  const auto settings = shown_network(definition, run, {endpoint});
  EXPECT_EQ(settings.ip_address, "172.17.0.2");
  EXPECT_EQ(settings.networks.at("bridge").network_id, "n1");
  EXPECT_EQ(settings.networks.at("bridge").aliases.front(), "web");
}

}  // namespace
}  // namespace skiff::engine
