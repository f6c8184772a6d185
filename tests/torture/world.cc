// world.cc - the model, and the calls.
#include "torture/world.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>

namespace skerry::torture {
namespace {

bool has_names(const std::string& collection) {
  return collection.front() == 'n';
}
std::uint32_t dimension_of(const std::string& collection) {
  return collection.front() == 'g' ? 16 : 8;
}

Payload payload_of(const Row& row) {
  return std::as_bytes(std::span(row.payload));
}

template <class Pick>
Result<Row> read_row(const Collection& collection, std::uint32_t dimension, Pick key) {
  Row row{std::vector<float>(dimension), {}};
  const Status got = collection.get(key, row.vector);
  if (!got.ok()) return got;
  const Result<std::size_t> size = collection.get_payload(key, {});
  if (!size.ok()) return size.error();
  row.payload.resize(*size);
  const Result<std::size_t> again =
      collection.get_payload(key, std::as_writable_bytes(std::span(row.payload)));
  if (!again.ok()) return again.error();
  return row;
}

// Of a snapshot: every key, vector and payload, and a search. Allocates nothing of its own.
Status look_through(const Collection& collection, const std::string& name) {
  const Result<Snapshot> held = collection.snapshot();
  if (!held.ok()) return held.error();
  std::array<float, 16> room{};
  const std::span<float> vector = std::span(room).first(dimension_of(name));
  Status status;
  std::uint64_t seen = 0;
  const auto look_at = [&](auto key) {
    status = held->get(key, vector);
    if (status.ok()) status = held->get_payload(key, {}).status();
    ++seen;
    return status.ok();
  };
  const Status walked = has_names(name) ? held->for_each_name(look_at) : held->for_each(look_at);
  if (!walked.ok() || !status.ok()) return walked.ok() ? status : walked;
  if (seen != held->size()) return Status(Code::corruption, "the snapshot's walk is not whole");
  std::array<Hit, 3> hits;
  std::array<NamedHit, 3> named;
  return (has_names(name) ? held->search(vector, named) : held->search(vector, hits)).status();
}

}  // namespace

CollectionOptions options_of(const std::string& collection) {
  CollectionOptions options;
  options.index.dimension = dimension_of(collection);
  options.byte_keys = has_names(collection);
  if (collection.front() == 'g') {
    options.index.codes = Codes::sq8;
    options.index.M = 4;
    options.index.ef_construction = 24;
    options.index.flat_below = 0;
  }
  return options;
}

const char* name_of(Step::Kind kind) {
  constexpr std::array kNames = {"upsert", "remove", "create", "drop", "checkpoint", "compact",
                                 "backup", "sync",   "look",   "hold", "reopen"};
  return kNames[static_cast<std::size_t>(kind)];
}

void apply_step(const Step& step, World& world) {
  switch (step.kind) {
    case Step::Kind::upsert:
      for (std::size_t i = 0; i < step.keys.size(); ++i) {
        world[step.collection][step.keys[i]] = step.rows[i];
      }
      break;
    case Step::Kind::remove:
      for (const std::string& key : step.keys) world[step.collection].erase(key);
      break;
    case Step::Kind::create:
      world[step.collection];
      break;
    case Step::Kind::drop:
      world.erase(step.collection);
      break;
    default:
      break;
  }
}

Step upsert_step(const std::string& collection, std::vector<std::string> keys,
                 std::mt19937_64& random, std::size_t payload_bytes) {
  Step step{.kind = Step::Kind::upsert, .collection = collection, .keys = std::move(keys)};
  for (std::size_t i = 0; i < step.keys.size(); ++i) {
    Row row{std::vector<float>(dimension_of(collection)), {}};
    for (float& x : row.vector) x = static_cast<float>(random() % 20001) / 10000 - 1;
    row.payload.assign(payload_bytes, static_cast<char>(random()));
    step.rows.push_back(std::move(row));
  }
  return step;
}

Step random_step(const World& world, std::mt19937_64& random, std::size_t rows_max) {
  const std::uint64_t dice = random() % 100;
  if (world.empty() || dice < 4) {
    const std::string name = {"sgn"[random() % 3], static_cast<char>('0' + random() % 10)};
    if (!world.contains(name)) return {.kind = Step::Kind::create, .collection = name};
  }
  const auto& [name, rows] =
      *std::next(world.begin(), static_cast<std::ptrdiff_t>(random() % world.size()));
  if (dice < 6 && world.size() > 1) return {.kind = Step::Kind::drop, .collection = name};
  if (dice < 11) return {.kind = Step::Kind::checkpoint};
  if (dice < 14) return {.kind = Step::Kind::compact};
  if (dice < 17) return {.kind = Step::Kind::backup};
  if (dice < 21) return {.kind = Step::Kind::sync};
  if (dice < 25) return {.kind = Step::Kind::reopen};

  const std::size_t count = dice % 2 == 0 ? 1 : 1 + random() % rows_max;
  std::vector<std::string> keys;
  if (dice < 45 && !rows.empty()) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(random() % rows.size());
      keys.push_back(std::next(rows.begin(), at)->first);
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    return {.kind = Step::Kind::remove, .collection = name, .keys = std::move(keys)};
  }
  for (std::size_t i = 0; i < count; ++i) keys.push_back(std::to_string(random() % 400));
  // Some payloads stand beside the row, some have pages of their own.
  const std::size_t payload = dice < 80 ? random() % 40 : random() % 9000;
  return upsert_step(name, std::move(keys), random, payload);
}

// -- Call -----------------------------------------------------------------------------------------

Call::Call(const Step& step) : step_(step) {
  if (!step.collection.empty()) options_ = options_of(step.collection);
  for (const std::string& key : step.keys) {
    if (options_.byte_keys) {
      names_.push_back(key);
    } else {
      numbers_.push_back(std::stoull(key));
    }
  }
  for (const Row& row : step.rows) {
    matrix_.insert(matrix_.end(), row.vector.begin(), row.vector.end());
    payloads_.push_back(payload_of(row));
  }
}

Status Call::write(Collection& collection) const {
  const bool single = step_.keys.size() == 1;
  if (step_.kind == Step::Kind::remove) {
    if (options_.byte_keys) {
      return (single ? collection.remove(names_[0]) : collection.remove(names_)).status();
    }
    return (single ? collection.remove(numbers_[0]) : collection.remove(numbers_)).status();
  }
  const MatrixView vectors(matrix_, options_.index.dimension);
  if (single) {
    return options_.byte_keys ? collection.upsert(names_[0], vectors.row(0), payloads_[0])
                              : collection.upsert(numbers_[0], vectors.row(0), payloads_[0]);
  }
  return options_.byte_keys ? collection.upsert(names_, vectors, payloads_)
                            : collection.upsert(numbers_, vectors, payloads_);
}

Status Call::operator()(Subject& subject) const {
  switch (step_.kind) {
    case Step::Kind::upsert:
    case Step::Kind::remove: {
      Result<Collection> on = subject.database().open_collection(step_.collection);
      return on.ok() ? write(*on) : on.error();
    }
    case Step::Kind::create:
      return subject.database().create(step_.collection, options_).status();
    case Step::Kind::drop:
      return subject.database().drop(step_.collection);
    case Step::Kind::checkpoint:
      return subject.database().checkpoint();
    case Step::Kind::compact:
      return subject.database().compact();
    case Step::Kind::backup:
      return subject.database().backup(step_.folder);
    case Step::Kind::sync:
      return subject.database().sync();
    case Step::Kind::look: {
      const Status database = subject.database().stats().status();
      if (!database.ok()) return database;
      Result<Collection> on = subject.database().open_collection(step_.collection);
      if (!on.ok()) return on.error();
      const Status options = on->options().status();
      return options.ok() ? on->stats().status() : options;
    }
    case Step::Kind::hold: {
      Result<Collection> on = subject.database().open_collection(step_.collection);
      return on.ok() ? look_through(*on, step_.collection) : on.error();
    }
    case Step::Kind::reopen: {
      const Status closed = subject.close();
      return closed.ok() ? subject.open() : closed;
    }
  }
  return Status();
}

// -- Subject --------------------------------------------------------------------------------------

Status Subject::open() {
  Result<Database> database = Database::open(folder_, options_);
  if (!database.ok()) return database.error();
  database_.emplace(*std::move(database));
  return Status();
}

Status Subject::close() {
  const Status status = database_->close();
  database_.reset();
  return status;
}

Result<World> Subject::read() {
  World world;
  const Result<std::vector<std::string>> names = database_->list();
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    const Result<Collection> on = database_->open_collection(name);
    if (!on.ok()) return on.error();
    Rows& rows = world[name];
    std::vector<std::string> keys;
    const Status walked = has_names(name) ? on->for_each_name([&](std::string_view key) {
      keys.emplace_back(key);
      return true;
    })
                                          : on->for_each([&](Key key) {
                                              keys.push_back(std::to_string(key));
                                              return true;
                                            });
    if (!walked.ok()) return walked;
    for (const std::string& key : keys) {
      Result<Row> row = has_names(name) ? read_row(*on, dimension_of(name), std::string_view(key))
                                        : read_row(*on, dimension_of(name), Key{std::stoull(key)});
      if (!row.ok()) return row.error();
      if (!rows.emplace(key, *std::move(row)).second) {
        return Status(Code::corruption, "a key was met twice");
      }
    }
    if (rows.size() != on->size()) return Status(Code::corruption, "size() counts otherwise");
  }
  return world;
}

Status Subject::check() {
  const Result<std::vector<std::string>> names = database_->list();
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    const Result<Collection> on = database_->open_collection(name);
    if (!on.ok()) return on.error();
    const Status verified = on->verify().status();
    if (!verified.ok()) return verified;
    std::vector<float> vector(dimension_of(name));
    // Broad enough to meet all that can be reached: who is missed is lost to the walk.
    SearchOptions broad;
    broad.ef = 512;
    Status lost;
    const auto is_found = [&](auto key, auto hits) {
      lost = on->get(key, vector);
      if (!lost.ok()) return false;
      const auto result = on->search(vector, hits, broad);
      lost = result.status();
      if (lost.ok() && (result->count == 0 || hits[0].distance != 0)) {
        lost = Status(Code::corruption, "a row is not found by its own vector");
      }
      return lost.ok();
    };
    Status walked;
    if (has_names(name)) {
      std::vector<NamedHit> hits(2);
      walked =
          on->for_each_name([&](std::string_view key) { return is_found(key, std::span(hits)); });
    } else {
      std::vector<Hit> hits(2);
      walked = on->for_each([&](Key key) { return is_found(key, std::span(hits)); });
    }
    if (!walked.ok()) return walked;
    if (!lost.ok()) return lost;
  }
  return Status();
}

std::string difference(const World& expected, const World& found) {
  for (const auto& [name, rows] : expected) {
    const auto other = found.find(name);
    if (other == found.end()) return "collection " + name + " is missing";
    for (const auto& [key, row] : rows) {
      const auto at = other->second.find(key);
      if (at == other->second.end()) return name + ": key " + key + " is missing";
      if (at->second.vector != row.vector) return name + ": key " + key + " has another vector";
      if (at->second.payload != row.payload) return name + ": key " + key + " has another payload";
    }
    for (const auto& [key, row] : other->second) {
      if (!rows.contains(key)) return name + ": key " + key + " should not be there";
    }
  }
  for (const auto& [name, rows] : found) {
    if (!expected.contains(name)) return "collection " + name + " should not be there";
  }
  return {};
}

}  // namespace skerry::torture
