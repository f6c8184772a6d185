// survey.cc - a walk over an LMDB file with plain reads.
#include "store/survey.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/files.h"
#include "store/lmdb_layout.h"
#include "store/schema.h"

namespace skerry::store {
namespace {

using namespace lmdb;
static_assert(kMetaBytes == sizeof(Root::meta));

Status damaged_page(std::uint64_t page) noexcept {
  return Status(Code::corruption, "page {b} of store/data.mdb is damaged", 0, page);
}

// Pages of a value that has pages of its own.
std::uint64_t pages_of_value(std::uint64_t value_bytes, std::size_t page_bytes) noexcept {
  return (kHeaderBytes + value_bytes + page_bytes - 1) / page_bytes;
}

std::uint64_t pages_held(const std::byte* header) noexcept {
  return number_at<std::uint32_t>(header + 12);
}

bool is_header(const std::byte* header, std::uint64_t number, std::uint64_t pages) noexcept {
  return number_at<std::uint64_t>(header) == number &&
         number_at<std::uint16_t>(header + 10) == kOverflow && pages_held(header) == pages;
}

std::uint64_t transaction_of(const Root& root) noexcept {
  return number_at<std::uint64_t>(root.meta.data() + kMetaBytes - 8);
}

// Which tables a table's values may be: the main one holds tables, the others rows.
enum class Kind { free_pages, main, rows };

class Walk {
 public:
  // `pages` are whole in the file. To `opening`: with the tables of these names.
  Walk(int fd, std::uint64_t pages, const Root& root, Extent extent,
       std::span<const char* const> names)
      : fd_(fd),
        root_(root.meta.data()),
        page_bytes_(number_at<std::uint32_t>(root_ + 24)),
        pages_(pages),
        last_(number_at<std::uint64_t>(root_ + kMetaBytes - 16)),
        extent_(extent),
        names_(names),
        met_(extent == Extent::opening ? 0 : std::max<std::uint64_t>(pages, kMetaPages)) {
    for (std::uint64_t page = 0; page < kMetaPages; ++page) meet(page);
  }

  Status go() {
    Status status;
    if (extent_ != Extent::opening) status = table(root_ + 24, Kind::free_pages);
    if (status.ok()) status = table(root_ + 24 + kTableBytes, Kind::main);
    return status.ok() ? free_pages() : status;
  }

 private:
  Status table(const std::byte* table, Kind kind) {
    const unsigned flags = number_at<std::uint16_t>(table + 4) & kTableFlagsKnown;
    if (flags != (kind == Kind::free_pages ? kNumbersAsKeys : 0)) {
      return Status(Code::corruption, "a table of the store is of another kind");
    }
    const auto root = number_at<std::uint64_t>(table + 40);
    if (root == kNoPage) return Status();
    // The main table's walk goes on where it was when one of its tables has been walked.
    std::vector<std::byte> previous = std::exchange(previous_, {});
    const std::size_t first_room = std::exchange(first_room_, rooms_used_);
    const Kind outer = std::exchange(kind_, kind);
    const Status status = page(root, 0);
    previous_ = std::move(previous);
    first_room_ = first_room;
    kind_ = outer;
    after_separator_ = false;
    return status;
  }

  // Of the main table's.
  bool is_walked(std::string_view name) const noexcept {
    return extent_ != Extent::opening ||
           std::find(names_.begin(), names_.end(), name) != names_.end();
  }

  // After the tables: no page is free and in use, or free twice. LMDB would write over it. Free
  // pages may lie behind the end of the file.
  Status free_pages() {
    std::sort(free_.begin(), free_.end());
    for (std::size_t i = 0; i < free_.size(); ++i) {
      const std::uint64_t page = free_[i];
      const bool is_met = page < pages_ && met_[page];
      if (is_met || page > last_ || (i > 0 && page == free_[i - 1])) return damaged_page(page);
    }
    return Status();
  }

  // False when it was met before. What is not in the file is found missing when it is read.
  bool meet(std::uint64_t page) {
    if (page >= pages_) return true;
    if (page > last_) return false;
    if (extent_ == Extent::opening) return met_by_opening_.insert(page).second;
    if (met_[page]) return false;
    met_[page] = true;
    return true;
  }

  Status read(std::uint64_t page, std::size_t at, std::byte* out, std::size_t bytes) const {
    if (page >= pages_) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0, page);
    }
    const ssize_t got = ::pread(fd_, out, bytes, static_cast<off_t>(page * page_bytes_ + at));
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    return static_cast<std::size_t>(got) == bytes ? Status() : damaged_page(page);
  }

  Status page(std::uint64_t number, std::size_t depth) {
    if (depth == kDepthMax || !meet(number)) return damaged_page(number);
    const std::size_t room = first_room_ + depth;
    if (room == rooms_.size()) rooms_.emplace_back(page_bytes_);
    rooms_used_ = room + 1;
    std::byte* bytes = rooms_[room].data();
    Status status = read(number, 0, bytes, page_bytes_);
    if (!status.ok()) return status;

    const unsigned flags = number_at<std::uint16_t>(bytes + 10);
    const std::size_t lower = number_at<std::uint16_t>(bytes + 12);
    const std::size_t upper = number_at<std::uint16_t>(bytes + 14);
    const bool is_branch = flags == kBranch;
    if (number_at<std::uint64_t>(bytes) != number || (flags != kBranch && flags != kLeaf) ||
        lower <= kHeaderBytes || lower % 2 != 0 || lower > upper || upper > page_bytes_) {
      return damaged_page(number);
    }
    // A branch with one child is LMDB's own only while it rearranges its list of free pages.
    if (is_branch && lower < kHeaderBytes + 4 && kind_ != Kind::free_pages)
      return damaged_page(number);
    std::size_t used = 0;
    for (std::size_t at = kHeaderBytes; at < lower && status.ok(); at += 2) {
      // A visit of a child may have moved the rooms, and used those behind ours.
      bytes = rooms_[room].data();
      rooms_used_ = room + 1;
      const std::size_t offset = number_at<std::uint16_t>(bytes + at);
      if (offset < upper || offset + kNodeBytes > page_bytes_) return damaged_page(number);
      const std::byte* node = bytes + offset;
      const std::size_t key_bytes = number_at<std::uint16_t>(node + 6);
      const std::size_t left = page_bytes_ - offset;
      if (key_bytes > kKeyBytesMax || kNodeBytes + key_bytes > left) return damaged_page(number);
      // The first key of a branch is never looked at: what is less goes there.
      const bool is_first_child = is_branch && at == kHeaderBytes;
      if (!is_first_child && !in_order({node + kNodeBytes, key_bytes}, is_branch)) {
        return damaged_page(number);
      }
      std::size_t node_bytes = kNodeBytes + key_bytes;
      if (!is_branch) {
        const std::size_t kept = value_bytes_kept(node);
        if (kept > left - node_bytes) return damaged_page(number);
        node_bytes += kept;
      }
      used += (node_bytes + 1) / 2 * 2;
      status = is_branch ? branch_node(node, depth) : leaf_node(number, node);
    }
    // Nodes lie without gaps from `upper` to the page's end.
    if (status.ok() && used != page_bytes_ - upper) return damaged_page(number);
    return status;
  }

  // Whether a key comes after the one before it, in the order of the table. What a branch says
  // about a child lies behind all keys before the child, and is not greater than its first.
  bool in_order(Bytes key, bool is_separator) {
    bool good = !key.empty();
    if (good && kind_ == Kind::free_pages) good = key.size() == sizeof(std::uint64_t);
    if (good && !previous_.empty()) {
      const int order = compare(previous_, key);
      good = order < 0 || (order == 0 && after_separator_ && !is_separator);
    }
    previous_.assign(key.begin(), key.end());
    after_separator_ = is_separator;
    return good;
  }

  int compare(Bytes a, Bytes b) const noexcept {
    if (kind_ == Kind::free_pages) {
      const auto x = number_at<std::uint64_t>(a.data());
      const auto y = number_at<std::uint64_t>(b.data());
      return x < y ? -1 : x > y ? 1 : 0;
    }
    const int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    if (order != 0 || a.size() == b.size()) return order;
    return a.size() < b.size() ? -1 : 1;
  }

  Status branch_node(const std::byte* node, std::size_t depth) {
    return page(child_of(node), depth + 1);
  }

  // Its key and its value are inside the page.
  Status leaf_node(std::uint64_t number, const std::byte* node) {
    const std::uint64_t size = value_bytes(node);
    const unsigned flags = number_at<std::uint16_t>(node + 4);
    const std::byte* value = node + kNodeBytes + number_at<std::uint16_t>(node + 6);
    if (kind_ == Kind::main && (flags & kTableValue) != 0) {
      if (flags != kTableValue || size != kTableBytes) return damaged_page(number);
      const auto* name = reinterpret_cast<const char*>(node + kNodeBytes);
      if (!is_walked({name, number_at<std::uint16_t>(node + 6)})) return Status();
      std::array<std::byte, kTableBytes> copy;
      std::memcpy(copy.data(), value, kTableBytes);
      return table(copy.data(), Kind::rows);
    }
    if ((flags & ~kBigValue) != 0) return damaged_page(number);
    if (flags == kBigValue) return overflow(number_at<std::uint64_t>(value), size);
    return kind_ == Kind::free_pages ? list_of_free({value, size}, number) : Status();
  }

  Status overflow(std::uint64_t number, std::uint64_t size) {
    std::uint64_t pages = pages_of_value(size, page_bytes_);
    const bool is_list = kind_ == Kind::free_pages;
    if (is_list || extent_ == Extent::everything) {
      std::array<std::byte, kHeaderBytes> header;
      const Status status = read(number, 0, header.data(), header.size());
      if (!status.ok()) return status;
      // LMDB leaves a value that was written twice in one transaction the pages that it had.
      const std::uint64_t held = std::max(pages, pages_held(header.data()));
      if (!is_header(header.data(), number, held)) return damaged_page(number);
      pages = held;
    }
    if (number >= pages_ || pages > pages_ - number) {
      return Status(Code::corruption, "store/data.mdb is cut short: page {b} is missing", 0,
                    number + pages - 1);
    }
    for (std::uint64_t page = number; page < number + pages; ++page) {
      if (!meet(page)) return damaged_page(page);
    }
    if (!is_list) return Status();
    std::vector<std::byte> list(size);
    const Status status = read(number, kHeaderBytes, list.data(), list.size());
    return status.ok() ? list_of_free(list, number) : status;
  }

  // A count and as many pages, the last one first, in room for more.
  Status list_of_free(Bytes list, std::uint64_t number) {
    if (list.size() < sizeof(std::uint64_t) || list.size() % sizeof(std::uint64_t) != 0) {
      return damaged_page(number);
    }
    const auto count = number_at<std::uint64_t>(list.data());
    if (count > list.size() / sizeof(std::uint64_t) - 1) return damaged_page(number);
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto page = number_at<std::uint64_t>(list.data() + i * sizeof(std::uint64_t));
      if (i > 1 && page >= free_.back()) return damaged_page(number);
      free_.push_back(page);
    }
    return Status();
  }

  const int fd_;
  const std::byte* const root_;
  const std::size_t page_bytes_;
  const std::uint64_t pages_;  // of the file
  const std::uint64_t last_;   // that the root counts as used
  const Extent extent_;
  const std::span<const char* const> names_;
  std::vector<bool> met_;  // by page; a bit for each would be much for the few of opening
  std::unordered_set<std::uint64_t> met_by_opening_;
  std::vector<std::uint64_t> free_;

  // Of the table that is being walked.
  Kind kind_ = Kind::main;
  std::vector<std::byte> previous_;  // key; empty: none yet
  bool after_separator_ = false;     // previous_ was a branch's

  // A page for each depth; a table's begin behind those of the table it stands in.
  std::vector<std::vector<std::byte>> rooms_;
  std::size_t first_room_ = 0;
  std::size_t rooms_used_ = 0;
};

// Whether the root's own numbers can be followed.
bool is_possible(const Root& root, std::size_t page_bytes) noexcept {
  const auto last = number_at<std::uint64_t>(root.meta.data() + kMetaBytes - 16);
  return number_at<std::uint32_t>(root.meta.data() + 24) == page_bytes && last >= kMetaPages - 1 &&
         last < kFileBytesMax / page_bytes;
}

// Of a store with longer pages than the machine's nobody can tell where in the map a page begins
// (environment.cc does, to look at headers): it is walked whole.
bool is_foreign(std::size_t page_bytes) noexcept {
  return page_bytes > static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Result<std::uint64_t> bytes_of_file(int fd) noexcept {
  struct stat file = {};
  if (::fstat(fd, &file) != 0) return status_of_errno(errno, "cannot look at the store: {e}");
  return static_cast<std::uint64_t>(file.st_size);
}

// The record on meta page `page`; not_found when the file ends before it.
Result<Root> read_meta(int fd, std::size_t page_bytes, std::size_t page) noexcept {
  Root root;
  const auto at = static_cast<off_t>(page * page_bytes + kHeaderBytes);
  const ssize_t got = ::pread(fd, root.meta.data(), kMetaBytes, at);
  if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
  if (static_cast<std::size_t>(got) != kMetaBytes) return Status(Code::not_found, "no such root");
  return root;
}

// A turned bit can make the older root's number one that follows the newest's, or the newest's one
// that is higher: what a root frees tells its number too. Only the newest is asked. The other may
// be a copy of it (synced_root.h), or one that LMDB took back when it could not be written, which
// has the number of the root before and the new tables; so one turned bit is not seen, that makes n
// of the newest root n - 2.
Status check_number(int fd, const Root& root, std::size_t page_bytes, std::uint64_t pages) {
  const auto read = [&](std::uint64_t page, std::vector<std::byte>& out) -> Result<bool> {
    if (page < kMetaPages || page >= pages) return false;
    out.resize(page_bytes);
    const ssize_t got = ::pread(fd, out.data(), page_bytes, static_cast<off_t>(page * page_bytes));
    if (got < 0) return status_of_errno(errno, "cannot read the store: {e}");
    return static_cast<std::size_t>(got) == page_bytes &&
           number_at<std::uint64_t>(out.data()) == page;
  };
  const auto free_root = number_at<std::uint64_t>(root.meta.data() + 24 + 40);
  const Result<std::uint64_t> freed = newest_free_number(free_root, read);
  if (!freed.ok()) return freed.error();
  if (*freed == 0 || *freed == transaction_of(root)) return Status();
  return Status(Code::corruption,
                "a root of store/data.mdb says {a} and has freed the pages of {b}",
                static_cast<std::int64_t>(transaction_of(root)), *freed);
}

}  // namespace

bool is_header_of(const std::byte* header, std::uint64_t number, std::size_t page_bytes,
                  std::uint64_t value_bytes) noexcept {
  return is_header(header, number, pages_of_value(value_bytes, page_bytes));
}

Result<Root> read_root(int fd, std::size_t page_bytes, std::uint64_t number) {
  const Result<Root> root = read_meta(fd, page_bytes, number % kMetaPages);
  if (root.ok() && transaction_of(*root) != number) return Status(Code::not_found, "no such root");
  return root;
}

Result<Extent> survey(int fd, std::uint64_t bytes_whole, std::span<const char* const> names) {
  const Result<std::uint64_t> file_bytes = bytes_of_file(fd);
  if (!file_bytes.ok()) return file_bytes.error();

  // Of two metas the one of the later transaction counts; LMDB judges a file without.
  std::array<Root, kMetaPages> roots;
  std::size_t page_bytes = 0;
  for (std::size_t i = 0; i < kMetaPages; ++i) {
    const Result<Root> root = read_meta(fd, page_bytes, i);
    if (!root.ok() && root.error().code() != Code::not_found) return root.error();
    if (!root.ok() || number_at<std::uint32_t>(root->meta.data()) != kMetaMagic ||
        number_at<std::uint32_t>(root->meta.data() + 4) != kMetaVersion) {
      return Extent::everything;
    }
    roots[i] = *root;
    if (i == 0) page_bytes = number_at<std::uint32_t>(root->meta.data() + 24);
    if (page_bytes < kPageBytesMin || page_bytes > kPageBytesMax ||
        (page_bytes & (page_bytes - 1)) != 0) {
      return damaged_page(0);
    }
  }
  // LMDB writes the two by turns. Were one of the numbers another, it would believe the older root.
  const std::uint64_t newest = std::max(transaction_of(roots[0]), transaction_of(roots[1]));
  const std::uint64_t before = std::min(transaction_of(roots[0]), transaction_of(roots[1]));
  if (newest != before + 1 && newest != 0) {
    return Status(Code::corruption, "the two roots of store/data.mdb do not follow each other");
  }
  const Root& root = roots[newest % kMetaPages];
  if (transaction_of(root) != newest || !is_possible(root, page_bytes)) {
    return damaged_page(newest % kMetaPages);
  }
  if (number_at<std::uint32_t>(roots[1].meta.data() + 24) != page_bytes) return damaged_page(1);
  Status status = check_number(fd, root, page_bytes, *file_bytes / page_bytes);
  if (!status.ok()) return status;

  const bool is_whole = *file_bytes <= bytes_whole || is_foreign(page_bytes);
  const Extent extent = is_whole ? Extent::everything : Extent::opening;
  status = Walk(fd, *file_bytes / page_bytes, root, extent, names).go();
  if (!status.ok()) return status;
  return extent;
}

Result<Extent> survey(int fd, const Root& root, Extent extent) {
  const auto page_bytes = number_at<std::uint32_t>(root.meta.data() + 24);
  if (page_bytes < 512 || !is_possible(root, page_bytes)) {
    return damaged_page(transaction_of(root) % kMetaPages);
  }
  const Result<std::uint64_t> file_bytes = bytes_of_file(fd);
  if (!file_bytes.ok()) return file_bytes.error();
  if (is_foreign(page_bytes)) extent = Extent::everything;
  const Status status = Walk(fd, *file_bytes / page_bytes, root, extent, {}).go();
  if (!status.ok()) return status;
  return extent;
}

}  // namespace skerry::store
