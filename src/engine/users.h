#pragma once

#include "spec/users.h"

namespace skiff::engine {

using spec::kUserFileLimit;
using spec::resolve_user;
using spec::UserIdentity;

}  // namespace skiff::engine
