#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "runtime/test_bundle.h"
#include "spec/defaults.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::runtime::test {

Bundle::Bundle() : path_("/tmp/skiff-runtime-test-" + random_hex(6)), id_("skiff-test-" + random_hex(6)) {
  for (const char* name : {"bin", "dev", "proc", "sys", "tmp", "etc", "root", "area"})
    EXPECT_TRUE(sys::make_directories(root() + "/" + name).ok());
  EXPECT_EQ(::chmod((root() + "/tmp").c_str(), 01777), 0);
  const auto program = sys::read_file("/usr/bin/busybox");
  EXPECT_TRUE(program.ok()) << "busybox-static is needed";
  EXPECT_TRUE(sys::replace_file(root() + "/bin/busybox", *program, 0755).ok());
  for (const char* name : {"sh",       "true",  "false", "cat",   "id",   "ls",   "grep",  "sleep",
                           "hostname", "mount", "stat",  "env",   "tty",  "dd",   "touch", "kill",
                           "readlink", "head",  "ps",    "mkdir", "test", "echo", "chmod", "stty"})
    EXPECT_EQ(::symlink("busybox", (root() + "/bin/" + name).c_str()), 0);
}

Bundle::~Bundle() {
  EXPECT_TRUE(sys::remove_tree(path_).ok());
  auto layout = sys::CgroupLayout::detect();
  EXPECT_FALSE(layout.ok() && sys::Cgroup(*layout, id_).exists()) << "cgroup left behind";
}

CreateOptions Bundle::options(std::vector<std::string> args) const {
  CreateOptions options;
  options.id = id_;
  options.bundle = path_;
  options.cgroup_path = id_;
  auto& config = options.config;
  config.root = spec::oci::Root{"rootfs", false};
  config.hostname = "box";
  auto& process = config.process.emplace();
  process.args = std::move(args);
  process.env = {"PATH=/bin:/usr/bin"};
  process.capabilities.emplace();
  auto& caps = *process.capabilities;
  caps.bounding = caps.effective = caps.permitted = spec::default_capabilities();
  config.mounts = spec::default_mounts();
  auto& part = config.linux_.emplace();
  for (const char* name : {"pid", "mount", "ipc", "uts", "cgroup", "network"})
    part.namespaces.push_back({name, ""});
  part.masked_paths = spec::default_masked_paths();
  part.readonly_paths = spec::default_readonly_paths();
  part.resources.emplace().devices = spec::default_device_rules();
  return options;
}

Bundle::Outcome Bundle::run(CreateOptions options) const {
  Outcome outcome;
  Pipe output;
  if (options.streams.out < 0) options.streams.out = options.streams.err = output.write_end();
  auto container = Container::create(options);
  outcome.warnings = options.warnings;
  if (!container) {
    outcome.error = container.error().message();
    outcome.kind = container.error().kind();
    return outcome;
  }
  if (auto started = container->start(); !started) {
    outcome.error = started.error().message();
    outcome.kind = started.error().kind();
    return outcome;
  }
  outcome.output = output.read();
  if (const auto status = container->process().wait()) outcome.code = exit_code(*status);
  const auto layout = sys::CgroupLayout::detect();
  const auto removed = sys::Cgroup(*layout, id_).remove();
  EXPECT_TRUE(removed.ok()) << removed.error().message();
  return outcome;
}

Pipe::Pipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  read_ = sys::Fd(ends[0]);
  write_ = sys::Fd(ends[1]);
}

std::string Pipe::read_line() {
  std::string line;
  for (char c = 0; ::read(read_.get(), &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

std::string Pipe::read() {
  write_.reset();
  return sys::read_all(read_).value_or("");
}

int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace skiff::runtime::test
