#include "engine/oci_config.h"

#include <gtest/gtest.h>

#include "engine/create_request.h"
#include "spec/defaults.h"

namespace skiff::engine {
namespace {

class OciConfig : public testing::Test {
 protected:
  OciConfig() {
    facts.kernel_major = 6;
    facts.kernel_minor = 1;
    facts.architecture = "amd64";
    definition.id = std::string(64, 'a');
    definition.path = "sleep";
    definition.args = {"5"};
    const spec::EngineConfig engine;
    fill_defaults(definition.host, engine, facts);
  }
  spec::oci::Runtime make() {
    BundleInputs inputs{definition,       facts,         "skiff/x",  {}, joined, "web",
                        "/c/resolv.conf", "/c/hostname", "/c/hosts", "", mounts};
    inputs.user.home = "/root";
    auto config = make_oci_config(inputs);
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message());
    const auto valid = spec::oci::validate(*config);
    EXPECT_TRUE(valid.ok()) << (valid.ok() ? "" : valid.error().message());
    return std::move(config).value();
  }
  std::string seccomp() {
    return make_seccomp_profile({definition, facts, "", {}, {}, "", "", "", "", "", {}}).value_or("refused");
  }
  static std::vector<std::string> types(const spec::oci::Runtime& config) {
    std::vector<std::string> result;
    for (const auto& space : config.linux_->namespaces) result.push_back(space.type + space.path);
    return result;
  }
  static const spec::oci::Mount* mount(const spec::oci::Runtime& config, std::string_view destination) {
    const spec::oci::Mount* found = nullptr;
    for (const auto& m : config.mounts)
      if (m.destination == destination) found = &m;
    return found;
  }
  Definition definition;
  HostFacts facts;
  std::map<std::string, std::string> joined;
  std::vector<spec::oci::Mount> mounts;
};

using Texts = std::vector<std::string>;

TEST_F(OciConfig, DefaultsAreConfined) {
  const auto config = make();
  EXPECT_EQ(types(config), (Texts{"mount", "network", "uts", "pid", "ipc"}));
  EXPECT_EQ(config.process->args, (Texts{"sleep", "5"}));
  EXPECT_EQ(config.process->cwd, "/");
  EXPECT_EQ(config.process->capabilities->bounding, spec::default_capabilities());
  EXPECT_TRUE(config.process->capabilities->inheritable.empty());
  EXPECT_EQ(seccomp(), json::encode(spec::default_seccomp(spec::default_capabilities(), facts.architecture,
                                                          facts.kernel_major, facts.kernel_minor)));
  EXPECT_EQ(seccomp(), seccomp());
  EXPECT_EQ(config.linux_->masked_paths, spec::default_masked_paths());
  EXPECT_EQ(config.linux_->sysctl.at("net.ipv4.ip_unprivileged_port_start"), "0");
  EXPECT_FALSE(config.linux_->resources->memory.has_value());
  for (const char* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
    ASSERT_NE(mount(config, file), nullptr);
  EXPECT_EQ(mount(config, "/etc/hosts")->source, "/c/hosts");
  EXPECT_EQ(config.hostname, "web");
}

TEST_F(OciConfig, EnvironmentFollowsDocker) {
  definition.config.env = {"PATH=/x", "A=1", "HOSTNAME"};
  definition.config.tty = true;
  EXPECT_EQ(make().process->env, (Texts{"PATH=/x", "TERM=xterm", "A=1", "HOME=/root"}));
}

TEST_F(OciConfig, PrivilegedHasNoWalls) {
  definition.host.privileged = true;
  const auto config = make();
  EXPECT_EQ(seccomp(), "");
  EXPECT_TRUE(config.linux_->masked_paths.empty());
  EXPECT_EQ(config.process->capabilities->effective, spec::all_capabilities());
  ASSERT_EQ(config.linux_->resources->devices.size(), 1U);
  EXPECT_TRUE(config.linux_->resources->devices[0].allow);
  const auto& options = mount(config, "/sys")->options;
  EXPECT_EQ(std::find(options.begin(), options.end(), "ro"), options.end());
}

TEST_F(OciConfig, NamespacesAreSharedOrJoined) {
  definition.host.network_mode = "host";
  definition.host.pid_mode = "container:x";
  joined["pid"] = "/proc/7/ns/pid";
  const auto config = make();
  EXPECT_EQ(types(config), (Texts{"mount", "uts", "pid/proc/7/ns/pid", "ipc"}));
  EXPECT_TRUE(config.linux_->sysctl.empty());
}

TEST_F(OciConfig, LimitsBecomeCgroupValues) {
  auto& r = definition.host.resources;
  r.memory = 64 << 20;
  r.memory_swap = 128 << 20;
  r.nano_cpus = 1'500'000'000;
  r.pids_limit = 20;
  r.ulimits = {{"nofile", 2048, 1024}};
  const auto config = make();
  EXPECT_EQ(config.linux_->resources->memory->limit, 64 << 20);
  EXPECT_EQ(config.linux_->resources->memory->swap, 128 << 20);
  EXPECT_EQ(config.linux_->resources->cpu->quota, 150'000);
  EXPECT_EQ(config.linux_->resources->cpu->period, 100'000U);
  EXPECT_EQ(config.linux_->resources->pids->limit, 20);
  ASSERT_EQ(config.process->rlimits.size(), 1U);
  EXPECT_EQ(config.process->rlimits[0].type, "RLIMIT_NOFILE");
  EXPECT_EQ(config.process->rlimits[0].soft, 1024U);
}

TEST_F(OciConfig, UserMountsReplaceDefaultOnesAndComeInOrder) {
  mounts.emplace_back("/a/b", "bind", "/host/b", Texts{"rbind"});
  mounts.emplace_back("/a", "bind", "/host/a", Texts{"rbind"});
  mounts.emplace_back("/dev/shm", "bind", "/host/shm", Texts{"rbind"});
  definition.host.tmpfs = {{"/t", "size=1m"}};
  const auto config = make();
  EXPECT_EQ(mount(config, "/dev/shm")->source, "/host/shm");
  EXPECT_LT(mount(config, "/a"), mount(config, "/a/b"));
  EXPECT_EQ(mount(config, "/t")->options, (Texts{"noexec", "nosuid", "nodev", "size=1m"}));
}

TEST_F(OciConfig, BlockLimitsOfSingleDevices) {
  definition.host.resources.blkio_weight_device = {{"/dev/null", 300}};
  definition.host.resources.blkio_device_read_bps = {{"/dev/zero", 1000}};
  definition.host.resources.blkio_device_write_iops = {{"/dev/full", 7}};
  const auto config = make();
  const auto& io = *config.linux_->resources->block_io;
  EXPECT_EQ(io.weight_device, (std::vector<spec::oci::WeightDevice>{{1, 3, 300, std::nullopt}}));
  EXPECT_EQ(io.throttle_read_bps, (std::vector<spec::oci::ThrottleDevice>{{1, 5, 1000}}));
  EXPECT_EQ(io.throttle_write_iops, (std::vector<spec::oci::ThrottleDevice>{{1, 7, 7}}));
  EXPECT_TRUE(io.throttle_write_bps.empty());
  definition.host.resources.blkio_device_write_bps = {{"/dev/nonex", 1}};
  const BundleInputs inputs{definition, facts, "", {}, {}, "", "", "", "", "", {}};
  const auto refused = make_oci_config(inputs);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "stat /dev/nonex: no such file or directory");
}

TEST_F(OciConfig, DevicesAndRules) {
  definition.host.resources.devices = {{"/dev/null", "/dev/void", "r"}};
  definition.host.resources.device_cgroup_rules = {"c 10:* rw"};
  const auto config = make();
  EXPECT_EQ(config.linux_->devices.back().path, "/dev/void");
  const auto& rule = config.linux_->resources->devices.back();
  EXPECT_EQ(rule.major, 10);
  EXPECT_FALSE(rule.minor.has_value());
  definition.host.resources.devices = {{"/dev/nonex", "", ""}};
  BundleInputs inputs{definition, facts, "", {}, {}, "", "", "", "", "", {}};
  EXPECT_EQ(make_oci_config(inputs).error().message(),
            "error gathering device information while adding custom device \"/dev/nonex\": no such file or "
            "directory");
}

}  // namespace
}  // namespace skiff::engine
