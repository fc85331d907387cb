#pragma once

#include <span>
#include <string_view>

#include "api/call.h"

namespace skiff::api {

struct Route {
  std::string_view method;   ///< "*" for all
  std::string_view pattern;  ///< see pattern.h
  CallHandler handler;
};

/// The whole surface, first match wins.
std::span<const Route> routes();

// One function a route; the files are named after the areas.

// system.cpp
Result<void> ping(Call& call);
Result<void> version(Call& call);
Result<void> info(Call& call);
Result<void> events(Call& call);
Result<void> disk_usage(Call& call);
Result<void> build_prune(Call& call);
Result<void> plugin_list(Call& call);
// unavailable.cpp
Result<void> no_swarm(Call& call);
Result<void> not_in_swarm(Call& call);
Result<void> no_plugin(Call& call);
Result<void> not_offered(Call& call);
// containers.cpp
Result<void> container_create(Call& call);
Result<void> container_list(Call& call);
Result<void> container_inspect(Call& call);
Result<void> container_rename(Call& call);
Result<void> container_remove(Call& call);
Result<void> container_update(Call& call);
Result<void> container_top(Call& call);
Result<void> container_prune(Call& call);
// lifecycle.cpp
Result<void> container_start(Call& call);
Result<void> container_stop(Call& call);
Result<void> container_restart(Call& call);
Result<void> container_kill(Call& call);
Result<void> container_pause(Call& call);
Result<void> container_unpause(Call& call);
Result<void> container_resize(Call& call);
Result<void> container_wait(Call& call);
// streams.cpp
Result<void> container_attach(Call& call);
Result<void> container_logs(Call& call);
Result<void> container_stats(Call& call);
// files.cpp
Result<void> archive_head(Call& call);
Result<void> archive_get(Call& call);
Result<void> archive_put(Call& call);
// execs.cpp
Result<void> exec_create(Call& call);
Result<void> exec_start(Call& call);
Result<void> exec_inspect(Call& call);
Result<void> exec_resize(Call& call);
// images.cpp
Result<void> image_list(Call& call);
Result<void> image_inspect(Call& call);
Result<void> image_history(Call& call);
Result<void> image_tag(Call& call);
Result<void> image_remove(Call& call);
Result<void> image_prune(Call& call);
Result<void> image_pin(Call& call);
Result<void> image_unpin(Call& call);
// archives.cpp
Result<void> image_get(Call& call);
Result<void> image_get_all(Call& call);
Result<void> image_load(Call& call);
Result<void> image_save_without(Call& call);
Result<void> layers_known(Call& call);
/// POST /images/create with fromSrc.
Result<void> image_import(Call& call);
Result<void> container_export(Call& call);
Result<void> container_changes(Call& call);
Result<void> container_commit(Call& call);
// registries.cpp
/// POST /images/create: a pull, or an import.
Result<void> image_create(Call& call);
Result<void> image_push(Call& call);
Result<void> auth(Call& call);
Result<void> distribution_inspect(Call& call);
Result<void> image_search(Call& call);
// fsck.cpp
Result<void> system_fsck(Call& call);
// manifests.cpp
Result<void> manifest_get(Call& call);
Result<void> manifest_put(Call& call);
Result<void> manifest_mount(Call& call);
// bootstrap.cpp
Result<void> image_bootstrap(Call& call);
// builds.cpp
Result<void> build(Call& call);
// networks.cpp
Result<void> network_list(Call& call);
Result<void> network_inspect(Call& call);
Result<void> network_create(Call& call);
Result<void> network_connect(Call& call);
Result<void> network_disconnect(Call& call);
Result<void> network_remove(Call& call);
Result<void> network_prune(Call& call);
// volumes.cpp
Result<void> volume_list(Call& call);
Result<void> volume_create(Call& call);
Result<void> volume_inspect(Call& call);
Result<void> volume_remove(Call& call);
Result<void> volume_prune(Call& call);

}  // namespace skiff::api
