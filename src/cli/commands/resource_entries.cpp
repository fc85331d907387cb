#include "cli/commands/resource_entries.h"

#include "cli/image_copy.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kInfo = "system info|info";
constexpr std::string_view kEvents = "system events|events";
constexpr std::string_view kBuild = "image build|build|builder build";
constexpr std::string_view kImageLs = "image ls|image list|images";
constexpr std::string_view kImageRm = "image rm|image remove|rmi";
constexpr std::string_view kTag = "image tag|tag";
constexpr std::string_view kPull = "image pull|pull";
constexpr std::string_view kPush = "image push|push";
constexpr std::string_view kHistory = "image history|history";
constexpr std::string_view kSave = "image save|save";
constexpr std::string_view kLoad = "image load|load";
constexpr std::string_view kImport = "image import|import";

void add_system(std::vector<Entry>& rows) {
  rows.push_back(
      {"version", "[OPTIONS]", "Show the Docker version information", "", no_arguments(), make::version});
  for (const std::string_view path : {"info", "system info"})
    rows.push_back({path, "[OPTIONS]", "Display system-wide information", kInfo, no_arguments(), make::info});
  for (const std::string_view path : {"events", "system events"})
    rows.push_back(
        {path, "[OPTIONS]", "Get real time events from the server", kEvents, no_arguments(), make::events});
  rows.push_back({"system df", "[OPTIONS]", "Show docker disk usage", "", no_arguments(), make::system_df});
  rows.push_back(
      {"system fsck", "[OPTIONS]", "Check images, layers and records for damage", "", no_arguments(),
       make::system_fsck,
       "Check images, layers and records for damage: every blob and every layer is read and compared\n"
       "with its digest. The exit code is 0 when nothing is damaged, or nothing any more, else 1."});
  rows.push_back({"system prune", "[OPTIONS]", "Remove unused data", "", no_arguments(), make::system_prune});
  rows.push_back({"system dial-stdio", "",
                  "Proxy the stdio stream to the daemon connection. Should not be invoked manually.", "",
                  no_arguments(), make::dial_stdio});
  rows.back().hidden = true;
}

void add_images(std::vector<Entry>& rows) {
  for (const std::string_view path : {"build", "image build", "builder build"})
    rows.push_back({path, "[OPTIONS] PATH | URL | -", "Build an image from a Dockerfile", kBuild, exactly(1),
                    make::build});
  rows.push_back({"builder prune", "", "Remove build cache", "", no_arguments(), make::builder_prune});
  for (const std::string_view path : {"images", "image ls"})
    rows.push_back(
        {path, "[OPTIONS] [REPOSITORY[:TAG]]", "List images", kImageLs, at_most(1), make::image_ls});
  for (const std::string_view path : {"rmi", "image rm"})
    rows.push_back({path, "[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", kImageRm, at_least(1),
                    make::image_rm});
  for (const std::string_view path : {"tag", "image tag"})
    rows.push_back({path, "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", kTag, exactly(2),
                    make::image_tag});
  for (const std::string_view path : {"history", "image history"})
    rows.push_back(
        {path, "[OPTIONS] IMAGE", "Show the history of an image", kHistory, exactly(1), make::image_history});
  for (const std::string_view path : {"save", "image save"})
    rows.push_back({path, "[OPTIONS] IMAGE [IMAGE...]",
                    "Save one or more images to a tar archive (streamed to STDOUT by default)", kSave,
                    at_least(1), make::image_save});
  for (const std::string_view path : {"load", "image load"})
    rows.push_back({path, "[OPTIONS]", "Load an image from a tar archive or STDIN", kLoad, no_arguments(),
                    make::image_load});
  for (const std::string_view path : {"import", "image import"})
    rows.push_back({path, "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
                    "Import the contents from a tarball to create a filesystem image", kImport, at_least(1),
                    make::image_import});
  rows.push_back({"image inspect", "[OPTIONS] IMAGE [IMAGE...]",
                  "Display detailed information on one or more images", "", at_least(1),
                  make::image_inspect});
  rows.push_back({"image prune", "[OPTIONS]", "Remove unused images", "", no_arguments(), make::image_prune});
  rows.push_back(
      {"image pin", "IMAGE [IMAGE...]", "Keep one or more images from being removed", "", at_least(1),
       make::image_pin,
       "Keep one or more images from being removed: by prune, for want of room, or without --force"});
  rows.push_back({"image unpin", "IMAGE [IMAGE...]", "Let one or more pinned images be removed again", "",
                  at_least(1), make::image_unpin});
  rows.push_back(
      {"image bootstrap", "[OPTIONS] NAME[:SUITE]", "Make a base image from a package mirror", "", exactly(1),
       make::image_bootstrap,
       "Make a base image from a package mirror, for example debian:bookworm or debian:bookworm-slim"});
}

void add_registry(std::vector<Entry>& rows) {
  rows.push_back({"registry serve", "[OPTIONS]", "Serve a registry of container images", "", any_arguments(),
                  make::registry_serve});
  for (const std::string_view path : {"pull", "image pull"})
    rows.push_back({path, "[OPTIONS] NAME[:TAG|@DIGEST]", "Download an image from a registry", kPull,
                    exactly(1), make::image_pull});
  for (const std::string_view path : {"push", "image push"}) {
    rows.push_back({path, "[OPTIONS] NAME[:TAG]", "Upload an image to a registry", kPush, exactly(1),
                    make::image_push, "", "push [OPTIONS] ENGINE IMAGE [IMAGE...]"});
    rows.back().arity_of = [](const Arguments& arguments) {
      return !arguments.empty() && names_engine(arguments[0]) ? at_least(2) : exactly(1);
    };
  }
  rows.push_back(
      {"image copy", "[OPTIONS] [ENGINE/]IMAGE [ENGINE/][IMAGE]", "Copy an image between engines", "",
       exactly(2), make::image_copy,
       "Copy an image between engines, without a registry. An engine is ssh://[user@]host[:port],\n"
       "tcp://host:port or unix:///path/to/socket; without one the image is on this engine, or goes to it."});
  rows.push_back({"search", "[OPTIONS] TERM", "Search Docker Hub for images", "", exactly(1), make::search});
  rows.push_back({"login", "[OPTIONS] [SERVER]", "Authenticate to a registry", "", at_most(1), make::login,
                  "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified."});
  rows.push_back(
      {"logout", "[SERVER]", "Log out from a registry", "", at_most(1), make::logout,
       "Log out from a registry.\nIf no server is specified, the default is defined by the daemon."});
}

void add_manifests(std::vector<Entry>& rows) {
  rows.push_back({"manifest inspect",
                  "[OPTIONS] [MANIFEST_LIST] MANIFEST",
                  "Display an image manifest, or manifest list",
                  "",
                  {Arity::Kind::Between, 1, 2},
                  make::manifest_inspect});
  rows.push_back({"manifest create", "MANIFEST_LIST MANIFEST [MANIFEST...]",
                  "Create a local manifest list for annotating and pushing to a registry", "", at_least(2),
                  make::manifest_create});
  rows.push_back({"manifest annotate", "[OPTIONS] MANIFEST_LIST MANIFEST",
                  "Add additional information to a local image manifest", "", exactly(2),
                  make::manifest_annotate});
  rows.push_back({"manifest push", "[OPTIONS] MANIFEST_LIST", "Push a manifest list to a repository", "",
                  exactly(1), make::manifest_push});
  rows.push_back({"manifest rm", "MANIFEST_LIST [MANIFEST_LIST...]",
                  "Delete one or more manifest lists from local storage", "", at_least(1),
                  make::manifest_rm});
}

void add_networks(std::vector<Entry>& rows) {
  rows.push_back({"network ls", "[OPTIONS]", "List networks", "network ls|network list", no_arguments(),
                  make::network_ls});
  rows.push_back({"network inspect", "[OPTIONS] NETWORK [NETWORK...]",
                  "Display detailed information on one or more networks", "", at_least(1),
                  make::network_inspect});
  rows.push_back(
      {"network create", "[OPTIONS] NETWORK", "Create a network", "", exactly(1), make::network_create});
  rows.push_back({"network connect", "[OPTIONS] NETWORK CONTAINER", "Connect a container to a network", "",
                  exactly(2), make::network_connect});
  rows.push_back({"network disconnect", "[OPTIONS] NETWORK CONTAINER",
                  "Disconnect a container from a network", "", exactly(2), make::network_disconnect});
  rows.push_back({"network rm", "NETWORK [NETWORK...]", "Remove one or more networks",
                  "network rm|network remove", at_least(1), make::network_rm});
  rows.push_back(
      {"network prune", "[OPTIONS]", "Remove all unused networks", "", no_arguments(), make::network_prune});
}

void add_volumes(std::vector<Entry>& rows) {
  rows.push_back(
      {"volume ls", "[OPTIONS]", "List volumes", "volume ls|volume list", no_arguments(), make::volume_ls});
  rows.push_back({"volume inspect", "[OPTIONS] VOLUME [VOLUME...]",
                  "Display detailed information on one or more volumes", "", at_least(1),
                  make::volume_inspect});
  rows.push_back(
      {"volume create", "[OPTIONS] [VOLUME]", "Create a volume", "", at_most(1), make::volume_create});
  rows.push_back({"volume rm", "[OPTIONS] VOLUME [VOLUME...]", "Remove one or more volumes",
                  "volume rm|volume remove", at_least(1), make::volume_rm,
                  "Remove one or more volumes. You cannot remove a volume that is in use by a container."});
  rows.push_back(
      {"volume prune", "[OPTIONS]", "Remove unused local volumes", "", no_arguments(), make::volume_prune});
}

}  // namespace

std::vector<Entry> resource_entries() {
  std::vector<Entry> rows;
  add_system(rows);
  add_images(rows);
  add_registry(rows);
  add_manifests(rows);
  add_networks(rows);
  add_volumes(rows);
  return rows;
}

}  // namespace skiff::cli
