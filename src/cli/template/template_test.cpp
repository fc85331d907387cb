#include "cli/template/template.h"

#include <gtest/gtest.h>

namespace skiff::cli {
namespace {

const char* const kData = R"({"Id":"abc","Name":"/web","State":{"Running":true,"Pid":42,"Load":1.5},
  "Names":["a","b"],"Labels":{"y":"2","x":"1"},"Empty":[],"Null":null,
  "Ports":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}})";

std::string run(std::string_view text, std::string root_type = "", bool header = false) {
  const auto data = json::parse(kData);
  auto made = Template::parse(text);
  if (!made.ok()) return "parse: " + made.error().message();
  TemplateOptions options;
  options.root_type = std::move(root_type);
  options.header = header;
  options.method = [](std::string_view name,
                      const std::vector<json::Value>& arguments) -> std::optional<Result<json::Value>> {
    if (name != "Label") return std::nullopt;
    return json::Value("label:" + std::string(arguments.at(0).as_string()));
  };
  std::string out;
  auto done = made->execute(*data, options, out);
  return done.ok() ? out : "run: " + done.error().message();
}

TEST(Template, FieldsAndText) {
  EXPECT_EQ(run("{{.Id}} {{.State.Pid}}!"), "abc 42!");
  EXPECT_EQ(run("{{.ID}}"), "abc");
  EXPECT_EQ(run("{{.State.Running}} {{.State.Load}} {{.Null}}"), "true 1.5 <nil>");
  EXPECT_EQ(run("{{.State}}"), "map[Load:1.5 Pid:42 Running:true]");
  EXPECT_EQ(run("{{.Names}}"), "[a b]");
  EXPECT_EQ(run("{{.Labels.z}}"), "<no value>");
}

TEST(Template, Control) {
  EXPECT_EQ(run("{{if .State.Running}}up{{else}}down{{end}}"), "up");
  EXPECT_EQ(run("{{if .Empty}}a{{else if .Id}}b{{else}}c{{end}}"), "b");
  EXPECT_EQ(run("{{range .Names}}<{{.}}>{{end}}"), "<a><b>");
  EXPECT_EQ(run("{{range $i, $n := .Names}}{{$i}}={{$n}};{{end}}"), "0=a;1=b;");
  EXPECT_EQ(run("{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}"), "x=1 y=2 ");
  EXPECT_EQ(run("{{range .Empty}}x{{else}}none{{end}}"), "none");
  EXPECT_EQ(run("{{with .State}}{{.Pid}}{{$.Id}}{{end}}"), "42abc");
  EXPECT_EQ(run("{{range .Names}}{{if eq . \"b\"}}{{break}}{{end}}{{.}}{{end}}"), "a");
  EXPECT_EQ(run("{{$x := .Id}}{{if true}}{{$x = \"z\"}}{{end}}{{$x}}"), "z");
  EXPECT_EQ(run("a {{- .Id -}} b{{/* note */}}"), "aabcb");
}

TEST(Template, Functions) {
  EXPECT_EQ(run("{{json .Labels}}"), R"({"y":"2","x":"1"})");
  EXPECT_EQ(run("{{index .Labels \"x\"}}{{index .Names 1}}"), "1b");
  EXPECT_EQ(run("{{(index (index .Ports \"80/tcp\") 0).HostPort}}"), "8080");
  EXPECT_EQ(run("{{join .Names \", \"}} {{upper .Id}} {{.Id | title}}"), "a, b ABC Abc");
  EXPECT_EQ(run("{{printf \"%-5s|%5d|%q|%.1f\" .Id 7 .Id .State.Load}}"), "abc  |    7|\"abc\"|1.5");
  EXPECT_EQ(run("{{println .Id 1}}"), "abc 1\n");
  EXPECT_EQ(run("{{len .Names}}{{len .Labels}}{{len .Id}}"), "223");
  EXPECT_EQ(run("{{and .Id .Empty}}{{or .Empty .Id}}{{not .Id}}"), "[]abcfalse");
  EXPECT_EQ(run("{{eq .State.Pid 42}}{{ne .Id \"x\"}}{{lt 1 2}}{{ge 1 2}}{{eq .Id \"z\" \"abc\"}}"),
            "truetruetruefalsetrue");
  EXPECT_EQ(run("{{slice .Id 0 2}}{{truncate .Id 1}}{{pad .Id 1 2}}|"), "aba abc  |");
  EXPECT_EQ(run("{{range split \"a:b\" \":\"}}[{{.}}]{{end}}"), "[a][b]");
  EXPECT_EQ(run("{{.Label \"x\"}}"), "label:x");
}

TEST(Template, HeaderHandsValuesThrough) { EXPECT_EQ(run("{{upper .Id}}", "T", true), "abc"); }

TEST(Template, SaysWhatGoSays) {
  EXPECT_EQ(run("{{.Foo"), "parse: template: :1: unclosed action");
  EXPECT_EQ(run("{{foo .}}"), "parse: template: :1: function \"foo\" not defined");
  EXPECT_EQ(run("{{if .Id}}"), "parse: template: :1: unexpected EOF");
  EXPECT_EQ(run("{{end}}"), "parse: template: :1: unexpected {{end}}");
  EXPECT_EQ(run("{{}}"), "parse: template: :1: missing value for command");
  EXPECT_EQ(run("{{$x}}"), "parse: template: :1: undefined variable \"$x\"");
  EXPECT_EQ(run("{{.Foo}}"),
            "run: template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
  EXPECT_EQ(run("{{.Foo.Bar}}"),
            "run: template: :1:6: executing \"\" at <.Foo.Bar>: map has no entry for key \"Foo\"");
  EXPECT_EQ(run("{{.Foo}}", "*formatter.ContainerContext"),
            "run: template: :1:2: executing \"\" at <.Foo>: can't evaluate field Foo in type "
            "*formatter.ContainerContext");
}

}  // namespace
}  // namespace skiff::cli
