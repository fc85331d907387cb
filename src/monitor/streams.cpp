#include "monitor/streams.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kPendingInputLimit = 64 << 10;
constexpr std::chrono::milliseconds kStallCheck{5000};
/// A pipe's own buffer: larger ones mean fewer changes between program and monitor.
constexpr int kPipeSize = 256 << 10;
/// A program that writes small pieces one right after the other would change places with the monitor for
/// each: it is left alone for a moment, in which its pipe does not fill.
constexpr std::size_t kSmallRead = 32 << 10;
constexpr std::chrono::milliseconds kRest{1};

/// One read buffer for the whole (single-threaded) process, mapped on first use so that an idle monitor has
/// none.
void* read_buffer = nullptr;

char* acquire_read_buffer() {
  if (!read_buffer) {
    void* mapped =
        ::mmap(nullptr, Streams::kReadSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    read_buffer = mapped;
  }
  return static_cast<char*>(read_buffer);
}

Result<void> set_nonblocking(const sys::Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("fcntl");
  return success();
}

}  // namespace

Streams::~Streams() { *alive_ = false; }

void Streams::trim() {
  if (read_buffer) ::munmap(std::exchange(read_buffer, nullptr), kReadSize);
}

Result<void> Streams::open(StreamEnds ends) {
  opened_ = true;
  if (ends.console.valid()) {
    terminal_ = true;
    TRY(open_input(TRY(sys::duplicate(ends.console))));
    TRY(open_source(sources_[0], Stream::Stdout, std::move(ends.console)));
  } else {
    if (ends.in.valid()) TRY(open_input(std::move(ends.in)));
    if (ends.out.valid()) TRY(open_source(sources_[0], Stream::Stdout, std::move(ends.out)));
    if (ends.err.valid()) TRY(open_source(sources_[1], Stream::Stderr, std::move(ends.err)));
  }
  if (!input_.valid()) pending_input_.clear();
  write_input();
  return success();
}

Result<void> Streams::open_source(Source& source, Stream stream, sys::Fd fd) {
  TRY(set_nonblocking(fd));
  if (!terminal_) ::fcntl(fd.get(), F_SETPIPE_SZ, kPipeSize);  // refused when the user has many pipes already
  source.watch = TRY(loop_.watch(fd, held_ ? 0U : std::uint32_t{EPOLLIN},
                                 [this, &source](std::uint32_t) { read_output(source); }));
  source.stream = stream;
  source.fd = std::move(fd);
  return success();
}

Result<void> Streams::open_input(sys::Fd fd) {
  TRY(set_nonblocking(fd));
  input_ = std::move(fd);
  return success();
}

Result<void> Streams::attach(AttachmentHeader header, sys::Fd socket) {
  auto client = TRY(Client::create(loop_, *this, std::move(header), std::move(socket)));
  Client& added = *client;
  clients_.push_back(std::move(client));
  added.begin();
  if (finishing_) added.finish();
  return success();
}

Result<void> Streams::resize(std::uint16_t columns, std::uint16_t rows) {
  if (!terminal_) return fail(Kind::Conflict, "the process has no terminal");
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  const sys::Fd& master = sources_[0].fd;
  if (!master.valid()) return success();  // it just ended
  if (::ioctl(master.get(), TIOCSWINSZ, &size) != 0) return fail_errno("set terminal size");
  return success();
}

void Streams::read_output(Source& source) {
  char* buffer = acquire_read_buffer();
  if (!buffer || !source.fd.valid()) return;
  const ssize_t count = ::read(source.fd.get(), buffer, kReadSize);
  if (count > 0) {
    const auto moment = std::chrono::steady_clock::now();
    const bool busy = static_cast<std::size_t>(count) < kSmallRead && moment - source.read < kRest;
    source.read = moment;
    deliver(source.stream, {buffer, static_cast<std::size_t>(count)});
    if (busy && !terminal_) rest(source);
    return;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // A pty's master answers EIO when the last slave was closed (pty(7) leaves that unsaid).
  end_source(source);
}

void Streams::rest(Source& source) {
  if (held_ || ended_ || !source.watch) return;
  source.watch->set(0);
  source.rest = loop_.after(kRest, [this, &source] {
    source.rest.reset();
    if (source.watch && !held_) source.watch->set(EPOLLIN);
  });
}

void Streams::deliver(Stream stream, std::string_view bytes) {
  if (options_.log) {
    options_.log->append(stream, bytes, now());
    options_.written();
  }
  bool full = options_.log && options_.log->full();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i]->output(stream, bytes);
    full = full || clients_[i]->full();
  }
  if (full && !ended_) hold(true);
}

void Streams::end_source(Source& source) {
  source.rest.reset();
  source.watch.reset();
  source.fd.reset();
  if (options_.log) {
    options_.log->finish(source.stream, now());
    options_.written();
  }
  check_drained();
}

/// A paused source still reports EPOLLHUP, which cannot be masked: read_output takes it then, and the queue
/// grows by what is left in the pipe, at most kPipeSize.
void Streams::hold(bool held) {
  if (held_ == held) return;
  held_ = held;
  for (Source& source : sources_) {
    if (source.watch) source.watch->set(held ? 0U : std::uint32_t{EPOLLIN});
  }
  if (held)
    stall_timer_ = loop_.after(kStallCheck, [this] { check_stalled(); });
  else
    stall_timer_.reset();
}

void Streams::check_stalled() {
  stall_timer_.reset();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (!clients_[i]->stalled(kStallLimit)) continue;
    log::warning("an attached client took no output for {} s: dropped", kStallLimit.count());
    clients_[i]->close();
  }
  client_relieved();
  if (held_) stall_timer_ = loop_.after(kStallCheck, [this] { check_stalled(); });
}

void Streams::client_relieved() {
  if (!held_ || (options_.log && options_.log->full())) return;
  for (const auto& client : clients_) {
    if (client->full()) return;
  }
  hold(false);
}

void Streams::client_closed(Client& client) {
  client_relieved();
  loop_.defer([this, alive = alive_, gone = &client] {
    if (!*alive) return;
    std::erase_if(clients_, [gone](const auto& known) { return known.get() == gone; });
    if (clients_.empty() && options_.left) options_.left();
  });
}

void Streams::client_input(Client&, std::string_view bytes) {
  if (opened_ && !input_.valid()) return;
  pending_input_.append(bytes);
  if (opened_) write_input();
  if (pending_input_.size() >= kPendingInputLimit) {
    for (const auto& client : clients_) client->pause_input(true);
  }
}

void Streams::client_end_of_input(Client& client) {
  if (options_.close_stdin && !terminal_) {
    close_input_after_ = true;
    if (opened_ && pending_input_.empty()) close_input();
  } else {
    client.finish();  // as Docker: a session whose input ended is over, the program is not
  }
}

void Streams::write_input() {
  std::size_t written = 0;
  while (written < pending_input_.size()) {
    const ssize_t count =
        ::write(input_.get(), pending_input_.data() + written, pending_input_.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) {  // nobody reads any more
      close_input();
      break;
    }
    written += static_cast<std::size_t>(count);
  }
  pending_input_.erase(0, std::min(written, pending_input_.size()));
  if (!pending_input_.empty() && !input_watch_) {
    auto watch = loop_.watch(input_, EPOLLOUT, [this](std::uint32_t) { write_input(); });
    if (watch)
      input_watch_ = *std::move(watch);
    else
      close_input();
  } else if (pending_input_.empty()) {
    input_watch_.reset();
    pending_input_.shrink_to_fit();
    if (close_input_after_) close_input();
  }
  if (pending_input_.size() < kPendingInputLimit / 2) {
    for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i]->pause_input(false);
  }
}

void Streams::close_input() {
  input_watch_.reset();
  input_.reset();
  pending_input_ = std::string();
}

void Streams::process_ended() {
  if (ended_) return;
  ended_ = true;
  close_input();
  hold(false);
  for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i]->pause_input(false);
  if (outputs_open()) {
    drain_timer_ = loop_.after(kDrainLimit, [this] {
      for (Source& source : sources_) {
        if (source.fd.valid()) end_source(source);
      }
    });
  }
  check_drained();
}

void Streams::check_drained() {
  if (!ended_ || drained_ || outputs_open()) return;
  drained_ = true;
  drain_timer_.reset();
  options_.drained();
}

void Streams::finish_clients() {
  opened_ = true;
  finishing_ = true;
  for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i]->finish();
}

void Streams::drop_clients() {
  for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i]->close();
}

}  // namespace skiff::monitor
