#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

/// Values while a template runs, and the functions over them.
namespace skiff::cli::templates {

/// A value, borrowed from the data or made on the way; or none ("<no value>").
class Item {
 public:
  Item() = default;
  static Item borrow(const json::Value& value) {
    Item item;
    item.value_ = &value;
    return item;
  }
  static Item make(json::Value value) {
    Item item;
    item.owned_ = std::make_shared<json::Value>(std::move(value));
    item.value_ = item.owned_.get();
    return item;
  }
  /// `part` lies inside this item's value and keeps it alive.
  Item inside(const json::Value& part) const {
    Item item = *this;
    item.value_ = &part;
    return item;
  }

  bool missing() const { return value_ == nullptr; }
  const json::Value& value() const;

 private:
  const json::Value* value_ = nullptr;
  std::shared_ptr<json::Value> owned_;
};

/// Go's truth: not the zero value of its type.
bool is_true(const Item& item);
/// As fmt's %v prints it.
std::string to_plain_text(const Item& item);
std::string to_plain_text(const json::Value& value);

/// Calls any function but "and" and "or". `header` hands the first argument of Docker's functions through.
Result<Item> call_function(std::string_view name, const std::vector<Item>& arguments, bool header);

}  // namespace skiff::cli::templates
