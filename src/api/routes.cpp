#include "api/routes.h"

#include "api/serving.h"

namespace skiff::api {
namespace {

// clang-format off
constexpr Route kRoutes[] = {
    {"GET",    "/_ping",                        ping},
    {"HEAD",   "/_ping",                        ping},
    {"GET",    "/version",                      version},
    {"GET",    "/info",                         info},
    {"GET",    "/events",                       events},
    {"GET",    "/system/df",                    disk_usage},

    {"POST",   "/containers/create",            container_create},
    {"GET",    "/containers/json",              container_list},
    {"POST",   "/containers/prune",             container_prune},
    {"GET",    "/containers/{id}/json",         container_inspect},
    {"GET",    "/containers/{id}/top",          container_top},
    {"GET",    "/containers/{id}/logs",         container_logs},
    {"GET",    "/containers/{id}/stats",        container_stats},
    {"POST",   "/containers/{id}/start",        container_start},
    {"POST",   "/containers/{id}/stop",         container_stop},
    {"POST",   "/containers/{id}/restart",      container_restart},
    {"POST",   "/containers/{id}/kill",         container_kill},
    {"POST",   "/containers/{id}/pause",        container_pause},
    {"POST",   "/containers/{id}/unpause",      container_unpause},
    {"POST",   "/containers/{id}/wait",         container_wait},
    {"POST",   "/containers/{id}/resize",       container_resize},
    {"POST",   "/containers/{id}/attach",       container_attach},
    {"POST",   "/containers/{id}/rename",       container_rename},
    {"POST",   "/containers/{id}/update",       container_update},
    {"POST",   "/containers/{id}/exec",         exec_create},
    {"GET",    "/containers/{id}/changes",      container_changes},
    {"GET",    "/containers/{id}/export",       container_export},
    {"HEAD",   "/containers/{id}/archive",      archive_head},
    {"GET",    "/containers/{id}/archive",      archive_get},
    {"PUT",    "/containers/{id}/archive",      archive_put},
    {"DELETE", "/containers/{id}",              container_remove},

    {"POST",   "/exec/{id}/start",              exec_start},
    {"POST",   "/exec/{id}/resize",             exec_resize},
    {"GET",    "/exec/{id}/json",               exec_inspect},

    {"POST",   "/commit",                       container_commit},
    {"POST",   "/build",                        build},
    {"POST",   "/build/prune",                  build_prune},
    {"GET",    "/images/json",                  image_list},
    {"POST",   "/images/prune",                 image_prune},
    {"GET",    "/images/search",                image_search},
    {"GET",    "/images/get",                   image_get_all},
    {"POST",   "/images/create",                image_create},
    {"POST",   "/images/load",                  image_load},
    {"GET",    "/images/{name...}/json",        image_inspect},
    {"GET",    "/images/{name...}/history",     image_history},
    {"GET",    "/images/{name...}/get",         image_get},
    {"POST",   "/images/{name...}/tag",         image_tag},
    {"POST",   "/images/{name...}/push",        image_push},
    {"DELETE", "/images/{name...}",             image_remove},

    {"POST",   "/skiff/images/bootstrap",       image_bootstrap},
    {"POST",   "/skiff/images/{name...}/pin",   image_pin},
    {"POST",   "/skiff/images/{name...}/unpin", image_unpin},
    {"POST",   "/skiff/system/fsck",            system_fsck},
    {"POST",   "/skiff/images/save",            image_save_without},
    {"POST",   "/skiff/layers/known",           layers_known},
    {"POST",   "/skiff/manifests/{name...}/mount", manifest_mount},
    {"GET",    "/skiff/manifests/{name...}",    manifest_get},
    {"PUT",    "/skiff/manifests/{name...}",    manifest_put},
    {"GET",    "/skiff/registry/images",        served_images},
    {"GET",    "/skiff/registry/blobs/{digest}", served_blob},

    {"GET",    "/networks",                     network_list},
    {"GET",    "/networks/",                    network_list},
    {"POST",   "/networks/create",              network_create},
    {"POST",   "/networks/prune",               network_prune},
    {"POST",   "/networks/{id}/connect",        network_connect},
    {"POST",   "/networks/{id}/disconnect",     network_disconnect},
    {"GET",    "/networks/{id}",                network_inspect},
    {"DELETE", "/networks/{id}",                network_remove},

    {"GET",    "/volumes",                      volume_list},
    {"POST",   "/volumes/create",               volume_create},
    {"POST",   "/volumes/prune",                volume_prune},
    {"GET",    "/volumes/{name}",               volume_inspect},
    {"DELETE", "/volumes/{name}",               volume_remove},

    {"GET",    "/plugins",                      plugin_list},
    {"GET",    "/plugins/{name...}/json",       no_plugin},
    {"*",      "/plugins/{rest...}",            not_offered},
    {"POST",   "/auth",                         auth},
    {"POST",   "/build/cancel",                 not_offered},
    {"POST",   "/session",                      not_offered},
    {"POST",   "/grpc",                         not_offered},
    {"GET",    "/distribution/{name...}/json",  distribution_inspect},
    {"GET",    "/containers/{id}/attach/ws",    not_offered},
    {"*",      "/containers/{id}/checkpoints",  not_offered},
    {"*",      "/containers/{id}/checkpoints/{rest...}", not_offered},

    {"POST",   "/swarm/leave",                  not_in_swarm},
    {"POST",   "/swarm/init",                   not_offered},
    {"POST",   "/swarm/join",                   not_offered},
    {"*",      "/swarm",                        no_swarm},
    {"*",      "/swarm/{rest...}",              no_swarm},
    {"*",      "/nodes",                        no_swarm},
    {"*",      "/nodes/{rest...}",              no_swarm},
    {"*",      "/services",                     no_swarm},
    {"*",      "/services/{rest...}",           no_swarm},
    {"*",      "/tasks",                        no_swarm},
    {"*",      "/tasks/{rest...}",              no_swarm},
    {"*",      "/secrets",                      no_swarm},
    {"*",      "/secrets/{rest...}",            no_swarm},
    {"*",      "/configs",                      no_swarm},
    {"*",      "/configs/{rest...}",            no_swarm},
};
// clang-format on

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace skiff::api
