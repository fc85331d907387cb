#include "spec/json_shape.h"

namespace skiff::spec {

void string_or_list(json::Fields& f, std::string_view name, std::vector<std::string>& member,
                    json::Omit omit) {
  if (f.reading()) {
    const json::Value* value = f.object().if_contains(name);
    if (value && value->is_string()) {
      member.clear();
      f(name, member.emplace_back());
      return;
    }
  }
  f(name, member, omit);
}

void describe(json::Fields&, Empty&) {}

}  // namespace skiff::spec
