#pragma once

#include <string>
#include <vector>

/// For tests: a criu in $PATH, which is this very test program under that name (fake_criu_test.cpp).
namespace skiff::runtime::test {

class FakeCriu {
 public:
  /// `behaviour`: "" answers all requests well; "silent" ends at the first; "old" is 3.0; "poor" has no
  /// features; "fails" fails with number 5; "notifies" tells of setup-namespaces first.
  explicit FakeCriu(const std::string& behaviour);
  ~FakeCriu();
  FakeCriu(const FakeCriu&) = delete;
  FakeCriu& operator=(const FakeCriu&) = delete;

  /// A directory that goes with this object.
  const std::string& path() const { return path_; }
  /// What it was told, message by message.
  std::vector<std::string> heard() const;

 private:
  std::string path_;
  std::string search_path_;
};

/// The members `number` of a protocol buffer that are bytes, and those that are numbers as decimals.
std::vector<std::string> members(const std::string& message, unsigned number);

}  // namespace skiff::runtime::test
