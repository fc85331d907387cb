#include "archive/worker_job.h"

namespace skiff::archive {

namespace {

template <typename E>
void enum_field(json::Fields& f, std::string_view name, E& value) {
  int number = static_cast<int>(value);
  f(name, number);
  value = static_cast<E>(number);
}

}  // namespace

void describe(json::Fields& f, JobMount& mount) {
  f("destination", mount.mount.destination);
  f("type", mount.mount.type);
  f("source", mount.mount.source);
  f("options", mount.mount.options);
}

void describe(json::Fields& f, Job& job) {
  f("kind", job.kind);
  f("mounts", job.mounts);
  f("join", job.join);
  f("recipe", job.recipe);
  f("progress", job.progress);
  f("path", job.path);
  enum_field(f, "whiteouts", job.options.whiteouts);
  enum_field(f, "escape", job.options.escape);
  f("devices", job.options.devices);
  f("absoluteNames", job.options.absolute_names);
  f("keepOwner", job.options.keep_owner);
  f("keepKinds", job.options.keep_kinds);
  f("directoryTimes", job.options.directory_times);
  f("rootAttributes", job.options.root_attributes);
  f("maxBytes", job.options.limits.bytes);
  f("maxEntries", job.options.limits.entries);
  f("maxRatio", job.options.limits.ratio);
  f("names", job.names, json::Omit::Empty);
  f("blobSize", job.blob_size, json::Omit::Empty);
  f("estargz", job.estargz);
  bool owned = job.options.owner.has_value();
  f("owned", owned);
  if (owned) {
    if (!job.options.owner) job.options.owner.emplace();
    f("uid", job.options.owner->first);
    f("gid", job.options.owner->second);
  }
}

void describe(json::Fields& f, Answer& answer) {
  f("error", answer.error);
  f("kind", answer.kind);
  f("code", answer.code);
  f("entries", answer.entries);
  f("bytes", answer.bytes);
  f("tarBytes", answer.tar_bytes);
  f("digest", answer.digest);
  f("stat", answer.stat, json::Omit::Empty);
  f("archiveEntries", answer.archive_entries, json::Omit::Empty);
}

}  // namespace skiff::archive
