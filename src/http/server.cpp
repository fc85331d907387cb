#include "http/server.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <condition_variable>
#include <unordered_map>

#include "base/log.h"
#include "base/thread.h"
#include "http/connection.h"

namespace skiff::http {

using SteadyClock = std::chrono::steady_clock;

namespace {

// What an epoll event belongs to: connections count up from kFirstConnection, listeners are below.
constexpr std::uint64_t kTimer = 0;
constexpr std::uint64_t kWakeUp = 1;
constexpr std::uint64_t kFirstListener = 2;
constexpr std::uint64_t kFirstConnection = 1 << 16;

/// Threads that send files while nobody waits for events, before another thread is started.
constexpr int kSenders = 4;

constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    "Content-Length: 34\r\n\r\n{\"message\":\"too many connections\"}";

void refuse(const sys::Fd& socket, std::string_view answer) {
  // The peer may be gone already; it gets its answer if it can.
  [[maybe_unused]] const auto sent =
      ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string plain_answer(int status) {
  const std::string text = fmt::format("{} {}", status, reason_phrase(status));
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
      "{}\r\n\r\n{}",
      text, text.size(), text);
}

}  // namespace

class Server::State : public std::enable_shared_from_this<Server::State> {
 public:
  State(std::vector<sys::Fd> listeners, Handler handler, ServerLimits limits,
        std::shared_ptr<const ChannelFactory> channels)
      : listeners_(std::move(listeners)),
        handler_(std::move(handler)),
        limits_(limits),
        channels_(std::move(channels)) {}

  Result<void> open();
  void stop(std::chrono::milliseconds grace);
  void set_channels(std::shared_ptr<const ChannelFactory> channels);
  int connections();
  int threads();

 private:
  Result<void> add(int fd, std::uint64_t id, std::uint32_t events) {
    return control(EPOLL_CTL_ADD, fd, id, events);
  }
  Result<void> control(int operation, int fd, std::uint64_t id, std::uint32_t events);
  void add_thread() REQUIRES(mutex_);
  void ensure_waiting_thread();
  static void* thread_main(void* argument);
  void work();
  bool wait_for_event(epoll_event& event);
  void dispatch(const epoll_event& event);
  void accept_on(std::size_t listener);
  Result<void> set_up(const std::shared_ptr<Connection>& connection);
  std::shared_ptr<Connection> find(std::uint64_t id);
  void serve(const std::shared_ptr<Connection>& connection);
  void serve_one(const std::shared_ptr<Connection>& connection);
  enum class Next : std::uint8_t { Request, Wait, Drop };
  Next send_file(const std::shared_ptr<Connection>& connection);
  bool end_request(const std::shared_ptr<Connection>& connection);
  void arm(const std::shared_ptr<Connection>& connection);
  void drop(const std::shared_ptr<Connection>& connection);
  void sweep();
  void send_the_rest(SteadyClock::time_point deadline);
  void start_timer();

  std::vector<sys::Fd> listeners_;
  const Handler handler_;
  const ServerLimits limits_;
  sys::Fd epoll_;
  sys::Fd timer_;
  sys::Fd wake_up_;
  std::atomic<bool> stopping_ = false;

  Mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_ GUARDED_BY(mutex_);
  std::uint64_t next_id_ GUARDED_BY(mutex_) = kFirstConnection;
  int threads_ GUARDED_BY(mutex_) = 0;
  int waiting_ GUARDED_BY(mutex_) = 0;
  int sending_ GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const ChannelFactory> channels_ GUARDED_BY(mutex_);
  bool timer_runs_ GUARDED_BY(mutex_) = false;
};

Result<void> Server::State::open() {
  epoll_ = sys::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return fail_errno("epoll_create1");
  timer_ = sys::Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_) return fail_errno("timerfd_create");
  wake_up_ = sys::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_up_) return fail_errno("eventfd");
  TRY(add(timer_.get(), kTimer, EPOLLIN | EPOLLONESHOT));
  TRY(add(wake_up_.get(), kWakeUp, EPOLLIN));
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    TRY(add(listeners_[i].get(), kFirstListener + i, EPOLLIN | EPOLLONESHOT));
  const MutexLock lock(mutex_);
  add_thread();
  return {};
}

Result<void> Server::State::control(int operation, int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) return fail_errno("epoll_ctl");
  return {};
}

void Server::State::add_thread() {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, limits_.stack_bytes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  auto argument = std::make_unique<std::shared_ptr<State>>(shared_from_this());
  pthread_t thread{};
  ++threads_;
  ++waiting_;  // it will be in a moment; counting it now keeps a second one from being started
  const int code = ::pthread_create(&thread, &attributes, &State::thread_main, argument.get());
  ::pthread_attr_destroy(&attributes);
  if (code == 0) {
    argument.release();  // NOLINT(*-unused-return-value): thread_main owns it now
    return;
  }
  --threads_;
  --waiting_;
  log::error("http: cannot start a thread: {}", Error::from_errno("pthread_create", code).message());
}

void Server::State::ensure_waiting_thread() {
  const MutexLock lock(mutex_);
  if (waiting_ == 0 && threads_ <= limits_.connections) add_thread();
}

void* Server::State::thread_main(void* argument) {
  const std::unique_ptr<std::shared_ptr<State>> self(static_cast<std::shared_ptr<State>*>(argument));
  ::pthread_setname_np(::pthread_self(), "http");
  (*self)->work();
  return nullptr;
}

void Server::State::work() {
  epoll_event event{};
  while (wait_for_event(event)) dispatch(event);
}

/// Called by threads that are counted as waiting; they are so no more when it returns true. False: the thread
/// ends.
bool Server::State::wait_for_event(epoll_event& event) {
  while (true) {
    const int idle = static_cast<int>(std::chrono::milliseconds(limits_.thread_idle).count());
    const int count = ::epoll_wait(epoll_.get(), &event, 1, idle);
    const int code = errno;
    const MutexLock lock(mutex_);
    if (stopping_ || (count == 0 && waiting_ > limits_.spare_threads)) {
      --waiting_;
      --threads_;
      changed_.notify_all();
      return false;
    }
    if (count == 1) {
      --waiting_;
      return true;
    }
    if (count < 0 && code != EINTR) log::error("http: epoll_wait: {}", code);
  }
}

void Server::State::dispatch(const epoll_event& event) {
  const std::uint64_t id = event.data.u64;
  if (id == kTimer) {
    sweep();
  } else if (id >= kFirstConnection) {
    if (const auto connection = find(id)) {
      if (connection->claim())
        serve(connection);
      else if (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        connection->client_gone();
    }
  } else if (id >= kFirstListener) {
    accept_on(id - kFirstListener);
  }
  const MutexLock lock(mutex_);
  ++waiting_;
}

void Server::State::accept_on(std::size_t listener) {
  const int fd = listeners_[listener].get();
  sys::Fd socket(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  const int code = errno;
  // Armed again at once: the next connection is another thread's.
  if (!stopping_) {
    if (auto armed = control(EPOLL_CTL_MOD, fd, kFirstListener + listener, EPOLLIN | EPOLLONESHOT);
        !armed.ok())
      log::error("http: {}", armed.error().message());
  }
  if (!socket) {
    if (code == EMFILE || code == ENFILE || code == ENOMEM || code == ENOBUFS) {
      log::warning("http: accept: {}", Error::from_errno("", code).message());
      // Without a pause this would spin until a descriptor is free.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return;
  }
  std::shared_ptr<Connection> connection;
  {
    const MutexLock lock(mutex_);
    if (static_cast<int>(connections_.size()) < limits_.connections && !stopping_) {
      connection = std::make_shared<Connection>(next_id_++, std::move(socket), limits_);
      connections_.emplace(connection->id, connection);
    }
  }
  if (!connection) return refuse(socket, kTooMany);
  connection->set_deadline(SteadyClock::now() + limits_.head_timeout);
  if (auto ready = set_up(connection); !ready.ok()) {
    log::error("http: {}", ready.error().message());
    return drop(connection);
  }
  serve(connection);
}

Result<void> Server::State::set_up(const std::shared_ptr<Connection>& connection) {
  std::shared_ptr<const ChannelFactory> channels;
  {
    const MutexLock lock(mutex_);
    channels = channels_;
  }
  if (channels) connection->set_channel(TRY(channels->make(connection->socket().get())));
  TRY(add(connection->socket().get(), connection->id, 0));
  auto* raw = connection.get();
  connection->watch = [this, raw] {
    const auto watched = control(EPOLL_CTL_MOD, raw->socket().get(), raw->id, EPOLLRDHUP | EPOLLONESHOT);
    if (!watched.ok()) log::warning("http: {}", watched.error().message());
  };
  connection->forget = [this, raw] {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, raw->socket().get(), nullptr);
  };
  return {};
}

std::shared_ptr<Connection> Server::State::find(std::uint64_t id) {
  const MutexLock lock(mutex_);
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second;
}

/// Serves requests as long as their heads are here; then the connection waits in the epoll again.
void Server::State::serve(const std::shared_ptr<Connection>& connection) {
  while (true) {
    if (connection->sending()) {
      const Next next = send_file(connection);
      if (next == Next::Wait) return arm(connection);
      if (next == Next::Drop) return drop(connection);
    }
    switch (connection->read_head()) {
      case Connection::ReadResult::Request:
        serve_one(connection);
        if (!connection->sending() && !end_request(connection)) return drop(connection);
        continue;
      case Connection::ReadResult::NeedMore:
        return arm(connection);
      case Connection::ReadResult::Closed:
        return drop(connection);
      case Connection::ReadResult::Malformed:
        connection->refuse(plain_answer(400));
        break;
      case Connection::ReadResult::TooLarge:
        connection->refuse(plain_answer(431));
        break;
    }
    connection->linger();
    return drop(connection);
  }
}

namespace {

/// What the system refused (a thread, say) is told, and nothing of our own insides.
std::string internal_error(const std::exception& exception) {
  const auto* refused = dynamic_cast<const std::system_error*>(&exception);
  return refused ? Error::from_errno("internal error", refused->code().value()).message() : "internal error";
}

}  // namespace

void Server::State::serve_one(const std::shared_ptr<Connection>& connection) {
  ensure_waiting_thread();
  connection->set_deadline(SteadyClock::time_point::max());
  Exchange exchange(*connection);
  try {
    handler_(exchange);
  } catch (const std::exception& exception) {
    // Running out of memory in one request must not end the daemon.
    log::error("http: {} {}: {}", exchange.method(), exchange.target(), exception.what());
    if (!connection->hijacked() && !exchange.answered())
      (void)exchange.send(500, fmt::format(R"({{"message":"{}"}})", internal_error(exception)));
    else
      exchange.abort();
  }
  if (connection->hijacked() || connection->sending()) return;
  if (!exchange.answered()) (void)exchange.send(500, R"({"message":"the request was not answered"})");
  (void)exchange.finish();
}

/// Sending never waits, but it may take long: as long as few do it, somebody else is to wait for events.
Server::State::Next Server::State::send_file(const std::shared_ptr<Connection>& connection) {
  {
    const MutexLock lock(mutex_);
    if (++sending_ <= kSenders && waiting_ == 0 && threads_ <= limits_.connections) add_thread();
  }
  connection->set_deadline(SteadyClock::now() + limits_.send_timeout);
  const auto result = connection->send_some();
  {
    const MutexLock lock(mutex_);
    --sending_;
  }
  switch (result) {
    case Connection::SendResult::Done:
      return end_request(connection) ? Next::Request : Next::Drop;
    case Connection::SendResult::Wait:
    case Connection::SendResult::Yield:
      return Next::Wait;
    case Connection::SendResult::Broken:
      break;
  }
  return Next::Drop;
}

/// True when the connection can take another request.
bool Server::State::end_request(const std::shared_ptr<Connection>& connection) {
  if (connection->hijacked()) return false;
  const bool reusable = connection->next_request();
  if (!reusable) connection->linger();
  connection->set_deadline(SteadyClock::now() + limits_.idle_timeout);
  return reusable && !stopping_;
}

void Server::State::arm(const std::shared_ptr<Connection>& connection) {
  if (connection->head_started() && !connection->sending() &&
      connection->deadline() > SteadyClock::now() + limits_.head_timeout)
    connection->set_deadline(SteadyClock::now() + limits_.head_timeout);
  start_timer();
  std::uint32_t events = connection->wanted() == POLLOUT ? EPOLLOUT : EPOLLIN;
  if (!connection->sending()) events |= EPOLLRDHUP;
  connection->release();
  const auto armed =
      control(EPOLL_CTL_MOD, connection->socket().get(), connection->id, events | EPOLLONESHOT);
  if (!armed.ok() && connection->claim()) drop(connection);
}

void Server::State::drop(const std::shared_ptr<Connection>& connection) {
  if (!connection->hijacked()) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection->socket().get(), nullptr);
  const MutexLock lock(mutex_);
  connections_.erase(connection->id);
  changed_.notify_all();
}

void Server::State::start_timer() {
  const MutexLock lock(mutex_);
  if (timer_runs_) return;
  timer_runs_ = true;
  const itimerspec second{{}, {1, 0}};
  ::timerfd_settime(timer_.get(), 0, &second, nullptr);
}

/// Once a second, as long as connections wait: closes those whose time is over.
void Server::State::sweep() {
  std::vector<std::shared_ptr<Connection>> late;
  bool again = false;
  {
    const MutexLock lock(mutex_);
    timer_runs_ = false;
    for (const auto& [id, connection] : connections_) {
      if (connection->deadline() < SteadyClock::now())
        late.push_back(connection);
      else if (connection->deadline() != SteadyClock::time_point::max())
        again = true;
    }
  }
  for (const auto& connection : late)
    if (connection->claim()) drop(connection);
  const itimerspec disarmed{};
  ::timerfd_settime(timer_.get(), 0, &disarmed, nullptr);  // takes the expiration away as well
  if (auto armed = control(EPOLL_CTL_MOD, timer_.get(), kTimer, EPOLLIN | EPOLLONESHOT); !armed.ok())
    log::error("http: {}", armed.error().message());
  if (again || !late.empty()) start_timer();
}

void Server::State::stop(std::chrono::milliseconds grace) {
  stopping_ = true;
  for (const auto& listener : listeners_) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener.get(), nullptr);
  std::vector<std::shared_ptr<Connection>> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, connection] : connections_) all.push_back(connection);
  }
  for (const auto& connection : all) {
    if (!connection->claim())
      connection->client_gone();
    else if (connection->sending())
      connection->release();
    else
      drop(connection);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto woken = ::write(wake_up_.get(), &one, sizeof one);

  const auto deadline = SteadyClock::now() + grace;
  {
    MutexLock lock(mutex_);
    while (threads_ > 0 && lock.wait_until(changed_, deadline)) {
    }
  }
  send_the_rest(deadline);
  MutexLock lock(mutex_);
  for (const auto& [id, connection] : connections_)
    if (!connection->hijacked()) ::shutdown(connection->socket().get(), SHUT_RDWR);
  while (threads_ > 0) lock.wait(changed_);
  listeners_.clear();
}

/// Files that are on their way when the server stops are sent as long as `deadline` allows. The threads are
/// gone or busy; whoever stops the server does it.
void Server::State::send_the_rest(SteadyClock::time_point deadline) {
  std::vector<std::shared_ptr<Connection>> left;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, connection] : connections_) left.push_back(connection);
  }
  std::erase_if(left, [](const auto& connection) { return !connection->claim(); });
  while (!left.empty() && SteadyClock::now() < deadline) {
    std::vector<pollfd> polls;
    for (const auto& connection : left)
      polls.push_back({connection->socket().get(), static_cast<short>(connection->wanted()), 0});
    const auto patience =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    ::poll(polls.data(), polls.size(), static_cast<int>(patience.count()) + 1);
    std::erase_if(left, [&](const auto& connection) {
      if (connection->sending()) {
        const auto result = connection->send_some();
        if (result == Connection::SendResult::Wait || result == Connection::SendResult::Yield) return false;
      }
      drop(connection);
      return true;
    });
  }
  for (const auto& connection : left) drop(connection);
}

void Server::State::set_channels(std::shared_ptr<const ChannelFactory> channels) {
  const MutexLock lock(mutex_);
  channels_ = std::move(channels);
}

int Server::State::connections() {
  const MutexLock lock(mutex_);
  return static_cast<int>(connections_.size());
}

int Server::State::threads() {
  const MutexLock lock(mutex_);
  return threads_;
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Server>> Server::start(std::vector<sys::Fd> listeners, Handler handler,
                                              ServerLimits limits,
                                              std::shared_ptr<const ChannelFactory> channels) {
  auto state = std::make_shared<State>(std::move(listeners), std::move(handler), limits, std::move(channels));
  TRY(state->open());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::~Server() { stop(std::chrono::milliseconds(0)); }
void Server::set_channels(std::shared_ptr<const ChannelFactory> channels) {
  state_->set_channels(std::move(channels));
}
void Server::stop(std::chrono::milliseconds grace) { state_->stop(grace); }
int Server::connections() const { return state_->connections(); }
int Server::threads() const { return state_->threads(); }

}  // namespace skiff::http
