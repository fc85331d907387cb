#include <algorithm>

#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/commands/volume_rows.h"
#include "cli/specs/values.h"

namespace skiff::cli {

namespace {

namespace docker = spec::docker;

class VolumeLs : public Command {
 public:
  VolumeLs() {
    add_filter_flag(flags, filters_, 'f', "Provide filter values (e.g. \"dangling=true\")");
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(quiet_, "quiet", 'q', "Only display volume names");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    auto list = TRY(TRY(cli.engine())->volumes(filters_));
    std::sort(list.volumes.begin(), list.volumes.end(),
              [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
    ListFormat format;
    format.text = choose_format(cli, format_, "volumesFormat", quiet_, "{{.Name}}");
    format.default_table = "{{.Driver}}\t{{.Name}}";
    format.go_type = "*formatter.volumeContext";
    format.columns = {{"Availability", "AVAILABILITY"},
                      {"Driver", "DRIVER"},
                      {"Group", "GROUP"},
                      {"Labels", "LABELS"},
                      {"Links", "LINKS"},
                      {"Mountpoint", "MOUNTPOINT"},
                      {"Name", "VOLUME NAME"},
                      {"Scope", "SCOPE"},
                      {"Size", "SIZE"},
                      {"Status", "STATUS"}};
    std::vector<Row> rows;
    for (const auto& volume : list.volumes) rows.push_back(volume_row(volume));
    return print_list(cli, format, rows);
  }

 private:
  client::Filters filters_;
  std::string format_;
  bool quiet_ = false;
};

class VolumeInspect : public Command {
 public:
  VolumeInspect() { flags.string(format_, "format", 'f', kFormatUsage); }

  Result<int> run(Cli& cli, const Arguments& names) override {
    return inspect_objects(cli, names, format_, [](client::Client& engine, const std::string& name) {
      return engine.inspect_volume(name);
    });
  }

 private:
  std::string format_;
};

class VolumeCreate : public Command {
 public:
  VolumeCreate() {
    flags.string(driver_, "driver", 'd', "Specify volume driver name");
    flags.list(labels_, "label", 0, "Set metadata for a volume", check_label);
    flags.string(name_, "name", 0, "Specify volume name").hide();
    flags.map(options_, "opt", 'o', "Set driver specific options");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (arguments.size() == 1) {
      if (flags.changed("name"))
        return Error(
            Kind::InvalidArgument,
            "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
      name_ = arguments[0];
    }
    docker::VolumeCreate request;
    request.name = name_;
    request.driver = driver_;
    request.driver_opts = options_;
    request.labels = to_map(labels_);
    const auto volume = TRY(TRY(cli.engine())->create_volume(request));
    cli.out.write(volume.name + "\n");
    return 0;
  }

 private:
  std::string driver_ = "local";
  std::string name_;
  std::vector<std::string> labels_;
  std::map<std::string, std::string> options_;
};

class VolumeRm : public Command {
 public:
  VolumeRm() { flags.boolean(force_, "force", 'f', "Force the removal of one or more volumes"); }

  Result<int> run(Cli& cli, const Arguments& names) override {
    client::Client& engine = *TRY(cli.engine());
    for (const auto& name : names) {
      auto removed = engine.remove_volume(name, force_);
      if (removed.ok())
        cli.out.write(name + "\n");
      else
        cli.report(removed.error());
    }
    return cli.exit_code();
  }

 private:
  bool force_ = false;
};

class VolumePrune : public Command {
 public:
  VolumePrune() {
    flags.boolean(all_, "all", 'a', "Remove all unused volumes, not just anonymous ones");
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"label=<label>\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    if (all_) {
      if (filters_.count("all") > 0)
        return Error(Kind::InvalidArgument,
                     "conflicting options: cannot specify both --all and --filter all=1");
      filters_["all"] = {"true"};
    }
    const std::string question = fmt::format(
        "WARNING! This will remove {} local volumes not used by at least one container.\nAre you sure you "
        "want to "
        "continue? [y/N] ",
        all_ ? "all" : "anonymous");
    if (!force_ && !confirm(cli, question)) return 0;
    const auto report = TRY(TRY(cli.engine())->prune_volumes(filters_));
    const auto pruned = list_deleted("Deleted Volumes", report.volumes_deleted, report.space_reclaimed);
    if (!pruned.text.empty()) cli.out.write(pruned.text + "\n");
    cli.out.print("Total reclaimed space: {}\n", human_size(static_cast<double>(pruned.reclaimed)));
    return 0;
  }

 private:
  client::Filters filters_;
  bool all_ = false;
  bool force_ = false;
};

}  // namespace

Row volume_row(const docker::Volume& volume) {
  Row row;
  const auto& usage = volume.usage_data;
  row.fields = {{"Availability", "N/A"},
                {"Driver", volume.driver},
                {"Group", "N/A"},
                {"Labels", label_text(volume.labels)},
                {"Links", usage ? std::to_string(usage->ref_count) : "N/A"},
                {"Mountpoint", volume.mountpoint},
                {"Name", volume.name},
                {"Scope", volume.scope},
                {"Size", usage ? human_size(static_cast<double>(usage->size)) : "N/A"},
                {"Status", "N/A"}};
  row.labels = volume.labels;
  return row;
}

namespace make {
std::unique_ptr<Command> volume_ls() { return std::make_unique<VolumeLs>(); }
std::unique_ptr<Command> volume_inspect() { return std::make_unique<VolumeInspect>(); }
std::unique_ptr<Command> volume_create() { return std::make_unique<VolumeCreate>(); }
std::unique_ptr<Command> volume_rm() { return std::make_unique<VolumeRm>(); }
std::unique_ptr<Command> volume_prune() { return std::make_unique<VolumePrune>(); }
}  // namespace make

}  // namespace skiff::cli
