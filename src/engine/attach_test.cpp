#include "engine/attach.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include <thread>

#include "base/strings.h"
#include "engine/frames.h"
#include "engine/testing/rig.h"

namespace skiff::engine {
namespace {

using namespace std::string_literals;

TEST(DetachKeys, ReadsDockersSpelling) {
  EXPECT_EQ(*parse_detach_keys(""), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("a,ctrl-@,ctrl-["), "a\0\x1b"s);
  EXPECT_EQ(*parse_detach_keys("DEL,x"), "\x7fx");
  EXPECT_FALSE(parse_detach_keys("ctrl-1").ok());
  EXPECT_FALSE(parse_detach_keys("abc").ok());
  EXPECT_FALSE(parse_detach_keys("ctrl-p,,").ok());
}

/// Whether a thread of ours sleeps, as one does that waits for a lock (proc_pid_stat(5)).
bool sleeps(pid_t thread) {
  const auto stat = sys::read_file(fmt::format("/proc/self/task/{}/stat", thread));
  return stat.ok() && stat->find(") S") != std::string::npos;
}

/// A client may start the container as soon as it sees the answer to its attach; it must be there by then.
TEST(Attach, IsDoneBeforeTheClientCanStartTheContainer) {
  testing::Rig rig;
  rig.create("web");
  Attach attach(*rig.parts, *rig.set, rig.events);
  const auto plan = attach.prepare("web", {.stream = true, .standard_output = true});
  ASSERT_TRUE(plan.ok());
  std::thread impatient;
  std::atomic<pid_t> thread = 0;
  const auto attached = attach.attach(*plan, [&]() -> Result<Attach::Client> {
    impatient = std::thread([&] {
      thread = ::gettid();
      EXPECT_TRUE(rig.lifecycle->start("web").ok());
    });
    while (thread == 0 || !(sleeps(thread) || rig.get("web").state_now() == State::Running))
      std::this_thread::yield();
    return Attach::Client{};
  });
  impatient.join();
  ASSERT_TRUE(attached.ok());
  EXPECT_EQ(rig.task("web").bundle.attachments.size(), 1U);
}

TEST(Frames, HaveDockersHeader) {
  EXPECT_EQ(frame(2, "abc"),
            "\x02\0\0\0\0\0\0\x03"
            "abc"s);
  EXPECT_EQ(frame(1, std::string(258, 'x')).substr(0, 8), "\x01\0\0\0\0\0\x01\x02"s);
}

}  // namespace
}  // namespace skiff::engine
