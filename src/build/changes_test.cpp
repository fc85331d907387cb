#include "build/changes.h"

#include <gtest/gtest.h>

namespace skiff::build {
namespace {

std::string refusal(const std::vector<std::string>& changes) {
  const auto applied = apply_changes({}, changes);
  return applied.ok() ? "" : applied.error().message();
}

TEST(Changes, EveryInstructionThatIsAllowed) {
  spec::oci::ImageConfig base;
  base.env = {"PATH=/bin"};
  base.cmd = {"old"};
  const auto config =
      *apply_changes(base, {"CMD [\"a\",\"b\"]", "env X=1 Y=\"two words\"", "EXPOSE 80 53/udp", "LABEL q=r",
                            "USER me", "VOLUME /v", "WORKDIR /w", "WORKDIR sub", "STOPSIGNAL SIGINT",
                            "ONBUILD RUN x", "HEALTHCHECK NONE"});
  EXPECT_EQ(config.cmd, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(config.env, (std::vector<std::string>{"PATH=/bin", "X=1", "Y=two words"}));
  EXPECT_TRUE(config.exposed_ports.contains("80/tcp") && config.exposed_ports.contains("53/udp"));
  EXPECT_EQ(config.labels.at("q"), "r");
  EXPECT_EQ(config.user, "me");
  EXPECT_TRUE(config.volumes.contains("/v"));
  EXPECT_EQ(config.working_dir, "/w/sub");
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_EQ(config.on_build, std::vector<std::string>{"RUN x"});
  EXPECT_EQ(config.healthcheck->test, std::vector<std::string>{"NONE"});
}

TEST(Changes, VariablesAndShellForms) {
  spec::oci::ImageConfig base;
  base.env = {"HOME=/h"};
  const auto config = *apply_changes(base, {"WORKDIR $HOME/x", "ENTRYPOINT run it"});
  EXPECT_EQ(config.working_dir, "/h/x");
  EXPECT_EQ(config.entrypoint, (std::vector<std::string>{"/bin/sh", "-c", "run it"}));
}

TEST(Changes, RefusalsAreDockers) {
  EXPECT_EQ(refusal({"RUN x"}), "RUN is not a valid change command");
  EXPECT_EQ(refusal({"CMD x", "FROM y"}), "FROM is not a valid change command");
  EXPECT_EQ(refusal({"FOO x"}), "FOO is not a valid change command");
  EXPECT_EQ(refusal({"ENV"}), "ENV requires at least one argument");
  EXPECT_EQ(refusal({""}), "file with no instructions");
  EXPECT_EQ(refusal({" ", "# x"}), "file with no instructions");
}

}  // namespace
}  // namespace skiff::build
