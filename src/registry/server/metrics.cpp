#include "registry/server/metrics.h"

#include <unistd.h>

#include "base/strings.h"
#include "spec/program_version.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

/// One metric with its two comment lines.
std::string metric(std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
  return fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n{0} {3}\n", name, type, help, value);
}

/// The second number of /proc/self/statm (proc(5)), in bytes; 0 when it cannot be read.
std::uint64_t resident_bytes() {
  const auto text = sys::read_file("/proc/self/statm", 200);
  const auto parts = split(text.ok() ? *text : "", ' ');
  const auto pages = parts.size() > 1 ? parse_uint(parts[1]) : std::nullopt;
  return pages.value_or(0) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void Metrics::count_request(std::string_view endpoint, std::string_view method, int status,
                            std::chrono::nanoseconds duration, std::uint64_t sent) {
  // A client's own words would make as many lines as it likes.
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  std::string_view known = "other";
  for (const auto candidate : kMethods)
    if (candidate == method) known = candidate;
  const double seconds = std::chrono::duration<double>(duration).count();
  std::size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  const MutexLock lock(mutex_);
  ++requests_[{std::string(endpoint), std::string(known), status}];
  ++durations_[bucket];
  seconds_ += seconds;
  sent_ += sent;
}

std::string Metrics::text() const {
  std::string out = fmt::format(
      "# HELP skiff_registry_info The running program.\n# TYPE skiff_registry_info gauge\n"
      "skiff_registry_info{{version=\"{}\"}} 1\n",
      spec::program_version());
  out += metric("skiff_registry_requests_in_flight", "gauge", "Requests that are being served.",
                static_cast<std::uint64_t>(std::max<std::int64_t>(in_flight, 0)));
  out += metric("skiff_registry_received_bytes_total", "counter", "Bytes of blobs and manifests taken in.",
                received);
  out += metric("skiff_registry_uploads_expired_total", "counter", "Uploads that were given up.",
                uploads_expired);
  out += metric("skiff_registry_collections_total", "counter", "Garbage collections.", collections);
  out +=
      metric("skiff_registry_collected_blobs_total", "counter", "Blobs that were garbage.", collected_blobs);
  out +=
      metric("skiff_registry_collected_bytes_total", "counter", "Bytes that were garbage.", collected_bytes);
  out += metric("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", resident_bytes());
  const MutexLock lock(mutex_);
  out += metric("skiff_registry_sent_bytes_total", "counter", "Bytes of answers' bodies.", sent_);
  out +=
      "# HELP skiff_registry_requests_total Requests by endpoint, method and status.\n"
      "# TYPE skiff_registry_requests_total counter\n";
  for (const auto& [key, count] : requests_)
    out += fmt::format("skiff_registry_requests_total{{endpoint=\"{}\",method=\"{}\",code=\"{}\"}} {}\n",
                       std::get<0>(key), std::get<1>(key), std::get<2>(key), count);
  out +=
      "# HELP skiff_registry_request_seconds How long requests took, their answers' bodies included.\n"
      "# TYPE skiff_registry_request_seconds histogram\n";
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < durations_.size(); ++i) {
    sum += durations_[i];
    const std::string bound = i < kBounds.size() ? fmt::format("{}", kBounds[i]) : "+Inf";
    out += fmt::format("skiff_registry_request_seconds_bucket{{le=\"{}\"}} {}\n", bound, sum);
  }
  return out + fmt::format("skiff_registry_request_seconds_sum {}\nskiff_registry_request_seconds_count {}\n",
                           seconds_, sum);
}

}  // namespace skiff::registry::server
