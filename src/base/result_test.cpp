#include "base/result.h"

#include <gtest/gtest.h>

#include "base/undo.h"

namespace {

using skiff::Error;
using skiff::Kind;
using skiff::Result;

Result<int> half(int number) {
  if (number % 2 != 0) return skiff::fail(Kind::InvalidArgument, "{} is odd", number);
  return number / 2;
}

Result<std::unique_ptr<int>> quarter(int number) {
  const int once = TRY(half(number));
  return std::make_unique<int>(TRY_CONTEXT(half(once), "second half of {}", number));
}

TEST(Result, TryReturnsTheError) {
  EXPECT_EQ(**quarter(12), 3);
  EXPECT_EQ(quarter(3).error().message(), "3 is odd");
  EXPECT_EQ(quarter(6).error().message(), "second half of 6: 3 is odd");
}

TEST(Result, ErrnoDecidesTheKind) {
  const Error error = Error::from_errno("open x", ENOENT);
  EXPECT_EQ(error.kind(), Kind::NotFound);
  EXPECT_EQ(error.message(), "open x: no such file or directory");
  EXPECT_EQ(error.code(), ENOENT);
}

TEST(UndoStack, RunsInReverseUnlessDismissed) {
  std::string trace;
  {
    skiff::UndoStack undo;
    undo.add([&] { trace += "a"; });
    undo.add([&] { trace += "b"; });
  }
  EXPECT_EQ(trace, "ba");
  {
    skiff::UndoStack undo;
    undo.add([&] { trace += "c"; });
    undo.dismiss();
  }
  EXPECT_EQ(trace, "ba");
}

}  // namespace
