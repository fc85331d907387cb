#include "archive/limit_source.h"

#include "base/strings.h"

namespace skiff::archive {

Result<std::string_view> LimitSource::next() {
  const auto bytes = TRY(inner_->next());
  bytes_ += bytes.size();
  if (limits_.bytes > 0 && bytes_ > limits_.bytes)
    return fail(Kind::Exhausted, "it unpacks to more than {}, the limit that skiffd's --layer-max-size sets",
                bytes_size(static_cast<double>(limits_.bytes)));
  if (compressed_ && limits_.ratio > 0 && bytes_ > spec::kLayerFreeBytes &&
      bytes_ / limits_.ratio > compressed_->bytes())
    return fail(Kind::Exhausted,
                "it unpacks to more than {} times its compressed size, the limit that skiffd's "
                "--layer-max-ratio sets",
                limits_.ratio);
  return bytes;
}

Error too_many_entries(const spec::LayerLimits& limits) {
  return fail(Kind::Exhausted, "more than {} entries, the limit that skiffd's --layer-max-entries sets",
              limits.entries);
}

}  // namespace skiff::archive
