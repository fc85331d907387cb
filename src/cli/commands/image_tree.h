#pragma once

#include <vector>

#include "cli/cli.h"
#include "spec/docker/image.h"

namespace skiff::cli {

/// `images --tree`, as Docker draws it: every name of an image on a line of its own, the last one beside what
/// the image is; in colours and cut to the width on a terminal.
void show_image_tree(Cli& cli, const std::vector<spec::docker::ImageSummary>& images);

}  // namespace skiff::cli
