#include "engine/fsck.h"

#include "api/credentials.h"
#include "api/routes.h"
#include "api/transfer.h"

namespace skiff::api {

/// Our own endpoint beside Docker's: checks the stores; the report is the last line's "aux".
Result<void> system_fsck(Call& call) {
  engine::FsckRequest request;
  request.repair = call.query.boolean("repair");
  request.credentials_of = [known = credentials_for_all(call)](const std::string& domain) {
    const auto found = known.find(domain);
    return found == known.end() ? registry::Credentials() : engine::credentials_of(found->second);
  };
  const auto stop = call.http.stop_token();
  TransferLines lines(call);
  return lines.run([&](image::Progress& progress) -> Result<void> {
    progress.result(json::to_value(TRY(call.engine.fsck.run(request, progress, stop))));
    return {};
  });
}

}  // namespace skiff::api
