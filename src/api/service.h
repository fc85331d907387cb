#pragma once

#include "engine/engine.h"
#include "http/exchange.h"
#include "spec/engine_config.h"

namespace skiff::api {

/// The Docker Engine API over the engine's services, as a handler for an http::Server. Both arguments outlive
/// it.
http::Handler make_handler(engine::Engine& engine, const spec::EngineConfig& config);

}  // namespace skiff::api
