#include <gtest/gtest.h>

#include "archive/worker.h"

// Tests that use workers execute this program anew.
int main(int argc, char** argv) {
  skiff::archive::worker_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
