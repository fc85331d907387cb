#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace skiff::spec {

/// How registries are reached: what the daemon's flags say of them.
struct RegistrySettings {
  std::vector<std::string> insecure;  ///< "host:port" or CIDR; loopback always is
  std::vector<std::string> mirrors;   ///< of Docker Hub: "https://mirror.example"
  /// Folders with one folder a registry, "<host:port>/ca.crt", "client.cert" and "client.key".
  std::vector<std::string> certificate_directories = {"/etc/docker/certs.d", "/etc/skiff/certs.d"};
  bool keep_layer_blobs = false;                ///< compressed layers stay here beside their files
  bool lazy_background = true;                  ///< what was pulled lazily comes as a whole by and by
  int concurrent_downloads = 3;                 ///< of one pull
  int concurrent_uploads = 5;                   ///< of one push
  int attempts = 5;                             ///< at a download or a request that may be repeated
  std::chrono::milliseconds first_pause{1000};  ///< before the second attempt; doubled each time
};

}  // namespace skiff::spec
