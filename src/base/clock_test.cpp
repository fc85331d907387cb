#include "base/clock.h"

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using skiff::Time;

TEST(Clock, Rfc3339) {
  const Time time = *skiff::parse_rfc3339("2026-01-02T03:04:05.000000006Z");
  EXPECT_EQ(skiff::format_rfc3339(time), "2026-01-02T03:04:05.000000006Z");
  EXPECT_EQ(skiff::format_rfc3339(*skiff::parse_rfc3339("2026-01-02T05:04:05.50+02:00")),
            "2026-01-02T03:04:05.5Z");
  EXPECT_EQ(skiff::format_rfc3339_fixed(*skiff::parse_rfc3339("2026-01-02T03:04:05Z")),
            "2026-01-02T03:04:05.000000000Z");
  EXPECT_EQ(skiff::format_rfc3339(Time{}), "0001-01-01T00:00:00Z");
  for (const char* bad :
       {"", "2026-13-01T00:00:00Z", "2026-01-02", "2026-01-02T25:00:00Z", "2026-01-02T00:00:00"})
    EXPECT_FALSE(skiff::parse_rfc3339(bad)) << bad;
}

TEST(Clock, Durations) {
  EXPECT_EQ(skiff::parse_duration("1h15m30.5s"), 1h + 15min + 30500ms);
  EXPECT_EQ(skiff::parse_duration("300ms"), 300ms);
  EXPECT_EQ(skiff::parse_duration("-2s"), -2s);
  EXPECT_FALSE(skiff::parse_duration("5"));
  EXPECT_FALSE(skiff::parse_duration("5 s"));
  EXPECT_EQ(skiff::format_duration(1h + 15min + 30500ms), "1h15m30.5s");
  EXPECT_EQ(skiff::format_duration(0s), "0s");
  EXPECT_EQ(skiff::format_duration(1500us), "1.5ms");
}

TEST(Clock, HumanDurations) {
  EXPECT_EQ(skiff::human_duration(500ms), "Less than a second");
  EXPECT_EQ(skiff::human_duration(1s), "1 second");
  EXPECT_EQ(skiff::human_duration(61s), "About a minute");
  EXPECT_EQ(skiff::human_duration(3h), "3 hours");
  EXPECT_EQ(skiff::human_duration(24h * 3), "3 days");
}

TEST(Clock, Timestamps) {
  const Time reference = *skiff::parse_rfc3339("2026-01-02T03:04:05Z");
  EXPECT_EQ(skiff::parse_timestamp("10m", reference), reference - 10min);
  EXPECT_EQ(skiff::parse_timestamp("1.5", reference), Time(1500ms));
  EXPECT_EQ(skiff::parse_timestamp("2026-01-02", reference), reference - 3h - 4min - 5s);
  EXPECT_FALSE(skiff::parse_timestamp("yesterday", reference));
}

}  // namespace
