// make.cc - makes a golden store: a small database with a little of everything, and beside it
// expected.txt, which says what must be found in it.
//
//   skerry_make_golden tests/golden/vN      N: the store's version, see docs/testing.md
//
// A child writes and leaves without closing, so that a log is left behind the images and some
// collections have no image; then one collection is half dropped, and the store is compacted so
// that the repository stays small. What is expected is known from a std::map and brute force.
//
// A line of expected.txt is one of (bytes as hexadecimal, a key of 64 bits as a number):
//   collection NAME DIMENSION METRIC SCALAR BYTE_KEYS     what follows is about it
//   row KEY VECTOR PAYLOAD                                "-": no payload
//   search VECTOR {KEY DISTANCE}                          the nearest, in this order
//   dropped NAME                                          there is no such collection
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "skerry/database.h"
#include "store/store.h"
#include "support/reference.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> result) {
  if (result.ok()) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}
void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  std::exit(1);
}

std::string hex(const void* data, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", static_cast<const unsigned char*>(data)[i]);
    text += two;
  }
  return text;
}

// A key of either kind. Both sort as the library sorts hits at one distance.
using AnyKey = std::pair<Key, std::string>;

struct Row {
  Table vector;
  std::string payload;
};

// A collection and what it must hold.
class Filled {
 public:
  Filled(Database& database, std::string name, const CollectionOptions& options)
      : name_(std::move(name)),
        options_(options),
        random_(std::hash<std::string>{}(name_)),
        collection_(must(database.create(name_, options))) {}

  void upsert(Key number, std::string payload = "") {
    const IndexOptions& index = options_.index;
    Row row{random_table(random_, index.scalar, 1, index.dimension), std::move(payload)};
    const AnyKey key = key_of(number);
    const auto bytes = std::as_bytes(std::span(row.payload));
    must(options_.byte_keys ? collection_.upsert(key.second, row.vector.row(0), bytes)
                            : collection_.upsert(key.first, row.vector.row(0), bytes));
    rows_[key] = std::move(row);
  }

  void remove(Key number) {
    const AnyKey key = key_of(number);
    must((options_.byte_keys ? collection_.remove(key.second) : collection_.remove(key.first))
             .status());
    rows_.erase(key);
  }

  void save_image() { must(collection_.save_image()); }

  void describe(std::ostream& out) {
    const IndexOptions& index = options_.index;
    out << "collection " << name_ << ' ' << index.dimension << ' ' << name_of(index.metric) << ' '
        << name_of(index.scalar) << ' ' << options_.byte_keys << '\n';
    for (const auto& [key, row] : rows_) {
      out << "row " << text(key) << ' ' << hex(row.vector.data(0), row.vector.row_bytes()) << ' '
          << (row.payload.empty() ? "-" : hex(row.payload.data(), row.payload.size())) << '\n';
    }
    for (int i = 0; i < 3; ++i) {
      const Table query = random_table(random_, index.scalar, 1, index.dimension);
      std::vector<std::pair<double, AnyKey>> found;
      for (const auto& [key, row] : rows_) {
        const double distance = measure(index.metric, query.row(0), row.vector.row(0)).distance;
        found.emplace_back(distance, key);
      }
      std::sort(found.begin(), found.end());
      found.resize(std::min<std::size_t>(found.size(), 5));
      out << "search " << hex(query.data(0), query.row_bytes());
      for (const auto& [distance, key] : found) {
        char number[32];
        std::snprintf(number, sizeof number, "%.9g", distance);
        out << ' ' << text(key) << ' ' << number;
      }
      out << '\n';
    }
  }

 private:
  AnyKey key_of(Key number) const {
    if (!options_.byte_keys) return {number, ""};
    return {0, "name " + std::to_string(number) + std::string(number % 7 * 10, 'x')};
  }
  std::string text(const AnyKey& key) const {
    return options_.byte_keys ? hex(key.second.data(), key.second.size())
                              : std::to_string(key.first);
  }

  std::string name_;
  CollectionOptions options_;
  Random random_;
  Collection collection_;
  std::map<AnyKey, Row> rows_;
};

void write(const fs::path& folder) {
  Database database = must(Database::open(folder));
  Filled floats(database, "floats", {.index = {.dimension = 12, .M = 8, .flat_below = 16}});
  Filled names(database, "names",
               {.index = {.dimension = 8, .metric = Metric::cosine}, .byte_keys = true});
  Filled wide(database, "wide",
              {.index = {.dimension = 300, .metric = Metric::ip, .codes = Codes::sq8}});
  Filled bytes(database, "bytes", {.index = {.dimension = 20, .scalar = Scalar::u8}});
  Filled bits(database, "bits",
              {.index = {.dimension = 100, .metric = Metric::hamming, .scalar = Scalar::b1}});
  Filled empty(database, "empty", {.index = {.dimension = 3}});
  Filled emptied(database, "emptied", {.index = {.dimension = 3}});
  Filled dropped(database, "dropped", {.index = {.dimension = 30}});

  for (Key i = 0; i < 40; ++i) floats.upsert(i * i * i);
  floats.upsert(~Key{0}, "the last key");
  for (Key i = 0; i < 25; ++i) names.upsert(i, i % 3 == 0 ? "" : "payload " + std::to_string(i));
  names.upsert(25, std::string(5000, 'p'));  // more than a page
  for (Key i = 0; i < 15; ++i) wide.upsert(100 - i);
  for (Key i = 0; i < 30; ++i) bytes.upsert(1000 + i, i % 2 == 0 ? "even" : "");
  for (Key i = 0; i < 30; ++i) bits.upsert(i);
  for (Key i = 0; i < 10; ++i) emptied.upsert(i, "gone");
  for (Key i = 0; i < 20; ++i) dropped.upsert(i, "gone");
  floats.save_image();
  names.save_image();
  bits.save_image();

  // The log behind the images: new keys, replaced ones, removed ones.
  for (Key i = 3; i < 40; i += 4) floats.upsert(i * i * i, "second");
  for (Key i = 2; i < 40; i += 6) floats.remove(i * i * i);
  for (Key i = 500; i < 505; ++i) floats.upsert(i);
  for (Key i = 0; i < 25; i += 5) names.remove(i);
  for (Key i = 1; i < 25; i += 4) names.upsert(i, "replaced");
  names.upsert(0, "named again");
  for (Key i = 0; i < 15; i += 3) wide.remove(100 - i);
  wide.upsert(93);
  for (Key i = 29; i >= 20; --i) bytes.remove(1000 + i);
  for (Key i = 0; i < 10; ++i) emptied.remove(i);

  std::ofstream out(folder / "expected.txt");
  for (Filled* one : {&floats, &names, &wide, &bytes, &bits, &empty, &emptied}) one->describe(out);
  out << "dropped dropped\n";
  out.flush();
  if (!out) std::exit(1);
  ::_exit(0);  // as a killed process would: nothing is closed, no other image is saved
}

void drop_half(const fs::path& folder) {
  const std::unique_ptr<store::Store> store = must(store::Store::open(folder / "store", {}));
  must(store->drop_collection("dropped").status());
  must(store->environment().compact());
}

}  // namespace
}  // namespace skerry::testing

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  if (argc != 2 || fs::exists(argv[1])) {
    std::fprintf(stderr, "usage: %s FOLDER    a new one\n", argv[0]);
    return 2;
  }
  const fs::path folder = argv[1];
  fs::create_directories(folder);
  const pid_t child = ::fork();
  if (child == 0) skerry::testing::write(folder);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) return 1;
  skerry::testing::drop_half(folder);
  for (const char* made_again : {"lock", "store/lock.mdb"}) fs::remove(folder / made_again);
  return 0;
}
