#include "monitor/log_settings.h"

namespace skiff::monitor {

void describe(json::Fields& f, LogTarget& t) {
  f("network", t.network);
  f("addresses", t.addresses);
  f("tls", t.tls, json::Omit::Empty);
}

void describe(json::Fields& f, LogSettings& t) {
  f("driver", t.driver);
  f("directory", t.directory);
  f("path", t.path, json::Omit::Empty);
  f("max_bytes", t.max_bytes);
  f("max_files", t.max_files);
  f("compress", t.compress);
  f("target", t.target, json::Omit::Empty);
  f("blocking", t.blocking);
  f("buffer_bytes", t.buffer_bytes);
  f("tag", t.tag, json::Omit::Empty);
  f("host_name", t.host_name, json::Omit::Empty);
  f("fields", t.fields, json::Omit::Empty);
  f("options", t.options, json::Omit::Empty);
}

}  // namespace skiff::monitor
