// Many clients that pull the same things at once, and nothing but that: what they receive is thrown away in
// the kernel, so that a registry is measured and not its client. usage: pulls HOST PORT CLIENTS ROUNDS
// PATH... Every client asks for all paths in turn, ROUNDS times, over one connection. Prints seconds, MB/s
// and requests/s.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

struct Client {
  int socket = -1;
  std::size_t next = 0;  // request
  std::string head;      // of the answer, as far as it is here
  bool in_body = false;
  unsigned long long left = 0;  // of the body
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(const char* host, const char* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  inet_pton(AF_INET, host, &address.sin_addr);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0 || ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    die("connect");
  return socket;
}

void ask(Client& client, const std::string& path) {
  const std::string text =
      "GET " + path + " HTTP/1.1\r\nHost: x\r\nAccept: application/vnd.oci.image.manifest.v1+json\r\n\r\n";
  if (::send(client.socket, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    die("send");
  client.head.clear();
  client.in_body = false;
}

/// Reads the head byte by byte as far as it is there; true when the body begins.
bool read_head(Client& client) {
  char piece[4096];
  const ssize_t seen = ::recv(client.socket, piece, sizeof piece, MSG_PEEK | MSG_DONTWAIT);
  if (seen <= 0) {
    if (seen < 0 && errno == EAGAIN) return false;
    die("recv");
  }
  const std::string text = client.head + std::string(piece, static_cast<std::size_t>(seen));
  const auto end = text.find("\r\n\r\n");
  const std::size_t eaten =
      end == std::string::npos ? static_cast<std::size_t>(seen) : end + 4 - client.head.size();
  if (::recv(client.socket, piece, eaten, 0) != static_cast<ssize_t>(eaten)) die("recv");
  client.head = text.substr(0, client.head.size() + eaten);
  if (end == std::string::npos) return false;
  const char* length = ::strcasestr(client.head.c_str(), "content-length:");
  if (client.head.compare(9, 3, "200") != 0 || !length) {
    std::fprintf(stderr, "%s\n", client.head.c_str());
    std::exit(1);
  }
  client.left = std::strtoull(length + 15, nullptr, 10);
  client.in_body = true;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const int count = std::atoi(argv[3]);
  const std::vector<std::string> paths(argv + 5, argv + argc);
  const std::size_t requests = static_cast<std::size_t>(std::atoi(argv[4])) * paths.size();
  std::vector<Client> clients(static_cast<std::size_t>(count));
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const auto began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].socket = connect_to(argv[1], argv[2]);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].socket, &event);
    ask(clients[i], paths[0]);
  }
  unsigned long long bytes = 0;
  std::size_t answers = 0;
  for (std::size_t done = 0; done < clients.size();) {
    epoll_event events[64];
    const int ready = ::epoll_wait(epoll, events, 64, 60000);
    if (ready <= 0) die("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      Client& client = clients[events[i].data.u64];
      if (!client.in_body && !read_head(client)) continue;
      if (client.left > 0) {
        const auto most = client.left > (4U << 20) ? 4U << 20 : client.left;
        const ssize_t got = ::recv(client.socket, nullptr, most, MSG_TRUNC | MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) die("recv");
        if (got < 0) continue;
        client.left -= static_cast<unsigned long long>(got);
        bytes += static_cast<unsigned long long>(got);
      }
      if (client.left > 0) continue;
      ++answers;
      if (++client.next < requests) {
        ask(client, paths[client.next % paths.size()]);
      } else {
        ::close(client.socket);
        ++done;
      }
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("%.3f s %.0f MB/s %.0f requests/s\n", seconds, static_cast<double>(bytes) / 1e6 / seconds,
              static_cast<double>(answers) / seconds);
  return 0;
}
