#include "monitor/exec_session.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/file.h"

namespace skiff::monitor {
namespace {

struct Pipe {
  sys::Fd read;
  sys::Fd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  return Pipe{.read = sys::Fd(ends[0]), .write = sys::Fd(ends[1])};
}

}  // namespace

Result<StreamPipes> StreamPipes::create(bool open_stdin, bool output) {
  StreamPipes pipes;
  if (open_stdin) {
    Pipe input = TRY(make_pipe());
    pipes.in = std::move(input.read);
    pipes.ours.in = std::move(input.write);
  } else {
    pipes.in = TRY(sys::open_file("/dev/null", O_RDONLY));
  }
  if (output) {
    Pipe out = TRY(make_pipe());
    Pipe err = TRY(make_pipe());
    pipes.out = std::move(out.write);
    pipes.ours.out = std::move(out.read);
    pipes.err = std::move(err.write);
    pipes.ours.err = std::move(err.read);
  } else {
    pipes.out = TRY(sys::open_file("/dev/null", O_WRONLY));
    pipes.err = TRY(sys::duplicate(pipes.out));
  }
  return pipes;
}

int exit_code(int wait_status) {
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  return WEXITSTATUS(wait_status);
}

void neutral_oom_score(spec::oci::Process& process) {
  if (!process.oom_score_adj) process.oom_score_adj = 0;
}

}  // namespace skiff::monitor
