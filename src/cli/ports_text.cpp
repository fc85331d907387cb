#include "cli/ports_text.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/strings.h"

namespace skiff::cli {

std::string host_and_port(const std::string& host, const std::string& port) {
  if (host.find(':') != std::string::npos) return fmt::format("[{}]:{}", host, port);
  return host + ":" + port;
}

namespace {

struct Group {
  std::string address;
  std::string type;
  unsigned first = 0;
  unsigned last = 0;

  std::string text() const {
    std::string range = std::to_string(first);
    if (first != last) range += "-" + std::to_string(last);
    if (!address.empty()) range = fmt::format("{}->{}", host_and_port(address, range), range);
    return range + "/" + type;
  }
};

}  // namespace

std::string ports_text(std::vector<spec::docker::Port> ports) {
  std::stable_sort(ports.begin(), ports.end(), [](const auto& a, const auto& b) {
    return std::tie(a.private_port, a.ip, a.public_port, a.type) <
           std::tie(b.private_port, b.ip, b.public_port, b.type);
  });
  std::vector<std::string> done;
  std::vector<std::string> mapped;
  std::vector<Group> open;
  for (const auto& port : ports) {
    if (!port.ip.empty() && port.public_port != port.private_port) {
      mapped.push_back(fmt::format("{}->{}/{}", host_and_port(port.ip, std::to_string(port.public_port)),
                                   port.private_port, port.type));
      continue;
    }
    const auto found = std::find_if(open.begin(), open.end(), [&](const Group& group) {
      return group.address == port.ip && group.type == port.type;
    });
    if (found == open.end()) {
      open.push_back({port.ip, port.type, port.private_port, port.private_port});
    } else if (port.private_port == found->last + 1u) {
      found->last = port.private_port;
    } else {
      done.push_back(found->text());
      found->first = found->last = port.private_port;
    }
  }
  for (const Group& group : open) done.push_back(group.text());
  done.insert(done.end(), mapped.begin(), mapped.end());
  return join(done, ", ");
}

}  // namespace skiff::cli
