#include "capi/arguments.h"

#include <chrono>
#include <new>

namespace skerry::capi {
namespace {

// Lives as long as the process: a handle may be used while statics are destroyed.
ScratchPool<Lists>& lists() noexcept {
  alignas(ScratchPool<Lists>) static std::byte room[sizeof(ScratchPool<Lists>)];
  static ScratchPool<Lists>* const shared = new (room) ScratchPool<Lists>;
  return *shared;
}

Status bad(const char* text, std::uint64_t given = 0) noexcept {
  return Status(Code::invalid_argument, text, 0, given);
}

// C++ checks what its one byte can hold.
template <class Enum>
Status read_enum(std::uint32_t given, const char* text, Enum& out) noexcept {
  if (given > UINT8_MAX) return bad(text, given);
  out = static_cast<Enum>(given);
  return {};
}

// A vector's own: nobody looks at it behind this.
Status read_scalar(skerry_scalar given, Scalar& out) noexcept {
  if (given > SKERRY_B1) return bad("scalar: no type has number {b}", given);
  out = static_cast<Scalar>(given);
  return {};
}

}  // namespace

Status check_reserved(std::uint32_t given) noexcept {
  return given == 0 ? Status() : bad("reserved: expected 0, given {b}", given);
}

Status read(const skerry_vector* vector, VectorView& out) noexcept {
  SKERRY_NEED(vector);
  Scalar scalar = {};
  SKERRY_TRY(read_scalar(vector->scalar, scalar));
  if (vector->dimension != 0) SKERRY_NEED(vector->data);
  out = VectorView(vector->data, scalar, vector->dimension);
  return {};
}

Status read(const skerry_matrix* matrix, MatrixView& out) noexcept {
  SKERRY_NEED(matrix);
  Scalar scalar = {};
  SKERRY_TRY(read_scalar(matrix->scalar, scalar));
  if (matrix->rows != 0 && matrix->dimension != 0) SKERRY_NEED(matrix->data);
  const std::size_t bytes = vector_bytes(scalar, matrix->dimension);
  if (matrix->rows > 1 && matrix->stride != 0 && matrix->stride < bytes) {
    return Status(Code::invalid_argument, "stride: expected 0 or at least {a} bytes, given {b}",
                  bytes, matrix->stride);
  }
  out = MatrixView(matrix->data, scalar, matrix->rows, matrix->dimension, matrix->stride);
  return {};
}

Status read(const skerry_name* name, std::string_view& out) noexcept {
  SKERRY_NEED(name);
  if (name->size != 0) SKERRY_NEED(name->data);
  out = std::string_view(name->data, name->size);
  return {};
}

Status read(const skerry_payload* payload, Payload& out) noexcept {
  if (payload == nullptr) return {};
  if (payload->size != 0) SKERRY_NEED(payload->data);
  out = Payload(static_cast<const std::byte*>(payload->data), payload->size);
  return {};
}

Status read_flag(std::uint32_t given, const char* text, bool& out) noexcept {
  if (given > 1) return bad(text, given);
  out = given == 1;
  return {};
}

LentLists::LentLists() noexcept : lease_(lists()) {}
LentLists::~LentLists() {
  Lists* const lists = lease_.get();
  if (lists == nullptr) return;
  lists->names.clear();
  lists->payloads.clear();
  lists->collections.clear();
}

Status LentLists::read_names(const skerry_name* given, std::size_t count,
                             std::span<const std::string_view>& out) {
  if (given == nullptr && count != 0) return bad("names: expected a pointer, given null");
  if (lease_.get() == nullptr) throw std::bad_alloc();
  std::vector<std::string_view>& names = lease_.get()->names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::string_view name;
    if (!read(given + i, name).ok()) {
      return bad("names: expected bytes, given null in place {b}", i);
    }
    names.push_back(name);
  }
  out = names;
  return {};
}

Status LentLists::read_payloads(const skerry_payload* given, std::size_t count,
                                std::span<const Payload>& out) {
  if (given == nullptr) return {};
  if (lease_.get() == nullptr) throw std::bad_alloc();
  std::vector<Payload>& payloads = lease_.get()->payloads;
  payloads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Payload payload;
    if (!read(given + i, payload).ok()) {
      return bad("payloads: expected bytes, given null in place {b}", i);
    }
    payloads.push_back(payload);
  }
  out = payloads;
  return {};
}

Status LentLists::read_collections(const skerry_collection* const* given, std::size_t count,
                                   std::span<const Collection>& out) {
  if (given == nullptr && count != 0) return bad("collections: expected a pointer, given null");
  if (lease_.get() == nullptr) throw std::bad_alloc();
  std::vector<Collection>& collections = lease_.get()->collections;
  collections.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (given[i] == nullptr) {
      return bad("collections: expected a handle, given null in place {b}", i);
    }
    collections.push_back(given[i]->collection);
  }
  out = collections;
  return {};
}

Status ControlArgument::read(const skerry_control* given) noexcept {
  SKERRY_TRY(take(given, given_));
  if (given_.progress != nullptr) {
    control_.progress = [](void* context, std::uint64_t done, std::uint64_t total) -> bool {
      const auto& mine = *static_cast<const skerry_control*>(context);
      return mine.progress(mine.context, done, total) != 0;
    };
    control_.context = &given_;
  }
  if (given_.deadline_ns != SKERRY_NO_DEADLINE) {
    control_.deadline = std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(
            std::chrono::nanoseconds(given_.deadline_ns)));
  }
  return {};
}

// What does not belong to the filter's kind must not be there: it would be ignored.
Status SearchArgument::read_filter(const skerry_filter* given) {
  skerry_filter& filter = where_.filter;
  SKERRY_TRY(take(given, filter));
  SKERRY_TRY(check_reserved(filter.reserved));
  const auto expects = [&](bool where, bool where_name, bool keys, bool names) {
    const bool lists = keys || names;
    return (filter.where != nullptr) == where && (filter.where_name != nullptr) == where_name &&
           (keys || filter.keys == nullptr) && (names || filter.names == nullptr) &&
           (lists || filter.count == 0) && (!keys || filter.keys != nullptr || filter.count == 0);
  };
  switch (filter.kind) {
    case SKERRY_FILTER_NONE:
      if (expects(false, false, false, false)) return {};
      return bad("filter: NONE expects neither function nor list");
    case SKERRY_FILTER_WHERE:
      if (!expects(true, false, false, false)) {
        return bad("filter: WHERE expects the function `where`, and no other and no list");
      }
      options_.filter = Filter::where(where_);
      return {};
    case SKERRY_FILTER_WHERE_NAME:
      if (!expects(false, true, false, false)) {
        return bad(
            "filter: WHERE_NAME expects the function `where_name`, and no other and no list");
      }
      options_.filter = Filter::where_name(where_);
      return {};
    case SKERRY_FILTER_ONLY:
    case SKERRY_FILTER_EXCEPT: {
      if (!expects(false, false, true, false)) {
        return bad("filter: ONLY and EXCEPT expect `keys` and their count, and nothing else");
      }
      const std::span<const Key> keys(filter.keys, filter.count);
      options_.filter =
          filter.kind == SKERRY_FILTER_ONLY ? Filter::only(keys) : Filter::except(keys);
      return {};
    }
    case SKERRY_FILTER_ONLY_NAMES:
    case SKERRY_FILTER_EXCEPT_NAMES: {
      if (!expects(false, false, false, true)) {
        return bad(
            "filter: ONLY_NAMES and EXCEPT_NAMES expect `names` and their count, and nothing "
            "else");
      }
      std::span<const std::string_view> names;
      names_.emplace();
      SKERRY_TRY(names_->read_names(filter.names, filter.count, names));
      options_.filter = filter.kind == SKERRY_FILTER_ONLY_NAMES ? Filter::only_names(names)
                                                                : Filter::except_names(names);
      return {};
    }
    default:
      return bad("filter: no kind has number {b}", filter.kind);
  }
}

Status SearchArgument::read(const skerry_search_options* given) {
  skerry_search_options all = SKERRY_SEARCH_OPTIONS_INIT;
  SKERRY_TRY(take(given, all));
  SKERRY_TRY(check_reserved(all.reserved));
  SKERRY_TRY(read_flag(all.exact, "exact: expected 0 or 1, given {b}", options_.exact));
  SKERRY_TRY(read_filter(all.filter));
  SKERRY_TRY(control_.read(all.control));
  options_.ef = all.ef;
  options_.recall_target = all.recall_target;
  options_.max_distance = all.max_distance;
  options_.budget = all.budget;
  options_.threads = all.threads;
  options_.control = control_.get();
  return {};
}

CustomDistance read(const skerry_custom_distance& given) noexcept {
  return {given.call, given.context};
}

Status read(const skerry_options* options, CollectionOptions& out) noexcept {
  SKERRY_NEED(options);
  skerry_options all = SKERRY_OPTIONS_INIT;
  SKERRY_TRY(take(options, all));
  IndexOptions& index = out.index;
  SKERRY_TRY(read_enum(all.metric, "metric: no metric has number {b}", index.metric));
  SKERRY_TRY(read_enum(all.scalar, "scalar: no type has number {b}", index.scalar));
  SKERRY_TRY(read_enum(all.codes, "codes: none has number {b}", index.codes));
  SKERRY_TRY(read_enum(all.vectors, "vectors: no place has number {b}", index.vectors));
  SKERRY_TRY(read_flag(all.byte_keys, "byte_keys: expected 0 or 1, given {b}", out.byte_keys));
  index.dimension = all.dimension;
  index.M = all.M;
  index.ef_construction = all.ef_construction;
  index.ef = all.ef;
  index.flat_below = all.flat_below;
  index.seed = all.seed;
  index.custom = read(all.custom);
  return {};
}

Status read(const skerry_database_options* given, DatabaseOptions& out) noexcept {
  skerry_database_options all = SKERRY_DATABASE_OPTIONS_INIT;
  SKERRY_TRY(take(given, all));
  SKERRY_TRY(read_flag(all.create_if_missing, "create_if_missing: expected 0 or 1, given {b}",
                       out.create_if_missing));
  SKERRY_TRY(read_flag(all.read_only, "read_only: expected 0 or 1, given {b}", out.read_only));
  SKERRY_TRY(read_flag(all.use_images, "use_images: expected 0 or 1, given {b}", out.use_images));
  SKERRY_TRY(read_enum(all.durability, "durability: none has number {b}", out.durability));
  out.sync_interval_ms = all.sync_interval_ms;
  out.map_bytes = all.map_bytes;
  out.max_readers = all.max_readers;
  out.threads = all.threads;
  out.warm_collections = all.warm_collections;
  out.custom = read(all.custom);
  return {};
}

}  // namespace skerry::capi
