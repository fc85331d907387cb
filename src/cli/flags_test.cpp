#include "cli/flags.h"

#include <gtest/gtest.h>

namespace skiff::cli {
namespace {

struct Flags : testing::Test {
  FlagSet set;
  bool interactive = false, tty = false, rm = false, proxy = true;
  std::string name;
  std::int64_t time = 0, memory = 0;
  std::vector<std::string> env;
  void SetUp() override {
    set.boolean(interactive, "interactive", 'i', "Keep STDIN open");
    set.boolean(tty, "tty", 't', "Allocate a pseudo-TTY");
    set.boolean(rm, "rm", 0, "Remove");
    set.boolean(proxy, "sig-proxy", 0, "Proxy signals");
    set.string(name, "name", 'n', "Assign a name");
    set.integer(time, "timeout", 's', "Seconds");
    set.bytes(memory, "memory", 'm', "Memory limit");
    set.list(env, "env", 'e', "Set environment variables");
  }
  std::string error(const std::vector<std::string>& args) {
    auto parsed = set.parse(args);
    return parsed.ok() ? "" : parsed.error().message();
  }
};

TEST_F(Flags, CombinedShortsAndValues) {
  auto parsed = set.parse({"-it", "-ea=b", "-e", "c=d", "--name=x", "image", "--rm", "-m512m"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(interactive && tty && rm);
  EXPECT_EQ(env, (std::vector<std::string>{"a=b", "c=d"}));
  EXPECT_EQ(name, "x");
  EXPECT_EQ(memory, 512 << 20);
  EXPECT_EQ(parsed->arguments, std::vector<std::string>{"image"});
  EXPECT_TRUE(set.changed("env"));
  EXPECT_FALSE(set.changed("sig-proxy"));
}

TEST_F(Flags, StopsAtFirstArgumentWhenAsked) {
  set.stop_at_first_argument();
  auto parsed = set.parse({"--rm", "image", "ls", "-l", "--", "x"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->arguments, (std::vector<std::string>{"image", "ls", "-l", "--", "x"}));
}

TEST_F(Flags, DoubleDashEndsFlags) {
  auto parsed = set.parse({"a", "--", "--rm", "-"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->arguments, (std::vector<std::string>{"a", "--rm", "-"}));
  EXPECT_FALSE(rm);
}

TEST_F(Flags, BooleansTakeValuesOnlyWithEquals) {
  ASSERT_TRUE(set.parse({"--sig-proxy=false", "-t=true", "-i=0"}).ok());
  EXPECT_FALSE(proxy);
  EXPECT_TRUE(tty);
  EXPECT_FALSE(interactive);
}

TEST_F(Flags, SaysWhatPflagSays) {
  EXPECT_EQ(error({"--foo"}), "unknown flag: --foo");
  EXPECT_EQ(error({"--foo=bar"}), "unknown flag: --foo");
  EXPECT_EQ(error({"-itZ"}), "unknown shorthand flag: 'Z' in -Z");
  EXPECT_EQ(error({"-Zx"}), "unknown shorthand flag: 'Z' in -Zx");
  EXPECT_EQ(error({"--name"}), "flag needs an argument: --name");
  EXPECT_EQ(error({"-tn"}), "flag needs an argument: 'n' in -n");
  EXPECT_EQ(error({"--memory=x"}), "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'");
  EXPECT_EQ(error({"--rm=x"}),
            "invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid syntax");
  EXPECT_EQ(error({"-s", "99999999999999999999"}),
            "invalid argument \"99999999999999999999\" for \"-s, --timeout\" flag: strconv.ParseInt: parsing "
            "\"99999999999999999999\": value out of range");
  EXPECT_EQ(error({"--=x"}), "bad flag syntax: --=x");
}

TEST_F(Flags, HelpStopsParsing) {
  auto parsed = set.parse({"--help", "--foo"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->help);
}

TEST_F(Flags, UsagesAreSortedAndAligned) {
  FlagSet small;
  bool archive = false, follow = false, quiet = false;
  small.boolean(quiet, "quiet", 'q',
                "Suppress progress output during copy. Progress output is automatically suppressed if no "
                "terminal is attached");
  small.boolean(archive, "archive", 'a', "Archive mode (copy all uid/gid information)");
  small.boolean(follow, "follow-link", 'L', "Always follow symbol link in SRC_PATH");
  EXPECT_EQ(small.usages(79),
            "  -a, --archive       Archive mode (copy all uid/gid information)\n"
            "  -L, --follow-link   Always follow symbol link in SRC_PATH\n"
            "  -q, --quiet         Suppress progress output during copy. Progress\n"
            "                      output is automatically suppressed if no terminal\n"
            "                      is attached\n");
}

TEST_F(Flags, DefaultsAreShown) {
  FlagSet small;
  std::string tail = "all";
  bool human = true;
  std::int64_t last = -1;
  small.string(tail, "tail", 'n', "Lines");
  small.boolean(human, "human", 'H', "Human");
  small.integer(last, "last", 0, "Last");
  EXPECT_EQ(small.usages(79),
            "  -H, --human         Human (default true)\n"
            "      --last int      Last (default -1)\n"
            "  -n, --tail string   Lines (default \"all\")\n");
}

TEST(Csv, QuotesAndErrors) {
  EXPECT_EQ(*parse_csv_line("a,\"b,c\",d\"\"").error().message().c_str(), 'p');
  EXPECT_EQ(*parse_csv_line("type=bind,\"src=/a,b\",dst=/x"),
            (std::vector<std::string>{"type=bind", "src=/a,b", "dst=/x"}));
  EXPECT_EQ(*parse_csv_line("\"a\"\"b\""), std::vector<std::string>{"a\"b"});
}

TEST(Numbers, BaseZero) {
  EXPECT_EQ(*parse_go_int("0x10"), 16);
  EXPECT_EQ(*parse_go_int("-5"), -5);
  EXPECT_EQ(*parse_go_int("010"), 8);
  EXPECT_FALSE(parse_go_int("").ok());
  EXPECT_FALSE(parse_go_int("1.5").ok());
  EXPECT_FALSE(parse_go_uint("65536", 16).ok());
}

}  // namespace
}  // namespace skiff::cli
