#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

/// What `skiff system fsck` finds: the answer of our own POST /skiff/system/fsck.
namespace skiff::spec {

/// Something that the engine keeps and that is not what it was.
struct Damage {
  /// "database", "image" (its config), "manifest", "layer", "compressed layer", "name" or "container"
  std::string kind;
  std::string id;  ///< a digest, a name, or a container's id
  std::string problem;
  std::vector<std::string> images;      ///< that it hurts: a name each, or an id where there is none
  std::vector<std::string> containers;  ///< that stand on it: a name each
  bool repaired = false;
  std::string repair;  ///< what was done, or why it could not be; "" when nobody tried
};

/// Something that nothing refers to, left by a crash.
struct Leftover {
  std::string kind;  ///< "blob"
  std::string name;
  std::uint64_t bytes = 0;
  bool removed = false;
};

struct CheckReport {
  std::int64_t images = 0;  ///< how many were checked
  std::int64_t blobs = 0;
  std::int64_t layers = 0;
  std::int64_t containers = 0;
  std::uint64_t bytes = 0;  ///< that were read of blobs, and that layers' tars came to
  std::vector<Damage> damages;
  std::vector<Leftover> leftovers;

  /// Nothing is damaged, or nothing any more.
  bool clean() const;
};

void describe(json::Fields& f, Damage& damage);
void describe(json::Fields& f, Leftover& leftover);
void describe(json::Fields& f, CheckReport& report);

}  // namespace skiff::spec
