#include <gtest/gtest.h>

#include "base/json.h"
#include "spec/docker/container.h"
#include "spec/docker/exec.h"
#include "spec/docker/image.h"
#include "spec/docker/network.h"
#include "spec/docker/stats.h"
#include "spec/docker/system.h"
#include "spec/docker/volume.h"

/// Answers of a Docker 28.5 engine, as they came. What is read and written again must be the same text:
/// members, their order, nulls and what is left out.
namespace skiff::spec::docker {
namespace {

template <typename T>
void expect_same(std::string_view sample) {
  const auto value = json::decode<T>(sample);
  ASSERT_TRUE(value.ok()) << value.error().message();
  EXPECT_EQ(json::encode(*value), json::to_text(json::parse(sample).value()));
}

TEST(DockerSamplesTest, ContainerInspect) {
  expect_same<ContainerInspect>(
#include "spec/docker/samples/container_inspect.sample"
  );
}
TEST(DockerSamplesTest, ContainerSummary) {
  expect_same<ContainerSummary>(
#include "spec/docker/samples/container_summary.sample"
  );
}
TEST(DockerSamplesTest, Stats) {
  expect_same<StatsResponse>(
#include "spec/docker/samples/stats.sample"
  );
}
TEST(DockerSamplesTest, ImageInspect) {
  expect_same<ImageInspect>(
#include "spec/docker/samples/image_inspect.sample"
  );
}
TEST(DockerSamplesTest, Small) {
  expect_same<TopResponse>(R"({"Processes":[["root","27329","sleep 1000"]],"Titles":["UID","PID","CMD"]})");
  expect_same<ImageSummary>(
      R"({"Containers":0,"Created":1795478932,"Id":"sha256:21","Labels":null,"ParentId":"","RepoDigests":[],"RepoTags":["debian:bookworm"],"SharedSize":-1,"Size":167029096})");
  expect_same<ImageHistoryItem>(
      R"({"Comment":"Imported from -","Created":1795478928,"CreatedBy":"","Id":"sha256:3d","Size":2065225,"Tags":["busybox:local"]})");
  expect_same<NetworkInspect>(
      R"({"Name":"bridge","Id":"8c60","Created":"2026-11-23T23:51:14.108835537Z","Scope":"local","Driver":"bridge","EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":null,"Config":[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]},"Internal":false,"Attachable":false,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Options":{"com.docker.network.driver.mtu":"1500"},"Labels":{}})");
  expect_same<Volume>(
      R"({"CreatedAt":"2026-11-24T00:09:10Z","Driver":"local","Labels":null,"Mountpoint":"/var/lib/docker/volumes/v/_data","Name":"v","Options":null,"Scope":"local","UsageData":{"RefCount":1,"Size":0}})");
  expect_same<ExecInspect>(
      R"({"ID":"af","Running":false,"ExitCode":null,"ProcessConfig":{"tty":true,"entrypoint":"true","arguments":[],"privileged":false},"OpenStdin":true,"OpenStderr":false,"OpenStdout":false,"CanRemove":false,"ContainerID":"bf","DetachKeys":"EQ==","Pid":0})");
  expect_same<EventMessage>(
      R"({"status":"top","id":"bf","from":"busybox:local","Type":"container","Action":"top","Actor":{"ID":"bf","Attributes":{"image":"busybox:local","name":"x"}},"scope":"local","time":1795478953,"timeNano":1795478953785669561})");
  expect_same<PathStat>(
      R"({"name":"passwd","size":30,"mode":420,"mtime":"2026-11-24T00:08:15Z","linkTarget":""})");
  expect_same<WaitResponse>(R"({"StatusCode":3})");
}

TEST(DockerRequestsTest, LenientLikeGo) {
  const auto request = json::decode<ContainerCreate>(
                           R"({"image":"x","Cmd":"ls","Entrypoint":"sh","Unknown":{"a":1},"Env":null,
                               "HostConfig":{"NetworkMode":"host","MaskedPaths":[],"PortBindings":{"80/tcp":null}},
                               "NetworkingConfig":{"EndpointsConfig":{"n":null}}})")
                           .value();
  EXPECT_EQ(request.config.image, "x");
  EXPECT_EQ(request.config.cmd, std::vector<std::string>{"ls"});
  EXPECT_EQ(request.config.entrypoint, std::vector<std::string>{"sh"});
  EXPECT_TRUE(request.host_config.masked_paths->empty());
  EXPECT_FALSE(request.host_config.readonly_paths);
  EXPECT_TRUE(request.host_config.port_bindings.contains("80/tcp"));
  EXPECT_TRUE(request.networking_config.endpoints_config.contains("n"));
}

TEST(DockerRequestsTest, WrongTypesNameTheMember) {
  const auto bad = json::decode<ContainerCreate>(R"({"HostConfig":{"Ulimits":[{"Soft":"x"}]}})");
  ASSERT_FALSE(bad.ok());
  EXPECT_NE(bad.error().message().find("HostConfig.Ulimits[0].Soft"), std::string::npos)
      << bad.error().message();
}

TEST(FileModeTest, GoAndUnix) {
  EXPECT_EQ(go_file_mode(0100644), 0644U);
  EXPECT_EQ(go_file_mode(0040755), 0x80000000U | 0755);
  EXPECT_EQ(go_file_mode(0041777), 0x80000000U | 1U << 20 | 0777);
  EXPECT_EQ(go_file_mode(0104755), 1U << 23 | 0755);
  for (const std::uint32_t mode :
       {0100644U, 0040755U, 0120777U, 0020666U, 0060660U, 0010600U, 0140755U, 0106755U, 0041777U})
    EXPECT_EQ(unix_file_mode(go_file_mode(mode)), mode);
}

}  // namespace
}  // namespace skiff::spec::docker
