// arguments.h - what does the caller mean by his structs?
//
// C's views and options are turned into those of C++, on the caller's stack. Ranges are checked
// where they are known: here only what C++ cannot hold, a null pointer behind a count, a number
// beyond an enum, a flag that is neither 0 nor 1.
//
// What C lends in another shape than C++ wants it (names, a list of handles) is copied as pointers
// into a scratch that is lent out again, so that a warm search allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/scratch_pool.h"
#include "capi/door.h"
#include "capi/handles.h"
#include "skerry/options.h"
#include "skerry/types.h"

namespace skerry::capi {

Status read(const skerry_vector* given, VectorView& out) noexcept;
Status read(const skerry_matrix* given, MatrixView& out) noexcept;
Status read(const skerry_name* given, std::string_view& out) noexcept;
Status read(const skerry_payload* given, Payload& out) noexcept;  // null: none

Status check_reserved(std::uint32_t given) noexcept;

// `text` names the flag, with {b} for what was given.
Status read_flag(std::uint32_t given, const char* text, bool& out) noexcept;

// Lists of the caller's as C++ wants them.
struct Lists {
  std::vector<std::string_view> names;
  std::vector<Payload> payloads;
  std::vector<Collection> collections;
};

// Lists for the length of a call. They are emptied as it ends and keep their room.
class LentLists {
 public:
  LentLists() noexcept;
  ~LentLists();

  Status read_names(const skerry_name* given, std::size_t count,
                    std::span<const std::string_view>& out);
  // Null: none.
  Status read_payloads(const skerry_payload* given, std::size_t count,
                       std::span<const Payload>& out);
  Status read_collections(const skerry_collection* const* given, std::size_t count,
                          std::span<const Collection>& out);

 private:
  ScratchLease<Lists> lease_;
};

// A control, and the caller's function that it refers to: stays where it is until the call returns.
class ControlArgument {
 public:
  ControlArgument() noexcept = default;
  ControlArgument(const ControlArgument&) = delete;
  ControlArgument& operator=(const ControlArgument&) = delete;

  Status read(const skerry_control* given) noexcept;  // null: none
  const Control& get() const noexcept { return control_; }

 private:
  skerry_control given_ = SKERRY_CONTROL_INIT;
  Control control_;
};

// The same of a search.
class SearchArgument {
 public:
  SearchArgument() noexcept = default;
  SearchArgument(const SearchArgument&) = delete;
  SearchArgument& operator=(const SearchArgument&) = delete;

  Status read(const skerry_search_options* given);  // null: the defaults
  const SearchOptions& get() const noexcept { return options_; }

 private:
  struct Where {
    skerry_filter filter;
    bool operator()(Key key) const { return filter.where(filter.context, key) != 0; }
    bool operator()(std::string_view name) const {
      return filter.where_name(filter.context, name.data(), name.size()) != 0;
    }
  };

  Status read_filter(const skerry_filter* given);

  ControlArgument control_;
  Where where_ = {SKERRY_FILTER_INIT};
  std::optional<LentLists> names_;
  SearchOptions options_;
};

Status read(const skerry_options* given, CollectionOptions& out) noexcept;
Status read(const skerry_database_options* given, DatabaseOptions& out) noexcept;
CustomDistance read(const skerry_custom_distance& given) noexcept;

// hits[rows * k], as C++ wants it.
template <class Hit, class Given>
Status read_hits(Given* given, std::size_t k, std::size_t rows, std::span<Hit>& out) noexcept {
  static_assert(sizeof(Hit) == sizeof(Given) && alignof(Hit) == alignof(Given));
  if (k != 0 && rows > SIZE_MAX / sizeof(Hit) / k) {
    return Status(Code::invalid_argument,
                  "k: expected hits that fit into memory, given {a} rows of {b}", rows, k);
  }
  if (given == nullptr && k * rows != 0) {
    return Status(Code::invalid_argument, "hits: expected a pointer, given null");
  }
  out = std::span<Hit>(reinterpret_cast<Hit*>(given), k * rows);
  return {};
}

// list[count] of plain values.
template <class T>
Status read_list(const T* given, std::size_t count, const char* text,
                 std::span<const T>& out) noexcept {
  if (given == nullptr && count != 0) return Status(Code::invalid_argument, text);
  out = std::span<const T>(given, count);
  return {};
}

// Bytes, or floats, of the caller's: null with 0 is lawful.
template <class T, class Given>
Status read_room(Given* given, std::size_t count, std::span<T>& out) noexcept {
  if (given == nullptr && count != 0) {
    return Status(Code::invalid_argument, "out: expected a pointer, given null");
  }
  out = std::span<T>(static_cast<T*>(given), count);
  return {};
}

}  // namespace skerry::capi
