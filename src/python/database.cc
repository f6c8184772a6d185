// database.cc - skerry::Database for Python.
#include "skerry/database.h"

#include <filesystem>
#include <string>
#include <vector>

#include "python/bind.h"
#include "python/options.h"

namespace skerry::python {
namespace {

// A database and the distance that its collections with metric "custom" have.
class OpenDatabase : public Held<Database> {
 public:
  OpenDatabase(Database database, std::shared_ptr<PythonDistance> distance)
      : Held<Database>(std::move(database)), distance_(std::move(distance)) {}
  OpenDatabase(OpenDatabase&&) noexcept = default;
  ~OpenDatabase() { let_go(); }  // before its distance is: threads of the database ask that

  const std::shared_ptr<PythonDistance>& distance() const noexcept { return distance_; }

 private:
  std::shared_ptr<PythonDistance> distance_;
};

using Self = OpenDatabase;

Self open(handle folder, const py::dict& words, handle function) {
  DatabaseOptions options = database_options(words);
  auto distance = PythonDistance::make(function, Scalar::f32);
  if (distance) options.custom = distance->get();
  const std::filesystem::path place = path_in(folder);
  return Self(value_of(without_gil([&] { return Database::open(place, options); })),
              std::move(distance));
}

// The distance of a database is told two addresses and a dimension, not what lies there: a Python
// callable takes it for float32, so nothing else may be.
void check_distance(const Self& self, const IndexOptions& options) {
  if (!self.distance() || options.metric != Metric::custom) return;
  if (options.scalar != Scalar::f32) {
    raise_invalid("scalar: expected 'f32' with a custom distance of a database, given '" +
                  std::string(name_of(options.scalar)) + "'");
  }
}
void check_distance_of(const Self& self, Database& database, const std::string& name) {
  if (!self.distance()) return;
  for (const CollectionInfo& info : value_of(without_gil([&] { return database.collections(); }))) {
    if (info.name == name) check_distance(self, info.options.index);
  }
}

CollectionOptions collection_options(const Self& self, const py::dict& words, handle keys) {
  CollectionOptions options;
  options.index = index_options(words);
  const auto kind = keys.is_none() ? std::string("int") : py::str(keys).cast<std::string>();
  if (kind != "int" && kind != "str" && kind != "bytes") {
    raise_invalid("keys: expected one of 'int', 'str', 'bytes', given " +
                  py::repr(keys).cast<std::string>());
  }
  options.byte_keys = kind != "int";
  check_distance(self, options.index);
  return options;
}

Subject<Collection> create(const Self& self, handle name_word, const py::dict& words, handle keys) {
  const auto database = self.handle();
  const std::string name = name_in("name", name_word);
  const CollectionOptions options = collection_options(self, words, keys);
  return make_subject(value_of(without_gil([&] { return database->create(name, options); })), keys,
                      self.distance());
}

void create_many(const Self& self, handle names_word, const py::dict& words, handle keys) {
  const auto database = self.handle();
  const Keys names = keys_of("names", names_word, KeyKind::text);
  const CollectionOptions options = collection_options(self, words, keys);
  check(without_gil([&] { return database->create(names.names, options); }));
}

Subject<Collection> open_collection(const Self& self, handle name_word, handle keys, handle timeout,
                                    handle progress) {
  const auto database = self.handle();
  const std::string name = name_in("name", name_word);
  check_distance_of(self, *database, name);
  LongCall call(progress, timeout, self.distance() ? &self.distance()->raised() : nullptr);
  auto opened = without_gil([&] { return database->open_collection(name, call.control()); });
  return make_subject(call.finish(std::move(opened)), keys, self.distance());
}

Subject<Collection> open_or_create(const Self& self, handle name_word, const py::dict& words,
                                   handle keys, handle timeout, handle progress) {
  const auto database = self.handle();
  const std::string name = name_in("name", name_word);
  const CollectionOptions options = collection_options(self, words, keys);
  check_distance_of(self, *database, name);
  LongCall call(progress, timeout, self.distance() ? &self.distance()->raised() : nullptr);
  auto opened =
      without_gil([&] { return database->open_or_create(name, options, call.control()); });
  return make_subject(call.finish(std::move(opened)), keys, self.distance());
}

Subject<Collection> clone(const Self& self, handle from_word, handle to_word, handle keys,
                          handle timeout, handle progress) {
  const auto database = self.handle();
  const std::string from = name_in("from", from_word);
  const std::string to = name_in("to", to_word);
  check_distance_of(self, *database, from);
  LongCall call(progress, timeout, self.distance() ? &self.distance()->raised() : nullptr);
  auto cloned = without_gil([&] { return database->clone(from, to, call.control()); });
  return make_subject(call.finish(std::move(cloned)), keys, self.distance());
}

void drop(const Self& self, handle name_word) {
  const auto database = self.handle();
  const std::string name = name_in("name", name_word);
  check(without_gil([&] { return database->drop(name); }));
}

void rename(const Self& self, handle from_word, handle to_word) {
  const auto database = self.handle();
  const std::string from = name_in("from", from_word);
  const std::string to = name_in("to", to_word);
  check(without_gil([&] { return database->rename(from, to); }));
}

py::list list(const Self& self) {
  const auto database = self.handle();
  py::list names;
  for (const std::string& name : value_of(without_gil([&] { return database->list(); }))) {
    names.append(name_out(name, KeyKind::text));
  }
  return names;
}

py::list collections(const Self& self) {
  const auto database = self.handle();
  py::list infos;
  for (const CollectionInfo& info :
       value_of(without_gil([&] { return database->collections(); }))) {
    infos.append(out(info));
  }
  return infos;
}

// A search of several collections together, each of which agrees with the first.
Matches search_union(const Self& self, const py::list& collections, handle vector,
                     const SearchWords& words) {
  const auto database = self.handle();
  std::vector<Collection> members;
  for (const handle item : collections) {
    members.push_back(*item.cast<const Subject<Collection>&>().handle());
  }
  if (members.empty()) raise_invalid("collections: expected one or more");
  const auto& first = collections[0].cast<const Subject<Collection>&>();
  const Rows row = row_of("vector", vector, first.scalar(), first.dimension());
  SearchCall search(words, first.keys(), first.raised());
  const auto run = [&]<class H>(std::vector<H> hits) {
    auto found = without_gil([&] {
      return database->search_union(members, row.view.row(0), std::span<H>(hits), search.options());
    });
    const SearchResult cost = search.call().finish(std::move(found));
    return matches_of(std::span<const H>(hits.data(), cost.count), first.keys(), cost);
  };
  std::size_t most = 0;
  for (const Collection& member : members) most += without_gil([&] { return member.size(); });
  const std::size_t room = std::min<std::size_t>(search.k(), std::max<std::size_t>(most, 1024));
  return first.keys() == KeyKind::number ? run(std::vector<UnionHit>(room))
                                         : run(std::vector<NamedUnionHit>(room));
}

void sync(const Self& self) {
  const auto database = self.handle();
  check(without_gil([&] { return database->sync(); }));
}

void checkpoint(const Self& self, handle timeout, handle progress) {
  const auto database = self.handle();
  LongCall call(progress, timeout);
  call.finish(without_gil([&] { return database->checkpoint(call.control()); }));
}

void backup(const Self& self, handle folder, handle timeout, handle progress) {
  const auto database = self.handle();
  const std::filesystem::path place = path_in(folder);
  LongCall call(progress, timeout);
  call.finish(without_gil([&] { return database->backup(place, call.control()); }));
}

void compact(const Self& self, handle timeout, handle progress) {
  const auto database = self.handle();
  LongCall call(progress, timeout);
  call.finish(without_gil([&] { return database->compact(call.control()); }));
}

// A second close is nothing: Python's files have it so.
void close(Self& self) {
  if (!self.is_open()) return;
  const auto database = self.handle();
  self.let_go();
  check(without_gil([&] { return database->close(); }));
}

py::dict stats(const Self& self) {
  const auto database = self.handle();
  return out(value_of(without_gil([&] { return database->stats(); })));
}

py::dict repair(handle folder, handle destination, handle timeout, handle progress) {
  const std::filesystem::path place = path_in(folder);
  LongCall call(progress, timeout);
  RepairOptions options;
  options.destination = path_in(destination);
  options.control = call.control();
  return out(call.finish(without_gil([&] { return Database::repair(place, options); })));
}

}  // namespace

void bind_database(py::module_& module) {
  py::class_<Self> type(module, "Database");
  type.def_static("open", &open);
  type.def("create", &create);
  type.def("create_many", &create_many);
  type.def("open_collection", &open_collection);
  type.def("open_or_create", &open_or_create);
  type.def("clone", &clone);
  type.def("drop", &drop);
  type.def("rename", &rename);
  type.def("list", &list);
  type.def("collections", &collections);
  type.def("search", [](const Self& self, const py::list& collections, handle vector, handle k,
                        handle ef, handle recall_target, handle filter, handle max_distance,
                        handle exact, handle budget, handle timeout, handle progress) {
    return search_union(
        self, collections, vector,
        {k, ef, recall_target, filter, max_distance, exact, py::none(), budget, timeout, progress});
  });
  type.def("sync", &sync);
  type.def("checkpoint", &checkpoint);
  type.def("backup", &backup);
  type.def("compact", &compact);
  type.def("close", &close);
  type.def("stats", &stats);
  type.def_property_readonly("is_open", [](const Self& self) { return self.is_open(); });
  module.def("repair", &repair);
}

}  // namespace skerry::python
