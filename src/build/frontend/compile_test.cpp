#include "build/frontend/compile.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "build/frontend/values.h"

namespace skiff::build {
namespace {

class FakeImages : public BaseImages {
 public:
  Result<BaseImage> resolve(const std::string& name, const std::string&) override {
    if (name == "missing") return fail(Kind::NotFound, "No such image: missing:latest");
    BaseImage base;
    base.id = "sha256:" + name;
    base.snapshot = "snap-" + name;
    base.image.config.env = {"PATH=/bin"};
    base.image.config.cmd = {"sh"};
    if (name == "triggers") base.image.config.on_build = {"RUN one", "COPY a /b"};
    return base;
  }
};

class Compile : public testing::Test {
 protected:
  Result<Graph> graph(std::string_view source) {
    auto file = parse_dockerfile(source, "Dockerfile");
    if (!file.ok()) return file.error();
    file_ = *std::move(file);
    return compile(file_, options_, images_);
  }
  Graph good(std::string_view source) {
    auto result = graph(source);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message());
    if (!result.ok()) return {};
    for (const Step& step : result->steps) EXPECT_FALSE(step.failure) << step.failure->message();
    return *std::move(result);
  }
  std::string failure(std::string_view source) {
    const auto result = graph(source);
    if (!result.ok()) return result.error().message();
    for (const Step& step : result->steps)
      if (step.failure) return step.failure->message().substr(0, step.failure->message().find('\n'));
    return "";
  }
  const spec::oci::ImageConfig& config(const Graph& graph) { return graph.stages.back().image.config; }

  Dockerfile file_;
  CompileOptions options_;
  FakeImages images_;
};

using Texts = std::vector<std::string>;

TEST_F(Compile, HistoryReadsAsTheClassicBuildersDoes) {
  const Graph built = good(
      "FROM b\nLABEL a=b \"c d\"=\"e f\"\nENV X=1 Y=\"two words\"\nRUN echo $X\nRUN [\"echo\", \"a b\"]\n"
      "COPY --chown=1:2 f d /dst/\nWORKDIR /w\nWORKDIR rel\nUSER 1000\nEXPOSE 80 90-92/udp\nVOLUME /v1 /v2\n"
      "ENTRYPOINT [\"sh\", \"-c\"]\nCMD echo hi\nSHELL [\"/bin/ash\", \"-c\"]\nSTOPSIGNAL SIGUSR1\n"
      "HEALTHCHECK --interval=5s --retries=2 CMD echo ok\nONBUILD RUN x\nMAINTAINER me\nADD t.tar /\n");
  Texts history;
  for (const Step& step : built.steps)
    if (!step.from) history.push_back(step.created_by);
  EXPECT_EQ(history,
            (Texts{"/bin/sh -c #(nop)  LABEL a=b c d=e f", "/bin/sh -c #(nop)  ENV X=1 Y=two words",
                   "/bin/sh -c echo $X", "echo a b", "/bin/sh -c #(nop) COPY --chown=1:2 {} in /dst/ ",
                   "/bin/sh -c #(nop) WORKDIR /w", "/bin/sh -c #(nop) WORKDIR /w/rel",
                   "/bin/sh -c #(nop)  USER 1000", "/bin/sh -c #(nop)  EXPOSE 80 90-92/udp",
                   "/bin/sh -c #(nop)  VOLUME [/v1 /v2]", "/bin/sh -c #(nop)  ENTRYPOINT [\"sh\" \"-c\"]",
                   "/bin/sh -c #(nop)  CMD [\"/bin/sh\" \"-c\" \"echo hi\"]",
                   "/bin/ash -c #(nop)  SHELL [/bin/ash -c]", "/bin/ash -c #(nop)  STOPSIGNAL SIGUSR1",
                   "/bin/ash -c #(nop)  HEALTHCHECK &{[CMD-SHELL echo ok] 5s 0s 0s 0s 2}",
                   "/bin/ash -c #(nop)  ONBUILD RUN x", "/bin/ash -c #(nop)  MAINTAINER me",
                   "/bin/ash -c #(nop) ADD {} in / "}));
  EXPECT_EQ(built.total, 19U);
  const spec::oci::ImageConfig& end = config(built);
  EXPECT_EQ(end.env, (Texts{"PATH=/bin", "X=1", "Y=two words"}));
  EXPECT_EQ(end.working_dir, "/w/rel");
  EXPECT_EQ(end.exposed_ports.size(), 4U);
  EXPECT_TRUE(end.exposed_ports.contains("91/udp"));
  EXPECT_EQ(end.cmd, (Texts{"/bin/sh", "-c", "echo hi"}));
  EXPECT_EQ(built.stages[0].image.author, "me");
}

TEST_F(Compile, EntrypointDropsTheBasesCommand) {
  EXPECT_TRUE(config(good("FROM b\nENTRYPOINT [\"a\"]")).cmd.empty());
  EXPECT_EQ(config(good("FROM b\nCMD [\"c\"]\nENTRYPOINT [\"a\"]")).cmd, (Texts{"c"}));
  EXPECT_TRUE(config(good("FROM b\nENTRYPOINT [\"a\"]\nENTRYPOINT")).entrypoint.empty());
}

TEST_F(Compile, ArgumentsReachCommandsAndSubstitution) {
  options_.build_arguments = {{"FOO", "zed"}, {"UNUSED", "1"}, {"HTTP_PROXY", "p"}};
  const Graph built = good("ARG BASE=b\nFROM $BASE\nARG FOO=bar\nARG NOPE\nENV Z=$FOO\nRUN echo\n");
  const auto& exec = std::get<ExecOperation>(built.vertices.back().operation);
  EXPECT_EQ(exec.environment, (Texts{"PATH=/bin", "Z=zed", "FOO=zed"}));
  EXPECT_EQ(exec.hidden_environment, (Texts{"HTTP_PROXY=p"}));
  EXPECT_EQ(built.steps.back().created_by, "|1 FOO=zed /bin/sh -c echo");
  EXPECT_EQ(built.unused_arguments, (Texts{"UNUSED"}));
  EXPECT_TRUE(built.steps[0].silent);
}

TEST_F(Compile, ArgumentsEndWithTheirStage) {
  const Graph built = good("ARG G=1\nFROM b AS a\nARG X=2\nFROM a\nRUN x\nARG G\nRUN y\n");
  const auto& first = std::get<ExecOperation>(built.vertices[built.vertices.size() - 2].operation);
  EXPECT_EQ(first.environment, (Texts{"PATH=/bin"}));
  const auto& second = std::get<ExecOperation>(built.vertices.back().operation);
  EXPECT_EQ(second.environment, (Texts{"PATH=/bin", "G=1"}));
}

TEST_F(Compile, EnvironmentWinsOverArguments) {
  const Graph built = good("FROM b\nARG X=arg\nENV X=env\nRUN r\n");
  EXPECT_EQ(std::get<ExecOperation>(built.vertices.back().operation).environment,
            (Texts{"PATH=/bin", "X=env"}));
}

TEST_F(Compile, OneEnvInstructionSeesTheValuesBeforeIt) {
  EXPECT_EQ(config(good("FROM b\nENV a=1\nENV a=2 c=$a\n")).env, (Texts{"PATH=/bin", "a=2", "c=1"}));
}

TEST_F(Compile, StagesShareVertices) {
  const Graph built = good(
      "FROM b AS one\nRUN a\nFROM one AS two\nRUN b\nFROM c\nCOPY --from=one /x /y\nCOPY --from=0 /x /z\n");
  ASSERT_EQ(built.stages.size(), 3U);
  EXPECT_EQ(built.stages[1].root, built.stages[0].result);
  const Vertex& copy = built.vertices[*built.steps[5].vertex];
  EXPECT_EQ(copy.inputs, (std::vector<std::size_t>{*built.stages[2].root, *built.stages[0].result}));
  EXPECT_EQ(built.vertices.back().inputs[1], *built.stages[0].result);
}

TEST_F(Compile, TargetCutsTheRestOff) {
  options_.target = "ONE";
  const Graph built = good("FROM b AS one\nRUN a\nFROM c\nRUN d\n");
  EXPECT_EQ(built.stages.size(), 1U);
  EXPECT_EQ(built.total, 2U);
  options_.target = "0";
  EXPECT_EQ(failure("FROM b\n"), "target stage \"0\" could not be found");
  options_.target = "zz";
  EXPECT_EQ(failure("FROM b\n"), "target stage \"zz\" could not be found");
}

TEST_F(Compile, TriggersOfTheBaseRun) {
  const Graph built = good("FROM triggers\nUSER x\n");
  ASSERT_EQ(built.steps.size(), 4U);
  EXPECT_EQ(built.steps[0].remarks, (Texts{"# Executing 2 build triggers"}));
  EXPECT_TRUE(built.steps[1].trigger);
  EXPECT_EQ(built.steps[1].created_by, "/bin/sh -c one");
  EXPECT_EQ(built.total, 2U);
  EXPECT_TRUE(config(built).on_build.empty());
}

TEST_F(Compile, GivenLabelsAreAStep) {
  options_.labels = {{"zz", "$yy"}};
  const Graph built = good("FROM b\n");
  EXPECT_EQ(built.steps.back().text, "LABEL zz=$yy");
  EXPECT_EQ(built.total, 2U);
  EXPECT_EQ(config(built).labels.at("zz"), "$yy");
}

TEST_F(Compile, Failures) {
  EXPECT_EQ(failure("RUN x\n"), "no build stage in current context\nDockerfile:1\n   1 | RUN x");
  EXPECT_EQ(failure("ARG x\n"), "no build stage in current context");
  EXPECT_EQ(failure("FROM missing\n"), "No such image: missing:latest");
  EXPECT_EQ(failure("FROM $X\n"), "base name ($X) should not be blank");
  EXPECT_EQ(failure("FROM b\nEXPOSE x\n"), "Invalid containerPort: x");
  EXPECT_EQ(failure("FROM b\nEXPOSE 70000\n"), "Invalid containerPort: 70000");
  EXPECT_EQ(failure("FROM b\nSTOPSIGNAL FOO\n"), "invalid signal: FOO");
  EXPECT_EQ(failure("FROM b\nENV a=${X:?boo}\n"), "failed to process \"${X:?boo}\": X: boo");
  EXPECT_EQ(
      failure("FROM b\nCOPY a b /x\n"),
      "When using COPY with more than one source file, the destination must be a directory and end with a /");
  EXPECT_EQ(failure("FROM b\nCOPY --from=5 a /x\n"), "invalid from flag value 5: index out of bounds");
  EXPECT_EQ(failure("FROM b\nCOPY --from=missing a /x\n"),
            "invalid from flag value missing: No such image: missing:latest");
  EXPECT_EQ(failure("FROM b\nRUN --mount=type=cache,target=/x y\n"),
            "the --mount option of RUN is not supported");
  EXPECT_EQ(failure("FROM b\nCOPY http://h/x /x\n"), "COPY failed: source can't be a URL for COPY");
}

TEST_F(Compile, StepsBeforeAFailureStay) {
  const auto built = graph("FROM b\nRUN a\nEXPOSE x\nRUN c\n");
  ASSERT_TRUE(built.ok());
  ASSERT_EQ(built->steps.size(), 3U);
  EXPECT_EQ(built->total, 4U);
  EXPECT_TRUE(built->steps[2].failure);
  EXPECT_NE(built->steps[2].failure->message().find("3 | EXPOSE x"), std::string::npos);
}

TEST_F(Compile, KeysFollowContentAndInputs) {
  const Operation a = ExecOperation{.command = {"a"}};
  const Operation b = ExecOperation{.command = {"b"}};
  EXPECT_EQ(vertex_key(a, {"1"}, ""), vertex_key(a, {"1"}, ""));
  EXPECT_NE(vertex_key(a, {"1"}, ""), vertex_key(b, {"1"}, ""));
  EXPECT_NE(vertex_key(a, {"1"}, ""), vertex_key(a, {"2"}, ""));
  EXPECT_NE(vertex_key(CopyOperation{}, {"1"}, "x"), vertex_key(CopyOperation{}, {"1"}, "y"));
  const Operation proxied = ExecOperation{.command = {"a"}, .hidden_environment = {"HTTP_PROXY=x"}};
  EXPECT_EQ(vertex_key(a, {"1"}, ""), vertex_key(proxied, {"1"}, ""));
  EXPECT_NE(step_key("p", Step{.created_by = "x"}, ""), step_key("q", Step{.created_by = "x"}, ""));
}

TEST(Values, CopyDestination) {
  EXPECT_EQ(copy_destination("/w", "x"), "/w/x");
  EXPECT_EQ(copy_destination("/w", "x/"), "/w/x/");
  EXPECT_EQ(copy_destination("/w", "."), "/w");
  EXPECT_EQ(copy_destination("", "./"), "/");
  EXPECT_EQ(copy_destination("/w", "/a/../b/"), "/b/");
}

TEST(Values, Signals) {
  for (const char* good : {"SIGTERM", "term", "15", "RTMIN+3", "SIGRTMAX-1", "KILL"})
    EXPECT_TRUE(check_signal(good).ok()) << good;
  for (const char* bad : {"", "0", "-1", "65", "SIGFOO", "RTMIN+99"})
    EXPECT_FALSE(check_signal(bad).ok()) << bad;
}

}  // namespace
}  // namespace skiff::build
