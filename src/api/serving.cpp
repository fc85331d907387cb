#include "api/serving.h"

#include "image/serve.h"

/// The images for `skiff registry serve --engine`.
namespace skiff::api {

Result<void> served_images(Call& call) {
  return answer(call, 200, TRY(image::served_images(call.engine.image_store)));
}

Result<void> served_blob(Call& call) {
  const auto digest = TRY(spec::Digest::parse(call.name()));
  return stream_from(call, "application/octet-stream", [&](const sys::Fd& out) {
    return image::write_served_blob(call.engine.image_store, digest, out);
  });
}

}  // namespace skiff::api
