#include "archive/ahead_source.h"

#include <gtest/gtest.h>

namespace skiff::archive {
namespace {

/// Counted pieces, then an end or an error.
class Pieces final : public Source {
 public:
  Pieces(int count, std::optional<Error> error = {}) : count_(count), error_(std::move(error)) {}
  Result<std::string_view> next() override {
    if (at_ == count_ && error_) return *error_;
    if (at_ == count_) return std::string_view();
    piece_ = std::to_string(at_++) + ",";
    return std::string_view(piece_);
  }

 private:
  const int count_;
  const std::optional<Error> error_;
  int at_ = 0;
  std::string piece_;
};

TEST(AheadSource, TheSamePiecesComeInTheSameOrder) {
  SideThread thread;
  for (const int count : {0, 1, 4, 1000}) {
    std::string wanted;
    for (int i = 0; i < count; ++i) wanted += std::to_string(i) + ",";
    Pieces pieces(count);
    DigestSource counted(pieces);
    AheadSource ahead(counted, thread);
    std::string all;
    for (;;) {
      const auto piece = *ahead.next();
      if (piece.empty()) break;
      all += piece;
    }
    EXPECT_EQ(all, wanted);
    ASSERT_TRUE(ahead.finish().ok());
    EXPECT_EQ(*counted.finish(), spec::Digest::of(wanted));
  }
}

TEST(AheadSource, AnErrorComesInItsPlaceAndStays) {
  SideThread thread;
  Pieces pieces(2, Error(Kind::DataLoss, "broken"));
  AheadSource ahead(pieces, thread);
  EXPECT_EQ(*ahead.next(), "0,");
  EXPECT_EQ(*ahead.next(), "1,");
  for (int i = 0; i < 2; ++i) {
    const auto end = ahead.next();
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().message(), "broken");
  }
  EXPECT_FALSE(ahead.finish().ok());
}

TEST(AheadSource, WhoStopsReadingWaitsForNothing) {
  SideThread thread;
  Pieces pieces(1'000'000'000);
  {
    AheadSource ahead(pieces, thread);
    EXPECT_EQ(*ahead.next(), "0,");
  }
  EXPECT_FALSE((*pieces.next()).empty());  // it is ours again
}

}  // namespace
}  // namespace skiff::archive
