#pragma once

#include <string_view>

#include "api/call.h"

namespace skiff::api {

/// The content type of a hijacked connection.
std::string_view hijack_type(const Call& call, bool terminal);

}  // namespace skiff::api
