// database.cc - Database, for C: one line a call.
#include "skerry/database.h"

#include "capi/calls.h"

namespace skerry::capi {
namespace {

// A call on a handle.
template <class Call>
skerry_code with_database(skerry_error* error, const skerry_database* database,
                          Call call) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(database);
    return call();
  });
}

// A call that makes a handle.
template <class Handle, class Make>
skerry_code make(skerry_error* error, const skerry_database* database, Handle** out,
                 Make make) noexcept {
  if (out != nullptr) *out = nullptr;
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(out);
    return make();
  });
}

template <class Given>
Status search_union(const skerry_database* database, const skerry_collection* const* collections,
                    std::size_t count, const skerry_vector* query, std::size_t k, Given* hits,
                    const skerry_search_options* options, skerry_search_result* result) {
  LentLists lists;
  std::span<const Collection> list;
  VectorView vector;
  std::span<typename Counterpart<Given>::Type> room;
  SearchArgument how;
  SKERRY_TRY(lists.read_collections(collections, count, list));
  SKERRY_TRY(read(query, vector));
  SKERRY_TRY(read_hits(hits, k, 1, room));
  SKERRY_TRY(how.read(options));
  SKERRY_NEED(result);
  SKERRY_TRY(check_room(result));
  return answer(database->database.search_union(list, vector, room, how.get()), result);
}

}  // namespace
}  // namespace skerry::capi

using namespace skerry;
using namespace skerry::capi;

skerry_code skerry_database_open(const char* folder, const skerry_database_options* options,
                                 skerry_database** out, skerry_error* error) noexcept {
  if (out != nullptr) *out = nullptr;
  return enter(error, [&]() -> Status {
    SKERRY_NEED(folder);
    SKERRY_NEED(out);
    DatabaseOptions how;
    SKERRY_TRY(read(options, how));
    return hand_out(out, [&] { return Database::open(folder, how); });
  });
}

skerry_code skerry_database_close(skerry_database* database, skerry_error* error) noexcept {
  return with_database(error, database, [&] { return database->database.close(); });
}

void skerry_database_free(skerry_database* database) noexcept {
  delete database;
}

skerry_code skerry_database_create(skerry_database* database, const char* name,
                                   const skerry_options* options, skerry_collection** out,
                                   skerry_error* error) noexcept {
  return make(error, database, out, [&]() -> Status {
    SKERRY_NEED(name);
    CollectionOptions what;
    SKERRY_TRY(read(options, what));
    return hand_out(out, [&] { return database->database.create(std::string_view(name), what); });
  });
}

skerry_code skerry_database_open_collection(skerry_database* database, const char* name,
                                            const skerry_control* control, skerry_collection** out,
                                            skerry_error* error) noexcept {
  return make(error, database, out, [&]() -> Status {
    SKERRY_NEED(name);
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return hand_out(out, [&] { return database->database.open_collection(name, watch.get()); });
  });
}

skerry_code skerry_database_open_or_create(skerry_database* database, const char* name,
                                           const skerry_options* options,
                                           const skerry_control* control, skerry_collection** out,
                                           skerry_error* error) noexcept {
  return make(error, database, out, [&]() -> Status {
    SKERRY_NEED(name);
    CollectionOptions what;
    ControlArgument watch;
    SKERRY_TRY(read(options, what));
    SKERRY_TRY(watch.read(control));
    return hand_out(out,
                    [&] { return database->database.open_or_create(name, what, watch.get()); });
  });
}

skerry_code skerry_database_create_many(skerry_database* database, const char* const* names,
                                        size_t count, const skerry_options* options,
                                        skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    if (count != 0) SKERRY_NEED(names);
    CollectionOptions what;
    SKERRY_TRY(read(options, what));
    std::vector<std::string_view> list;
    list.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (names[i] == nullptr) {
        return Status(Code::invalid_argument, "names: expected a name, given null in place {b}", 0,
                      i);
      }
      list.emplace_back(names[i]);
    }
    return database->database.create(list, what);
  });
}

skerry_code skerry_database_drop(skerry_database* database, const char* name,
                                 skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(name);
    return database->database.drop(name);
  });
}

skerry_code skerry_database_rename(skerry_database* database, const char* from, const char* to,
                                   skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(from);
    SKERRY_NEED(to);
    return database->database.rename(from, to);
  });
}

skerry_code skerry_database_clone(skerry_database* database, const char* from, const char* to,
                                  const skerry_control* control, skerry_collection** out,
                                  skerry_error* error) noexcept {
  return make(error, database, out, [&]() -> Status {
    SKERRY_NEED(from);
    SKERRY_NEED(to);
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return hand_out(out, [&] { return database->database.clone(from, to, watch.get()); });
  });
}

skerry_code skerry_database_list(const skerry_database* database,
                                 skerry_bool (*visit)(void* context, const char* name),
                                 void* context, skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(visit);
    const Result<std::vector<std::string>> names = database->database.list();
    if (!names.ok()) return names.status();
    for (const std::string& name : *names) {
      if (visit(context, name.c_str()) == 0) break;
    }
    return {};
  });
}

skerry_code skerry_database_collections(const skerry_database* database,
                                        skerry_bool (*visit)(void* context,
                                                             const skerry_collection_info* info),
                                        void* context, skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(visit);
    const Result<std::vector<CollectionInfo>> all = database->database.collections();
    if (!all.ok()) return all.status();
    for (const CollectionInfo& one : *all) {
      const skerry_options options = written(one.options);
      const skerry_collection_info info = {sizeof info, one.name.c_str(), one.size,
                                           one.payload_count, &options};
      if (visit(context, &info) == 0) break;
    }
    return {};
  });
}

skerry_code skerry_database_search_union(const skerry_database* database,
                                         const skerry_collection* const* collections, size_t count,
                                         const skerry_vector* query, size_t k,
                                         skerry_union_hit* hits,
                                         const skerry_search_options* options,
                                         skerry_search_result* result,
                                         skerry_error* error) noexcept {
  return with_database(error, database, [&] {
    return search_union(database, collections, count, query, k, hits, options, result);
  });
}

skerry_code skerry_database_search_union_named(const skerry_database* database,
                                               const skerry_collection* const* collections,
                                               size_t count, const skerry_vector* query, size_t k,
                                               skerry_named_union_hit* hits,
                                               const skerry_search_options* options,
                                               skerry_search_result* result,
                                               skerry_error* error) noexcept {
  return with_database(error, database, [&] {
    return search_union(database, collections, count, query, k, hits, options, result);
  });
}

skerry_code skerry_database_sync(skerry_database* database, skerry_error* error) noexcept {
  return with_database(error, database, [&] { return database->database.sync(); });
}

skerry_code skerry_database_checkpoint(skerry_database* database, const skerry_control* control,
                                       skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return database->database.checkpoint(watch.get());
  });
}

skerry_code skerry_database_backup(const skerry_database* database, const char* folder,
                                   const skerry_control* control, skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(folder);
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return database->database.backup(folder, watch.get());
  });
}

skerry_code skerry_database_compact(skerry_database* database, const skerry_control* control,
                                    skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return database->database.compact(watch.get());
  });
}

skerry_code skerry_database_get_stats(const skerry_database* database, skerry_database_stats* out,
                                      skerry_error* error) noexcept {
  return with_database(error, database, [&]() -> Status {
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    return answer(database->database.stats(), out);
  });
}
