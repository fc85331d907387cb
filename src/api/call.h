#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/query.h"
#include "api/version.h"
#include "base/json.h"
#include "engine/engine.h"
#include "http/exchange.h"
#include "spec/engine_config.h"
#include "spec/platform.h"

namespace skiff::api {

/// One API request: what a route's handler works with.
struct Call {
  engine::Engine& engine;
  const spec::EngineConfig& config;
  http::Exchange& http;
  ApiVersion version;
  Query query;
  std::vector<std::string> parameters;  ///< of the pattern: {name}, {id}

  const std::string& name() const { return parameters.front(); }
};

/// Handlers answer the call or return why they cannot; the router turns errors into error bodies.
using CallHandler = Result<void> (*)(Call&);

enum class Body : std::uint8_t { Optional, Required };

/// The text of a JSON body. InvalidArgument for another Content-Type and, when it is Required, for none at
/// all; Exhausted when it is larger than the configured limit.
Result<std::string> read_json_text(Call& call, Body body);

template <typename T>
Result<T> read_json(Call& call, Body body = Body::Optional) {
  const std::string text = TRY(read_json_text(call, body));
  if (text.empty()) return T{};
  return json::decode<T>(text);
}

/// Answers with a JSON text and the line end that Docker's engine writes.
Result<void> answer_text(Call& call, int status, std::string text);

template <json::Described T>
Result<void> answer(Call& call, int status, const T& value) {
  return answer_text(call, status, json::encode(value));
}

template <json::Described T>
Result<void> answer(Call& call, int status, const std::vector<T>& values) {
  json::Array array;
  array.reserve(values.size());
  for (const auto& value : values) array.push_back(json::to_value(value));
  return answer_text(call, status, json::to_text(array));
}

Result<void> answer_nothing(Call& call, int status);
/// {"message": ...} with the status of the error's kind.
void answer_error(http::Exchange& http, const Error& error);

Result<engine::Filters> filters_of(const Call& call);
/// A platform as {"os":"linux","architecture":"arm64"}; none when the text is empty.
Result<std::optional<spec::Platform>> json_platform(const std::string& text);
/// The same of the parameter "platform".
Result<std::optional<spec::Platform>> json_platform(const Call& call);

/// Runs `producer` with the writing end of a pipe and sends what it writes as the answer's body. An error
/// before the first byte is returned; one after it breaks the connection.
Result<void> stream_from(Call& call, std::string_view content_type,
                         const std::function<Result<void>(const sys::Fd& out)>& producer);
/// Runs `consumer` with the reading end of a pipe that the request's body flows into.
Result<void> stream_into(Call& call, const std::function<Result<void>(const sys::Fd& in)>& consumer);

}  // namespace skiff::api
