#include "network/dns_server.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>

#include "base/log.h"
#include "network/dns_message.h"
#include "network/names.h"

namespace skiff::network {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using sys::Fd;
using sys::Ipv4;

constexpr auto kServerTimeout = 4s;   // per upstream server, as Docker
constexpr auto kClientTimeout = 10s;  // of an idle TCP client
constexpr std::size_t kMaxPending =
    4096;  // questions forwarded and clients connected, all containers together
constexpr std::uint64_t kWakeup = 0;

std::uint16_t random_id() {
  std::uint16_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != sizeof id)
    id = static_cast<std::uint16_t>(Clock::now().time_since_epoch().count());
  return id;
}

sockaddr_in address_of(Ipv4 address, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = address.network_order();
  return name;
}

/// DNS over TCP puts a 16-bit length before each message (RFC 1035, 4.2.2).
std::string framed(std::string_view message) {
  std::string out;
  out.push_back(static_cast<char>(message.size() >> 8));
  out.push_back(static_cast<char>(message.size() & 255));
  out += message;
  return out;
}

std::optional<std::string> take_frame(std::string& input) {
  if (input.size() < 2) return std::nullopt;
  const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(input[0])) << 8 |
                           static_cast<unsigned char>(input[1]);
  if (input.size() < size + 2) return std::nullopt;
  std::string message = input.substr(2, size);
  input.erase(0, size + 2);
  return message;
}

/// A container as the loop knows it.
struct Guest {
  std::string container;
  std::vector<Ipv4> upstream;
  std::vector<std::uint64_t> watches;  ///< of its two sockets
};

/// Where an answer goes: back by the guest's UDP socket, or into a TCP client's output.
struct ReplyTo {
  std::uint64_t watch = 0;  ///< the UDP socket's or the TCP client's; it may be gone when the answer comes
  std::optional<sockaddr_in> udp_peer;
};

/// A question on its way through the upstream servers.
struct Forward {
  std::shared_ptr<Guest> guest;
  ReplyTo reply;
  std::string query;     ///< with our own random id
  std::uint16_t id = 0;  ///< the asker's
  std::size_t server = 0;
};

struct Watch {
  enum class Kind : std::uint8_t { Udp, Listener, Client, UpstreamUdp, UpstreamTcp };
  Kind kind = Kind::Udp;
  Fd fd;
  std::shared_ptr<Guest> guest;
  std::string input;
  std::string output;
  Forward forward;
  std::optional<Clock::time_point> deadline;
};

}  // namespace

class DnsServer::Loop {
 public:
  Loop(Names& names, std::uint16_t port, Fd epoll, Fd wakeup)
      : names_(names), port_(port), epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    post([this] { stopping_ = true; });
    thread_.join();
  }

  void post(std::function<void()> command) {
    {
      const MutexLock lock(mutex_);
      commands_.push_back(std::move(command));
    }
    const std::uint64_t one = 1;
    // The counter cannot overflow, and nothing else can go wrong with an eventfd of our own.
    if (::write(wakeup_.get(), &one, sizeof one) != sizeof one) log::error("DNS server: wakeup failed");
  }

  void add_guest(const std::string& container, Fd udp, Fd tcp, std::vector<Ipv4> upstream) {
    remove_guest(container);
    auto guest = std::make_shared<Guest>();
    guest->container = container;
    guest->upstream = std::move(upstream);
    guests_[container] = guest;
    guest->watches.push_back(watch({Watch::Kind::Udp, std::move(udp), guest}, EPOLLIN));
    guest->watches.push_back(watch({Watch::Kind::Listener, std::move(tcp), guest}, EPOLLIN));
  }

  void remove_guest(const std::string& container) {
    const auto found = guests_.find(container);
    if (found == guests_.end()) return;
    std::erase_if(watches_, [&](const auto& entry) { return entry.second.guest == found->second; });
    guests_.erase(found);
  }

 private:
  void run() {
    std::array<epoll_event, 64> events{};
    while (!stopping_) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_to_deadline());
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
      expire();
    }
    watches_.clear();
  }

  std::uint64_t watch(Watch entry, std::uint32_t events) {
    const std::uint64_t id = ++last_id_;
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    // Numbers, not descriptors: an event for a closed descriptor must not meet its successor of the same
    // number.
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, entry.fd.get(), &event) != 0)
      log::warning("DNS server: {}", Error::from_errno("epoll_ctl", errno).message());
    watches_.emplace(id, std::move(entry));
    return id;
  }

  void rearm(std::uint64_t id, const Watch& entry, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, entry.fd.get(), &event);
  }

  int milliseconds_to_deadline() const {
    std::optional<Clock::time_point> next;
    for (const auto& [id, entry] : watches_)
      if (entry.deadline && (!next || *entry.deadline < *next)) next = entry.deadline;
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  void handle(const epoll_event& event) {
    if (event.data.u64 == kWakeup) return run_commands();
    const auto found = watches_.find(event.data.u64);
    if (found == watches_.end()) return;
    switch (found->second.kind) {
      case Watch::Kind::Udp:
        return read_questions(found->first, found->second);
      case Watch::Kind::Listener:
        return accept_clients(found->second);
      case Watch::Kind::Client:
        return serve_client(found->first, found->second);
      case Watch::Kind::UpstreamUdp:
        return read_udp_answer(found->first, found->second);
      case Watch::Kind::UpstreamTcp:
        return serve_tcp_upstream(found->first, found->second);
    }
  }

  void run_commands() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto drained = ::read(wakeup_.get(), &count, sizeof count);
    std::deque<std::function<void()>> commands;
    {
      const MutexLock lock(mutex_);
      commands.swap(commands_);
    }
    for (auto& command : commands) command();
  }

  void read_questions(std::uint64_t id, Watch& entry) {
    for (int i = 0; i < 32; ++i) {  // then the others get their turn; epoll will say it again
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const auto got = ::recvfrom(entry.fd.get(), buffer_.data(), buffer_.size(), 0,
                                  reinterpret_cast<sockaddr*>(&peer), &size);
      if (got < 0) return;
      const auto guest = entry.guest;
      answer(guest, std::string_view(buffer_.data(), static_cast<std::size_t>(got)), {id, peer});
    }
  }

  void accept_clients(Watch& entry) {
    const auto guest = entry.guest;
    for (;;) {
      Fd client(::accept4(entry.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client) return;
      if (watches_.size() >= kMaxPending) continue;
      Watch watched{Watch::Kind::Client, std::move(client), guest};
      watched.deadline = Clock::now() + kClientTimeout;
      watch(std::move(watched), EPOLLIN);
    }
  }

  void serve_client(std::uint64_t id, Watch& entry) {
    if (!flush(entry)) return drop(id);
    const auto got = ::recv(entry.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return drop(id);
    if (got > 0) entry.input.append(buffer_.data(), static_cast<std::size_t>(got));
    entry.deadline = Clock::now() + kClientTimeout;
    const auto guest = entry.guest;
    // answer() may write to this entry, and never removes it.
    while (auto message = take_frame(entry.input)) answer(guest, *message, {id, std::nullopt});
    rearm(id, entry, entry.output.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  }

  void answer(const std::shared_ptr<Guest>& guest, std::string_view query, const ReplyTo& reply) {
    if (!dns::has_header(query)) return;
    const auto question = dns::parse_query(query);
    if (!question) return send(reply, dns::answer_code(query, dns::Code::FormatError));
    const auto type = static_cast<dns::Type>(question->type);
    if (type == dns::Type::Ptr) {
      const auto address = dns::reverse_address(question->name);
      const auto name = address ? names_.name_of(guest->container, *address) : std::nullopt;
      if (name) return send(reply, dns::answer_name(query, *name));
    } else if (auto found = names_.addresses(guest->container, question->name)) {
      // The name is a container's: no other server is asked about it, whatever the type.
      if (type != dns::Type::A) found->clear();
      return send(reply, dns::answer_addresses(query, *found,
                                               reply.udp_peer ? question->reply_limit : dns::kMaxMessage));
    }
    if (!names_.may_ask_outside(guest->container))
      return send(reply, dns::answer_code(query, dns::Code::ServerFailure));
    Forward forward{guest, reply, std::string(query), question->id, 0};
    dns::set_message_id(forward.query, random_id());
    ask(std::move(forward));
  }

  void send(const ReplyTo& reply, const std::string& message) {
    const auto found = watches_.find(reply.watch);
    if (found == watches_.end() || message.empty()) return;
    Watch& entry = found->second;
    if (reply.udp_peer) {
      // A full buffer loses the packet, as networks do; the asker repeats.
      ::sendto(entry.fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&*reply.udp_peer), sizeof *reply.udp_peer);
      return;
    }
    entry.output += framed(message);
    flush(entry);
    if (!entry.output.empty()) rearm(found->first, entry, EPOLLIN | EPOLLOUT);
  }

  /// Writes what can be written; false when the connection is broken.
  static bool flush(Watch& entry) {
    while (!entry.output.empty()) {
      const auto sent = ::send(entry.fd.get(), entry.output.data(), entry.output.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      entry.output.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Asks the next server, or gives up.
  void ask(Forward forward) {
    while (forward.server < forward.guest->upstream.size() && watches_.size() < kMaxPending) {
      const bool tcp = !forward.reply.udp_peer;
      Fd fd(::socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const auto server = address_of(forward.guest->upstream[forward.server], port_);
      const int connected =
          fd ? ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) : -1;
      const bool usable = connected == 0 || (tcp && errno == EINPROGRESS);
      if (usable &&
          (tcp || ::send(fd.get(), forward.query.data(), forward.query.size(), MSG_NOSIGNAL) >= 0)) {
        Watch entry{tcp ? Watch::Kind::UpstreamTcp : Watch::Kind::UpstreamUdp, std::move(fd), forward.guest};
        if (tcp) entry.output = framed(forward.query);
        entry.deadline = Clock::now() + kServerTimeout;
        entry.forward = std::move(forward);
        watch(std::move(entry), tcp ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return;
      }
      ++forward.server;
    }
    dns::set_message_id(forward.query, forward.id);
    send(forward.reply, dns::answer_code(forward.query, dns::Code::ServerFailure));
  }

  void ask_next(std::uint64_t id) {
    Forward forward = std::move(watches_.at(id).forward);
    drop(id);
    ++forward.server;
    ask(std::move(forward));
  }

  void finish(std::uint64_t id, std::string message) {
    const Forward forward = std::move(watches_.at(id).forward);
    drop(id);
    dns::set_message_id(message, forward.id);
    send(forward.reply, message);
  }

  /// A server that cannot answer is not the last word while there are others.
  bool worth_passing_on(const Watch& entry, std::string_view message) const {
    const auto code = dns::message_code(message);
    const bool failed = code == dns::Code::ServerFailure || code == dns::Code::Refused;
    return !failed || entry.forward.server + 1 >= entry.forward.guest->upstream.size();
  }

  void read_udp_answer(std::uint64_t id, Watch& entry) {
    const auto got = ::recv(entry.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) return errno == EAGAIN ? void() : ask_next(id);
    const std::string_view message(buffer_.data(), static_cast<std::size_t>(got));
    if (!dns::answers(message, entry.forward.query)) return;
    worth_passing_on(entry, message) ? finish(id, std::string(message)) : ask_next(id);
  }

  void serve_tcp_upstream(std::uint64_t id, Watch& entry) {
    if (!flush(entry)) return ask_next(id);
    if (entry.output.empty()) rearm(id, entry, EPOLLIN);
    const auto got = ::recv(entry.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return ask_next(id);
    entry.input.append(buffer_.data(), static_cast<std::size_t>(got));
    auto message = take_frame(entry.input);
    if (!message) return;
    if (!dns::answers(*message, entry.forward.query)) return ask_next(id);
    worth_passing_on(entry, *message) ? finish(id, std::move(*message)) : ask_next(id);
  }

  void expire() {
    const auto now = Clock::now();
    std::vector<std::uint64_t> late;
    for (const auto& [id, entry] : watches_)
      if (entry.deadline && *entry.deadline <= now) late.push_back(id);
    for (const auto id : late) {
      const auto found = watches_.find(id);
      if (found == watches_.end()) continue;
      found->second.kind == Watch::Kind::Client ? drop(id) : ask_next(id);
    }
  }

  void drop(std::uint64_t id) { watches_.erase(id); }  // closing the descriptor takes it out of the epoll set

  Names& names_;
  const std::uint16_t port_;
  Fd epoll_;
  Fd wakeup_;
  Mutex mutex_;
  std::deque<std::function<void()>> commands_ GUARDED_BY(mutex_);
  // From here on only the loop's thread.
  std::uint64_t last_id_ = kWakeup;
  std::map<std::uint64_t, Watch> watches_;
  std::map<std::string, std::shared_ptr<Guest>> guests_;
  std::vector<char> buffer_ = std::vector<char>(dns::kMaxMessage + 2);
  bool stopping_ = false;
  std::thread thread_;
};

DnsServer::DnsServer(Names& names, std::uint16_t port) : names_(names), port_(port) {}
DnsServer::~DnsServer() = default;

Result<void> DnsServer::serve(const std::string& container, std::vector<Fd> sockets,
                              const std::vector<std::string>& upstream) {
  if (sockets.size() != 2) return fail(Kind::InvalidArgument, "DNS of {}: two sockets are wanted", container);
  std::vector<Ipv4> servers;
  for (const auto& text : upstream)
    if (const auto address = Ipv4::parse(text)) servers.push_back(*address);
  const MutexLock lock(mutex_);
  if (!loop_) {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    Fd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeup;
    if (!epoll || !wakeup || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup.get(), &event) != 0)
      return fail_errno("DNS server");
    loop_ = std::make_unique<Loop>(names_, port_, std::move(epoll), std::move(wakeup));
  }
  // std::function wants copyable captures.
  auto shared = std::make_shared<std::vector<Fd>>(std::move(sockets));
  loop_->post([loop = loop_.get(), container, shared, servers] {
    loop->add_guest(container, std::move((*shared)[0]), std::move((*shared)[1]), servers);
  });
  return {};
}

void DnsServer::stop(const std::string& container) {
  const MutexLock lock(mutex_);
  if (loop_) loop_->post([loop = loop_.get(), container] { loop->remove_guest(container); });
}

}  // namespace skiff::network
