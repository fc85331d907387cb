// The service's rules over a kernel that only takes notes.
#include <gtest/gtest.h>

#include "network/service_impl.h"
#include "network/testing/memory_database.h"

namespace skiff::network {
namespace {

class FakeKernel final : public Kernel {
 public:
  explicit FakeKernel(std::set<std::string>& bridges) : bridges_(bridges) {}
  Result<std::vector<sys::Prefix>> routes(const std::vector<std::string>&) override {
    return std::vector{*sys::Prefix::parse("172.17.0.0/16")};
  }
  Result<std::optional<sys::Prefix>> bridge_address(const std::string&) override {
    return std::optional<sys::Prefix>();
  }
  Result<void> ensure_bridge(const BridgeDefinition& bridge) override {
    bridges_.insert(bridge.link);
    return {};
  }
  Result<void> remove_bridge(const std::string& link) override {
    bridges_.erase(link);
    return {};
  }
  Result<void> remove_link(const std::string&) override { return {}; }
  Result<std::vector<std::string>> ports_of(const std::vector<std::string>&) override {
    return std::vector<std::string>();
  }
  Result<void> plug(const PlugRequest&, const sys::Fd&) override { return {}; }
  Result<void> add_default_route(const std::string&, sys::Ipv4, const sys::Fd&) override { return {}; }
  Result<void> rebuild_firewall(const std::vector<firewall::Bridge>&,
                                const std::vector<PublishedPort>&) override {
    return {};
  }
  Result<void> change_firewall(const std::function<void(sys::NftBatch&)>&) override { return {}; }
  Result<void> remove_firewall() override { return {}; }
  Result<sys::Fd> bind_port(const std::string&, sys::Ipv4, std::uint16_t) override { return sys::Fd(); }
  Result<std::vector<sys::Fd>> open_dns(const sys::Fd&) override { return std::vector<sys::Fd>(); }

 private:
  std::set<std::string>& bridges_;
};

class Networks : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    service_ = std::make_unique<ServiceImpl>(spec::EngineConfig{}, database_,
                                             std::make_unique<FakeKernel>(bridges_));
    const auto started = service_->start();
    ASSERT_TRUE(started.ok()) << started.error().message();
  }
  Result<std::string> create(const std::string& name, const std::string& subnet = "") {
    spec::docker::NetworkCreate request;
    request.name = name;
    if (!subnet.empty()) request.ipam.emplace().config = {{subnet, "", "", {}}};
    return service_->create(request);
  }
  Result<Endpoint> join(const std::string& network, const std::string& container,
                        const std::string& ipv4 = "") {
    EndpointRequest request;
    request.network = network;
    request.container = container;
    request.container_name = "name-" + container;
    request.ipv4 = ipv4;
    return service_->allocate(request);
  }
  std::set<std::string> bridges_;
  testing::MemoryDatabase database_;
  std::unique_ptr<ServiceImpl> service_;
};

TEST_F(Networks, HavePredefinedOnesThatKeepTheirIds) {
  const auto before = *service_->list();
  ASSERT_EQ(before.size(), 3U);
  EXPECT_EQ(service_->inspect("bridge")->ipam.config.front().subnet, "172.18.0.0/16")
      << "172.17 is routed elsewhere";
  const auto id = service_->inspect("bridge")->id;
  open();
  EXPECT_EQ(service_->inspect("bridge")->id, id);
  EXPECT_EQ(service_->inspect("none")->driver, "null");
  EXPECT_EQ(service_->remove("host").error().message(),
            "host is a pre-defined network and cannot be removed");
  EXPECT_EQ(service_->host_gateway(), "172.18.0.1");
}

TEST_F(Networks, AreMadeFoundAndRemoved) {
  const auto id = create("backend");
  ASSERT_TRUE(id.ok()) << id.error().message();
  EXPECT_TRUE(bridges_.contains("br-" + id->substr(0, 12)));
  EXPECT_EQ(service_->inspect(id->substr(0, 10))->name, "backend");
  EXPECT_EQ(create("backend").error().message(), "network with name backend already exists");
  EXPECT_EQ(create("b", "172.18.4.0/24").error().message(),
            "invalid pool request: Pool overlaps with other one on this address space");
  EXPECT_TRUE(service_->has_dns(*id));
  EXPECT_FALSE(service_->has_dns("bridge"));
  open();
  EXPECT_TRUE(service_->inspect("backend").ok());
  ASSERT_TRUE(service_->remove("backend").ok());
  EXPECT_EQ(service_->inspect("backend").error().message(), "network backend not found");
  EXPECT_EQ(bridges_.size(), 1U);
}

TEST_F(Networks, LeaveNothingWhenTheDatabaseFails) {
  database_.failing = true;
  EXPECT_FALSE(create("backend").ok());
  EXPECT_EQ(bridges_.size(), 1U);
  EXPECT_FALSE(service_->inspect("backend").ok());
  EXPECT_FALSE(join("bridge", "c1").ok());
  database_.failing = false;
  EXPECT_EQ(join("bridge", "c1")->ipv4, "172.18.0.2");
}

TEST_F(Networks, KeepAddressesUntilReleased) {
  ASSERT_TRUE(create("backend", "10.1.0.0/24").ok());
  const auto first = join("backend", "c1");
  EXPECT_EQ(first->ipv4, "10.1.0.2");
  EXPECT_EQ(first->dns_names.front(), "name-c1");
  EXPECT_EQ(join("bridge", "c1")->interface, "eth1");
  EXPECT_EQ(join("backend", "c1").error().message(),
            "endpoint with name name-c1 already exists in network backend");
  EXPECT_EQ(join("backend", "c2", "10.1.0.2").error().message(), "Address already in use");
  EXPECT_EQ(join("backend", "c2", "10.2.0.2").error().message(),
            "invalid config for network backend: invalid endpoint settings:\n"
            "no configured subnet or ip-range contain the IP address 10.2.0.2");
  EXPECT_EQ(service_->remove("backend").error().message(),
            "error while removing network: network backend has active endpoints (name:\"name-c1\" id:\"" +
                first->id.substr(0, 12) + "\")");
  ASSERT_TRUE(service_->rename("c1", "other").ok());
  open();
  EXPECT_EQ(service_->endpoints("c1")->size(), 2U);
  EXPECT_EQ(service_->endpoints("c1")->front().dns_names.front(), "other");
  EXPECT_EQ(join("backend", "c2")->ipv4, "10.1.0.3");
  ASSERT_TRUE(service_->release("c1", "backend").ok());
  EXPECT_EQ(join("backend", "c3")->ipv4, "10.1.0.2");
}

TEST_F(Networks, PublishAllOrNothing) {
  const auto endpoint = join("bridge", "c1");
  ASSERT_TRUE(service_->publish(*endpoint, {{"tcp", 80, "", 80}}).ok());
  EXPECT_FALSE(service_->publish(*endpoint, {{"tcp", 81, "", 81}, {"tcp", 80, "", 80}}).ok());
  EXPECT_TRUE(service_->publish(*endpoint, {{"tcp", 81, "", 81}}).ok()) << "81 was given back";
  EXPECT_EQ(service_->published("c1")->size(), 2U);
  ASSERT_TRUE(service_->unpublish("c1").ok());
  EXPECT_EQ(database_.count(kPortTable), 0U);
  EXPECT_TRUE(service_->publish(*join("host", "c2"), {{"tcp", 80, "", 80}})->empty());
}

TEST_F(Networks, PruneLeavesUsedOnes) {
  ASSERT_TRUE(create("used").ok());
  ASSERT_TRUE(create("unused").ok());
  ASSERT_TRUE(join("used", "c1").ok());
  EXPECT_EQ(*service_->prune(nullptr), std::vector<std::string>{"unused"});
  EXPECT_EQ(service_->list()->size(), 4U);
}

}  // namespace
}  // namespace skiff::network
