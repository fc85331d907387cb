#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/docker/container.h"

/// The small notations of flag values. Errors are the sentences Docker's command line says.
namespace skiff::cli {

/// "nofile=1024:2048", "core=-1"
Result<spec::docker::Ulimit> parse_ulimit(std::string_view text);
/// "name:address" or "name=address" (also "host-gateway"); gives "name:address".
Result<std::string> check_extra_host(std::string_view text);
/// "NAME=value", or "NAME" taken from our own environment.
Result<std::string> check_env(std::string_view text);
Result<std::string> check_label(std::string_view text);
/// --device-cgroup-rule: "c 1:3 rwm".
Result<std::string> check_device_rule(std::string_view text);
/// Six bytes in hexadecimal between colons or dashes.
bool is_mac_address(std::string_view text);
Result<std::string> check_ip_address(std::string_view text);
Result<std::string> check_dns_search(std::string_view text);
Result<std::string> check_attach_stream(std::string_view text);
Result<std::string> check_sysctl(std::string_view text);
Result<std::string> check_filter(std::string_view text);
Result<std::string> check_image_name(std::string_view text);

/// "no", "on-failure:3"
Result<spec::docker::RestartPolicy> parse_restart_policy(std::string_view text);
/// "/dev/x[:/dev/y][:rwm]"
Result<spec::docker::DeviceMapping> parse_device(std::string_view text);
/// "/dev/sda:1mb", as bytes or, with `plain`, as a number
Result<spec::docker::ThrottleDevice> parse_throttle_device(std::string_view text, bool plain);
Result<spec::docker::WeightDevice> parse_weight_device(std::string_view text);
/// "1.5" CPUs in billionths
Result<std::int64_t> parse_cpus(std::string_view text);

/// Lines "NAME=value" or "NAME" of a file; `kind` ("env", "label") is named in errors. Bare names take their
/// value from our environment when `from_environment`, and are left out when it has none.
Result<std::vector<std::string>> read_variables(const std::string& path, std::string_view kind,
                                                bool from_environment);

/// "a=b" pairs; a later one wins.
std::map<std::string, std::string> to_map(const std::vector<std::string>& pairs);

}  // namespace skiff::cli
