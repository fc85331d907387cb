#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "http/exchange.h"
#include "registry/server/access.h"
#include "registry/server/access_log.h"
#include "registry/server/range.h"
#include "registry/server/refusals.h"
#include "registry/server/route.h"
#include "registry/server/storage.h"
#include "spec/digest.h"

namespace skiff::registry::server {

class Registry;

/// What is known of a request when it is over: the access log and the metrics are fed from it.
struct Outcome {
  AccessRecord record;
  std::string_view endpoint;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
};

/// One request of the distribution API: what an endpoint's handler works with. It is answered exactly once,
/// by answer(), send_content() or refuse(); those return what the connection says.
struct Call {
  Registry& registry;
  http::Exchange& http;
  Route route;
  Caller caller;
  std::shared_ptr<Outcome> outcome;
  bool deferred =
      false;  ///< the answer is still on its way when the handler returns: `outcome` is written then

  const std::string& name() const { return route.repository; }
  bool is_head() const { return http.method() == "HEAD"; }

  Result<void> answer(int status, std::string_view body = {},
                      std::string_view content_type = "application/json");
  /// `range` of an object, or all of it.
  Result<void> send_content(Content content, const RangeAnswer& range);
  Result<void> refuse(Code code, std::string_view message = {}, const json::Value& detail = {});
  /// For what no endpoint foresees: the refusal that an error's kind stands for. What is our fault is logged.
  Result<void> refuse(const Error& error);

  void header(std::string_view name, std::string value);
};

/// Handlers return errors that they have no refusal for.
using CallHandler = Result<void> (*)(Call&);

Result<void> serve_base(Call& call);
Result<void> serve_catalog(Call& call);
Result<void> serve_tags(Call& call);
Result<void> serve_referrers(Call& call);
Result<void> get_blob(Call& call);
Result<void> delete_blob(Call& call);
Result<void> begin_upload(Call& call);
Result<void> inspect_upload(Call& call);
Result<void> continue_upload(Call& call);
Result<void> finish_upload(Call& call);
Result<void> cancel_upload(Call& call);
Result<void> get_manifest(Call& call);
Result<void> put_manifest(Call& call);
Result<void> delete_manifest(Call& call);

}  // namespace skiff::registry::server
