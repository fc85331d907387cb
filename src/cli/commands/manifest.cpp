#include "spec/manifest.h"

#include <algorithm>

#include "base/base64.h"
#include "base/strings.h"
#include "cli/auth/registry_auth.h"
#include "cli/cli.h"
#include "cli/commands/resource_entries.h"
#include "cli/manifests/list.h"
#include "cli/manifests/store.h"

namespace skiff::cli {

namespace docker = spec::docker;

namespace {

using docker::ManifestRecord;
using spec::Reference;
using Records = std::vector<ManifestRecord>;

/// What these commands have in common.
class ManifestCommand : public Command {
 protected:
  static ManifestStore store_of(const Cli& cli) { return ManifestStore(cli.globals.config_directory); }

  /// What a registry has; NotFound "no such manifest: x".
  Result<ManifestRecord> remote(Cli& cli, const Reference& reference) const {
    auto record =
        TRY(cli.engine())->remote_manifest(reference, insecure_, TRY(registry_auth(cli, reference)));
    if (record.ok()) return record;
    Error error = in_own_words(record.error());
    if (error.kind() == Kind::NotFound)
      return fail(Kind::NotFound, "no such manifest: {}", reference.to_string());
    return error;
  }

  /// The engine only passes on what the registry said, which Docker's client asks itself.
  static Error in_own_words(const Error& error) {
    constexpr std::string_view kPrefix = "Error response from daemon: ";
    constexpr std::string_view kNoPage = "page not found";
    if (error.kind() == Kind::NotFound && error.message().ends_with(kNoPage))
      return {Kind::Unsupported, "the engine does not handle manifests in registries: it is not Skiff's"};
    if (!error.message().starts_with(kPrefix)) return error;
    return {error.kind(), error.message().substr(kPrefix.size()), error.code()};
  }

  bool insecure_ = false;
};

class ManifestInspect : public ManifestCommand {
 public:
  ManifestInspect() {
    flags.boolean(insecure_, "insecure", 0, "Allow communication with an insecure registry");
    flags.boolean(verbose_, "verbose", 'v', "Output additional info including layers and platform");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const ManifestStore store = store_of(cli);
    const auto reference = TRY(Reference::parse_tagged(arguments.back()));
    if (arguments.size() > 1) {
      const auto list = TRY(Reference::parse_tagged(arguments.front()));
      return show(cli, TRY(store.get(list, reference)));
    }
    if (const auto local = store.list(reference); local.ok()) return show_list(cli, reference, *local);
    const auto record = TRY(remote(cli, reference));
    if (!spec::oci::is_index(record.descriptor.media_type)) return show(cli, record);
    return show_list(cli, reference, TRY(members(cli, reference, record)));
  }

 private:
  /// Everything that a list in a registry names.
  Result<Records> members(Cli& cli, const Reference& reference, const ManifestRecord& list) const {
    const std::string bytes = decode_base64(list.raw).value_or("");
    const auto parsed = TRY(json::decode<docker::ManifestList>(bytes));
    Records records;
    for (const auto& manifest : parsed.manifests) {
      const auto digest = TRY(spec::Digest::parse(manifest.digest));
      records.push_back(TRY(remote(cli, reference.with_digest(digest))));
      records.back().descriptor.platform = manifest.platform;
    }
    return records;
  }

  Result<int> show(Cli& cli, const ManifestRecord& record) const {
    const auto shown =
        verbose_ ? json::to_value(record) : TRY(json::parse(decode_base64(record.raw).value_or("")));
    cli.out.write(json::to_pretty_text(shown, "\t") + "\n");
    return 0;
  }

  Result<int> show_list(Cli& cli, const Reference& reference, const Records& records) const {
    if (!verbose_) {
      const auto list = TRY_CONTEXT(make_list(records, reference), "failed to assemble ManifestDescriptor");
      cli.out.write(list_text(list) + "\n");
      return 0;
    }
    json::Array shown;
    for (const auto& record : records) shown.push_back(json::to_value(record));
    cli.out.write(json::to_pretty_text(shown, "\t") + "\n");
    return 0;
  }

  bool verbose_ = false;
};

class ManifestCreate : public ManifestCommand {
 public:
  ManifestCreate() {
    flags.boolean(amend_, "amend", 'a', "Amend an existing manifest list");
    flags.boolean(insecure_, "insecure", 0, "Allow communication with an insecure registry");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const ManifestStore store = store_of(cli);
    const auto list = TRY_CONTEXT(Reference::parse_tagged(arguments[0]),
                                  "error parsing name for manifest list {}", arguments[0]);
    const auto known = store.list(list);
    if (!known.ok() && known.error().kind() != Kind::NotFound) return known.error();
    if (known.ok() && !amend_)
      return Error(Kind::Conflict, "refusing to amend an existing manifest list with no --amend flag");
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      const auto reference = TRY(Reference::parse_tagged(arguments[i]));
      TRY(store.save(list, reference, TRY(find(cli, store, list, reference))));
    }
    cli.out.print("Created manifest list {}\n", list.to_string());
    return 0;
  }

 private:
  /// As it is in the list already, else as the registry has it.
  Result<ManifestRecord> find(Cli& cli, const ManifestStore& store, const Reference& list,
                              const Reference& reference) const {
    auto known = store.get(list, reference);
    if (known.ok() && !known->raw.empty()) return known;
    if (!known.ok() && known.error().kind() != Kind::NotFound) return known;
    auto record = TRY(remote(cli, reference));
    if (spec::oci::is_index(record.descriptor.media_type))
      return fail(Kind::InvalidArgument, "{} is a manifest list", reference.to_string());
    return record;
  }

  bool amend_ = false;
};

class ManifestAnnotate : public ManifestCommand {
 public:
  ManifestAnnotate() {
    flags.string(architecture_, "arch", 0, "Set architecture");
    flags.string(os_, "os", 0, "Set operating system");
    flags.strings(os_features_, "os-features", 0, "Set operating system feature");
    flags.string(os_version_, "os-version", 0, "Set operating system version");
    flags.string(variant_, "variant", 0, "Set architecture variant");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const ManifestStore store = store_of(cli);
    const auto list = TRY_CONTEXT(Reference::parse_tagged(arguments[0]),
                                  "annotate: error parsing name for manifest list {}", arguments[0]);
    const auto reference = TRY_CONTEXT(Reference::parse_tagged(arguments[1]),
                                       "annotate: error parsing name for manifest {}", arguments[1]);
    auto record = store.get(list, reference);
    if (!record.ok() && record.error().kind() == Kind::NotFound)
      return fail(Kind::NotFound, "manifest for image {} does not exist in {}", arguments[1], arguments[0]);
    if (!record.ok()) return record.error();
    if (!record->descriptor.platform) record->descriptor.platform.emplace();
    apply(*record->descriptor.platform);
    if (!is_known_platform(record->descriptor.platform->os, record->descriptor.platform->architecture))
      return fail(Kind::InvalidArgument,
                  "manifest entry for image has unsupported os/arch combination: {}/{}", os_, architecture_);
    TRY(store.save(list, reference, *record));
    return 0;
  }

 private:
  void apply(docker::ManifestPlatform& platform) const {
    if (!os_.empty()) platform.os = os_;
    if (!architecture_.empty()) platform.architecture = architecture_;
    auto& known = platform.os_features;
    for (const auto& feature : os_features_)
      if (std::find(known.begin(), known.end(), feature) == known.end()) known.push_back(feature);
    if (!variant_.empty()) platform.variant = variant_;
    if (!os_version_.empty()) platform.os_version = os_version_;
  }

  std::string architecture_, os_, os_version_, variant_;
  std::vector<std::string> os_features_;
};

class ManifestPush : public ManifestCommand {
 public:
  ManifestPush() {
    flags.boolean(insecure_, "insecure", 0, "Allow push to an insecure registry");
    flags.boolean(purge_, "purge", 'p', "Remove the local manifest list after push");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const ManifestStore store = store_of(cli);
    const auto target = TRY(Reference::parse_tagged(arguments[0]));
    const Records records = TRY(store.list(target));
    if (records.empty()) return fail(Kind::NotFound, "{} not found", target.to_string());
    for (const auto& record : records)
      if (const auto& platform = record.descriptor.platform;
          !platform || platform->architecture.empty() || platform->os.empty())
        return fail(Kind::InvalidArgument,
                    "manifest {} must have an OS and Architecture to be pushed to a registry",
                    record.reference);
    const auto list = TRY(make_list(records, target));
    if (const auto sent = send(cli, target, records, list); !sent.ok()) return in_own_words(sent.error());
    if (purge_) TRY(store.remove(target));
    return 0;
  }

 private:
  Result<void> send(Cli& cli, const Reference& target, const Records& records,
                    const docker::ManifestList& list) const {
    client::Client& engine = *TRY(cli.engine());
    const std::string auth = TRY(registry_auth(cli, target));
    TRY(bring_here(cli, engine, target, records, auth));
    const docker::ManifestUpload upload{list.media_type, encode_base64(list_text(list))};
    cli.out.print("{}\n", TRY(engine.put_manifest(target, upload, insecure_, auth)));
    return {};
  }

  /// Manifests of other repositories of the registry, with everything that they name.
  Result<void> bring_here(Cli& cli, client::Client& engine, const Reference& target, const Records& records,
                          const std::string& auth) const {
    std::vector<std::pair<Reference, const ManifestRecord*>> foreign;
    for (const auto& record : records)
      if (auto from = TRY(Reference::parse(record.reference)); from.name() != target.name())
        foreign.emplace_back(std::move(from), &record);
    for (const auto& [from, record] : foreign)
      for (const auto& digest : TRY(blobs_of(*record)))
        TRY(engine.mount_blob(target, from.path(), digest, insecure_, auth));
    for (const auto& [from, record] : foreign) {
      const auto digest = TRY(spec::Digest::parse(record->descriptor.digest));
      const auto place = target.without_tag().with_digest(digest);
      const docker::ManifestUpload upload{record->descriptor.media_type, record->raw};
      cli.out.print("Pushed ref {} with digest: {}\n", place.to_string(),
                    TRY(engine.put_manifest(place, upload, insecure_, auth)));
    }
    return {};
  }

  /// The blobs that have to be in the repository with a manifest.
  static Result<std::vector<std::string>> blobs_of(const ManifestRecord& record) {
    const std::string bytes = decode_base64(record.raw).value_or("");
    const auto document = TRY_CONTEXT(spec::oci::parse_document(bytes, record.descriptor.media_type),
                                      "manifest {}", record.reference);
    std::vector<std::string> digests;
    const auto* manifest = std::get_if<spec::oci::Manifest>(&document);
    if (!manifest) return digests;
    digests.push_back(manifest->config.digest.to_string());
    for (const auto& layer : manifest->layers)
      if (!spec::oci::is_foreign_layer(layer.media_type)) digests.push_back(layer.digest.to_string());
    return digests;
  }

  bool purge_ = false;
};

class ManifestRm : public ManifestCommand {
 public:
  Result<int> run(Cli& cli, const Arguments& names) override {
    const ManifestStore store = store_of(cli);
    for (const auto& name : names)
      if (const auto removed = remove(store, name); !removed.ok()) cli.report(removed.error());
    return cli.exit_code();
  }

 private:
  static Result<void> remove(const ManifestStore& store, const std::string& name) {
    const auto list = TRY(Reference::parse_tagged(name));
    TRY(store.list(list));
    return store.remove(list);
  }
};

}  // namespace

namespace make {
std::unique_ptr<Command> manifest_inspect() { return make_command<ManifestInspect>(); }
std::unique_ptr<Command> manifest_create() { return make_command<ManifestCreate>(); }
std::unique_ptr<Command> manifest_annotate() { return make_command<ManifestAnnotate>(); }
std::unique_ptr<Command> manifest_push() { return make_command<ManifestPush>(); }
std::unique_ptr<Command> manifest_rm() { return make_command<ManifestRm>(); }
}  // namespace make

}  // namespace skiff::cli
