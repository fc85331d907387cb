#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

/// Shapes of Docker's JSON that Go's nil slices and maps produce: our lists are plain vectors, and these
/// helpers write an empty one as null where Docker's engine does.
namespace skiff::spec {

/// A member written as null when empty.
template <typename T>
void null_when_empty(json::Fields& f, std::string_view name, T& member) {
  if (!f.reading() && member.empty())
    f.object().insert_or_assign(name, nullptr);
  else
    f(name, member);
}

/// A map of lists whose empty lists are written as null: {"80/tcp": null}.
template <typename T>
void null_elements_when_empty(json::Fields& f, std::string_view name,
                              std::map<std::string, std::vector<T>>& member,
                              json::Omit omit = json::Omit::Never) {
  f(name, member, omit);
  if (f.reading()) return;
  json::Value* written = f.object().if_contains(name);
  if (!written || !written->is_object()) return;
  for (auto& [key, element] : written->get_object())
    if (element.is_array() && element.get_array().empty()) element = nullptr;
}

/// A list of strings that may also be given as one string (Cmd, Entrypoint, Shell of old clients).
void string_or_list(json::Fields& f, std::string_view name, std::vector<std::string>& member,
                    json::Omit omit = json::Omit::Never);

/// A set: {"80/tcp": {}, "/data": {}}.
struct Empty {
  friend bool operator==(const Empty&, const Empty&) = default;
};
void describe(json::Fields& f, Empty& empty);
using Set = std::map<std::string, Empty>;

}  // namespace skiff::spec
