#include "monitor/log_factory.h"

#include "monitor/json_file_log.h"
#include "monitor/local_log.h"
#include "monitor/remote_log.h"

namespace skiff::monitor {

Result<std::unique_ptr<LogDriver>> make_log(Loop& loop, const LogSettings& settings,
                                            std::function<void()> changed) {
  if (settings.driver == "none") return std::unique_ptr<LogDriver>();
  if (settings.driver == "local") return std::unique_ptr<LogDriver>(TRY(LocalLog::open(loop, settings)));
  if (settings.driver == "json-file")
    return std::unique_ptr<LogDriver>(TRY(JsonFileLog::open(loop, settings)));
  auto encoder = make_encoder(settings);
  if (!encoder)
    return fail(Kind::InvalidArgument, "logger: no log driver named '{}' is registered", settings.driver);
  std::unique_ptr<LogDriver> cache;
  if (!settings.directory.empty()) cache = TRY(LocalLog::open(loop, settings));
  return std::unique_ptr<LogDriver>(
      std::make_unique<RemoteLog>(loop, settings, std::move(encoder), std::move(cache), std::move(changed)));
}

}  // namespace skiff::monitor
