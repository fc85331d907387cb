#pragma once

#include "spec/registry_settings.h"

namespace skiff::registry {

using Settings = spec::RegistrySettings;

}  // namespace skiff::registry
