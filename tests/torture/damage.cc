// damage.cc - is a damaged file a right answer or an error, and never anything else?
//
// A few small databases are made once: closed, left by a process that vanished (the log is ahead of
// the images), without images, after much had been dropped. Each round takes one of them, damages
// one file of it - cut short at a page, a bit turned over, a sector or a page wiped, two pages
// exchanged - and lets a child open it, verify, read everything, search for everything, write and
// open it again. Every call answers rightly or says corruption or incompatible. Damage to an image
// must not be felt at all: the store is the truth.
//
// Then the same damage is repaired, and what was kept is compared with what the report tells:
// nothing is missing that it does not tell, and nothing is there that had been removed or replaced.
//
// The first rounds cut every file at every page, the others are of chance. A round follows from the
// seed and its number.

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "skerry/database.h"
#include "support/files.h"
#include "support/repaired.h"
#include "support/temp_dir.h"
#include "support/vectors.h"
#include "torture/run.h"

namespace skerry::torture {
namespace {

namespace fs = std::filesystem;
using testing::below;
using testing::Random;
using testing::Table;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSector = 512;

struct Row {
  Table vector;  // one row
  std::string payload;
};
using Rows = std::map<std::string, Row>;  // 64-bit keys in decimal

const std::map<std::string, CollectionOptions>& collections() {
  static const std::map<std::string, CollectionOptions> all = {
      {"bits", {.index = {.dimension = 250, .metric = Metric::hamming, .scalar = Scalar::b1}}},
      {"floats", {.index = {.dimension = 20, .M = 5, .ef_construction = 40, .flat_below = 0}}},
      {"names",
       {.index = {.dimension = 12,
                  .metric = Metric::cosine,
                  .codes = Codes::sq8,
                  .M = 5,
                  .ef_construction = 40,
                  .flat_below = 0},
        .byte_keys = true}},
  };
  return all;
}

// A collection of either kind of key, called by text.
class Texted {
 public:
  Texted(Collection collection, bool byte_keys)
      : collection_(std::move(collection)), byte_keys_(byte_keys) {}

  template <class Call>
  auto with(const std::string& key, Call&& call) const {
    return byte_keys_ ? call(std::string_view(key)) : call(Key{std::strtoull(key.c_str(), {}, 10)});
  }
  Status upsert(const std::string& key, const Row& row) {
    return with(key, [&](auto k) {
      return collection_.upsert(k, row.vector.row(0), std::as_bytes(std::span(row.payload)));
    });
  }
  Status remove(const std::string& key) {
    return with(key, [&](auto k) { return collection_.remove(k).status(); });
  }
  Status get(const std::string& key, std::span<std::byte> out) const {
    return with(key, [&](auto k) { return collection_.get_bytes(k, out); });
  }
  Result<std::size_t> payload(const std::string& key, std::span<std::byte> out) const {
    return with(key, [&](auto k) { return collection_.get_payload(k, out); });
  }
  // The key of the nearest; empty: none.
  Result<std::string> nearest(VectorView query) const {
    if (byte_keys_) {
      std::array<NamedHit, 3> hits;
      const auto found = collection_.search(query, hits, {.ef = 1000});
      if (!found.ok()) return found.status();
      return found->count == 0 ? std::string() : std::string(hits[0].name.view());
    }
    std::array<Hit, 3> hits;
    const auto found = collection_.search(query, hits, {.ef = 1000});
    if (!found.ok()) return found.status();
    return found->count == 0 ? std::string() : std::to_string(hits[0].key);
  }
  Status keys(std::vector<std::string>& out) const {
    if (byte_keys_) {
      return collection_.for_each_name([&](std::string_view name) {
        out.emplace_back(name);
        return true;
      });
    }
    return collection_.for_each([&](Key key) {
      out.push_back(std::to_string(key));
      return true;
    });
  }
  Collection& operator*() { return collection_; }

 private:
  Collection collection_;
  bool byte_keys_;
};

// A database to be damaged: its files, and what it holds.
class Sample {
 public:
  enum class Kind { closed, vanished, without_images, after_drops };
  static constexpr std::size_t kKinds = 4;

  Sample(std::uint64_t seed, Kind kind) : kind_(kind) {
    const Shared<Words> words;
    testing::TempDir home;
    // The same chance in the child, who writes, and here, where it is only remembered.
    Child child([&] {
      Random random(seed);
      make(random, home.path(), *words);
      return 0;
    });
    const int status = child.wait();
    if (words->any() || status != 0) {
      std::fprintf(stderr, "damage: cannot make a sample: %s %s\n", words->text,
                   ending(status, child.hung).c_str());
      std::exit(1);
    }
    Random random(seed);
    make(random, {}, *words);
    for (const auto& entry : fs::recursive_directory_iterator(home / "sample")) {
      const std::string name = fs::relative(entry.path(), home / "sample").string();
      if (entry.is_regular_file() && entry.path().filename() != "lock.mdb") {
        files_[name] = testing::read_file(entry.path());
      }
    }
    for (const auto& [name, bytes] : files_) {
      if (!bytes.empty()) targets_.push_back(name);
    }
  }

  const std::map<std::string, Rows>& content() const { return content_; }
  // The files that can be damaged.
  const std::vector<std::string>& targets() const { return targets_; }
  const std::string& file(const std::string& name) const { return files_.at(name); }

  void write(const fs::path& folder) const {
    fs::remove_all(folder);
    for (const auto& [name, bytes] : files_) {
      fs::create_directories((folder / name).parent_path());
      testing::write_file(folder / name, bytes);
    }
    fs::create_directories(folder / "images");
  }

 private:
  // Fills content_, and the database in `home` unless that is empty.
  void make(Random& random, const fs::path& home, Words& words) {
    content_.clear();
    const auto good = [&](const Status& status) {
      if (!status.ok()) words.say("%s", status.message().c_str());
    };
    std::optional<Database> database;
    std::map<std::string, Texted> open;
    if (!home.empty()) {
      auto opened =
          Database::open(home / "database", {.durability = Durability::none,
                                             .map_bytes = 1 << 20,
                                             .use_images = kind_ != Kind::without_images});
      if (!opened.ok()) return good(opened.status());
      database.emplace(*std::move(opened));
      for (const auto& [name, options] : collections()) {
        auto made = database->create(name, options);
        if (!made.ok()) return good(made.status());
        open.emplace(name, Texted(*std::move(made), options.byte_keys));
      }
    }
    const auto put = [&](const std::string& name, const std::string& key) {
      Row row = make_row(random, name);
      if (database) good(open.at(name).upsert(key, row));
      content_[name][key] = std::move(row);
    };
    const auto fill = [&](std::size_t writes) {
      for (std::size_t i = 0; i < writes; ++i) {
        for (const auto& [name, options] : collections()) {
          const std::string key = make_key(random, options.byte_keys);
          if (below(random, 5) != 0) {
            put(name, key);
          } else {
            if (database) good(open.at(name).remove(key));
            content_[name].erase(key);
          }
        }
      }
    };
    fill(150);
    if (kind_ == Kind::after_drops && database) {
      auto large = database->create("large", {.index = {.dimension = 900}});
      if (!large.ok()) return good(large.status());
      const std::vector<float> vector(900, 1.0F);
      for (Key key = 0; key < 60; ++key) good(large->upsert(key, vector));
      good(database->drop("large"));
    }
    if (database && kind_ != Kind::without_images) good(database->checkpoint());
    fill(kind_ == Kind::vanished ? 25 : 5);
    if (!database) return;
    if (kind_ == Kind::vanished) {
      good(database->sync());
      fs::copy(home / "database", home / "sample", fs::copy_options::recursive);
    } else {
      good(database->close());
      fs::rename(home / "database", home / "sample");
    }
  }

  static std::string make_key(Random& random, bool bytes) {
    const std::uint64_t number = below(random, 130);
    if (!bytes) return std::to_string(number * 0x9E3779B97F4A7C15ULL);
    return "name " + std::to_string(number) + std::string(number % 40, 'x');
  }

  static Row make_row(Random& random, const std::string& collection) {
    const IndexOptions& options = collections().at(collection).index;
    Row row{testing::random_table(random, options.scalar, 1, options.dimension), {}};
    const std::uint64_t dice = below(random, 10);
    row.payload.resize(dice < 4 ? 0 : dice == 9 ? 3000 + below(random, 4000) : below(random, 90));
    for (char& c : row.payload) c = static_cast<char>(random());
    return row;
  }

  Kind kind_;
  std::map<std::string, Rows> content_;
  std::map<std::string, std::string> files_;
  std::vector<std::string> targets_;
};

// What is done to a file; says it in words.
std::string hurt(std::string& bytes, Random& random) {
  const auto at = [&](std::size_t unit) { return below(random, bytes.size() / unit + 1) * unit; };
  const std::uint64_t dice = below(random, 100);
  if (dice < 75) {
    std::string said;
    for (std::uint64_t flips = dice < 65 ? 1 : 2 + below(random, 3); flips-- > 0;) {
      // Half of them where pages keep their own affairs.
      std::size_t byte = below(random, bytes.size());
      if (below(random, 2) == 0) byte = byte / kPage * kPage + below(random, 160);
      byte = std::min(byte, bytes.size() - 1);
      const std::uint64_t bit = below(random, 8);
      bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
      said += "bit " + std::to_string(bit) + " of byte " + std::to_string(byte) + " turned; ";
    }
    return said;
  }
  if (dice < 85) {
    const std::size_t from = std::min(at(kSector), bytes.size() - 1);
    const std::size_t count = std::min(dice < 81 ? kSector : kPage, bytes.size() - from);
    for (std::size_t i = from; i < from + count; ++i) {
      bytes[i] = dice % 2 == 0 ? '\0' : static_cast<char>(random());
    }
    return std::to_string(count) + " bytes wiped from " + std::to_string(from);
  }
  if (dice < 92 && bytes.size() >= 2 * kPage) {
    const std::size_t a = below(random, bytes.size() / kPage) * kPage;
    const std::size_t b = below(random, bytes.size() / kPage) * kPage;
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(a),
                     bytes.begin() + static_cast<std::ptrdiff_t>(a + kPage),
                     bytes.begin() + static_cast<std::ptrdiff_t>(b));
    return "pages at " + std::to_string(a) + " and " + std::to_string(b) + " exchanged";
  }
  const std::size_t length = below(random, bytes.size());
  bytes.resize(length);
  return "cut to " + std::to_string(length) + " bytes";
}

struct Findings {
  Words words;
  bool refused;        // some call said that something is damaged
  bool is_repaired;    // a repair made a database
  testing::Kept kept;  // by it
};

// In the child: opens the folder and compares all with `content`.
class Look {
 public:
  Look(const std::map<std::string, Rows>& content, bool image_damaged, Findings& findings)
      : content_(content), image_damaged_(image_damaged), findings_(findings) {}

  int look(const fs::path& folder, bool write) {
    if (!open(folder, write)) return 0;
    // What was written stays, in a store that was damaged as well.
    if (write && !findings_.words.any()) open(folder, false);
    return 0;
  }

 private:
  // Whether the call answered; an error must be one of damage, and not come from an image.
  bool answered(const char* call, const Status& status) {
    if (status.ok()) return true;
    findings_.refused = true;
    if (image_damaged_ ||
        (status.code() != Code::corruption && status.code() != Code::incompatible)) {
      findings_.words.say("%s: %s", call, status.message().c_str());
    }
    return false;
  }
  template <class... Values>
  void wrong(const char* format, Values... values) {
    findings_.words.say(format, values...);
  }

  bool open(const fs::path& folder, bool write) {
    Result<Database> database = Database::open(
        folder, {.create_if_missing = false, .durability = Durability::none, .threads = 1});
    if (!answered("open", database.status())) return false;
    const auto names = database->list();
    if (answered("list", names.status())) {
      std::vector<std::string> expected;
      for (const auto& [name, rows] : content_) expected.push_back(name);
      if (*names != expected) wrong("list: %zu collections of %zu", names->size(), expected.size());
    }
    for (auto& [name, rows] : content_) {
      const CollectionOptions& options = collections().at(name);
      Result<Collection> opened = database->open_or_create(name, options);
      if (!answered("open_or_create", opened.status())) continue;
      Texted collection(*std::move(opened), options.byte_keys);
      look_at(name, rows, collection);
      if (write) write_some(name, rows, collection);
    }
    return answered("close", database->close());
  }

  void look_at(const std::string& name, const Rows& rows, Texted& collection) {
    static_cast<void>(answered("verify", (*collection).verify().status()));
    if ((*collection).size() != rows.size()) {
      return wrong("%s: size() is %zu of %zu", name.c_str(),
                   static_cast<std::size_t>((*collection).size()), rows.size());
    }
    std::vector<std::string> keys;
    if (answered("for_each", collection.keys(keys))) {
      std::sort(keys.begin(), keys.end());
      if (!std::equal(keys.begin(), keys.end(), rows.begin(), rows.end(),
                      [](const std::string& key, const auto& row) { return key == row.first; })) {
        wrong("%s: other keys", name.c_str());
      }
    }
    for (const auto& [key, row] : rows) {
      std::vector<std::byte> bytes(row.vector.row_bytes());
      if (answered("get_bytes", collection.get(key, bytes)) &&
          !std::ranges::equal(bytes, row.vector.bytes(0))) {
        return wrong("%s: another vector of key %s", name.c_str(), key.c_str());
      }
      std::string payload(8000, '\0');
      const auto size = collection.payload(key, std::as_writable_bytes(std::span(payload)));
      if (answered("get_payload", size.status())) {
        payload.resize(std::min(payload.size(), *size));
        if (payload != row.payload) {
          return wrong("%s: another payload of key %s", name.c_str(), key.c_str());
        }
      }
      const auto nearest = collection.nearest(row.vector.row(0));
      if (answered("search", nearest.status()) && *nearest != key) {
        return wrong("%s: key %s is not found by its vector, but \"%s\"", name.c_str(), key.c_str(),
                     nearest->c_str());
      }
    }
    std::array<std::byte, 1> no_room;
    const Status absent = collection.payload("1", no_room).status();
    if (absent.code() != Code::not_found) answered("get_payload of an absent key", absent);
    if (absent.ok()) wrong("%s: an absent key has a payload", name.c_str());
  }

  // Writes and forgets again: what is remembered stays what it is.
  void write_some(const std::string& name, const Rows& rows, Texted& collection) {
    if (rows.empty()) return;
    const auto& [key, row] = *rows.begin();
    for (std::uint64_t i = 0; i < 20; ++i) {
      const std::string fresh = std::to_string(1000 + i);
      if (!answered("upsert", collection.upsert(fresh, row))) return;
      if (!answered("remove", collection.remove(fresh))) {
        // It stays as it is. Nothing can be said of its key any more.
        std::_Exit(0);
      }
    }
    static_cast<void>(answered("upsert", collection.upsert(key, row)));
    static_cast<void>(answered("save_image", (*collection).save_image()));
    static_cast<void>(name);
  }

  const std::map<std::string, Rows>& content_;
  bool image_damaged_;
  Findings& findings_;
};

// Whether the file has these bytes, and no others.
bool is_same(const fs::path& path, const std::string& bytes) {
  std::string there(bytes.size() + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(there.data(), static_cast<std::streamsize>(there.size()));
  there.resize(static_cast<std::size_t>(file.gcount()));
  return there == bytes;
}

// In the child: repairs the folder, whose store's file is `before`, and compares what there is with
// `content`.
void repair_and_look(const std::map<std::string, Rows>& content, const fs::path& folder,
                     const std::string& before, Findings& findings) {
  const Result<RepairReport> report = Database::repair(folder);
  if (!report.ok()) {
    const Code code = report.error().code();
    if (code != Code::corruption && code != Code::incompatible) {
      findings.words.say("repair: %s", report.error().message().c_str());
    } else if (!is_same(folder / "store" / "data.mdb", before)) {
      findings.words.say("a repair that gave up changed the store");
    }
    return;
  }
  if (report->is_whole && findings.refused) {
    return findings.words.say("repair calls whole what another call refused");
  }
  const fs::path kept = report->is_whole ? folder / "store" : report->set_aside;
  if (!is_same(kept / "data.mdb", before)) {
    return findings.words.say("the damaged store is not kept");
  }
  std::map<std::string, testing::Expected> expected;
  for (const auto& [name, rows] : content) {
    const CollectionOptions& options = collections().at(name);
    testing::Expected& held = expected[name];
    held = {options.index.dimension, options.byte_keys, {}};
    for (const auto& [key, row] : rows) {
      const auto* vector = reinterpret_cast<const char*>(row.vector.data(0));
      held.rows[key] = {std::string(vector, row.vector.row_bytes()), row.payload};
    }
  }
  Result<Database> database = Database::open(
      folder, {.create_if_missing = false, .durability = Durability::none, .threads = 1});
  if (!database.ok()) {
    return findings.words.say("open of what was repaired: %s", database.status().message().c_str());
  }
  testing::Repaired repaired(*report, *database, 1);
  const std::string wrong = repaired.disagreement(expected);
  if (!wrong.empty()) return findings.words.say("repaired: %s", wrong.c_str());
  findings.is_repaired = true;
  findings.kept = repaired.kept();
}

class Torture {
 public:
  explicit Torture(Run& run) : run_(run) {
    for (std::size_t kind = 0; kind < Sample::kKinds; ++kind) {
      samples_.push_back(
          std::make_unique<Sample>(mix(run.seed(), kind), static_cast<Sample::Kind>(kind)));
      for (const std::string& name : samples_.back()->targets()) {
        const std::size_t bytes = samples_.back()->file(name).size();
        for (std::size_t length = 0; length < bytes; length += kPage) {
          cuts_.push_back({kind, name, length});
        }
      }
    }
  }

  // The cuts at every page, in an order of chance: few rounds see some of each file.
  void round(std::uint64_t number) {
    if (number == 0) {
      Random random(run_.seed());
      std::shuffle(cuts_.begin(), cuts_.end(), random);
    }
    Random random(mix(run_.seed(), number, 1));
    // One round in four is a cut, as long as there are some.
    const bool cut = number % 4 == 0 && number / 4 < cuts_.size();
    const Sample& sample =
        *samples_[cut ? cuts_[number / 4].sample : below(random, samples_.size())];
    std::string name = "store/data.mdb";
    if (below(random, 3) == 0) name = sample.targets()[below(random, sample.targets().size())];
    if (cut) name = cuts_[number / 4].file;
    std::string bytes = sample.file(name);
    std::string said;
    if (cut) {
      bytes.resize(cuts_[number / 4].length);
      said = "cut to " + std::to_string(bytes.size()) + " bytes";
    } else {
      said = hurt(bytes, random);
    }
    const fs::path folder = home_ / "db";
    sample.write(folder);
    testing::write_file(folder / name, bytes);
    *findings_ = {};
    const bool image = name.starts_with("images/");
    const bool write = below(random, 2) == 0;
    Child child([&] { return Look(sample.content(), image, *findings_).look(folder, write); });
    int status = child.wait(std::chrono::seconds(60));
    bool fell = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    // Damage that no call met is repaired now and then.
    if (!fell && !findings_->words.any() && (findings_->refused || number % 4 == 1)) {
      sample.write(folder);
      testing::write_file(folder / name, bytes);
      Child repairer([&] {
        const bool is_store = name == "store/data.mdb";
        repair_and_look(sample.content(), folder, is_store ? bytes : sample.file("store/data.mdb"),
                        *findings_);
        return 0;
      });
      status = repairer.wait(std::chrono::seconds(60));
      fell = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    if (findings_->refused) {
      ++refused_;
      repaired_ += findings_->is_repaired ? 1 : 0;
      kept_.rows += findings_->kept.rows;
      kept_.rows_missing += findings_->kept.rows_missing;
    }
    run_.progress(number, (std::to_string(refused_) + " were refused").c_str());
    if (findings_->words.any() || fell) {
      run_.fail(number, name + ": " + said + ": " +
                            (findings_->words.any() ? findings_->words.text : "the child ") +
                            (fell ? " " + ending(status, child.hung) : ""));
    }
  }

  // What became of the rounds that some call had refused.
  void tell() const {
    const std::uint64_t all = kept_.rows + kept_.rows_missing;
    std::fprintf(stderr,
                 "damage: %llu rounds were refused; %llu of them were repaired, with %.4f of their "
                 "rows\n",
                 static_cast<unsigned long long>(refused_),
                 static_cast<unsigned long long>(repaired_),
                 all == 0 ? 1.0 : static_cast<double>(kept_.rows) / static_cast<double>(all));
  }

 private:
  struct Cut {
    std::size_t sample;
    std::string file;
    std::size_t length;
  };

  Run& run_;
  testing::TempDir home_;
  std::vector<std::unique_ptr<Sample>> samples_;
  std::vector<Cut> cuts_;
  Shared<Findings> findings_;
  std::uint64_t refused_ = 0;
  std::uint64_t repaired_ = 0;
  testing::Kept kept_;
};

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  skerry::torture::Run run("damage", 400, argc, argv);
  skerry::torture::Torture torture(run);
  for (std::uint64_t round = 0; round < run.rounds(); ++round) torture.round(round);
  torture.tell();
  return run.finish();
}
