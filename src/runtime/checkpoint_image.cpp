#include "runtime/checkpoint_image.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::runtime {
namespace {

constexpr const char* kDescriptors = "/descriptors.json";

std::string log_name(bool restoring) { return restoring ? "restore.log" : "dump.log"; }

std::string work_of(const Image& image) {
  return image.work_directory.empty() ? image.directory : image.work_directory;
}

const spec::oci::Namespace* find_namespace(const spec::oci::Runtime& config, std::string_view type) {
  if (config.linux_)
    for (const auto& entry : config.linux_->namespaces)
      if (entry.type == type) return &entry;
  return nullptr;
}

}  // namespace

std::string criu_log(const Image& image, bool restoring) {
  return work_of(image) + "/" + log_name(restoring);
}

Result<ImageDirectories> enter_image(const Image& image, const spec::oci::Runtime& config, const Criu& criu,
                                     bool restoring, criu::Options& options) {
  const auto root = TRY(sys::open_directory(fmt::format("/proc/{}/root", criu.pid())));
  const auto open = [&](const std::string& path) -> Result<sys::Fd> {
    return TRY_CONTEXT(sys::open_in_root(root, path, O_RDONLY | O_DIRECTORY), "open {}", path);
  };
  ImageDirectories directories;
  directories.images = TRY(open(image.directory));
  options.images_directory = directories.images.get();
  if (!image.work_directory.empty()) {
    if (::mkdir(image.work_directory.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("mkdir {}", image.work_directory);
    directories.work = TRY(open(image.work_directory));
    options.work_directory = directories.work.get();
  }
  options.log_file = log_name(restoring);
  const auto named = config.annotations.find(kCriuConfigAnnotation);
  options.config_file = named == config.annotations.end() ? "/etc/criu/runc.conf" : named->second;
  return directories;
}

std::string namespace_path(const spec::oci::Runtime& config, std::string_view type) {
  const auto* entry = find_namespace(config, type);
  return entry ? entry->path : std::string();
}

bool has_own_namespace(const spec::oci::Runtime& config, std::string_view type) {
  const auto* entry = find_namespace(config, type);
  return entry && entry->path.empty();
}

Error with_log(Error error, const Image& image, bool restoring) {
  if (!error.message().starts_with("criu ")) return error;
  return Error(error.kind(), error.message() + "\nlog file: " + criu_log(image, restoring), error.code());
}

Result<void> save_descriptors(const Image& image, const std::vector<std::string>& descriptors) {
  return sys::replace_file(image.directory + kDescriptors,
                           json::to_text(json::Array(descriptors.begin(), descriptors.end())), 0600);
}

Result<std::vector<std::string>> load_descriptors(const Image& image) {
  const auto path = image.directory + kDescriptors;
  auto value = TRY_CONTEXT(json::parse(TRY(sys::read_file(path))), "{}", path);
  std::vector<std::string> descriptors;
  const auto* list = value.if_array();
  if (!list) return fail(Kind::InvalidArgument, "{}: is no list", path);
  for (const auto& entry : *list) {
    const auto* text = entry.if_string();
    descriptors.emplace_back(text ? std::string(*text) : std::string());
  }
  return descriptors;
}

std::vector<std::string> standard_descriptors(pid_t pid) {
  std::vector<std::string> names(3);
  for (std::size_t i = 0; i < names.size(); ++i) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(fmt::format("/proc/{}/fd/{}", pid, i).c_str(), target, sizeof target);
    if (size > 0) names[i].assign(target, static_cast<std::size_t>(size));
  }
  return names;
}

}  // namespace skiff::runtime
