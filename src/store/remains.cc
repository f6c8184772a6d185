// remains.cc - roots, free pages, trees, and leaves that nothing leads to.
#include "store/remains.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/files.h"
#include "store/lmdb_layout.h"

namespace skerry::store {
namespace {

using namespace lmdb;

constexpr std::size_t kRootBytes = kHeaderBytes + kMetaBytes;

// A longer record is not put right: more than one bit would pass for one too often.
constexpr std::size_t kMendedBytesMax = 8192;

// Records that are looked at to tell a leaf's table, and the longest value that is read for it.
constexpr std::size_t kRecordsToTell = 4;
constexpr std::size_t kValueBytesToTell = 1 << 20;

// The number that a root was written with, when it says `number`, the higher of the two roots says
// `newest`, and `freed` is newest_free_number() of this one. A turned bit can make a root's number
// one that still follows the other's, or is followed by it. Of the root that is not the newest only
// a number beside the newest's tells: it may be a copy of the newest (synced_root.h), and when a
// power loss took roots that were not synced, its pages may be those of a transaction that is two
// ahead of the newest. One that LMDB took back after a failed write has the old number and the new
// tables, which are whole: the commit that failed comes back.
std::uint64_t true_number(std::uint64_t number, std::uint64_t newest,
                          std::uint64_t freed) noexcept {
  const bool is_told = number == newest || freed + 1 == newest || freed == newest + 1;
  return freed != 0 && is_told ? freed : number;
}

bool is_less(Bytes a, Bytes b) noexcept {
  return text_of(a) < text_of(b);
}

// Whether the nodes are all there: ascending, and without gaps from `upper` to the page's end.
bool is_whole_page(std::span<const std::byte> page) {
  const std::size_t lower = number_at<std::uint16_t>(&page[12]);
  const std::size_t upper = number_at<std::uint16_t>(&page[14]);
  if (lower <= kHeaderBytes || lower % 2 != 0 || lower > upper || upper > page.size()) return false;
  const bool is_branch = flags_of(page) == kBranch;
  std::size_t nodes = 0;
  std::size_t used = 0;
  bool ascending = true;
  Bytes previous;
  each_node(page, [&](const Node& node) {
    const std::uint64_t bytes =
        kNodeBytes + node.key.size() + (is_branch ? 0 : value_bytes_kept(node.at));
    if (bytes > node.room) return false;
    used += (bytes + 1) / 2 * 2;
    // The first key of a branch is never looked at.
    ascending = ascending && (nodes <= (is_branch ? 1U : 0U) || is_less(previous, node.key));
    previous = node.key;
    ++nodes;
    return true;
  });
  return ascending && nodes == (lower - kHeaderBytes) / 2 && used == page.size() - upper;
}

std::string to_string(Bytes bytes) {
  return std::string(text_of(bytes));
}

bool is_within(Bytes key, const Remains::Gap& range) noexcept {
  return text_of(key) >= range.first && (range.limit.empty() || text_of(key) < range.limit);
}

}  // namespace

Result<std::unique_ptr<Remains>> Remains::look(int fd, Bytes kept_root, Step step) {
  struct stat file = {};
  if (::fstat(fd, &file) != 0) return status_of_errno(errno, "cannot look at the store: {e}");
  std::unique_ptr<Remains> remains(new Remains(fd, static_cast<std::uint64_t>(file.st_size), step));
  Status status = remains->find_page_bytes(kept_root);
  if (status.ok()) status = remains->choose_root(kept_root);
  if (status.ok()) status = remains->walk_free();
  if (status.ok()) status = remains->walk_main();
  if (status.ok()) status = remains->find_orphans();
  if (!status.ok()) return status;
  return remains;
}

// -- reading --------------------------------------------------------------------------------------

// Leaves are read twice or more, and are few.
Status Remains::tell(std::uint64_t more) {
  const std::uint64_t total = pages_ + pages_ / 4;
  pages_read_ = std::min(pages_read_ + more, total);
  return step_(pages_read_, total);
}

// False: the file does not have all of it.
Result<bool> Remains::read_bytes(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    // A device that cannot read a sector says EIO: what is there is lost, like what is damaged.
    if (got < 0 && errno == EIO) return false;
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    if (got == 0) return false;
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

// False: it is not in the file, or another page stands there.
Result<bool> Remains::read(std::uint64_t page, Page& out) {
  if (page < kMetaPages || page >= pages_) return false;
  const Status status = tell(1);
  if (!status.ok()) return status;
  out.resize(page_bytes_);
  const Result<bool> got = read_bytes(page * page_bytes_, out);
  if (!got.ok() || !*got) return got;
  return number_at<std::uint64_t>(out.data()) == page;
}

// -- roots ----------------------------------------------------------------------------------------

Status Remains::find_page_bytes(Bytes kept_root) {
  const auto is_lawful = [](std::size_t bytes) {
    return bytes >= kPageBytesMin && bytes <= kPageBytesMax && std::has_single_bit(bytes);
  };
  std::array<std::byte, kRootBytes> bytes = {};
  // The size of a page stands in both roots, and the second is a page behind the first.
  const auto size_in = [&](std::uint64_t offset) -> Result<std::size_t> {
    const Result<bool> got = read_bytes(offset, bytes);
    if (!got.ok()) return got.status();
    const std::byte* meta = bytes.data() + kHeaderBytes;
    if (!*got || number_at<std::uint32_t>(meta) != kMetaMagic ||
        number_at<std::uint32_t>(meta + 4) != kMetaVersion) {
      return std::size_t{0};
    }
    return std::size_t{number_at<std::uint32_t>(meta + 24)};
  };
  for (std::size_t size = kPageBytesMin; size <= kPageBytesMax && page_bytes_ == 0; size *= 2) {
    const Result<std::size_t> found = size_in(size);
    if (!found.ok()) return found.status();
    if (*found == size) page_bytes_ = size;
  }
  if (page_bytes_ == 0) {
    const Result<std::size_t> found = size_in(0);
    if (!found.ok()) return found.status();
    if (is_lawful(*found)) page_bytes_ = *found;
  }
  if (page_bytes_ == 0 && kept_root.size() == kRootBytes) {
    const std::size_t size = number_at<std::uint32_t>(&kept_root[kHeaderBytes + 24]);
    if (is_lawful(size)) page_bytes_ = size;
  }
  if (page_bytes_ == 0) {
    return Status(Code::corruption, "store/data.mdb is damaged, or is no LMDB file");
  }
  pages_ = file_bytes_ / page_bytes_;
  met_.resize(std::max<std::uint64_t>(pages_, kMetaPages));
  free_.resize(met_.size());
  met_[0] = met_[1] = true;
  return Status();
}

// The root in the first bytes of a page. It is plausible when it leads to a tree.
Result<Remains::Root> Remains::read_root(Bytes bytes) {
  const std::byte* meta = &bytes[kHeaderBytes];
  const std::byte* free = meta + 24;
  const std::byte* main = free + kTableBytes;
  Root root;
  root.number = number_at<std::uint64_t>(meta + kMetaBytes - 8);
  root.last = number_at<std::uint64_t>(meta + kMetaBytes - 16);
  root.free_entries = number_at<std::uint64_t>(free + 32);
  root.free_root = number_at<std::uint64_t>(free + 40);
  root.main_root = number_at<std::uint64_t>(main + 40);
  if (root.last < kMetaPages - 1 || root.last >= kFileBytesMax / page_bytes_ ||
      (number_at<std::uint16_t>(free + 4) & kTableFlagsKnown) != kNumbersAsKeys ||
      (number_at<std::uint16_t>(main + 4) & kTableFlagsKnown) != 0) {
    return root;
  }
  const bool is_virgin = root.number == 0 && root.main_root == kNoPage && root.free_root == kNoPage;
  Result<bool> leads = is_virgin ? Result<bool>(true) : is_tree(root.main_root);
  if (leads.ok() && !*leads) leads = is_tree(root.free_root);
  if (!leads.ok()) return leads.status();
  root.is_plausible = *leads;
  return root;
}

Result<bool> Remains::is_tree(std::uint64_t page) {
  Page bytes;
  const Result<bool> got = read(page, bytes);
  if (!got.ok() || !*got) return got;
  return flags_of(bytes) == kBranch || flags_of(bytes) == kLeaf;
}

Status Remains::choose_root(Bytes kept_root) {
  if (kept_root.size() == kRootBytes) {
    const Result<Root> root = read_root(kept_root);
    if (!root.ok()) return root.status();
    root_ = *root;
    if (root_.is_plausible && root_.main_root != kNoPage) return Status();
    return Status(Code::corruption, "the root that store/synced.root keeps leads nowhere");
  }
  std::array<Root, 2> roots;
  std::array<std::byte, kRootBytes> bytes = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const Result<bool> got = read_bytes(i * page_bytes_, bytes);
    if (!got.ok()) return got.status();
    const Result<Root> root = *got ? read_root(bytes) : Result<Root>(Root());
    if (!root.ok()) return root.status();
    roots[i] = *root;
    const std::byte* meta = &bytes[kHeaderBytes];
    if (number_at<std::uint64_t>(bytes.data()) != i || flags_of(bytes) != 8 ||
        number_at<std::uint32_t>(meta) != kMetaMagic ||
        number_at<std::uint32_t>(meta + 4) != kMetaVersion ||
        number_at<std::uint32_t>(meta + 24) != page_bytes_ || !root->is_plausible ||
        (root->number % 2 != i && root->number != 0)) {
      is_clean_ = false;
    }
  }
  const Status nowhere(Code::corruption,
                       "both roots of store/data.mdb are damaged: nothing tells which of its pages "
                       "are current");
  const std::uint64_t newest = std::max(roots[0].number, roots[1].number);
  for (Root& root : roots) {
    if (!root.is_plausible) continue;
    const Result<std::uint64_t> freed = newest_free_number(
        root.free_root, [&](std::uint64_t page, Page& out) { return read(page, out); });
    if (!freed.ok()) return freed.status();
    const std::uint64_t number = true_number(root.number, newest, *freed);
    if (number != root.number) is_clean_ = false;
    root.number = number;
  }
  const auto [older, newer] = roots[0].number < roots[1].number ? std::pair(roots[0], roots[1])
                                                                : std::pair(roots[1], roots[0]);
  if (older.is_plausible && newer.is_plausible) {
    root_ = newer;
    const bool is_followed = newer.number == older.number + 1;
    if (!is_followed) is_clean_ = false;
    may_lack_last_commit_ = !is_followed && !newer.leads_where(older);
  } else if (older.is_plausible || newer.is_plausible) {
    is_clean_ = false;
    root_ = older.is_plausible ? older : newer;
    const Root& lost = older.is_plausible ? newer : older;
    may_lack_last_commit_ = lost.number + 1 != root_.number;
  } else {
    return nowhere;
  }
  if (root_.main_root != kNoPage) return Status();
  if (is_clean_) return nowhere;
  // The root before the first: the other is the first of all, which has freed nothing. Whatever is
  // in the file is current.
  root_ = Root();
  root_.number = 1;
  root_.last = pages_ - 1;
  root_.free_root = kNoPage;
  root_.main_root = kNoPage;
  may_lack_last_commit_ = false;
  return Status();
}

// -- free pages -----------------------------------------------------------------------------------

// The table is believed when it is whole: its pages are, it has as many entries as its root counts,
// and the newest is of the root's own number.
Status Remains::walk_free() {
  std::uint64_t key = 0;
  std::uint64_t entries = 0;
  Result<bool> whole = true;
  if (root_.free_root != kNoPage) whole = walk_free_page(root_.free_root, 0, key, entries);
  if (!whole.ok()) return whole.status();
  knows_free_ = *whole && entries == root_.free_entries && (entries == 0 || key == root_.number);
  if (!knows_free_) is_clean_ = false;
  return Status();
}

Result<bool> Remains::walk_free_page(std::uint64_t number, std::size_t depth, std::uint64_t& key,
                                     std::uint64_t& entries) {
  Page page;
  const Result<bool> got = read(number, page);
  if (!got.ok() || !*got) return got;
  if (depth == kDepthMax || met_[number] || number > root_.last) return false;
  met_[number] = true;
  const bool is_branch = flags_of(page) == kBranch;
  if (!is_branch && flags_of(page) != kLeaf) return false;
  // Numbers are keys here, in the machine's order: is_whole_page() knows only bytes, so we count.
  std::size_t nodes = 0;
  std::size_t used = 0;
  Result<bool> good = true;
  each_node(page, [&](const Node& node) {
    ++nodes;
    used +=
        (kNodeBytes + node.key.size() + (is_branch ? 0 : value_bytes_kept(node.at)) + 1) / 2 * 2;
    if (is_branch) {
      good = walk_free_page(child_of(node.at), depth + 1, key, entries);
      return good.ok() && *good;
    }
    const bool has_number = node.key.size() == sizeof key;
    const auto next = has_number ? number_at<std::uint64_t>(node.key.data()) : 0;
    good = has_number && next > key && next <= root_.number;
    key = next;
    ++entries;
    const unsigned flags = number_at<std::uint16_t>(node.at + 4);
    if (!*good || (flags & ~kBigValue) != 0) {
      good = false;
      return false;
    }
    const std::byte* value = node.at + kNodeBytes + node.key.size();
    const std::size_t room = node.room - kNodeBytes - node.key.size();
    if (value_bytes_kept(node.at) > room) {
      good = false;
    } else if (flags == 0) {
      good = take_free({value, static_cast<std::size_t>(value_bytes(node.at))});
    } else {
      bytes_.clear();
      good = load_big(number_at<std::uint64_t>(value), value_bytes(node.at));
      if (good.ok() && *good) good = take_free(bytes_);
    }
    return good.ok() && *good;
  });
  if (!good.ok() || !*good) return good;
  const std::size_t lower = number_at<std::uint16_t>(&page[12]);
  const std::size_t upper = number_at<std::uint16_t>(&page[14]);
  return lower > kHeaderBytes && nodes == (lower - kHeaderBytes) / 2 && used == page_bytes_ - upper;
}

// A count and as many pages, the last one first, in room for more. Pages may lie behind the file's
// end, if nobody wrote to them yet.
bool Remains::take_free(Bytes list) {
  const std::size_t room = list.size() / sizeof(std::uint64_t);
  if (room == 0 || list.size() % sizeof(std::uint64_t) != 0) return false;
  const auto count = number_at<std::uint64_t>(list.data());
  if (count > room - 1) return false;
  std::uint64_t previous = ~std::uint64_t{0};
  for (std::uint64_t i = 1; i <= count; ++i) {
    const auto page = number_at<std::uint64_t>(list.data() + i * sizeof(std::uint64_t));
    if (page < kMetaPages || page >= previous || page > root_.last) return false;
    previous = page;
    if (page >= pages_) continue;
    if (free_[page] || met_[page]) return false;
    free_[page] = true;
  }
  return true;
}

// -- trees ----------------------------------------------------------------------------------------

Status Remains::walk_main() {
  Page page;
  Result<bool> got = false;
  const std::uint64_t number = root_.main_root;
  if (number != kNoPage) got = read(number, page);
  if (!got.ok()) return got.status();
  // Ten tables fit into one leaf.
  const bool is_there = *got && flags_of(page) == kLeaf && !is_free(number) && !met_[number];
  if (is_there) met_[number] = true;
  knows_tables_ = is_there && is_whole_page(page);
  if (!knows_tables_) is_clean_ = false;
  if (!is_there) ++pages_damaged_;
  std::array<std::uint64_t, kTableNames.size()> roots;
  roots.fill(0);
  if (is_there) {
    each_node(page, [&](const Node& node) {
      const std::size_t kept = kNodeBytes + node.key.size() + kTableBytes;
      const auto name = std::ranges::find(kTableNames, text_of(node.key));
      if (number_at<std::uint16_t>(node.at + 4) != kTableValue || node.room < kept ||
          value_bytes(node.at) != kTableBytes || name == kTableNames.end()) {
        return true;
      }
      const std::byte* table = node.at + kNodeBytes + node.key.size();
      const auto i = static_cast<std::size_t>(name - kTableNames.begin());
      if ((number_at<std::uint16_t>(table + 4) & kTableFlagsKnown) != 0) is_clean_ = false;
      tables_[i].entries = number_at<std::uint64_t>(table + 32);
      roots[i] = number_at<std::uint64_t>(table + 40);
      return true;
    });
  }
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const auto table = static_cast<Table>(i);
    const bool is_empty = roots[i] == kNoPage && tables_[i].entries == 0U;
    const Status status = is_empty ? Status() : walk(table, roots[i], 0, Gap());
    if (!status.ok()) return status;
  }
  return Status();
}

void Remains::lose(Table table, const Gap& range) {
  is_clean_ = false;
  ++pages_damaged_;
  of(table).gaps.push_back(range);
}

Status Remains::walk(Table table, std::uint64_t number, std::size_t depth, const Gap& range) {
  Page page;
  const Result<bool> got = read(number, page);
  if (!got.ok()) return got.status();
  const bool is_there = *got && depth < kDepthMax && !is_free(number) && !met_[number];
  if (is_there && flags_of(page) == kBranch) {
    met_[number] = true;
    return walk_branch(table, page, depth, range);
  }
  if (!is_there || flags_of(page) != kLeaf) {
    lose(table, range);
    return Status();
  }
  const Result<bool> ours = is_of(table, page, range);
  if (!ours.ok()) return ours.status();
  if (!*ours) {
    lose(table, range);
    return Status();
  }
  met_[number] = true;
  of(table).leaves.push_back(number);
  if (!is_whole_page(page)) lose(table, range);
  each_node(page, [&](const Node& node) {
    // A look-up that goes by the branches would not come here.
    if (!is_within(node.key, range)) is_clean_ = false;
    return true;
  });
  return meet_values(page);
}

Status Remains::walk_branch(Table table, const Page& page, std::size_t depth, const Gap& range) {
  // A branch that has lost a child does not tell which: its leaves may be anywhere in its range.
  if (!is_whole_page(page)) lose(table, range);
  std::vector<std::pair<std::string, std::uint64_t>> children;
  each_node(page, [&](const Node& node) {
    if (!children.empty() && !is_within(node.key, range)) is_clean_ = false;
    children.emplace_back(children.empty() ? range.first : to_string(node.key), child_of(node.at));
    return true;
  });
  for (std::size_t i = 0; i < children.size(); ++i) {
    const Gap part{children[i].first,
                   i + 1 < children.size() ? children[i + 1].first : range.limit};
    const Status status = walk(table, children[i].second, depth + 1, part);
    if (!status.ok()) return status;
  }
  return Status();
}

// What leads to the page may be damaged: it may lead to a leaf of another table, or, if the free
// pages are not known, to one that is not current. Those of other keys are found out.
Result<bool> Remains::is_of(Table table, const Page& page, const Gap& range) {
  const Result<std::optional<Table>> found = attribute(page);
  if (!found.ok()) return found.status();
  if (*found && **found != table) return false;
  if (knows_free_) return true;
  bool fits = false;
  each_node(page, [&](const Node& node) {
    fits = is_within(node.key, range);
    return !fits;
  });
  return fits;
}

// Pages that values of the leaf lie on.
Status Remains::meet_values(const Page& page) {
  Status status;
  each_node(page, [&](const Node& node) {
    const std::size_t head = kNodeBytes + node.key.size();
    if (number_at<std::uint16_t>(node.at + 4) != kBigValue || node.room < head + 8) return true;
    const auto number = number_at<std::uint64_t>(node.at + head);
    if (number < kMetaPages || number >= pages_) return true;
    std::array<std::byte, kHeaderBytes> header;
    const Result<bool> got = read_bytes(number * page_bytes_, header);
    status = got.status();
    if (!status.ok()) return false;
    if (!*got || number_at<std::uint64_t>(header.data()) != number) return true;
    const std::uint64_t count = number_at<std::uint32_t>(header.data() + 12);
    std::uint64_t i = number;
    for (; i < pages_ && i - number < count && !met_[i] && !is_free(i); ++i) met_[i] = true;
    // LMDB would free them all one day.
    if (i - number != count || number_at<std::uint16_t>(&header[10]) != kOverflow ||
        count * page_bytes_ < kHeaderBytes + value_bytes(node.at)) {
      is_clean_ = false;
    }
    return true;
  });
  return status;
}

// -- leaves that nothing leads to -----------------------------------------------------------------

Status Remains::find_orphans() {
  const std::uint64_t limit = std::min(pages_, root_.last + 1);
  bool has_gaps = false;
  for (const TableRemains& table : tables_) has_gaps = has_gaps || !table.gaps.empty();
  if (!knows_free_) return Status();
  if (!has_gaps) {
    for (std::uint64_t page = kMetaPages; page < limit; ++page) {
      if (!met_[page] && !free_[page]) ++pages_unaccounted_;
    }
    return Status();
  }
  std::array<std::vector<std::uint64_t>, kTableNames.size()> orphans;
  Page page;
  for (std::uint64_t number = kMetaPages; number < limit; ++number) {
    if (met_[number] || free_[number]) continue;
    const Result<bool> got = read(number, page);
    if (!got.ok()) return got.status();
    if (!*got) continue;
    if (flags_of(page) == kOverflow) {
      // What follows its first page is the caller's bytes, and may look like anything.
      number += std::max(number_at<std::uint32_t>(&page[12]), 1U) - 1;
    } else if (flags_of(page) == kLeaf) {
      const Result<std::optional<Table>> table = attribute(page);
      if (!table.ok()) return table.status();
      if (*table && !of(**table).gaps.empty()) {
        orphans[static_cast<std::size_t>(**table)].push_back(number);
      }
    }
  }
  for (std::size_t i = 0; i < orphans.size(); ++i) {
    if (orphans[i].empty()) continue;
    const Status status = sort_leaves(static_cast<Table>(i), orphans[i]);
    if (!status.ok()) return status;
  }
  return Status();
}

// Leaves of a table have no keys between those of another. An orphan that has is not believed.
Status Remains::sort_leaves(Table table, const std::vector<std::uint64_t>& orphans) {
  struct Leaf {
    std::string first;
    std::string last;
    std::uint64_t page = 0;
    bool is_orphan = false;
    bool is_good = true;
  };
  std::vector<Leaf> leaves;
  Page page;
  const auto add = [&](std::uint64_t number, bool is_orphan) -> Status {
    const Result<bool> got = read(number, page);
    if (!got.ok()) return got.status();
    Leaf leaf{.first = {}, .last = {}, .page = number, .is_orphan = is_orphan};
    bool is_first = true;
    Status status;
    each_node(page, [&](const Node& node) {
      // A damaged key would spread the leaf over others. That of a long value is believed.
      if (table != Table::vectors && number_at<std::uint16_t>(node.at + 4) == 0) {
        const Result<bool> loaded = load(node.at, node.room);
        status = loaded.status();
        if (!loaded.ok()) return false;
        if (!*loaded || !fits(table)) return true;
      }
      const std::string_view key = text_of(node.key);
      if (is_first || key < leaf.first) leaf.first = key;
      if (is_first || key > leaf.last) leaf.last = key;
      is_first = false;
      return true;
    });
    if (!is_first || !is_orphan) leaves.push_back(std::move(leaf));
    return status;
  };
  for (const std::uint64_t number : of(table).leaves) {
    const Status status = add(number, false);
    if (!status.ok()) return status;
  }
  for (const std::uint64_t number : orphans) {
    const Status status = add(number, true);
    if (!status.ok()) return status;
  }
  std::ranges::sort(leaves, {}, [](const Leaf& leaf) { return std::tie(leaf.first, leaf.page); });
  // The one that reaches farthest of those before.
  std::size_t farthest = 0;
  for (std::size_t i = 1; i < leaves.size(); ++i) {
    if (leaves[i].first <= leaves[farthest].last) {
      leaves[i].is_good = leaves[farthest].is_good = false;
    }
    if (leaves[i].last > leaves[farthest].last) farthest = i;
  }
  of(table).leaves.clear();
  for (const Leaf& leaf : leaves) {
    if (leaf.is_orphan && !leaf.is_good) continue;
    of(table).leaves.push_back(leaf.page);
    if (leaf.is_orphan) ++pages_found_;
  }
  return Status();
}

// The table of a leaf, by what its checksums say of some of its records. Pages of the heap have
// none, and a shape of their own.
Result<std::optional<Table>> Remains::attribute(const Page& page) {
  std::optional<Table> found;
  std::size_t tried = 0;
  bool like_heap = true;
  Status status;
  each_node(page, [&](const Node& node) {
    const std::uint64_t size = value_bytes(node.at);
    const unsigned flags = number_at<std::uint16_t>(node.at + 4);
    like_heap = like_heap && flags == kBigValue && node.key.size() == sizeof(RowKey) &&
                size == page_bytes_ - kHeaderBytes;
    if (flags == kBigValue && size > kValueBytesToTell) return true;
    const Result<bool> loaded = load(node.at, node.room);
    status = loaded.status();
    for (std::size_t i = 0; loaded.ok() && *loaded && i < kTableNames.size() && !found; ++i) {
      const auto table = static_cast<Table>(i);
      if (table != Table::vectors && fits(table)) found = table;
    }
    return status.ok() && !found && ++tried < kRecordsToTell;
  });
  if (!status.ok()) return status;
  if (!found && tried > 0 && like_heap) found = Table::vectors;
  return found;
}

// -- records --------------------------------------------------------------------------------------

// Appends to bytes_ the value of `size` bytes that begins on overflow page `number`. False: it is
// lost, and nothing was asked of memory for it.
Result<bool> Remains::load_big(std::uint64_t number, std::uint64_t size) {
  if (number < kMetaPages || number >= pages_ || is_free(number)) return false;
  if (kHeaderBytes + size > (pages_ - number) * page_bytes_) return false;
  std::array<std::byte, kHeaderBytes> header;
  const Result<bool> got = read_bytes(number * page_bytes_, header);
  if (!got.ok() || !*got) return got;
  if (number_at<std::uint64_t>(header.data()) != number) return false;
  const Status status = tell(size / page_bytes_ + 1);
  if (!status.ok()) return status;
  const std::size_t before = bytes_.size();
  bytes_.resize(before + static_cast<std::size_t>(size));
  return read_bytes(number * page_bytes_ + kHeaderBytes, std::span(bytes_).subspan(before));
}

// A node's key and value, behind room for the number of the table. False: the value is lost.
Result<bool> Remains::load(const std::byte* node, std::size_t room) {
  const unsigned flags = number_at<std::uint16_t>(node + 4);
  key_bytes_ = number_at<std::uint16_t>(node + 6);
  const std::size_t head = kNodeBytes + key_bytes_;
  if ((flags & ~kBigValue) != 0 || value_bytes_kept(node) > room - head) return false;
  bytes_.resize(1);
  bytes_.insert(bytes_.end(), node + kNodeBytes, node + head);
  if (flags != 0) return load_big(number_at<std::uint64_t>(node + head), value_bytes(node));
  bytes_.insert(bytes_.end(), node + head, node + head + value_bytes(node));
  return true;
}

// Whether what was loaded is a record of the table, by its checksum.
bool Remains::fits(Table table) noexcept {
  if (bytes_.size() < 1 + key_bytes_ + kSumBytes) return false;
  bytes_[0] = static_cast<std::byte>(table);
  const Bytes content = Bytes(bytes_).first(bytes_.size() - kSumBytes);
  return get_le<std::uint32_t>(content.data() + content.size()) == crc32c(content);
}

// What was loaded becomes the record, put right if one bit of it has turned over.
void Remains::judge(Table table) {
  using State = Record::State;
  bytes_[0] = static_cast<std::byte>(table);
  const std::span<std::byte> all(bytes_);
  record_.key = all.subspan(1, key_bytes_);
  record_.raw = all.subspan(1 + key_bytes_);
  if (table == Table::vectors) {
    record_.state = State::whole;
    record_.value = record_.raw;
    return;
  }
  if (record_.raw.size() < kSumBytes) return;
  const std::span<std::byte> content = all.first(all.size() - kSumBytes);
  const std::uint32_t difference =
      get_le<std::uint32_t>(content.data() + content.size()) ^ crc32c(content);
  if (difference == 0) {
    record_.state = State::whole;
  } else if (std::has_single_bit(difference)) {
    record_.state = State::mended;  // the checksum's own bit
  } else if (content.size() <= kMendedBytesMax) {
    const std::optional<std::uint64_t> bit = turned_bit(content.size(), difference);
    if (!bit || *bit < 8) return;  // one of the table's number is no bit of the record
    content[*bit / 8] ^= static_cast<std::byte>(1U << *bit % 8);
    record_.state = State::mended;
  }
  if (record_.state != State::damaged) record_.value = content.subspan(1 + key_bytes_);
}

Status Remains::each(Table table, FunctionRef<Status(const Record&)> visit) {
  TableRemains& remains = of(table);
  remains.good = remains.bad = 0;
  taken_.assign(met_.size(), false);
  Page page;
  for (const std::uint64_t number : remains.leaves) {
    const Result<bool> got = read(number, page);
    if (!got.ok()) return got.status();
    if (!*got) continue;
    Status status;
    each_node(page, [&](const Node& node) {
      // Two values on one page are damage, and would have us read it again and again.
      bool is_taken = false;
      const std::size_t head = kNodeBytes + node.key.size();
      if (number_at<std::uint16_t>(node.at + 4) == kBigValue && node.room >= head + 8) {
        const auto first = number_at<std::uint64_t>(node.at + head);
        const std::uint64_t count = (kHeaderBytes + value_bytes(node.at) - 1) / page_bytes_ + 1;
        for (std::uint64_t i = first; i < pages_ && i - first < count && !is_taken; ++i) {
          is_taken = taken_[i];
          taken_[i] = true;
        }
      }
      record_ = Record();
      record_.key = node.key;
      const Result<bool> loaded = is_taken ? Result<bool>(false) : load(node.at, node.room);
      status = loaded.status();
      if (!status.ok()) return false;
      if (*loaded) judge(table);
      if (record_.state != Record::State::whole) is_clean_ = false;
      ++(record_.state == Record::State::damaged ? remains.bad : remains.good);
      status = visit(record_);
      return status.ok();
    });
    if (!status.ok()) return status;
  }
  if (remains.entries && *remains.entries != remains.good) is_clean_ = false;
  return Status();
}

}  // namespace skerry::store
