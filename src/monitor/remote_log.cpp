#include "monitor/remote_log.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::monitor {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<SocketAddress> unix_address(const std::string& path) {
  SocketAddress address;
  auto* name = reinterpret_cast<sockaddr_un*>(&address.storage);
  name->sun_family = AF_UNIX;
  if (path.size() >= sizeof(name->sun_path))
    return fail(Kind::InvalidArgument, "the socket's path is too long: {}", path);
  std::memcpy(name->sun_path, path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

/// "127.0.0.1:514", "[::1]:514". No names: they are resolved by the daemon.
Result<SocketAddress> internet_address(const std::string& text) {
  SocketAddress address;
  const auto colon = text.rfind(':');
  const auto port = parse_uint(text.substr(colon + 1));
  std::string host = text.substr(0, colon);
  if (colon == std::string::npos || !port || *port > 65535)
    return fail(Kind::InvalidArgument, "no address: {}", text);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(*port));
    address.size = sizeof(sockaddr_in);
  } else if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(*port));
    address.size = sizeof(sockaddr_in6);
  } else {
    return fail(Kind::InvalidArgument, "no address: {}", text);
  }
  return address;
}

/// systemd's way for datagrams that are too large: a sealed file in their place.
bool send_as_file(int socket, std::string_view bytes) {
  const sys::Fd file(::memfd_create("journal", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid() || !sys::write_all(file, bytes)) return false;
  ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  const int fds[] = {file.get()};
  return sys::send_with_fds(socket, {}, fds, MSG_DONTWAIT) >= 0;
}

}  // namespace

RemoteLog::RemoteLog(Loop& loop, const LogSettings& settings, std::unique_ptr<LogEncoder> encoder,
                     std::unique_ptr<LogDriver> cache, std::function<void()> changed)
    : loop_(loop),
      encoder_(std::move(encoder)),
      cache_(std::move(cache)),
      changed_(std::move(changed)),
      blocking_(settings.blocking) {
  settings_.driver = settings.driver;
  settings_.target = settings.target;
  settings_.buffer_bytes = std::max<std::uint64_t>(settings.buffer_bytes, 1);
  connect();
}

void RemoteLog::append(Stream stream, std::string_view bytes, Time time) {
  if (cache_) cache_->append(stream, bytes, time);
  while (const auto line = lines_.next(stream, bytes)) put(stream, *line, false, time);
}

void RemoteLog::finish(Stream stream, Time time) {
  if (cache_) cache_->finish(stream, time);
  if (const auto line = lines_.finish(stream)) put(stream, *line, true, time);
}

void RemoteLog::put(Stream stream, const LogLines::Line& line, bool at_end, Time time) {
  Parts& parts = parts_[stream == Stream::Stderr];
  const bool last = !line.partial || at_end;
  LogMessage message{.stream = stream, .time = time, .text = line.bytes, .part_id = {}};
  if (!last || parts.count > 0) {
    if (parts.count == 0) parts.id = random_hex(32);
    message.part_id = parts.id;
    message.part = ++parts.count;
    message.last_part = last;
  }
  packets_.clear();
  encoder_->encode(message, packets_);
  if (last) parts.count = 0;
  for (LogPacket& packet : packets_) enqueue(std::move(packet));
}

void RemoteLog::enqueue(LogPacket packet) {
  queued_ += packet.bytes.size();
  queue_.push_back(std::move(packet));
  if (queued_ < settings_.buffer_bytes) return;
  if (up_) send();
  if (queued_ < settings_.buffer_bytes) return;
  full_ = true;
  if (!blocking_ || !up_) drop_to(settings_.buffer_bytes);
}

/// The oldest go; not one that is half sent.
void RemoteLog::drop_to(std::size_t limit) {
  const std::ptrdiff_t first = sent_ > 0 || awaiting_ ? 1 : 0;
  while (queued_ > limit && static_cast<std::ptrdiff_t>(queue_.size()) > first + 1) {
    queued_ -= queue_[static_cast<std::size_t>(first)].bytes.size();
    queue_.erase(queue_.begin() + first);
    ++dropped_;
  }
}

void RemoteLog::pop() {
  queued_ -= queue_.front().bytes.size();
  queue_.pop_front();
  sent_ = 0;
  awaiting_ = false;
  stall_timer_.reset();
  retry_ = kFirstRetry;
  if (full_ && queued_ < settings_.buffer_bytes / 2) {
    full_ = false;
    changed_();
  }
  if (queue_.empty() && closing_) changed_();
}

Result<void> RemoteLog::flush() {
  if (up_) send();
  return cache_ ? cache_->flush() : success();
}

void RemoteLog::trim() {
  if (cache_) cache_->trim();
  if (queue_.empty()) queue_.shrink_to_fit();
  packets_ = {};
}

void RemoteLog::close() {
  if (cache_) cache_->close();
  if (std::exchange(closing_, true)) return;
  last_timer_ = loop_.after(kLastLimit, [this] {
    last_timer_.reset();
    given_up_ = true;
    changed_();
  });
  if (queue_.empty()) last_timer_.reset();
}

void RemoteLog::connect() {
  retry_timer_.reset();
  const std::string& text = settings_.target.addresses[address_ % settings_.target.addresses.size()];
  if (settings_.target.network == "tcp+tls") return connect_by_tls(text);
  const bool local = settings_.target.network.starts_with("unix");
  const auto address = local ? unix_address(text) : internet_address(text);
  if (!address) return disconnect(address.error());
  const int type = (is_stream() ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  socket_ = sys::Fd(::socket(address->storage.ss_family, type, 0));
  if (!socket_.valid()) return disconnect(Error::from_errno("socket", errno));
  const bool done = ::connect(socket_.get(), address->get(), address->size) == 0;
  if (!done && errno != EINPROGRESS) return disconnect(Error::from_errno("connect to " + text, errno));
  auto watch = loop_.watch(socket_, EPOLLIN | (done ? 0U : std::uint32_t{EPOLLOUT}),
                           [this](std::uint32_t events) { ready(events); });
  if (!watch) return disconnect(watch.error());
  watch_ = *std::move(watch);
  if (done) return connected();
  stall_timer_ =
      loop_.after(kStallLimit, [this] { disconnect(Error(Kind::Unavailable, "it does not answer")); });
}

void RemoteLog::connect_by_tls(const std::string& address) {
  auto started = start_tls(settings_.target.tls, address);
  if (!started) return disconnect(started.error());
  socket_ = std::move(started->socket);
  tls_ = std::move(started->process);
  auto watch = loop_.watch(socket_, EPOLLIN, [this](std::uint32_t events) { ready(events); });
  if (!watch) return disconnect(watch.error());
  watch_ = *std::move(watch);
  stall_timer_ =
      loop_.after(kStallLimit, [this] { disconnect(Error(Kind::Unavailable, "it does not answer")); });
}

/// Connected, or why not.
void RemoteLog::read_tls_answer() {
  char buffer[512];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  const std::string_view answer(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (answer == kTlsIsUp) return connected();
  disconnect(Error(Kind::Unavailable, answer.empty() ? "TLS has ended" : std::string(answer)));
}

void RemoteLog::connected() {
  up_ = true;
  stall_timer_.reset();
  if (std::exchange(told_down_, false))
    log::info("log driver {}: the server is there again; {} lines were lost", settings_.driver,
              dropped_ - std::exchange(told_dropped_, dropped_));
  send();
}

void RemoteLog::disconnect(const Error& reason) {
  watch_.reset();
  socket_.reset();
  if (tls_.valid()) {
    (void)tls_.signal(SIGKILL);
    (void)tls_.wait();
    tls_ = {};
  }
  stall_timer_.reset();
  up_ = false;
  sent_ = 0;
  awaiting_ = false;
  reply_.clear();
  if (!std::exchange(told_down_, true))
    log::warning("log driver {}: {}; lines wait for the server, at most {} bytes of them", settings_.driver,
                 reason.message(), settings_.buffer_bytes);
  ++address_;
  retry_timer_ = loop_.after(retry_, [this] { connect(); });
  retry_ = std::min(retry_ * 2, kLongestRetry);
  drop_to(settings_.buffer_bytes);
  if (std::exchange(full_, false)) changed_();
}

void RemoteLog::ready(std::uint32_t events) {
  if (!up_ && tls_.valid()) return read_tls_answer();
  if (!up_) {
    int code = 0;
    socklen_t size = sizeof(code);
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) return disconnect(Error::from_errno("connect", code));
    watch_->set(EPOLLIN);
    return connected();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_reply();
  if (up_) send();
}

/// A server says nothing but acknowledgements; the end of its stream is what matters. An error of a datagram
/// socket is that of a former packet.
void RemoteLog::read_reply() {
  char buffer[4096];
  const ssize_t count = ::recv(socket_.get(), buffer, sizeof(buffer), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR || settings_.target.network == "udp")) return;
  if (count < 0 || (count == 0 && is_stream()))
    return disconnect(count < 0 ? Error::from_errno("log server", errno)
                                : Error(Kind::Unavailable, "the server hung up"));
  if (!awaiting_) return;
  reply_.append(buffer, static_cast<std::size_t>(count));
  if (reply_.find(queue_.front().acknowledge) != std::string::npos) {
    reply_.clear();
    pop();
  } else if (reply_.size() > sizeof(buffer)) {
    reply_.erase(0, reply_.size() - sizeof(buffer));
  }
}

void RemoteLog::send() {
  while (up_ && !queue_.empty() && !awaiting_) {
    if (!send_front()) return;
  }
  if (up_) watch_->set(EPOLLIN);
}

/// Whether the next one may follow.
bool RemoteLog::send_front() {
  const LogPacket& packet = queue_.front();
  const ssize_t count = ::send(socket_.get(), packet.bytes.data() + sent_, packet.bytes.size() - sent_,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN || errno == ENOBUFS) {
      waits();
      return false;
    }
    if (!is_stream() && errno == EMSGSIZE) {
      if (!encoder_->large_by_file() || !send_as_file(socket_.get(), packet.bytes)) ++dropped_;
      pop();
      return true;
    }
    if (settings_.target.network == "udp") {  // nobody listens there, at the moment; nobody would know
      if (errno != ECONNREFUSED ||
          ::send(socket_.get(), packet.bytes.data(), packet.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        ++dropped_;
      }
      pop();
      return true;
    }
    disconnect(Error::from_errno("send", errno));
    return false;
  }
  stall_timer_.reset();
  if (is_stream()) sent_ += static_cast<std::size_t>(count);
  if (is_stream() && sent_ < packet.bytes.size()) return true;
  if (packet.acknowledge.empty()) {
    pop();
    return true;
  }
  awaiting_ = true;
  waits();
  return false;
}

void RemoteLog::waits() {
  watch_->set(awaiting_ ? std::uint32_t{EPOLLIN} : EPOLLIN | EPOLLOUT);
  if (!stall_timer_)
    stall_timer_ = loop_.after(kStallLimit,
                               [this] { disconnect(Error(Kind::Unavailable, "the server takes nothing")); });
}

}  // namespace skiff::monitor
