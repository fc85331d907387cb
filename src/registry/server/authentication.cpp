#include "registry/server/authentication.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/strings.h"

namespace skiff::registry::server {

Result<std::unique_ptr<Authentication>> Authentication::create(AuthenticationSettings settings) {
  auto rights = TRY(Rights::create(std::move(settings.rights)));
  std::unique_ptr<Authentication> out(new Authentication(std::move(rights)));
  if (!settings.htpasswd.empty()) out->htpasswd_ = TRY(Htpasswd::open(settings.htpasswd));
  if (settings.token) out->verifier_ = TRY(TokenVerifier::create(*settings.token));
  return out;
}

Result<Caller> Authentication::identify(const http::Exchange& http) const {
  if (!required()) return Caller{"", true, [](Action, std::string_view) { return true; }};
  const auto [scheme, value] = cut(trim(http.fields().get("Authorization")), ' ');
  if (htpasswd_ && value && equals_ignore_case(scheme, "basic")) return basic(trim(*value));
  if (verifier_ && value && equals_ignore_case(scheme, "bearer")) return bearer(trim(*value));
  return Caller{"", false, [this](Action action, std::string_view repository) {
                  return rights_.allow("", action, repository);
                }};
}

Result<Caller> Authentication::basic(std::string_view encoded) const {
  const auto text = decode_base64(encoded);
  const auto [user, password] = cut(text ? std::string_view(*text) : std::string_view(), ':');
  if (user.empty() || !password || !htpasswd_->verify(std::string(user), std::string(*password)))
    return Error(Kind::Forbidden, "invalid user name or password");
  return Caller{std::string(user), true,
                [this, name = std::string(user)](Action action, std::string_view repository) {
                  return rights_.allow(name, action, repository);
                }};
}

Result<Caller> Authentication::bearer(std::string_view token) const {
  auto claims = TRY(verifier_->verify(token, now()));
  const std::string user = claims.subject;
  return Caller{
      user, true,
      [claims = std::make_shared<const Claims>(std::move(claims))](
          Action action, std::string_view repository) { return allow(*claims, action, repository); }};
}

std::string Authentication::challenge(std::string_view repository, std::string_view actions,
                                      bool insufficient) const {
  if (!verifier_) return "Basic realm=\"Registry\"";
  const auto& settings = verifier_->settings();
  std::string text = fmt::format("Bearer realm=\"{}\",service=\"{}\"", settings.realm, settings.service);
  if (!repository.empty()) text += fmt::format(",scope=\"repository:{}:{}\"", repository, actions);
  if (insufficient) text += ",error=\"insufficient_scope\"";
  return text;
}

}  // namespace skiff::registry::server
