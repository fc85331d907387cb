#pragma once

#include <functional>
#include <memory>

#include "monitor/log_driver.h"
#include "monitor/log_settings.h"
#include "monitor/loop.h"

namespace skiff::monitor {

/// The driver that `settings` names; none for "none". `changed` is called when it has room again after having
/// been full(), and when it is no longer busy() after close().
Result<std::unique_ptr<LogDriver>> make_log(Loop& loop, const LogSettings& settings,
                                            std::function<void()> changed);

}  // namespace skiff::monitor
