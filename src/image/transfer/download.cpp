#include "image/transfer/download.h"

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "image/transfer/range_reader.h"

namespace skiff::image {
namespace {

Error cancelled() { return {Kind::Cancelled, "context canceled"}; }

/// Errors after which the rest may come all the same.
bool may_pass(const Error& error) {
  return error.kind() == Kind::Unavailable || error.kind() == Kind::DataLoss;
}

}  // namespace

Download::Download(Downloads& owner, spec::oci::Descriptor blob,
                   std::shared_ptr<registry::Repository> repository)
    : owner_(owner), blob_(std::move(blob)), repository_(std::move(repository)), thread_([this] { run(); }) {}

Download::~Download() {
  stop_.request_stop();
  thread_.join();
  const auto end = state();
  const bool no_space = end.error && end.error->code() == ENOSPC;
  if (partial_ && (used_ || no_space || partial_->size() == 0)) partial_->discard();
  partial_.reset();
  owner_.ended(blob_.digest);
}

Result<void> Download::keep() {
  const MutexLock lock(mutex_);
  if (kept_) return {};  // for another pull
  TRY(partial_->keep());
  kept_ = true;
  return {};
}

Download::State Download::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

int Download::listen(Listener listener) {
  const MutexLock lock(mutex_);
  listener(state_);
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Download::unlisten(int number) {
  const MutexLock lock(mutex_);
  listeners_.erase(number);
}

void Download::unpacked(std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  state_.unpacked = bytes;
  for (const auto& [number, listener] : listeners_) listener(state_);
}

template <typename Change>
void Download::update(Change change) {
  const MutexLock lock(mutex_);
  change(state_);
  for (const auto& [number, listener] : listeners_) listener(state_);
  changed_.notify_all();
}

Result<std::uint64_t> Download::wait_beyond(std::uint64_t offset, int generation,
                                            const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  for (;;) {
    if (stop.stop_requested()) return cancelled();
    if (state_.generation != generation) return Error(Kind::Conflict, "the download began anew");
    if (state_.phase == Phase::Failed) return *state_.error;
    if (state_.here > offset || state_.phase == Phase::Done) return state_.here;
    lock.wait(changed_);
  }
}

Result<void> Download::wait_done(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  MutexLock lock(mutex_);
  for (;;) {
    if (stop.stop_requested()) return cancelled();
    if (state_.phase == Phase::Failed) return *state_.error;
    if (state_.phase == Phase::Done) return {};
    lock.wait(changed_);
  }
}

void Download::run() {
  const auto waiting = [this] { update([](State& state) { state.phase = Phase::Waiting; }); };
  if (const auto slot = owner_.slots_.take(stop_.get_token(), waiting)) return run_in_slot();
  update([](State& state) {
    state.phase = Phase::Failed;
    state.error = cancelled();
  });
}

void Download::run_in_slot() {
  int attempt = 0;
  int mismatches = 0;
  Result<void> done;
  for (;;) {
    const std::uint64_t before = partial_ ? partial_->size() : 0;
    done = load();
    if (done.ok() || !may_pass(done.error())) break;
    // Damaged on the way, here since the last time, or short and said to be whole: once more, but not for
    // ever.
    if (done.error().kind() == Kind::DataLoss && ++mismatches > 1) break;
    attempt = partial_ && partial_->size() > before ? 1 : attempt + 1;
    if (attempt >= owner_.settings_.attempts) {
      done = Error(done.error().kind(),
                   fmt::format("download failed after attempts={}: {}", attempt, done.error().message()),
                   done.error().code());
      break;
    }
    log::info("download of {}: {}; trying again", blob_.digest.to_string(), done.error().message());
    if (!rest(attempt)) {
      done = cancelled();
      break;
    }
  }
  update([&](State& state) {
    state.phase = done.ok() ? Phase::Done : Phase::Failed;
    if (!done.ok()) state.error = done.error();
  });
}

/// Waits before the next attempt, and says so each second; false when it is stopped meanwhile.
bool Download::rest(int attempt) {
  const auto stop = stop_.get_token();
  const auto end =
      std::chrono::steady_clock::now() + owner_.settings_.first_pause * (1 << std::min(attempt - 1, 5));
  std::mutex mutex;
  std::condition_variable_any condition;
  while (!stop.stop_requested()) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return true;
    update([&](State& state) {
      state.phase = Phase::Retrying;
      state.pause = std::chrono::ceil<std::chrono::seconds>(left);
    });
    std::unique_lock lock(mutex);
    condition.wait_for(lock, stop, std::min<std::chrono::nanoseconds>(left, std::chrono::seconds(1)),
                       [] { return false; });
  }
  return false;
}

Result<void> Download::load() {
  if (!partial_) partial_ = TRY(owner_.content_.partial(blob_.digest));
  const auto size = static_cast<std::uint64_t>(blob_.size);
  if (partial_->size() > size) TRY(partial_->clear());
  update([&](State& state) {
    state.phase = Phase::Loading;
    state.here = partial_->size();
  });
  if (partial_->size() < size)
    TRY(RangeReader(*repository_, blob_.digest, size, owner_.further_connections_)
            .read(
                partial_->size(),
                [this](std::uint64_t at, std::string_view piece) { return take(at, piece); },
                stop_.get_token()));
  // Nothing broke off: this is all that the registry says there is.
  if (partial_->size() < size)
    return fail(Kind::DataLoss, "the registry sent {} of {} bytes of {}: unexpected EOF", partial_->size(),
                size, blob_.digest.to_string());
  return verify();
}

/// A piece of the blob that belongs at `at`: of what is here already only the rest is new.
Result<void> Download::take(std::uint64_t at, std::string_view piece) {
  const std::uint64_t here = partial_->size();
  if (at + piece.size() <= here) return {};
  if (at > here) return fail(Kind::Internal, "a download's piece at {} instead of {}", at, here);
  piece.remove_prefix(here - at);
  if (here + piece.size() > static_cast<std::uint64_t>(blob_.size))
    return fail(Kind::DataLoss, "{} is larger than the {} bytes that its manifest names",
                blob_.digest.to_string(), blob_.size);
  TRY(partial_->append(piece));
  update([&](State& state) { state.here = partial_->size(); });
  return {};
}

Result<void> Download::verify() {
  update([](State& state) { state.phase = Phase::Verifying; });
  if (partial_->digest() == blob_.digest) return {};
  TRY(partial_->clear());
  update([](State& state) {
    state.here = 0;
    ++state.generation;
  });
  return fail(Kind::DataLoss, "filesystem layer verification failed for digest {}", blob_.digest.to_string());
}

std::shared_ptr<Download> Downloads::get(const spec::oci::Descriptor& blob,
                                         const std::shared_ptr<registry::Repository>& repository) {
  MutexLock lock(mutex_);
  for (;;) {
    const auto found = known_.find(blob.digest);
    if (found == known_.end()) break;
    if (auto download = found->second.lock()) return download;
    lock.wait(changed_);  // one that is just ending: its file is not free yet
  }
  auto download = std::make_shared<Download>(*this, blob, repository);
  known_[blob.digest] = download;
  return download;
}

void Downloads::ended(const spec::Digest& digest) {
  const MutexLock lock(mutex_);
  known_.erase(digest);
  changed_.notify_all();
}

}  // namespace skiff::image
