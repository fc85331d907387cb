#pragma once

#include <vector>

#include "cli/command.h"

namespace skiff::cli {

/// The commands over images, networks, volumes and the engine as a whole.
std::vector<Entry> resource_entries();

// What makes them, by file.
namespace make {
std::unique_ptr<Command> version();
std::unique_ptr<Command> info();
std::unique_ptr<Command> events();
std::unique_ptr<Command> system_df();
std::unique_ptr<Command> system_fsck();
std::unique_ptr<Command> system_prune();
std::unique_ptr<Command> dial_stdio();
std::unique_ptr<Command> builder_prune();
std::unique_ptr<Command> build();
std::unique_ptr<Command> image_ls();
std::unique_ptr<Command> image_rm();
std::unique_ptr<Command> image_tag();
std::unique_ptr<Command> image_pin();
std::unique_ptr<Command> image_unpin();
std::unique_ptr<Command> image_history();
std::unique_ptr<Command> image_inspect();
std::unique_ptr<Command> image_prune();
std::unique_ptr<Command> image_bootstrap();
std::unique_ptr<Command> registry_serve();
std::unique_ptr<Command> image_save();
std::unique_ptr<Command> image_load();
std::unique_ptr<Command> image_import();
std::unique_ptr<Command> image_pull();
std::unique_ptr<Command> image_push();
std::unique_ptr<Command> image_copy();
std::unique_ptr<Command> search();
std::unique_ptr<Command> manifest_inspect();
std::unique_ptr<Command> manifest_create();
std::unique_ptr<Command> manifest_annotate();
std::unique_ptr<Command> manifest_push();
std::unique_ptr<Command> manifest_rm();
std::unique_ptr<Command> login();
std::unique_ptr<Command> logout();
std::unique_ptr<Command> network_ls();
std::unique_ptr<Command> network_inspect();
std::unique_ptr<Command> network_create();
std::unique_ptr<Command> network_connect();
std::unique_ptr<Command> network_disconnect();
std::unique_ptr<Command> network_rm();
std::unique_ptr<Command> network_prune();
std::unique_ptr<Command> volume_ls();
std::unique_ptr<Command> volume_inspect();
std::unique_ptr<Command> volume_create();
std::unique_ptr<Command> volume_rm();
std::unique_ptr<Command> volume_prune();
}  // namespace make

}  // namespace skiff::cli
