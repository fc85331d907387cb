#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "meta/database.h"

namespace skiff::network::testing {

/// meta::Database in memory, for tests: a failed write changes nothing, as in the real one.
class MemoryDatabase final : public meta::Database {
 public:
  Result<void> write(const std::function<Result<void>(meta::Transaction&)>& body, meta::Durability) override {
    Records copy = records_;
    View view(copy);
    TRY(body(view));
    if (failing) return fail(Kind::Exhausted, "database or disk is full");
    records_ = std::move(copy);
    return {};
  }
  Result<void> read(const std::function<Result<void>(meta::Transaction&)>& body) override {
    Records copy = records_;
    View view(copy);
    return body(view);
  }

  bool failing = false;
  std::size_t count(const std::string& table) const {
    std::size_t found = 0;
    for (const auto& [key, record] : records_) found += key.first == table;
    return found;
  }

  Result<void> check() override { return {}; }

 private:
  using Records = std::map<std::pair<std::string, std::string>, std::string>;

  class View final : public meta::Transaction {
   public:
    explicit View(Records& records) : records_(records) {}
    Result<std::optional<std::string>> get(std::string_view table, std::string_view key) override {
      const auto found = records_.find({std::string(table), std::string(key)});
      if (found == records_.end()) return std::optional<std::string>();
      return std::optional<std::string>(found->second);
    }
    Result<void> put(std::string_view table, std::string_view key, std::string_view record) override {
      records_[{std::string(table), std::string(key)}] = record;
      return {};
    }
    Result<void> erase(std::string_view table, std::string_view key) override {
      records_.erase({std::string(table), std::string(key)});
      return {};
    }
    Result<std::vector<std::pair<std::string, std::string>>> scan(std::string_view table,
                                                                  std::string_view prefix) override {
      std::vector<std::pair<std::string, std::string>> out;
      for (const auto& [key, record] : records_)
        if (key.first == table && key.second.starts_with(prefix)) out.emplace_back(key.second, record);
      return out;
    }

   private:
    Records& records_;
  };

  Records records_;
};

}  // namespace skiff::network::testing
