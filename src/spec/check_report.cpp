#include "spec/check_report.h"

#include <algorithm>

namespace skiff::spec {

bool CheckReport::clean() const {
  return std::all_of(damages.begin(), damages.end(), [](const Damage& damage) { return damage.repaired; });
}

void describe(json::Fields& f, Damage& damage) {
  f("Kind", damage.kind);
  f("Id", damage.id);
  f("Problem", damage.problem);
  f("Images", damage.images);
  f("Containers", damage.containers);
  f("Repaired", damage.repaired);
  f("Repair", damage.repair, json::Omit::Empty);
}

void describe(json::Fields& f, Leftover& leftover) {
  f("Kind", leftover.kind);
  f("Name", leftover.name);
  f("Bytes", leftover.bytes);
  f("Removed", leftover.removed);
}

void describe(json::Fields& f, CheckReport& report) {
  f("Images", report.images);
  f("Blobs", report.blobs);
  f("Layers", report.layers);
  f("Containers", report.containers);
  f("Bytes", report.bytes);
  f("Damages", report.damages);
  f("Leftovers", report.leftovers);
}

}  // namespace skiff::spec
