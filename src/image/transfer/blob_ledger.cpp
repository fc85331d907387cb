#include "image/transfer/blob_ledger.h"

#include <algorithm>

namespace skiff::image {
namespace {

constexpr std::string_view kTable = "layer_blobs";
constexpr std::size_t kMost = 50;  ///< of one layer

struct Record {
  std::vector<KnownBlob> blobs;
};
void describe(json::Fields& f, Record& record) { f("blobs", record.blobs); }

Result<Record> read(meta::Transaction& transaction, const spec::Digest& diff_id) {
  const auto text = TRY(transaction.get(kTable, diff_id.to_string()));
  if (!text) return Record();
  return TRY_CONTEXT(json::decode<Record>(*text), "blobs of layer {}", diff_id.to_string());
}

}  // namespace

void describe(json::Fields& f, KnownBlob& blob) {
  spec::digest_field(f, "digest", blob.digest);
  f("size", blob.size);
  f("mediaType", blob.media_type);
  f("domain", blob.domain);
  f("path", blob.path);
}

Result<std::vector<KnownBlob>> BlobLedger::blobs_of(const spec::Digest& diff_id) {
  Record record;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    record = TRY(read(transaction, diff_id));
    return {};
  }));
  return std::move(record.blobs);
}

Result<void> BlobLedger::add(const spec::Digest& diff_id, const KnownBlob& blob) {
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        Record record = TRY(read(transaction, diff_id));
        if (!record.blobs.empty() && record.blobs.front() == blob) return {};
        std::erase(record.blobs, blob);
        record.blobs.insert(record.blobs.begin(), blob);
        if (record.blobs.size() > kMost) record.blobs.resize(kMost);
        return transaction.put(kTable, diff_id.to_string(), json::encode(record));
      },
      meta::Durability::Relaxed);
}

Result<void> BlobLedger::forget(const spec::Digest& diff_id, const KnownBlob& blob) {
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        Record record = TRY(read(transaction, diff_id));
        if (std::erase(record.blobs, blob) == 0) return {};
        if (record.blobs.empty()) return transaction.erase(kTable, diff_id.to_string());
        return transaction.put(kTable, diff_id.to_string(), json::encode(record));
      },
      meta::Durability::Relaxed);
}

}  // namespace skiff::image
