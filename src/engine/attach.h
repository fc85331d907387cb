#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/parts.h"
#include "runner/runner.h"

namespace skiff::engine {

struct AttachOptions {
  bool stream = false;
  bool logs = false;  ///< what was written before comes first
  bool standard_input = false;
  bool standard_output = false;
  bool standard_error = false;
  std::string detach_keys;  ///< as the user spells them; "" is "ctrl-p,ctrl-q"
};

/// What the API must know before it answers a hijack.
struct AttachPlan {
  std::shared_ptr<Container> container;
  AttachOptions options;
  std::string detach_bytes;
  bool terminal = false;  ///< raw stream instead of frames
};

/// "ctrl-p,ctrl-q", "a,ctrl-@": the bytes those keys send. InvalidArgument: `Unknown character: 'x'`.
Result<std::string> parse_detach_keys(std::string_view text);

/// Joins clients to containers. A container that was not started yet keeps the client until it is.
/// Thread-safe.
class Attach {
 public:
  Attach(Parts& parts, ContainerSet& set, Events& events) : parts_(parts), set_(set), events_(events) {}

  /// Everything that can be refused is refused here, while a status line can still be sent.
  Result<AttachPlan> prepare(std::string_view name, AttachOptions options);
  /// A client's raw connection and what it sent behind its request.
  struct Client {
    sys::Fd socket;
    std::string early_input;
  };
  /// Joins the client that `hijack` gives; returns at once when it was handed to the monitor. A client that
  /// has seen the answer of its hijack misses nothing of a container that it starts afterwards.
  Result<void> attach(const AttachPlan& plan, const std::function<Result<Client>()>& hijack);

 private:
  Result<void> join(const AttachPlan& plan, Client client);

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
};

}  // namespace skiff::engine
