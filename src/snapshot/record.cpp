#include "snapshot/record.h"

namespace skiff::snapshot {

void describe(json::Fields& f, Record& record) {
  f("directory", record.directory);
  f("parent", record.parent, json::Omit::Empty);
  f("chain", record.chain, json::Omit::Empty);
  f("bytes", record.bytes, json::Omit::Empty);
  f("committed", record.committed, json::Omit::Empty);
  f("unsynced", record.unsynced, json::Omit::Empty);
  f("served", record.served, json::Omit::Empty);
  f("damage", record.damage, json::Omit::Empty);
}

}  // namespace skiff::snapshot
