#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/container.h"
#include "monitor/log_settings.h"
#include "monitor/log_source.h"
#include "spec/docker/container.h"
#include "spec/engine_config.h"

namespace skiff::engine {

/// The log drivers, in order, without "none", which is none.
const std::vector<std::string>& log_drivers();

/// Names and values of a driver's options, as Docker checks them and in its words. What Docker only notices
/// when the container is started (a max-size that is no size) is refused here, too.
Result<void> check_log_options(const std::string& driver, const std::map<std::string, std::string>& options);

/// The driver and options that `own` comes to with the engine's defaults: those options count for the
/// engine's own driver only.
spec::docker::LogConfig effective_log_config(spec::docker::LogConfig own, const spec::EngineConfig& engine);

/// What the monitor of this container is to do with its output. Reads the names of log servers' addresses
/// (getaddrinfo(3)); the errors are those of a start.
Result<monitor::LogSettings> log_settings(const spec::EngineConfig& config, const Definition& definition);

/// scheme://host:port/path, the address of a log server.
struct LogUrl {
  std::string scheme;
  std::string host;  ///< with its port
  std::string path;
};
Result<LogUrl> parse_log_url(const std::string& text);
struct HostPort {
  std::string host;
  std::string port;  ///< "" when there is none
};
Result<HostPort> split_host_port(const std::string& text);
/// By name or number.
std::optional<int> syslog_facility(std::string_view text);

/// The container's json-file log; "" for other drivers.
std::string log_path(const spec::EngineConfig& config, const Definition& definition);
/// For drivers that can be read.
Result<std::unique_ptr<monitor::LogSource>> open_log(const spec::EngineConfig& config,
                                                     const Definition& definition,
                                                     const monitor::LogQuery& query);
/// Whether `docker logs` has something to read from.
bool log_is_readable(const spec::docker::LogConfig& log);

/// A tag template ("{{.ImageName}}/{{.ID}}") filled in. Of Go's templates it knows fields.
Result<std::string> log_tag(std::string_view text, const Definition& definition);

}  // namespace skiff::engine
