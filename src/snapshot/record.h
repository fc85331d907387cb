#pragma once

#include <string>

#include "base/json.h"

namespace skiff::snapshot {

/// What the table "snapshots" holds under a snapshot's key.
struct Record {
  std::string directory;  ///< name below the store's root
  std::string parent;
  std::string chain;  ///< digest, or ""
  std::uint64_t bytes = 0;
  bool committed = false;
  bool unsynced = false;  ///< committed, and no sync() has taken its files to the disk yet
  bool served = false;    ///< committed, and its files are not here: somebody serves them (adopt_served())
  std::string damage;     ///< why its files are not to be trusted, or ""
};

void describe(json::Fields& f, Record& record);

}  // namespace skiff::snapshot
