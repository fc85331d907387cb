#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/store.h"

namespace skiff::image {

/// All images and their names in memory, in step with the database. Not thread-safe: the store's mutex guards
/// it.
class Catalogue {
 public:
  void add(Image image);
  void erase(const std::string& id);
  Image* find(const std::string& id);
  const std::map<std::string, Image>& images() const { return images_; }

  /// Gives a full name with tag or digest ("docker.io/library/x:latest") to an image; the image that had it
  /// loses it.
  void set_name(const std::string& name, const std::string& id);
  void erase_name(const std::string& name);
  /// The id behind a full name; "" when there is none.
  std::string id_of(const std::string& name) const;
  /// An image's full names, those with digests too, sorted.
  std::vector<std::string> names_of(const std::string& id) const;
  bool has_children(const std::string& id) const;
  /// True when some image has this snapshot among its layers.
  bool uses(const std::string& snapshot) const;

  /// What a person's words mean: a name (":latest" added), a full id, or a unique prefix of one. When it is a
  /// name, `name` becomes its full form. NotFound "No such image: x:latest"; InvalidArgument for what is no
  /// reference and for a prefix of several ids.
  Result<std::string> lookup(std::string_view text, std::optional<std::string>* name = nullptr) const;

 private:
  void refresh_tags(const std::string& id);

  std::map<std::string, Image> images_;       ///< by id, "sha256:..."
  std::map<std::string, std::string> names_;  ///< full name -> id
};

}  // namespace skiff::image
