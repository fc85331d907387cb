#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/base64.h"
#include "base/ids.h"
#include "base/strings.h"
#include "cli/auth/credentials.h"
#include "cli/commands/build_context.h"
#include "cli/commands/image_progress.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/specs/mounts.h"
#include "cli/specs/values.h"
#include "sys/file.h"

namespace skiff::cli {

namespace {

const sys::Fd& standard_input() {
  static const sys::Fd kInput(::dup(0));
  return kInput;
}

Result<std::string> real_path(const std::string& path) {
  char out[PATH_MAX];
  if (!::realpath(path.c_str(), out))
    return fail(Kind::NotFound, "lstat {}: {}", path, to_lower(std::strerror(errno)));
  return std::string(out);
}

bool is_url(const std::string& text) {
  for (const std::string_view prefix : {"http://", "https://", "git://", "git@", "github.com/", "ssh://"})
    if (text.starts_with(prefix)) return true;
  return false;
}

/// The body of the build request and the Dockerfile's name in it.
struct Context {
  http::BodySource source;
  std::string dockerfile;
};

Context archive_context(const std::shared_ptr<ContextArchive>& archive, std::string dockerfile) {
  Context context;
  context.source = [archive](char* buffer, std::size_t size) { return archive->read(buffer, size); };
  context.dockerfile = std::move(dockerfile);
  return context;
}

/// Standard input: an archive as it comes, or a Dockerfile alone.
Result<Context> input_context(const std::string& dockerfile) {
  std::string first;
  while (first.size() < 512) {
    char piece[512];
    const std::size_t got = TRY(sys::read_some(standard_input(), piece, sizeof piece - first.size()));
    if (got == 0) break;
    first.append(piece, got);
  }
  if (!is_archive(first)) {
    const auto archive = std::make_shared<ContextArchive>();
    archive->add_file("Dockerfile", first + TRY(sys::read_all(standard_input(), 64 << 20)));
    return archive_context(archive, "Dockerfile");
  }
  Context context;
  context.dockerfile = dockerfile.empty() ? "Dockerfile" : dockerfile;
  const auto pending = std::make_shared<std::string>(std::move(first));
  context.source = [pending](char* buffer, std::size_t size) -> Result<std::size_t> {
    if (pending->empty()) return sys::read_some(standard_input(), buffer, size);
    const std::size_t got = pending->copy(buffer, size);
    pending->erase(0, got);
    return got;
  };
  return context;
}

/// Where the Dockerfile is: absolute, links followed.
Result<std::string> find_dockerfile(const std::string& directory, const std::string& given) {
  std::string path = given.empty() ? directory + "/Dockerfile" : absolute_path(given);
  if (given.empty() && !sys::exists(path) && sys::exists(directory + "/dockerfile"))
    path = directory + "/dockerfile";
  return TRY_CONTEXT(real_path(path), "unable to evaluate symlinks in Dockerfile path");
}

Result<Context> directory_context(const std::string& given, const std::string& dockerfile) {
  const auto resolved = real_path(given);
  if (!resolved.ok()) return fail(Kind::NotFound, "path {} not found", quote(given));
  const std::string& directory = *resolved;
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return fail(Kind::InvalidArgument, "context must be a directory: {}", directory);

  std::string ignore_text;
  const std::string ignore_path = directory + "/.dockerignore";
  const bool has_ignore = sys::exists(ignore_path);
  if (has_ignore)
    ignore_text = TRY_CONTEXT(sys::read_file(ignore_path, 16 << 20), "error reading .dockerignore");
  auto rules = TRY_CONTEXT(build::IgnoreRules::parse(ignore_text), "error checking context");

  std::string name;
  std::string outside;  // a Dockerfile that is not in the directory travels under a name of its own
  if (dockerfile == "-") {
    outside = TRY(sys::read_all(standard_input(), 64 << 20));
  } else {
    const std::string path = TRY(find_dockerfile(directory, dockerfile));
    const std::string prefix = directory == "/" ? "/" : directory + "/";
    if (path.starts_with(prefix))
      name = path.substr(prefix.size());
    else
      outside = TRY(sys::read_file(path, 64 << 20));
  }
  const bool inside = !name.empty();
  if (!inside) name = ".dockerfile." + random_hex(10);
  const auto archive = std::make_shared<ContextArchive>(directory, std::move(rules),
                                                        std::vector<std::string>{name, ".dockerignore"});
  if (!inside) {
    archive->add_file(name, outside);
    if (has_ignore && !ignore_text.ends_with('\n')) ignore_text += '\n';
    archive->add_file(".dockerignore", ignore_text + (has_ignore ? "" : ".dockerignore\n") + name + "\n");
  }
  return archive_context(archive, name);
}

class Build : public Command {
 public:
  Build() {
    flags.list(hosts_, "add-host", 0, "Add a custom host-to-IP mapping (\"host:ip\")", check_extra_host);
    flags.list(arguments_, "build-arg", 0, "Set build-time variables", check_env);
    flags.strings(cache_from_, "cache-from", 0, "Images to consider as cache sources");
    flags.string(limits_.cgroup_parent, "cgroup-parent", 0,
                 "Set the parent cgroup for the \"RUN\" instructions during build");
    flags.boolean(compress_, "compress", 0, "Compress the build context using gzip");
    flags.integer(limits_.cpu_period, "cpu-period", 0,
                  "Limit the CPU CFS (Completely Fair Scheduler) period");
    flags.integer(limits_.cpu_quota, "cpu-quota", 0, "Limit the CPU CFS (Completely Fair Scheduler) quota");
    flags.integer(limits_.cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)");
    flags.string(limits_.cpuset_cpus, "cpuset-cpus", 0, "CPUs in which to allow execution (0-3, 0,1)");
    flags.string(limits_.cpuset_mems, "cpuset-mems", 0, "MEMs in which to allow execution (0-3, 0,1)");
    flags.boolean(no_trust_, "disable-content-trust", 0, "Skip image verification");
    flags.string(isolation_, "isolation", 0, "Container isolation technology");
    flags.bytes(limits_.memory, "memory", 'm', "Memory limit");
    flags.bytes(limits_.memory_swap, "memory-swap", 0,
                "Swap limit equal to memory plus swap: -1 to enable unlimited swap", true);
    flags.strings(security_, "security-opt", 0, "Security options");
    flags.bytes(limits_.shm_size, "shm-size", 0, "Size of \"/dev/shm\"");
    flags.boolean(squash_, "squash", 0, "Squash newly built layers into a single new layer").hide();
    flags
        .custom("ulimit", "ulimit", 0, "Ulimit options",
                [this](std::string_view text) -> Result<void> {
                  ulimits_.push_back(TRY(parse_ulimit(text)));
                  return {};
                })
        .show_default("[]");
    flags.string(file_, "file", 'f', "Name of the Dockerfile (Default is \"PATH/Dockerfile\")");
    flags.boolean(force_remove_, "force-rm", 0, "Always remove intermediate containers");
    flags.string(id_file_, "iidfile", 0, "Write the image ID to the file");
    flags.list(labels_, "label", 0, "Set metadata for an image", check_label);
    flags.string(network_, "network", 0, "Set the networking mode for the RUN instructions during build")
        .show_default("\"default\"");
    flags.boolean(no_cache_, "no-cache", 0, "Do not use cache when building the image");
    flags.string(platform_, "platform", 0, "Set platform if server is multi-platform capable");
    add_progress_flag(flags, progress_);
    flags.boolean(pull_, "pull", 0, "Always attempt to pull a newer version of the image");
    flags.boolean(quiet_, "quiet", 'q', "Suppress the build output and print image ID on success");
    flags.boolean(remove_, "rm", 0, "Remove intermediate containers after a successful build");
    flags.list(tags_, "tag", 't', "Name and optionally a tag in the \"name:tag\" format", check_image_name);
    flags.string(target_, "target", 0, "Set the target build stage to build.");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (squash_)
      return Error(Kind::Unsupported,
                   "\"--squash\" is only supported on a Docker daemon with experimental features enabled");
    if (!id_file_.empty() && ::unlink(id_file_.c_str()) != 0 && errno != ENOENT)
      return fail_errno("Removing image ID file: remove {}", id_file_);
    const auto style = TRY(parse_progress_style(progress_));
    if (style == ProgressStyle::Quiet) quiet_ = true;
    const bool for_program = style == ProgressStyle::Json && !quiet_;
    Context context = TRY(prepare(arguments[0]));
    std::string withheld;  // of a quiet build: shown when it fails
    const auto show = [&](std::string_view text) {
      if (for_program) return;
      if (quiet_) {
        withheld += text;
        return;
      }
      cli.out.write(text);
      cli.out.flush();
    };
    std::uint64_t sent = 0;
    bool told = false;
    auto source = std::move(context.source);
    http::BodySource counted = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
      const std::size_t got = TRY(source(buffer, size));
      sent += got;
      if (got == 0 && !std::exchange(told, true))
        show(fmt::format("Sending build context to Docker daemon  {}\r\r\n",
                         human_size(static_cast<double>(sent))));
      return got;
    };
    auto stream = TRY(TRY(cli.engine())
                          ->build(query(context.dockerfile),
                                  TRY(encode_all_auths(cli.globals.config_directory)), std::move(counted)));
    std::string id;
    std::string last;
    ProgressLines lines(show, !quiet_ && style == ProgressStyle::Auto && cli.out.is_terminal());
    const auto line_as_it_is = [&](const json::Value& line) {
      if (!for_program) return;
      cli.out.write(json::to_text(line) + "\n");
      cli.out.flush();
    };
    const auto end = TRY(read_progress(
        stream, lines,
        [&](std::string_view text) {
          show(text);
          last = text;
        },
        [&](const json::Value& aux) {
          const json::Value* found = aux.is_object() ? aux.get_object().if_contains("ID") : nullptr;
          if (found && found->is_string()) id = found->get_string();
        },
        line_as_it_is));
    if (!end.error.empty()) {
      if (quiet_) cli.err.write(withheld);
      cli.err.write(end.error + "\n");
      return end.code;
    }
    if (quiet_) {
      cli.out.write(last);
      id = trim(last);
    }
    if (id_file_.empty()) return 0;
    if (id.empty())
      return Error(Kind::Unavailable, "server did not provide an image ID. Cannot write " + id_file_);
    TRY(sys::replace_file(id_file_, id, 0666));
    return 0;
  }

 private:
  Result<Context> prepare(const std::string& place) const {
    if (place == "-") {
      if (file_ == "-")
        return Error(Kind::InvalidArgument,
                     "invalid argument: can't use stdin for both build context and dockerfile");
      return TRY_CONTEXT(input_context(file_), "unable to prepare context from STDIN");
    }
    if (is_url(place))
      return fail(
          Kind::Unsupported,
          "unable to prepare context: this release builds from a directory or standard input, not from {}",
          place);
    return TRY_CONTEXT(directory_context(place, file_), "unable to prepare context");
  }

  client::Query query(const std::string& dockerfile) const {
    client::Query query("/build");
    json::Object build_arguments;
    for (const auto& argument : arguments_) {
      const auto [name, value] = cut(argument, '=');
      build_arguments.insert_or_assign(name, value ? json::Value(*value) : json::Value(nullptr));
    }
    json::Object labels;
    for (const auto& [name, value] : to_map(labels_)) labels.insert_or_assign(name, value);
    for (const auto& tag : tags_) query.add("t", tag);
    query.add("dockerfile", dockerfile).add("version", "1");
    if (!build_arguments.empty()) query.add("buildargs", json::to_text(build_arguments));
    if (!labels.empty()) query.add("labels", json::to_text(labels));
    if (!cache_from_.empty()) {
      json::Array images;
      for (const auto& image : cache_from_) images.emplace_back(image);
      query.add("cachefrom", json::to_text(images));
    }
    for (const auto& host : hosts_) query.add("extrahosts", host);
    add_limits(query);
    if (!security_.empty()) {
      json::Array options;
      for (const auto& option : security_) options.emplace_back(option);
      query.add("securityopt", json::to_text(options));
    }
    query.add_if("isolation", isolation_);
    query.add("rm", remove_ ? "1" : "0")
        .flag("forcerm", force_remove_)
        .flag("nocache", no_cache_)
        .flag("pull", pull_);
    query.flag("q", quiet_).add_if("networkmode", network_).add_if("target", target_);
    return query.add_if("platform", to_lower(platform_));
  }

  void add_limits(client::Query& query) const {
    const auto add = [&](std::string_view name, std::int64_t value) {
      if (value != 0) query.add(name, std::to_string(value));
    };
    add("memory", limits_.memory);
    add("memswap", limits_.memory_swap);
    add("cpushares", limits_.cpu_shares);
    add("cpuperiod", limits_.cpu_period);
    add("cpuquota", limits_.cpu_quota);
    add("shmsize", limits_.shm_size);
    query.add_if("cpusetcpus", limits_.cpuset_cpus).add_if("cpusetmems", limits_.cpuset_mems);
    query.add_if("cgroupparent", limits_.cgroup_parent);
    if (ulimits_.empty()) return;
    json::Array ulimits;
    for (const auto& limit : ulimits_) ulimits.push_back(json::to_value(limit));
    query.add("ulimits", json::to_text(ulimits));
  }

  struct Limits {
    std::int64_t memory = 0, memory_swap = 0, cpu_shares = 0, cpu_period = 0, cpu_quota = 0, shm_size = 0;
    std::string cpuset_cpus, cpuset_mems, cgroup_parent;
  };

  std::vector<std::string> hosts_, arguments_, cache_from_, labels_, security_, tags_;
  std::vector<spec::docker::Ulimit> ulimits_;
  std::string file_, id_file_, isolation_, network_ = "default", platform_, progress_ = "auto", target_;
  Limits limits_;
  bool compress_ = false, no_trust_ = true,
       squash_ = false;  // the context goes over a socket: never compressed
  bool force_remove_ = false, no_cache_ = false, pull_ = false, quiet_ = false, remove_ = true;
};

}  // namespace

namespace make {
std::unique_ptr<Command> build() { return std::make_unique<Build>(); }
}  // namespace make

}  // namespace skiff::cli
