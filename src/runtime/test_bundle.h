#pragma once

#include <string>
#include <vector>

#include "runtime/container.h"
#include "sys/fd.h"

/// For tests: a private root file system made of busybox, and a configuration as Docker would write it.
namespace skiff::runtime::test {

class Bundle {
 public:
  Bundle();
  ~Bundle();
  Bundle(const Bundle&) = delete;
  Bundle& operator=(const Bundle&) = delete;

  const std::string& path() const { return path_; }
  std::string root() const { return path_ + "/rootfs"; }
  const std::string& id() const { return id_; }

  /// Options for a container that runs `args`, with all namespaces new and Docker's mounts.
  CreateOptions options(std::vector<std::string> args) const;

  struct Outcome {
    int code = -1;  ///< exit code, 128 + signal
    std::string output;
    std::string error;  ///< of create or start
    Kind kind = Kind::Internal;
    std::vector<std::string> warnings;
  };
  /// Creates, starts and waits; standard output and error are collected.
  Outcome run(CreateOptions options) const;
  Outcome run_program(std::vector<std::string> args) const { return run(options(std::move(args))); }
  /// `sh -c script`
  Outcome shell(const std::string& script) const { return run_program({"/bin/sh", "-c", script}); }

 private:
  std::string path_;
  std::string id_;
};

/// A pipe whose reading side is emptied by read().
class Pipe {
 public:
  Pipe();
  int write_end() const { return write_.get(); }
  /// The next line, without its end.
  std::string read_line();
  /// Everything up to the end, once all writers are gone (ours included).
  std::string read();

 private:
  sys::Fd read_;
  sys::Fd write_;
};

int exit_code(int wait_status);

}  // namespace skiff::runtime::test
