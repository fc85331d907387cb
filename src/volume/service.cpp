#include "volume/service.h"

#include <algorithm>
#include <set>

#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/thread.h"
#include "base/undo.h"
#include "sys/file.h"

namespace skiff::volume {
namespace {

using spec::docker::Volume;
using spec::docker::VolumeCreate;

constexpr const char* kVolumeTable = "volumes";
/// "<volume>/<container>"; volume names have no slash.
constexpr const char* kUserTable = "volume_users";
/// Volumes whose record is gone and whose folder may not be, by name.
constexpr const char* kGoneTable = "volumes_gone";
constexpr const char* kAnonymousLabel = "com.docker.volume.anonymous";

struct Record {
  Volume volume;
};

void describe(json::Fields& f, Record& record) {
  Volume& volume = record.volume;
  f("name", volume.name);
  f("created", volume.created_at);
  f("labels", volume.labels);
  f("options", volume.options);
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

Result<void> check_name(const std::string& name) {
  if (name.size() < 2)
    return fail(Kind::InvalidArgument,
                "create {}: volume name is too short, names should be at least two alphanumeric characters",
                name);
  const bool valid = is_word(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
                       return is_word(c) || c == '_' || c == '.' || c == '-';
                     });
  if (valid && name.size() <= 255) return {};
  return fail(Kind::InvalidArgument,
              "create {}: {} includes invalid characters for a local volume name, only "
              "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use "
              "absolute path",
              name, quote(name));
}

/// The local driver's options: those of mount(8), of which type and device go together.
Result<void> check_options(const VolumeCreate& request) {
  for (const auto& [name, value] : request.driver_opts) {
    if (name == "size")
      return fail(Kind::InvalidArgument, "create {}: quota size requested but no quota support",
                  request.name);
    if (name != "type" && name != "o" && name != "device")
      return fail(Kind::InvalidArgument, "create {}: invalid option: {}", request.name, quote(name));
  }
  if (request.driver_opts.empty()) return {};
  for (const auto* needed : {"device", "type"})
    if (!request.driver_opts.contains(needed))
      return fail(Kind::InvalidArgument, "create {}: missing required option: {}", request.name,
                  quote(needed));
  return {};
}

std::string option(const Volume& volume, const char* name) {
  const auto found = volume.options.find(name);
  return found == volume.options.end() ? "" : found->second;
}

class LocalVolumes final : public Service {
 public:
  LocalVolumes(std::string root, meta::Database& database) : root_(std::move(root)), database_(database) {}

  Result<void> load() {
    const MutexLock lock(mutex_);
    TRY(database_.read([&](meta::Transaction& transaction) NO_THREAD_SAFETY_ANALYSIS -> Result<void> {
      for (const auto& [name, text] : TRY(transaction.scan(kVolumeTable))) {
        Volume volume = TRY(json::decode<Record>(text)).volume;
        volume.mountpoint = data_directory(name);
        volumes_[name] = std::move(volume);
      }
      for (const auto& [key, text] : TRY(transaction.scan(kUserTable))) {
        const auto [name, container] = cut(key, '/');
        if (container) users_[std::string(name)].insert(std::string(*container));
      }
      for (const auto& [name, text] : TRY(transaction.scan(kGoneTable)))
        if (!volumes_.contains(name)) gone_.insert(name);
      return {};
    }));
    remove_gone();
    return {};
  }

  Result<Volume> create(const VolumeCreate& wanted) override {
    VolumeCreate request = wanted;
    if (!request.driver.empty() && request.driver != "local")
      return fail(Kind::NotFound, "create {}: error looking up volume plugin {}: plugin {} not found",
                  request.name, request.driver, quote(request.driver));
    if (request.name.empty()) {
      request.name = random_id();
      request.labels[kAnonymousLabel] = "";
    }
    const MutexLock lock(mutex_);
    if (const auto found = volumes_.find(request.name); found != volumes_.end()) return found->second;
    TRY(check_name(request.name));
    TRY(check_options(request));
    Record record;
    Volume& volume = record.volume;
    volume.name = request.name;
    volume.created_at = now();
    volume.labels = request.labels;
    volume.options = request.driver_opts;
    volume.mountpoint = data_directory(request.name);
    if (gone_.contains(request.name)) TRY(remove_directory(request.name));
    // A directory without record is what a crash left between the two; the name makes it this volume's again.
    const std::string directory = root_ + "/" + request.name;
    UndoStack undo;
    if (!sys::exists(directory))
      undo.add([&] {
        if (const auto removed = sys::remove_tree(directory); !removed.ok())
          log::warning("volume {}: {}", request.name, removed.error().message());
      });
    TRY(sys::make_directories(root_, 0701));
    TRY(sys::make_directories(directory, 0701));
    TRY(sys::make_directories(volume.mountpoint, 0755));
    TRY(database_.write([&](meta::Transaction& transaction) {
      return transaction.put(kVolumeTable, request.name, json::encode(record));
    }));
    undo.dismiss();
    return volumes_[request.name] = volume;
  }

  Result<Volume> inspect(const std::string& name) override {
    const MutexLock lock(mutex_);
    return *TRY(find(name));
  }

  Result<std::vector<Volume>> list() override {
    const MutexLock lock(mutex_);
    std::vector<Volume> out;
    for (const auto& [name, volume] : volumes_) out.push_back(volume);
    return out;
  }

  Result<void> acquire(const std::string& name, const std::string& container) override {
    const MutexLock lock(mutex_);
    TRY(find(name));
    TRY(database_.write([&](meta::Transaction& transaction) {
      return transaction.put(kUserTable, name + "/" + container, "{}");
    }));
    users_[name].insert(container);
    return {};
  }

  Result<void> release(const std::string& container) override {
    const MutexLock lock(mutex_);
    std::vector<std::string> held;
    for (const auto& [name, containers] : users_)
      if (containers.contains(container)) held.push_back(name);
    if (held.empty()) return {};
    TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
      for (const auto& name : held) TRY(transaction.erase(kUserTable, name + "/" + container));
      return {};
    }));
    for (const auto& name : held) {
      users_[name].erase(container);
      if (users_[name].empty()) users_.erase(name);
    }
    return {};
  }

  Result<std::vector<std::string>> users(const std::string& name) override {
    const MutexLock lock(mutex_);
    TRY(find(name));
    return users_of(name);
  }

  Result<spec::Mount> mount_of(const std::string& name) override {
    const MutexLock lock(mutex_);
    const Volume& volume = *TRY(find(name));
    spec::Mount mount;
    if (volume.options.empty()) {
      mount = {"", "bind", volume.mountpoint, {"rbind"}};
      return mount;
    }
    mount.type = option(volume, "type");
    mount.source = option(volume, "device");
    if (const auto options = option(volume, "o"); !options.empty()) mount.options = split(options, ',');
    const bool bind = std::any_of(mount.options.begin(), mount.options.end(),
                                  [](const auto& each) { return each == "bind" || each == "rbind"; });
    if (bind) mount.type = "bind";
    return mount;
  }

  Result<std::uint64_t> size(const std::string& name) override {
    std::string directory;
    {
      const MutexLock lock(mutex_);
      const Volume& volume = *TRY(find(name));
      if (!volume.options.empty()) return std::uint64_t{0};
      directory = volume.mountpoint;
    }
    return sys::disk_usage(directory);
  }

  Result<void> remove(const std::string& name, bool force) override {
    const MutexLock lock(mutex_);
    if (const auto found = find(name); !found.ok()) return force ? Result<void>() : found.error();
    if (const auto holders = users_of(name); !holders.empty())
      return fail(Kind::Conflict, "remove {}: volume is in use - [{}]", name, join(holders, ", "));
    return remove_volume(name);
  }

  Result<Pruned> prune(bool all, const std::function<bool(const Volume&)>& wanted) override {
    const MutexLock lock(mutex_);
    std::vector<Volume> unused;
    for (const auto& [name, volume] : volumes_)
      if (!users_.contains(name) && (all || volume.labels.contains(kAnonymousLabel)) &&
          (!wanted || wanted(volume)))
        unused.push_back(volume);
    Pruned pruned;
    for (const auto& volume : unused) {
      const auto bytes =
          volume.options.empty() ? sys::disk_usage(volume.mountpoint) : Result<std::uint64_t>(0);
      TRY(remove_volume(volume.name));
      pruned.names.push_back(volume.name);
      if (bytes.ok()) pruned.bytes += *bytes;
    }
    return pruned;
  }

  Result<bool> is_empty(const std::string& name) override {
    const MutexLock lock(mutex_);
    const Volume& volume = *TRY(find(name));
    if (!volume.options.empty()) return false;
    return TRY(sys::list_directory(volume.mountpoint)).empty();
  }

 private:
  std::string data_directory(const std::string& name) const { return root_ + "/" + name + "/_data"; }

  Result<const Volume*> find(const std::string& name) REQUIRES(mutex_) {
    const auto found = volumes_.find(name);
    if (found == volumes_.end()) return fail(Kind::NotFound, "get {}: no such volume", name);
    return &found->second;
  }

  std::vector<std::string> users_of(const std::string& name) REQUIRES(mutex_) {
    const auto found = users_.find(name);
    if (found == users_.end()) return {};
    return {found->second.begin(), found->second.end()};
  }

  /// The record goes first: a record without directory would be a lie. That the directory is to go is written
  /// down with that, so that what keeps it for now, or a crash, leaves it neither here nor to a new volume of
  /// that name.
  Result<void> remove_volume(const std::string& name) REQUIRES(mutex_) {
    TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
      TRY(transaction.erase(kVolumeTable, name));
      return transaction.put(kGoneTable, name, "{}");
    }));
    volumes_.erase(name);
    gone_.insert(name);
    remove_gone();
    return {};
  }

  void remove_gone() REQUIRES(mutex_) {
    for (const auto& name : std::set<std::string>(gone_))
      if (const auto removed = remove_directory(name); !removed.ok())
        log::warning("volume {}: {}", name, removed.error().message());
  }

  /// Of a volume that is gone.
  Result<void> remove_directory(const std::string& name) REQUIRES(mutex_) {
    TRY(sys::remove_tree(root_ + "/" + name));
    TRY(database_.write([&](meta::Transaction& transaction) { return transaction.erase(kGoneTable, name); },
                        meta::Durability::Relaxed));
    gone_.erase(name);
    return {};
  }

  std::string root_;
  meta::Database& database_;
  Mutex mutex_;
  std::map<std::string, Volume> volumes_ GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> users_ GUARDED_BY(mutex_);
  std::set<std::string> gone_ GUARDED_BY(mutex_);  ///< volumes whose directory could not be removed yet
};

}  // namespace

Result<std::unique_ptr<Service>> Service::open(const std::string& root, meta::Database& database) {
  auto volumes = std::make_unique<LocalVolumes>(root, database);
  TRY_CONTEXT(volumes->load(), "volumes");
  return std::unique_ptr<Service>(std::move(volumes));
}

}  // namespace skiff::volume
