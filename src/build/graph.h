#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "spec/oci_image.h"
#include "spec/oci_runtime.h"

/// What a build is made of, whatever language it was written in: vertices are operations on file systems,
/// each named by the digest of what it does and of what it starts from; steps are what a person sees. A
/// frontend makes a Graph, the solver orders its vertices, ops carry them out. docs/build.md draws it.
namespace skiff::build {

/// The file system of an image that is here; "" is the empty one (scratch).
struct SourceOperation {
  std::string image;     ///< id
  std::string snapshot;  ///< its topmost layer
};

/// What a command may use. None of it is part of the result's identity. 0 and "" are the defaults.
struct Limits {
  std::int64_t memory = 0;
  std::int64_t memory_swap = 0;  ///< memory and swap together; -1 for no limit
  std::int64_t cpu_shares = 0;
  std::int64_t cpu_period = 0;  ///< microseconds
  std::int64_t cpu_quota = 0;   ///< microseconds
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::int64_t shm_size = 0;
  std::string cgroup_parent;
  std::vector<spec::oci::Rlimit> rlimits;
};

/// Runs a command; its file system changes are the result.
struct ExecOperation {
  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< "NAME=value"
  std::vector<std::string>
      hidden_environment;  ///< proxies: given to the command, but no part of its identity
  std::string user;
  std::string directory = "/";
  std::vector<std::string> volumes;  ///< what is written below these paths does not last
  std::string network;               ///< "", "default", "host", "none" or a network's name
  std::vector<std::string> extra_hosts;
  Limits limits;
};

/// A file whose content stands in the Dockerfile.
struct InlineFile {
  std::string name;
  std::string content;
};

/// Copies files from the build context (input 1 absent) or from another file system (input 1).
struct CopyOperation {
  bool add = false;  ///< ADD: archives among the sources are unpacked
  std::vector<std::string> sources;
  std::vector<InlineFile> files;
  std::vector<std::string> urls;  ///< ADD only
  std::string destination;        ///< absolute; ends with "/" when it must be a directory
  std::string owner;              ///< --chown, or ""
  std::optional<mode_t> mode;
};

/// Makes a directory unless it is there (WORKDIR).
struct DirectoryOperation {
  std::string path;
};

using Operation = std::variant<SourceOperation, ExecOperation, CopyOperation, DirectoryOperation>;

struct Vertex {
  Operation operation;
  std::vector<std::size_t> inputs;  ///< indices of earlier vertices
};

/// One line of the Dockerfile as it is shown and as it goes down in the image's history.
struct Step {
  std::string text;                  ///< after "Step n/m : "
  std::vector<std::string> remarks;  ///< lines shown below it
  int line = 0;
  bool from = false;     ///< starts a stage: shows the base image and leaves no history
  bool trigger = false;  ///< of the base image's ONBUILD: not counted, not shown as a step
  bool silent = false;   ///< ARG before the first FROM: nothing happens
  std::optional<std::size_t>
      vertex;              ///< whose result the step shows; none for a change of the configuration only
  std::string created_by;  ///< history; "{}" stands for what was copied ("file:<digest>")
  std::string author;
  std::optional<Error> failure;  ///< the build ends here with this
};

struct Stage {
  std::string name;
  std::string base_image;  ///< id; "" for scratch
  std::string base_name;   ///< as written, for people
  std::optional<std::size_t> base_stage;
  std::optional<std::size_t> root;    ///< the vertex it starts from; none when the base is missing
  std::optional<std::size_t> result;  ///< the last vertex
  std::size_t first_step = 0;
  std::size_t last_step = 0;  ///< inclusive
  spec::oci::Image image;     ///< configuration at its end; the history is still the base's
};

struct Graph {
  std::vector<Vertex> vertices;
  std::vector<Step> steps;
  std::size_t total = 0;                      ///< steps to show, those behind a failed one included
  std::vector<Stage> stages;                  ///< up to the target, which is the last
  std::vector<std::string> warnings;          ///< shown first, in red
  std::vector<std::string> unused_arguments;  ///< build arguments that nothing asked for, sorted
};

/// The identity of a vertex: sha256 over the canonical JSON of its operation and the keys of its inputs.
/// `content` is the digest of what a CopyOperation takes from the context, and "" otherwise.
std::string vertex_key(const Operation& operation, const std::vector<std::string>& inputs,
                       const std::string& content);

/// The identity of a step: of the step before it, what it does to the configuration, and its vertex' key.
std::string step_key(const std::string& previous, const Step& step, const std::string& vertex_key);

}  // namespace skiff::build
