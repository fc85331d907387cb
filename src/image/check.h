#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/store.h"
#include "image/transfer/progress.h"
#include "meta/database.h"
#include "spec/check_report.h"

namespace skiff::image {

struct Finding {
  spec::Damage damage;  ///< without the containers
  std::vector<spec::Digest> images;
  std::string snapshot;  ///< of a damaged layer
};

struct Checked {
  spec::CheckReport report;  ///< without damages
  std::vector<Finding> findings;
};

/// Reads everything that images are made of and compares it with what it is called: the records, every blob
/// with its digest, the exact tar of every layer with its diff id, or with its chain id where no image has
/// it. What is found of a layer is noted in its snapshot's record, so that pulls and builds know it; a layer
/// that turns out to be sound loses such a note. Of a layer's files that covers the contents, and what the
/// recipe says; not owners, modes and times, which are not read back. What goes while it is looked at is no
/// damage. Cancelled between two layers.
Result<Checked> check(Store& store, meta::Database& database, Progress& progress,
                      const std::stop_token& stop);

/// Whether what was found is as it should be again.
bool is_mended(Store& store, const Finding& finding);

/// Removes a compressed layer that was kept and is damaged: nobody misses it.
Result<void> drop_kept_layer(Store& store, const Finding& finding);

/// Forgets a name that leads to no image.
Result<void> forget_name(meta::Database& database, const std::string& name);

}  // namespace skiff::image
