// world.h - what should a database hold? A model of all its collections, and the calls that change
// both.
//
// A Step is one call of the public interface with its arguments: it can be performed on a database
// and applied to a World. Rows are compared byte by byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "skerry/database.h"

namespace skerry::torture {

struct Row {
  std::vector<float> vector;
  std::string payload;
  bool operator==(const Row&) const = default;
};
// Rows by key; the keys of a collection with 64-bit keys are written in decimal.
using Rows = std::map<std::string, Row>;
using World = std::map<std::string, Rows>;  // by the collection's name

// The options follow from the name's first letter: s is scanned, g has a graph and codes, n has
// byte-string keys.
CollectionOptions options_of(const std::string& collection);

struct Step {
  enum class Kind : std::uint8_t {
    upsert,  // of one row, or of several as a batch
    remove,
    create,
    drop,
    checkpoint,
    compact,
    backup,  // into `folder`
    sync,
    look,  // at statistics and options
    hold,  // a snapshot, look at all of it, and let it go
    reopen,
  };
  Kind kind;
  std::string collection = {};
  std::vector<std::string> keys = {};
  std::vector<Row> rows = {};
  std::filesystem::path folder = {};

  bool changes() const { return kind <= Kind::drop; }
};
const char* name_of(Step::Kind kind);

void apply_step(const Step& step, World& world);

// A random step that can succeed in `world`. Batches have up to `rows_max` rows.
Step random_step(const World& world, std::mt19937_64& random, std::size_t rows_max);
Step upsert_step(const std::string& collection, std::vector<std::string> keys,
                 std::mt19937_64& random, std::size_t payload_bytes = 0);

class Subject;

// A step with its arguments made ready: the call itself allocates nothing of its own.
class Call {
 public:
  explicit Call(const Step& step);
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Status operator()(Subject& subject) const;

 private:
  Status write(Collection& collection) const;

  const Step& step_;
  CollectionOptions options_;
  std::vector<Key> numbers_;
  std::vector<std::string_view> names_;
  std::vector<float> matrix_;
  std::vector<Payload> payloads_;
};

// A database that can be performed on: it is opened again by a step.
class Subject {
 public:
  Subject(std::filesystem::path folder, const DatabaseOptions& options)
      : folder_(std::move(folder)), options_(options) {}

  Status open();
  Status close();
  bool is_open() const { return database_.has_value(); }
  Database& database() { return *database_; }

  Status perform(const Step& step) { return Call(step)(*this); }

  // Everything that is in it. Opens what is not open.
  Result<World> read();

  // verify() of every collection, and every live row is found by its own vector.
  Status check();

 private:
  std::filesystem::path folder_;
  DatabaseOptions options_;
  std::optional<Database> database_;
};

// In words; empty when they are the same.
std::string difference(const World& expected, const World& found);

}  // namespace skerry::torture
