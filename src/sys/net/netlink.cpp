#include "sys/net/netlink.h"

#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "sys/own_thread.h"

namespace skiff::sys {
namespace {

constexpr int kLargeBuffer = 8 << 20;

const nlmsgerr& error_of(const nlmsghdr& message) {
  return *static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
}

}  // namespace

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return fail_errno("netlink socket");
  const int one = 1;
  // Errors need not carry the request back (NETLINK_CAP_ACK); ours may be 64 KiB large.
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  // A transaction is one datagram; with thousands of map elements it passes the usual limit.
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kLargeBuffer, sizeof kLargeBuffer);
  return NetlinkSocket(std::move(fd));
}

Result<void> NetlinkSocket::send(std::string_view messages) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const auto sent = ::sendto(fd_.get(), messages.data(), messages.size(), 0,
                               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) return {};
    if (errno != EINTR) return fail_errno("netlink send");
  }
}

Result<std::size_t> NetlinkSocket::receive(bool wait) {
  for (;;) {
    const auto got = ::recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
    if (got >= 0) {
      if (static_cast<std::size_t>(got) <= buffer_.size()) return static_cast<std::size_t>(got);
      return fail(Kind::Internal, "netlink receive: an answer of {} bytes", got);
    }
    if (errno == EAGAIN && !wait) return std::size_t{0};
    if (errno != EINTR) return fail_errno("netlink receive");
  }
}

Result<void> NetlinkSocket::acknowledge(std::string_view messages,
                                        const std::vector<NetlinkRequest>& requests) {
  TRY(send(messages));
  std::optional<Error> first;
  for (std::size_t answered = 0; answered < requests.size();) {
    int left = static_cast<int>(TRY(receive(true)));
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != NLMSG_ERROR) continue;
      const auto request = std::find_if(
          requests.begin(), requests.end(),
          [&](const NetlinkRequest& candidate) { return candidate.sequence == message->nlmsg_seq; });
      if (request == requests.end()) continue;  // left over from a call that failed half-way
      ++answered;
      const int code = -error_of(*message).error;
      if (code != 0 && code != request->tolerated && !first) first = Error::from_errno(request->what, code);
    }
  }
  if (first) return *std::move(first);
  return {};
}

Result<void> NetlinkSocket::transact(std::string_view messages,
                                     const std::function<void(std::uint32_t, int)>& failed) {
  TRY(send(messages));
  // The kernel has answered before send() returned, so there is nothing to wait for.
  for (;;) {
    int left = static_cast<int>(TRY(receive(false)));
    if (left == 0) return {};
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type == NLMSG_ERROR && error_of(*message).error != 0)
        failed(message->nlmsg_seq, -error_of(*message).error);
    }
  }
}

Result<void> NetlinkSocket::query(std::string_view message,
                                  const std::function<void(const nlmsghdr&)>& each) {
  nlmsghdr request{};
  std::memcpy(&request, message.data(), sizeof request);
  const bool dump = (request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  TRY(send(message));
  for (;;) {
    int left = static_cast<int>(TRY(receive(true)));
    for (auto* answer = reinterpret_cast<nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(answer, left);
         answer = mnl_nlmsg_next(answer, &left)) {
      if (answer->nlmsg_seq != request.nlmsg_seq) continue;
      if (answer->nlmsg_type == NLMSG_DONE) return {};
      if (answer->nlmsg_type == NLMSG_ERROR) {
        const int code = -error_of(*answer).error;
        if (code == 0) return {};
        return Error::from_errno("netlink query", code);
      }
      each(*answer);
      if (!dump) return {};
    }
  }
}

Result<void> in_network_namespace(const Fd& network_namespace, const std::function<Result<void>()>& body) {
  Result<void> result;
  TRY(in_own_thread([&] {
    if (::setns(network_namespace.get(), CLONE_NEWNET) != 0)
      result = fail_errno("enter the network namespace");
    else
      result = body();
  }));
  return result;
}

}  // namespace skiff::sys
