#include "image/transfer/progress.h"

#include "spec/docker/progress_bar.h"

namespace skiff::image {
namespace {

constexpr std::chrono::milliseconds kPeriod{100};
constexpr int kColumns = 200;  // as Docker's engine assumes for clients that show its bars as they are

}  // namespace

void Progress::message(std::string_view status, std::string_view id) {
  spec::docker::ProgressLine out;
  out.status = status;
  out.id = id;
  line(std::move(out));
}

void Progress::action(std::string_view id, std::string_view status) {
  spec::docker::ProgressLine out;
  out.status = status;
  out.id = id;
  out.progress_detail.emplace();
  line(std::move(out));
}

void Progress::result(json::Value aux) {
  spec::docker::ProgressLine out;
  out.progress_detail.emplace();
  out.aux = std::move(aux);
  line(std::move(out));
}

void Meter::show(std::string_view status, std::uint64_t current, std::uint64_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (status_ != status) {
    status_ = status;
    begin_ = now;
  } else if (now - last_ < kPeriod && current < total) {
    return;
  }
  last_ = now;
  spec::docker::ProgressLine out;
  out.status = status;
  out.id = id_;
  out.progress_detail = {static_cast<std::int64_t>(current), static_cast<std::int64_t>(total)};
  out.progress = spec::docker::progress_bar(*out.progress_detail, kColumns, now - begin_);
  progress_.line(std::move(out));
}

}  // namespace skiff::image
