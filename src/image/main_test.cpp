#include <gtest/gtest.h>

#include "archive/worker.h"
#include "lazy/server.h"

// Layers are unpacked by workers, which are this program executed anew.
int main(int argc, char** argv) {
  skiff::archive::worker_main(argc, argv);
  skiff::lazy::server_main(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
