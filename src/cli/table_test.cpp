#include "cli/table.h"

#include <gtest/gtest.h>

namespace skiff::cli {
namespace {

TEST(Columns, AreTenWideAndThreeApart) {
  EXPECT_EQ(align_columns("A\tB\tC\nlong long cell\tx\ty\n"),
            "A                B         C\nlong long cell   x         y\n");
}

TEST(Columns, EmptyCellsAndMultibyteText) {
  EXPECT_EQ(align_columns("IMAGE\tPORTS\tNAMES\n…\t\tweb\n"),
            "IMAGE     PORTS     NAMES\n…                   web\n");
}

TEST(Columns, LinesWithoutAColumnEndIt) {
  EXPECT_EQ(align_columns("averylongcellindeed\tx\n\nb\ty\n"), "averylongcellindeed   x\n\nb         y\n");
}

TEST(Ellipsis, CountsCodePoints) {
  EXPECT_EQ(ellipsis("abcdef", 6), "abcdef");
  EXPECT_EQ(ellipsis("abcdefg", 6), "abcde…");
  EXPECT_EQ(ellipsis("äöüabcd", 4), "äöü…");
}

ListFormat format(std::string text) {
  return {std::move(text),
          "{{.ID}}\t{{.Names}}",
          "*formatter.ContainerContext",
          {{"ID", "CONTAINER ID"}, {"Names", "NAMES"}}};
}

TEST(Lists, TablesTemplatesAndJson) {
  const std::vector<Row> rows = {{{{"Names", "web"}, {"ID", "abc"}}, {{"k", "v"}}}};
  EXPECT_EQ(*format_list(format("table"), rows), "CONTAINER ID   NAMES\nabc            web\n");
  EXPECT_EQ(*format_list(format("table {{.Names}}\\t{{upper .ID}}"), rows),
            "NAMES     CONTAINER ID\nweb       ABC\n");
  EXPECT_EQ(*format_list(format("{{.ID}}={{.Label \"k\"}}"), rows), "abc=v\n");
  EXPECT_EQ(*format_list(format("json"), rows), "{\"ID\":\"abc\",\"Names\":\"web\"}\n");
  EXPECT_EQ(*format_list(format("table"), {}), "CONTAINER ID   NAMES\n");
  EXPECT_EQ(format_list(format("{{.X}}"), rows).error().message(),
            "template parsing error: template: :1:2: executing \"\" at <.X>: can't evaluate field X in type "
            "*formatter.ContainerContext");
}

}  // namespace
}  // namespace skiff::cli
