#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/net/netlink.h"

struct nftnl_rule;
struct nftnl_expr;

namespace skiff::sys {

/// A named set, or a map when `data_type` is not 0. The type numbers are those of nft(8); they only tell it
/// how to print.
struct NftSet {
  std::string name;
  std::uint32_t key_type = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_bytes = 0;
};

namespace nft_type {
inline constexpr std::uint32_t kIpv4 = 7;
inline constexpr std::uint32_t kProtocol = 12;
inline constexpr std::uint32_t kService = 13;
inline constexpr std::uint32_t kInterface = 41;
constexpr std::uint32_t concat(std::uint32_t a, std::uint32_t b) { return a << 6 | b; }
}  // namespace nft_type

struct NftElement {
  std::string key;
  std::string data;  ///< of maps
  friend auto operator<=>(const NftElement&, const NftElement&) = default;
};

struct NftChain {
  std::string name;
  std::string type;        ///< "nat" or "filter"
  std::uint32_t hook = 0;  ///< NF_INET_*
  std::int32_t priority = 0;
};

/// One rule: a list of expressions that load registers, compare them, and end in a verdict. Register 0 is the
/// first 4 bytes of a file of 64; longer values take several in a row.
class NftRule {
 public:
  NftRule();

  NftRule& meta(std::uint32_t key, std::uint32_t to);       ///< NFT_META_*
  NftRule& conntrack(std::uint32_t key, std::uint32_t to);  ///< NFT_CT_*
  NftRule& network_header(std::uint32_t offset, std::uint32_t size, std::uint32_t to);
  NftRule& transport_header(std::uint32_t offset, std::uint32_t size, std::uint32_t to);
  NftRule& destination_address_type(std::uint32_t to);  ///< RTN_* of the packet's destination
  NftRule& immediate(std::string_view bytes, std::uint32_t to);
  NftRule& is(std::uint32_t from, std::string_view bytes);
  NftRule& is_not(std::uint32_t from, std::string_view bytes);
  NftRule& masked(std::uint32_t at, std::string_view mask);  ///< and-s the register with `mask`
  NftRule& in_set(std::uint32_t from, const std::string& set);
  NftRule& from_map(std::uint32_t from, const std::string& map, std::uint32_t to);
  NftRule& destination_nat(std::uint32_t address, std::uint32_t port);
  NftRule& masquerade();
  NftRule& accept();
  NftRule& drop();
  NftRule& leave();  ///< "return": the chain's policy decides

 private:
  friend class NftBatch;
  nftnl_expr* add(const char* name);
  NftRule& verdict(int code);
  struct Free {
    void operator()(nftnl_rule* rule) const;
  };
  std::unique_ptr<nftnl_rule, Free> rule_;
};

/// Changes to one table of the family "ip", which the kernel takes all or none (nft(8), "transactions").
class NftBatch {
 public:
  explicit NftBatch(std::string table) : table_(std::move(table)) {}

  void add_table();                 ///< fine if it is there
  void delete_table();              ///< fine if it is not there
  void add_set(const NftSet& set);  ///< fine if there is an equal one
  void add_chain(const NftChain& chain);
  void flush_set(const std::string& set);
  void flush_chain(const std::string& chain);
  void add_rule(const std::string& chain, NftRule rule);
  void add_elements(const std::string& set, const std::vector<NftElement>& elements);
  void delete_elements(const std::string& set, const std::vector<NftElement>& elements);
  bool empty() const { return requests_.empty(); }

 private:
  friend class NftSocket;
  struct Request {
    std::size_t offset = 0;
    std::string what;
  };
  nlmsghdr* start(std::uint16_t type, std::uint16_t flags);
  void finish(const nlmsghdr* message, std::string what);
  void elements(std::uint16_t type, std::uint16_t flags, const std::string& set,
                const std::vector<NftElement>& elements);

  std::string table_;
  std::string messages_;
  std::vector<Request> requests_;
  std::vector<char> scratch_;
};

/// The connection to nftables of the namespace it was opened in. Not thread-safe.
class NftSocket {
 public:
  static Result<NftSocket> open();

  /// One transaction. On failure nothing has changed; the error is the first one.
  Result<void> commit(const NftBatch& batch);
  Result<bool> has_table(const std::string& name);

 private:
  explicit NftSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace skiff::sys
