#include "build/frontend/parser.h"

#include <gtest/gtest.h>

namespace skiff::build {
namespace {

std::vector<std::string> texts(std::string_view source) {
  const auto file = parse_dockerfile(source, "Dockerfile");
  if (!file.ok()) return {"error: " + file.error().message()};
  std::vector<std::string> out;
  for (const Instruction& instruction : file->instructions) out.push_back(instruction.text);
  return out;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

using Texts = std::vector<std::string>;

TEST(Parser, JoinsContinuedLines) {
  EXPECT_EQ(texts("RUN a \\\n  b\n"), (Texts{"RUN a   b"}));
  EXPECT_EQ(texts("RUN a \\   \n b \\\r\nc\r\n"), (Texts{"RUN a  b c"}));
  EXPECT_EQ(texts("RUN a \\\\\nRUN b"), (Texts{"RUN a \\\\", "RUN b"}));
  EXPECT_EQ(texts("RUN a \\"), (Texts{"RUN a"}));
  EXPECT_EQ(texts("\xEF\xBB\xBF"
                  "FROM x"),
            (Texts{"FROM x"}));
}

TEST(Parser, TakesCommentsOut) {
  EXPECT_EQ(texts("# one\n  # two\nFROM x # kept\n"),
            (Texts{"error: dockerfile parse error on line 3: FROM requires either one or three "
                   "arguments\nDockerfile:3\n   3 | FROM x # kept"}));
  EXPECT_EQ(texts("RUN a \\\n# gone\n   # gone too\n b\n"), (Texts{"RUN a  b"}));
}

TEST(Parser, WarnsOfEmptyContinuationLines) {
  const auto file = parse_dockerfile("RUN a \\\n\n b\n", "Dockerfile");
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->warnings,
            (Texts{"[WARNING]: Empty continuation line found in: RUN a  b",
                   "[WARNING]: Empty continuation lines will become errors in a future release."}));
}

TEST(Parser, HonoursTheEscapeDirective) {
  EXPECT_EQ(texts("# escape=`\nRUN a `\n b \\c\n"), (Texts{"RUN a  b \\c"}));
  EXPECT_EQ(texts("# Escape = `\n# syntax=x\nRUN a `\n b"), (Texts{"RUN a  b"}));
  EXPECT_EQ(texts("# comment\n# escape=`\nRUN a \\\n b"), (Texts{"RUN a  b"}));
  EXPECT_EQ(texts("# escape=x\nFROM y"),
            (Texts{"error: failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\"}));
  EXPECT_EQ(texts("# escape=`\n# escape=`\nFROM y"),
            (Texts{"error: failed to parse Dockerfile: only one escape parser directive can be used"}));
}

TEST(Parser, ReadsHeredocs) {
  const auto file =
      parse_dockerfile("RUN <<EOF\n# kept\na $b\nEOF\nCOPY <<-'X' <<Y /d/\n\tx\n\tX\ny\nY\nUSER u\n", "D");
  ASSERT_TRUE(file.ok()) << file.error().message();
  ASSERT_EQ(file->instructions.size(), 3U);
  ASSERT_EQ(file->instructions[0].heredocs.size(), 1U);
  EXPECT_EQ(file->instructions[0].heredocs[0].content, "# kept\na $b\n");
  EXPECT_TRUE(file->instructions[0].heredocs[0].expand);
  ASSERT_EQ(file->instructions[1].heredocs.size(), 2U);
  EXPECT_EQ(file->instructions[1].heredocs[0].content, "x\n");
  EXPECT_FALSE(file->instructions[1].heredocs[0].expand);
  EXPECT_EQ(file->instructions[1].heredocs[1].content, "y\n");
  EXPECT_EQ(file->instructions[2].line, 10);
  EXPECT_FALSE(parse_dockerfile("RUN <<EOF\nx\n", "D").ok());
}

struct ErrorCase {
  const char* source;
  const char* message;
};

class ParserErrors : public testing::TestWithParam<ErrorCase> {};

TEST_P(ParserErrors, HaveTheClassicWords) {
  const auto file = parse_dockerfile(GetParam().source, "Dockerfile");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(first_line(file.error().message()), GetParam().message);
  EXPECT_EQ(file.error().kind(), Kind::InvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    All, ParserErrors,
    testing::Values(
        ErrorCase{"", "the Dockerfile (Dockerfile) cannot be empty"},
        ErrorCase{"# x\n", "failed to parse Dockerfile: file with no instructions"},
        ErrorCase{"FROM x\nRUNN x\n",
                  "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)"},
        ErrorCase{"FOO x\n",
                  "dockerfile parse error on line 1: unknown instruction: FOO (did you mean FROM?)"},
        ErrorCase{"COPY f",
                  "dockerfile parse error on line 1: COPY requires at least two arguments, but only one was "
                  "provided. Destination could not be determined"},
        ErrorCase{"COPY --foo=1 a b",
                  "dockerfile parse error on line 1: unknown flag: --foo (did you mean from?)"},
        ErrorCase{"ADD --from=x a b", "dockerfile parse error on line 1: unknown flag: --from"},
        ErrorCase{"FROM --bar=foo x", "dockerfile parse error on line 1: unknown flag: --bar"},
        ErrorCase{"COPY --from a b", "dockerfile parse error on line 1: missing a value on flag: --from"},
        ErrorCase{"ENV", "dockerfile parse error on line 1: ENV requires at least one argument"},
        ErrorCase{"ENV X", "dockerfile parse error on line 1: ENV must have two arguments"},
        ErrorCase{"ENV X=1 Y",
                  "dockerfile parse error on line 1: Syntax error - can't find = in \"Y\". Must be of the "
                  "form: name=value"},
        ErrorCase{"ENV =1", "dockerfile parse error on line 1: ENV names can not be blank"},
        ErrorCase{"FROM", "dockerfile parse error on line 1: FROM requires either one or three arguments"},
        ErrorCase{"FROM a b",
                  "dockerfile parse error on line 1: FROM requires either one or three arguments"},
        ErrorCase{"FROM a as 1foo",
                  "dockerfile parse error on line 1: invalid name for build stage: \"1foo\", name can't "
                  "start with a number or contain symbols"},
        ErrorCase{"ARG", "dockerfile parse error on line 1: ARG requires at least one argument"},
        ErrorCase{"USER", "dockerfile parse error on line 1: USER requires exactly one argument"},
        ErrorCase{"WORKDIR", "dockerfile parse error on line 1: WORKDIR requires exactly one argument"},
        ErrorCase{"MAINTAINER", "dockerfile parse error on line 1: MAINTAINER requires exactly one argument"},
        ErrorCase{"STOPSIGNAL", "dockerfile parse error on line 1: STOPSIGNAL requires exactly one argument"},
        ErrorCase{"VOLUME [\"\"]",
                  "dockerfile parse error on line 1: VOLUME specified can not be an empty string"},
        ErrorCase{"SHELL x",
                  "dockerfile parse error on line 1: SHELL requires the arguments to be in JSON form"},
        ErrorCase{"RUN [1]",
                  "dockerfile parse error on line 1: when using JSON array syntax, arrays must be comprised "
                  "of strings only"},
        ErrorCase{"HEALTHCHECK",
                  "dockerfile parse error on line 1: HEALTHCHECK requires at least one argument"},
        ErrorCase{"HEALTHCHECK FOO",
                  "dockerfile parse error on line 1: Unknown type \"FOO\" in HEALTHCHECK (try CMD)"},
        ErrorCase{"HEALTHCHECK NONE x",
                  "dockerfile parse error on line 1: HEALTHCHECK NONE takes no arguments"},
        ErrorCase{"HEALTHCHECK CMD",
                  "dockerfile parse error on line 1: Missing command after HEALTHCHECK CMD"},
        ErrorCase{"HEALTHCHECK --foo=1 CMD x", "dockerfile parse error on line 1: unknown flag: --foo"},
        ErrorCase{"HEALTHCHECK --interval=0.1ms CMD x",
                  "dockerfile parse error on line 1: Interval \"interval\" cannot be less than 1ms"},
        ErrorCase{"ONBUILD", "dockerfile parse error on line 1: ONBUILD requires at least one argument"},
        ErrorCase{"ONBUILD FROM x",
                  "dockerfile parse error on line 1: FROM isn't allowed as an ONBUILD trigger"},
        ErrorCase{"ONBUILD ONBUILD RUN x",
                  "dockerfile parse error on line 1: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"}));

Instruction one(std::string_view source) {
  auto file = parse_dockerfile(source, "Dockerfile");
  EXPECT_TRUE(file.ok()) << (file.ok() ? "" : file.error().message());
  return file.ok() ? file->instructions.at(0) : Instruction{};
}

TEST(Parser, TellsExecFormFromShellForm) {
  EXPECT_TRUE(one("RUN [\"a\", \"b c\"]").json);
  EXPECT_EQ(one("RUN [\"a\", \"b c\"]").arguments, (Texts{"a", "b c"}));
  EXPECT_FALSE(one("RUN [\"a\" \"b\"]").json);
  EXPECT_EQ(one("RUN [ -d x ] && y").arguments, (Texts{"[ -d x ] && y"}));
  EXPECT_EQ(one("CMD [\"a\",").arguments, (Texts{"[\"a\","}));
  EXPECT_EQ(one("COPY [\"a b\", \"/c d/\"]").arguments, (Texts{"a b", "/c d/"}));
  EXPECT_TRUE(one("CMD []").json);
}

TEST(Parser, ReadsFlags) {
  const Instruction copy = one("copy --from=x --chown=\"a b\" --link  f  /g");
  EXPECT_EQ(copy.keyword, Keyword::Copy);
  EXPECT_EQ(copy.flags.at("from"), "x");
  EXPECT_EQ(copy.flags.at("chown"), "a b");
  EXPECT_EQ(copy.flags.at("link"), "true");
  EXPECT_EQ(copy.arguments, (Texts{"f", "/g"}));
  EXPECT_EQ(one("RUN -- --x").arguments, (Texts{"--x"}));
}

TEST(Parser, ReadsPairsAndDefinitions) {
  using Pairs = std::vector<NamedValue>;
  EXPECT_EQ(one("ENV a=1 b=\"x y\" c=x\\ y").pairs, (Pairs{{"a", "1"}, {"b", "\"x y\""}, {"c", "x\\ y"}}));
  EXPECT_EQ(one("ENV OLD old style  value").pairs, (Pairs{{"OLD", "old style  value"}}));
  const Instruction arg = one("ARG a b=3 c=");
  ASSERT_EQ(arg.definitions.size(), 3U);
  EXPECT_FALSE(arg.definitions[0].value);
  EXPECT_EQ(arg.definitions[1].value, "3");
  EXPECT_EQ(arg.definitions[2].value, "");
}

TEST(Parser, ReadsHealthChecks) {
  const auto health =
      one("HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=2 CMD echo ok").health;
  ASSERT_TRUE(health);
  EXPECT_EQ(health->test, (Texts{"CMD-SHELL", "echo ok"}));
  EXPECT_EQ(health->interval, 5'000'000'000);
  EXPECT_EQ(health->start_period, 60'000'000'000);
  EXPECT_EQ(health->retries, 2);
  EXPECT_EQ(one("HEALTHCHECK CMD [\"a\", \"b\"]").health->test, (Texts{"CMD", "a", "b"}));
  EXPECT_EQ(one("HEALTHCHECK none").health->test, (Texts{"NONE"}));
}

TEST(Parser, ShowsTheSourceLine) {
  const auto file = parse_dockerfile("FROM x\nRUNN a \\\n b\n", "sub/Dockerfile");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.error().message().find("\nsub/Dockerfile:2\n   2 | RUNN a \\"), std::string::npos);
}

}  // namespace
}  // namespace skiff::build
