#include "base/strings.h"
#include "registry/server/call.h"
#include "registry/server/registry.h"

/// /v2/<name>/blobs/uploads/ and what is below it: blobs on their way in.
namespace skiff::registry::server {
namespace {

using Session = Uploads::Session;

constexpr std::size_t kPieceSize = 64 << 10;

std::string blob_location(const Call& call, const spec::Digest& digest) {
  return fmt::format("/v2/{}/blobs/{}", call.name(), digest.to_string());
}

/// The headers that tell a client where its upload stands.
void describe_session(Call& call, const Session& session) {
  call.header("Location", fmt::format("/v2/{}/blobs/uploads/{}", call.name(), session.id()));
  call.header("Docker-Upload-UUID", session.id());
  call.header("Range", fmt::format("0-{}", session.size() > 0 ? session.size() - 1 : 0));
}

Result<void> answer_created(Call& call, const spec::Digest& digest) {
  call.header("Location", blob_location(call, digest));
  call.header("Docker-Content-Digest", digest.to_string());
  return call.answer(201);
}

Result<void> refuse_quota(Call& call, const std::string& message) {
  return call.refuse(Code::Denied, message);
}

enum class Received : std::uint8_t { All, OverQuota };

/// Appends the request's body. When it ends early, what came is kept, for the client to go on from.
Result<Received> receive(Call& call, Session& session) {
  const auto room = TRY(call.registry.quotas().room(call.name()));
  if (room && call.http.content_length().value_or(0) > *room - std::min(*room, session.size()))
    return Received::OverQuota;
  std::string piece(kPieceSize, '\0');
  while (true) {
    const auto count = call.http.read(piece.data(), piece.size());
    if (!count.ok()) {
      TRY(session.suspend());
      return count.error();
    }
    if (*count == 0) return Received::All;
    if (room && session.size() + *count > *room) return Received::OverQuota;
    TRY(session.append(std::string_view(piece).substr(0, *count)));
    call.registry.metrics().received += *count;
  }
}

/// Makes the session a blob and answers.
Result<void> complete(Call& call, Session& session, const spec::Digest& digest) {
  auto& quotas = call.registry.quotas();
  const std::uint64_t size = session.size();
  const bool known = call.registry.repositories().blob_size(call.name(), digest).ok();
  if (!known) {
    if (const auto taken = quotas.take(call.name(), size); !taken.ok()) {
      if (taken.error().kind() != Kind::Exhausted) return taken;
      TRY(session.cancel());
      return refuse_quota(call, taken.error().message());
    }
  }
  const auto committed = session.commit(call.registry.repositories(), call.name(), digest);
  if (committed.ok()) return answer_created(call, digest);
  if (!known) quotas.give_back(call.name(), size);
  if (committed.error().kind() != Kind::InvalidArgument) return committed;
  return call.refuse(Code::DigestInvalid, committed.error().message());
}

/// Finds the upload that the path names and gives it to `body`.
template <typename Body>
Result<void> with_session(Call& call, const Body& body) {
  auto session = call.registry.uploads().resume(call.name(), call.route.reference);
  if (session.ok()) return body(**session);
  if (session.error().kind() == Kind::NotFound) return call.refuse(Code::BlobUploadUnknown);
  if (session.error().kind() == Kind::Conflict) return call.refuse(Code::UploadBusy);
  return std::move(session).error();
}

/// Nothing, or why the chunk that the request announces is not the next one.
std::optional<Code> chunk_problem(const Call& call, const Session& session) {
  const auto header = call.http.fields().get("Content-Range");
  if (header.empty()) return std::nullopt;
  const auto range = parse_content_range(header);
  if (!range || range->first != session.size()) return Code::RangeInvalid;
  if (const auto length = call.http.content_length(); length && *length != range->length)
    return Code::SizeInvalid;
  return std::nullopt;
}

Result<bool> mount(Call& call, const spec::Digest& digest, const std::string& from) {
  auto& repositories = call.registry.repositories();
  if (!is_repository_name(from) || !call.caller.may(Action::Pull, from)) return false;
  const auto size = repositories.blob_size(from, digest);
  if (!size.ok()) return size.error().kind() == Kind::NotFound ? Result<bool>(false) : size.error();
  if (repositories.blob_size(call.name(), digest).ok()) return true;
  // Where it does not fit, the upload that follows says so.
  if (!call.registry.quotas().take(call.name(), *size).ok()) return false;
  const auto mounted = repositories.mount_blob(call.name(), from, digest);
  if (!mounted.ok() || !*mounted) call.registry.quotas().give_back(call.name(), *size);
  return mounted;
}

}  // namespace

Result<void> begin_upload(Call& call) {
  const auto wanted = query_value(call.http.query(), "mount");
  const auto from = query_value(call.http.query(), "from");
  if (wanted && from) {
    const auto digest = spec::Digest::parse(*wanted);
    if (!digest.ok()) return call.refuse(Code::DigestInvalid, digest.error().message());
    if (TRY(mount(call, *digest, *from))) return answer_created(call, *digest);
  }
  if (const auto room = TRY(call.registry.quotas().room(call.name())); room && *room == 0)
    return refuse_quota(call, "quota exceeded: nothing is left");
  const auto given = wanted ? std::nullopt : query_value(call.http.query(), "digest");
  if (!given) {
    const auto session = TRY(call.registry.uploads().begin(call.name()));
    describe_session(call, *session);
    return call.answer(202);
  }
  const auto digest = spec::Digest::parse(*given);
  if (!digest.ok()) return call.refuse(Code::DigestInvalid, digest.error().message());
  const auto session = TRY(call.registry.uploads().begin(call.name()));
  const auto received = receive(call, *session);
  // Nobody knows the id of this upload, so that nobody could go on with it.
  if (!received.ok() || *received == Received::OverQuota) TRY(session->cancel());
  if (TRY(received) == Received::OverQuota) return refuse_quota(call, "quota exceeded");
  return complete(call, *session, *digest);
}

Result<void> inspect_upload(Call& call) {
  return with_session(call, [&](Session& session) {
    describe_session(call, session);
    return call.answer(204);
  });
}

Result<void> continue_upload(Call& call) {
  return with_session(call, [&](Session& session) -> Result<void> {
    if (const auto problem = chunk_problem(call, session)) {
      describe_session(call, session);
      return call.refuse(*problem);
    }
    if (TRY(receive(call, session)) == Received::OverQuota) {
      TRY(session.cancel());
      return refuse_quota(call, "quota exceeded");
    }
    TRY(session.suspend());
    describe_session(call, session);
    return call.answer(202);
  });
}

Result<void> finish_upload(Call& call) {
  return with_session(call, [&](Session& session) -> Result<void> {
    const auto digest = spec::Digest::parse(query_value(call.http.query(), "digest").value_or(""));
    if (!digest.ok()) return call.refuse(Code::DigestInvalid, digest.error().message());
    if (const auto problem = chunk_problem(call, session)) {
      describe_session(call, session);
      return call.refuse(*problem);
    }
    if (TRY(receive(call, session)) == Received::OverQuota) {
      TRY(session.cancel());
      return refuse_quota(call, "quota exceeded");
    }
    return complete(call, session, *digest);
  });
}

Result<void> cancel_upload(Call& call) {
  return with_session(call, [&](Session& session) -> Result<void> {
    TRY(session.cancel());
    return call.answer(204);
  });
}

}  // namespace skiff::registry::server
