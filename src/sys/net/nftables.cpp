#include "sys/net/nftables.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace skiff::sys {
namespace {

constexpr std::size_t kScratch = 64 << 10;
/// Elements of one message lie in one attribute, whose length is a 16-bit number.
constexpr std::size_t kElementsPerMessage = 256;

/// libnftnl returns null only when there is no memory, and then the process is lost anyway.
template <typename T>
T* made(T* pointer) {
  if (!pointer) std::abort();
  return pointer;
}

/// Bytes of 4-byte registers count from NFT_REG32_00.
std::uint32_t number(std::uint32_t index) { return NFT_REG32_00 + index; }

}  // namespace

void NftRule::Free::operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }

NftRule::NftRule() : rule_(made(nftnl_rule_alloc())) {}

nftnl_expr* NftRule::add(const char* name) {
  auto* expression = made(nftnl_expr_alloc(name));
  nftnl_rule_add_expr(rule_.get(), expression);
  return expression;
}

NftRule& NftRule::meta(std::uint32_t key, std::uint32_t to) {
  auto* e = add("meta");
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
  nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, number(to));
  return *this;
}

NftRule& NftRule::conntrack(std::uint32_t key, std::uint32_t to) {
  auto* e = add("ct");
  nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
  nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, number(to));
  return *this;
}

namespace {
void load_payload(nftnl_expr* e, std::uint32_t base, std::uint32_t offset, std::uint32_t size,
                  std::uint32_t to) {
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, size);
  nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, number(to));
}
void compare(nftnl_expr* e, std::uint32_t from, std::uint32_t operation, std::string_view bytes) {
  nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, number(from));
  nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, operation);
  nftnl_expr_set_data(e, NFTNL_EXPR_CMP_DATA, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
}
}  // namespace

NftRule& NftRule::network_header(std::uint32_t offset, std::uint32_t size, std::uint32_t to) {
  load_payload(add("payload"), NFT_PAYLOAD_NETWORK_HEADER, offset, size, to);
  return *this;
}

NftRule& NftRule::transport_header(std::uint32_t offset, std::uint32_t size, std::uint32_t to) {
  load_payload(add("payload"), NFT_PAYLOAD_TRANSPORT_HEADER, offset, size, to);
  return *this;
}

NftRule& NftRule::destination_address_type(std::uint32_t to) {
  auto* e = add("fib");
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
  nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, number(to));
  return *this;
}

NftRule& NftRule::immediate(std::string_view bytes, std::uint32_t to) {
  auto* e = add("immediate");
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, number(to));
  nftnl_expr_set_data(e, NFTNL_EXPR_IMM_DATA, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  return *this;
}

NftRule& NftRule::is(std::uint32_t from, std::string_view bytes) {
  compare(add("cmp"), from, NFT_CMP_EQ, bytes);
  return *this;
}

NftRule& NftRule::is_not(std::uint32_t from, std::string_view bytes) {
  compare(add("cmp"), from, NFT_CMP_NEQ, bytes);
  return *this;
}

NftRule& NftRule::masked(std::uint32_t at, std::string_view mask) {
  const std::string zero(mask.size(), '\0');
  const auto size = static_cast<std::uint32_t>(mask.size());
  auto* e = add("bitwise");
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, number(at));
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, number(at));
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
  nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, size);
  nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_MASK, mask.data(), size);
  nftnl_expr_set_data(e, NFTNL_EXPR_BITWISE_XOR, zero.data(), size);
  return *this;
}

NftRule& NftRule::in_set(std::uint32_t from, const std::string& set) {
  auto* e = add("lookup");
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, number(from));
  nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set.c_str());
  return *this;
}

NftRule& NftRule::from_map(std::uint32_t from, const std::string& map, std::uint32_t to) {
  auto* e = add("lookup");
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, number(from));
  nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, number(to));
  nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, map.c_str());
  return *this;
}

NftRule& NftRule::destination_nat(std::uint32_t address, std::uint32_t port) {
  auto* e = add("nat");
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, NFPROTO_IPV4);
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, number(address));
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, number(address));
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, number(port));
  nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, number(port));
  return *this;
}

NftRule& NftRule::masquerade() {
  add("masq");
  return *this;
}

NftRule& NftRule::verdict(int code) {
  auto* e = add("immediate");
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
  nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, static_cast<std::uint32_t>(code));
  return *this;
}

NftRule& NftRule::accept() { return verdict(NF_ACCEPT); }
NftRule& NftRule::drop() { return verdict(NF_DROP); }
NftRule& NftRule::leave() { return verdict(NFT_RETURN); }

nlmsghdr* NftBatch::start(std::uint16_t type, std::uint16_t flags) {
  scratch_.resize(kScratch);
  return nftnl_nlmsg_build_hdr(scratch_.data(), type, NFPROTO_IPV4, flags, 0);
}

void NftBatch::finish(const nlmsghdr* message, std::string what) {
  requests_.push_back({messages_.size(), std::move(what)});
  messages_.append(scratch_.data(), message->nlmsg_len);
  messages_.resize(NLMSG_ALIGN(messages_.size()));
}

void NftBatch::add_table() {
  auto* message = start(NFT_MSG_NEWTABLE, NLM_F_CREATE);
  std::unique_ptr<nftnl_table, void (*)(nftnl_table*)> table(made(nftnl_table_alloc()),
                                                             [](nftnl_table* t) { nftnl_table_free(t); });
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_.c_str());
  nftnl_table_nlmsg_build_payload(message, table.get());
  finish(message, "add nftables table " + table_);
}

void NftBatch::delete_table() {
  add_table();  // so that there is one to delete
  auto* message = start(NFT_MSG_DELTABLE, 0);
  std::unique_ptr<nftnl_table, void (*)(nftnl_table*)> table(made(nftnl_table_alloc()),
                                                             [](nftnl_table* t) { nftnl_table_free(t); });
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, table_.c_str());
  nftnl_table_nlmsg_build_payload(message, table.get());
  finish(message, "remove nftables table " + table_);
}

void NftBatch::add_set(const NftSet& wanted) {
  auto* message = start(NFT_MSG_NEWSET, NLM_F_CREATE);
  std::unique_ptr<nftnl_set, void (*)(nftnl_set*)> set(made(nftnl_set_alloc()),
                                                       [](nftnl_set* s) { nftnl_set_free(s); });
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.c_str());
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, wanted.name.c_str());
  nftnl_set_set_u32(set.get(), NFTNL_SET_ID, static_cast<std::uint32_t>(requests_.size() + 1));
  nftnl_set_set_u32(set.get(), NFTNL_SET_FLAGS, wanted.data_type ? NFT_SET_MAP : 0);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_TYPE, wanted.key_type);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_LEN, wanted.key_bytes);
  if (wanted.data_type) {
    nftnl_set_set_u32(set.get(), NFTNL_SET_DATA_TYPE, wanted.data_type);
    nftnl_set_set_u32(set.get(), NFTNL_SET_DATA_LEN, wanted.data_bytes);
  }
  nftnl_set_nlmsg_build_payload(message, set.get());
  finish(message, "add nftables set " + wanted.name);
}

void NftBatch::flush_set(const std::string& name) {
  auto* message = start(NFT_MSG_DELSETELEM, 0);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table_.c_str());
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, name.c_str());
  finish(message, "empty nftables set " + name);
}

void NftBatch::add_chain(const NftChain& wanted) {
  auto* message = start(NFT_MSG_NEWCHAIN, NLM_F_CREATE);
  std::unique_ptr<nftnl_chain, void (*)(nftnl_chain*)> chain(made(nftnl_chain_alloc()),
                                                             [](nftnl_chain* c) { nftnl_chain_free(c); });
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table_.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, wanted.name.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, wanted.type.c_str());
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, wanted.hook);
  nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, wanted.priority);
  nftnl_chain_nlmsg_build_payload(message, chain.get());
  finish(message, "add nftables chain " + wanted.name);
}

void NftBatch::flush_chain(const std::string& name) {
  auto* message = start(NFT_MSG_DELRULE, 0);
  mnl_attr_put_strz(message, NFTA_RULE_TABLE, table_.c_str());
  mnl_attr_put_strz(message, NFTA_RULE_CHAIN, name.c_str());
  finish(message, "empty nftables chain " + name);
}

void NftBatch::add_rule(const std::string& chain, NftRule rule) {
  auto* message = start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
  nftnl_rule_set_str(rule.rule_.get(), NFTNL_RULE_TABLE, table_.c_str());
  nftnl_rule_set_str(rule.rule_.get(), NFTNL_RULE_CHAIN, chain.c_str());
  nftnl_rule_set_u32(rule.rule_.get(), NFTNL_RULE_FAMILY, NFPROTO_IPV4);
  nftnl_rule_nlmsg_build_payload(message, rule.rule_.get());
  finish(message, "add nftables rule to " + chain);
}

void NftBatch::elements(std::uint16_t type, std::uint16_t flags, const std::string& name,
                        const std::vector<NftElement>& all) {
  for (std::size_t from = 0; from < all.size(); from += kElementsPerMessage) {
    auto* message = start(type, flags);
    std::unique_ptr<nftnl_set, void (*)(nftnl_set*)> set(made(nftnl_set_alloc()),
                                                         [](nftnl_set* s) { nftnl_set_free(s); });
    nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table_.c_str());
    nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
    for (std::size_t i = from; i < std::min(all.size(), from + kElementsPerMessage); ++i) {
      auto* element = made(nftnl_set_elem_alloc());
      nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, all[i].key.data(),
                         static_cast<std::uint32_t>(all[i].key.size()));
      if (!all[i].data.empty() && type == NFT_MSG_NEWSETELEM)
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, all[i].data.data(),
                           static_cast<std::uint32_t>(all[i].data.size()));
      nftnl_set_elem_add(set.get(), element);
    }
    nftnl_set_elems_nlmsg_build_payload(message, set.get());
    finish(message,
           (type == NFT_MSG_NEWSETELEM ? "add to nftables set " : "remove from nftables set ") + name);
  }
}

void NftBatch::add_elements(const std::string& set, const std::vector<NftElement>& all) {
  elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, all);
}

void NftBatch::delete_elements(const std::string& set, const std::vector<NftElement>& all) {
  elements(NFT_MSG_DELSETELEM, 0, set, all);
}

Result<NftSocket> NftSocket::open() { return NftSocket(TRY(NetlinkSocket::open(NETLINK_NETFILTER))); }

Result<void> NftSocket::commit(const NftBatch& batch) {
  if (batch.empty()) return {};
  char frame[256];
  const auto* begin = nftnl_batch_begin(frame, socket_.next_sequence());
  std::string messages(frame, begin->nlmsg_len);
  const std::size_t shift = messages.size();
  messages += batch.messages_;
  std::vector<std::uint32_t> sequences;
  for (const auto& request : batch.requests_) {
    auto* message = reinterpret_cast<nlmsghdr*>(messages.data() + shift + request.offset);
    sequences.push_back(message->nlmsg_seq = socket_.next_sequence());
  }
  const auto* end = nftnl_batch_end(frame, socket_.next_sequence());
  messages.append(frame, end->nlmsg_len);

  std::optional<Error> first;
  TRY(socket_.transact(messages, [&](std::uint32_t sequence, int code) {
    if (first) return;
    const auto found = std::lower_bound(sequences.begin(), sequences.end(), sequence);
    const bool ours = found != sequences.end() && *found == sequence;
    first = Error::from_errno(
        ours ? batch.requests_[static_cast<std::size_t>(found - sequences.begin())].what : "nftables", code);
  }));
  if (first) return *std::move(first);
  return {};
}

Result<bool> NftSocket::has_table(const std::string& name) {
  std::vector<char> scratch(512);
  auto* message =
      nftnl_nlmsg_build_hdr(scratch.data(), NFT_MSG_GETTABLE, NFPROTO_IPV4, 0, socket_.next_sequence());
  mnl_attr_put_strz(message, NFTA_TABLE_NAME, name.c_str());
  bool found = false;
  const auto result = socket_.query(std::string_view(scratch.data(), message->nlmsg_len),
                                    [&](const nlmsghdr&) { found = true; });
  if (!result.ok() && result.error().code() != ENOENT) return result.error();
  return found;
}

}  // namespace skiff::sys
