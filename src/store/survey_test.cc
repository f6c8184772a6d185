// survey_test.cc - does the survey see what is wrong with the shape of a file, and only that?
//
// The file is made with LMDB itself, so that nothing here depends on what Skerry keeps in it.
#include "store/survey.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <lmdb.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/test_folder.h"

namespace skerry::store {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::array kTables = {"first", "second", "third"};

void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// As an open of a small store does.
Status survey_of(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  const Status status = survey(fd, ~std::uint64_t{0}, {}).status();
  ::close(fd);
  return status;
}

// As an open of a large store does that looks at the first table.
Result<Extent> opening_of(const std::filesystem::path& path) {
  constexpr std::array names = {"first"};
  const int fd = ::open(path.c_str(), O_RDONLY);
  const Result<Extent> walked = survey(fd, 0, names);
  ::close(fd);
  return walked;
}

// As the first touch does afterwards, from the root of the last transaction.
Status touch_of(const std::filesystem::path& path, std::uint64_t last, Extent extent) {
  const int fd = ::open(path.c_str(), O_RDONLY);
  const Result<Root> root = read_root(fd, kPage, last);
  const Status status = root.ok() ? survey(fd, *root, extent).status() : root.error();
  ::close(fd);
  return status;
}

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

class SurveyTest : public ::testing::Test {
 protected:
  // Three tables of some hundred rows, short and long ones; some commits later many are gone, and
  // there are free pages.
  void SetUp() override {
    MDB_env* env = open(0);
    ASSERT_NE(env, nullptr);
    // As many that one bit makes the last root's number the one before the other's, and the other's
    // the one behind it.
    for (std::uint64_t commit = 0; commit < 42; ++commit) {
      MDB_txn* txn = nullptr;
      ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
      for (std::size_t t = 0; t < kTables.size(); ++t) {
        MDB_dbi table = 0;
        ASSERT_EQ(mdb_dbi_open(txn, kTables[t], MDB_CREATE, &table), 0);
        for (int i = 0; i < 25; ++i) {
          std::string key = std::to_string(random_() % 400) + std::string(random_() % 60, 'k');
          MDB_val k = {key.size(), key.data()};
          if (random_() % 3 == 0) {
            keys_[t].erase(key);
            const int error = mdb_del(txn, table, &k, nullptr);
            ASSERT_TRUE(error == 0 || error == MDB_NOTFOUND);
            continue;
          }
          std::string value(random_() % 12 == 0 ? random_() % 20'000 : random_() % 200, 'v');
          MDB_val v = {value.size(), value.data()};
          ASSERT_EQ(mdb_put(txn, table, &k, &v, 0), 0);
          keys_[t].insert(key);
        }
      }
      ASSERT_EQ(mdb_txn_commit(txn), 0);
    }
    MDB_envinfo info = {};
    mdb_env_info(env, &info);
    last_ = info.me_last_txnid;
    mdb_env_close(env);
    std::ifstream file(path_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  // Null when LMDB itself refuses the file.
  MDB_env* open(unsigned flags) const {
    MDB_env* env = nullptr;
    EXPECT_EQ(mdb_env_create(&env), 0);
    EXPECT_EQ(mdb_env_set_maxdbs(env, 8), 0);
    EXPECT_EQ(mdb_env_set_mapsize(env, 1 << 26), 0);
    if (mdb_env_open(env, folder_.path().c_str(), flags | MDB_NOSYNC, 0644) == 0) return env;
    mdb_env_close(env);
    return nullptr;
  }

  // Every key by a lookup and by a walk, as LMDB finds them.
  void expect_all_keys() const {
    MDB_env* env = open(MDB_RDONLY);
    if (env == nullptr) return;
    MDB_txn* txn = nullptr;
    ASSERT_EQ(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn), 0);
    for (std::size_t t = 0; t < kTables.size(); ++t) {
      MDB_dbi table = 0;
      ASSERT_EQ(mdb_dbi_open(txn, kTables[t], 0, &table), 0);
      MDB_cursor* cursor = nullptr;
      ASSERT_EQ(mdb_cursor_open(txn, table, &cursor), 0);
      for (const std::string& key : keys_[t]) {
        MDB_val k = {}, v = {};
        ASSERT_EQ(mdb_cursor_get(cursor, &k, &v, MDB_NEXT), 0);
        ASSERT_TRUE(std::string(static_cast<char*>(k.mv_data), k.mv_size) == key);
        ASSERT_EQ(mdb_get(txn, table, &k, &v), 0);
      }
      MDB_val k = {}, v = {};
      ASSERT_EQ(mdb_cursor_get(cursor, &k, &v, MDB_NEXT), MDB_NOTFOUND);
      mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);
  }

  // Where the bytes are that say how a page hangs together: neither keys nor values.
  std::vector<std::size_t> structure() const {
    std::vector<std::size_t> places;
    const auto add = [&](std::size_t from, std::size_t count) {
      for (std::size_t at = from; at < from + count; ++at) places.push_back(at);
    };
    for (std::size_t page = 0; page < bytes_.size(); page += kPage) {
      add(page, 16);
      const auto flags = number_at<std::uint16_t>(bytes_, page + 10);
      // The pages of a long value have a header together.
      if (flags == 4) page += (number_at<std::uint32_t>(bytes_, page + 12) - 1) * kPage;
      if (page < 2 * kPage) add(page + 16, 136);
      if (flags != 1 && flags != 2) continue;
      const auto lower = number_at<std::uint16_t>(bytes_, page + 12);
      add(page + 16, lower - 16U);
      for (std::size_t at = 16; at < lower; at += 2) {
        const std::size_t node = page + number_at<std::uint16_t>(bytes_, page + at);
        if (flags == 1) add(node, 8);
        if (flags != 2) continue;
        // How long a key and a value are, its last bits at least, only their checksum can tell.
        add(node + 2, 4);
        const auto node_flags = number_at<std::uint16_t>(bytes_, node + 4);
        const auto value = node + 8 + number_at<std::uint16_t>(bytes_, node + 6);
        if (node_flags == 1) add(value, 8);
        if (node_flags == 2) add(value, 48);
      }
    }
    return places;
  }

  // The leaf that the main table is.
  std::size_t main_page() const {
    return number_at<std::uint64_t>(bytes_, last_ % 2 * kPage + 16 + 24 + 48 + 40) * kPage;
  }

  // The first page of a table's tree: where its record in the main table says it is.
  std::size_t root_of(const std::string& table) const {
    const std::size_t page = main_page();
    const auto lower = number_at<std::uint16_t>(bytes_, page + 12);
    for (std::size_t at = 16; at < lower; at += 2) {
      const std::size_t node = page + number_at<std::uint16_t>(bytes_, page + at);
      if (bytes_.compare(node + 8, table.size(), table) == 0) {
        return number_at<std::uint64_t>(bytes_, node + 8 + table.size() + 40) * kPage;
      }
    }
    ADD_FAILURE() << "no table " << table;
    return 0;
  }

  // LMDB leaves what is free as it was; a survey that sees no difference says so.
  bool is_in_use(std::size_t page) const {
    std::string bent = bytes_;
    bent[page * kPage + 10] = '\x7f';
    write_bytes(path_, bent);
    const bool is_seen = !survey_of(path_).ok();
    write_bytes(path_, bytes_);
    return is_seen;
  }

  TestFolder folder_;
  std::filesystem::path path_ = folder_ / "data.mdb";
  std::mt19937_64 random_{20};
  std::array<std::set<std::string>, kTables.size()> keys_;
  std::string bytes_;
  std::uint64_t last_ = 0;  // transaction
};

TEST_F(SurveyTest, AGoodFileIsGood) {
  EXPECT_TRUE(survey_of(path_).ok()) << survey_of(path_).message();
  const Result<Extent> opening = opening_of(path_);
  ASSERT_TRUE(opening.ok()) << opening.status().message();
  EXPECT_EQ(*opening, Extent::opening);
  for (const Extent extent : {Extent::tables, Extent::everything}) {
    const Status status = touch_of(path_, last_, extent);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  expect_all_keys();
}

TEST_F(SurveyTest, AnOpeningSeesTheMainTableAndThoseThatAreNamed) {
  for (const char* table : kTables) {
    SCOPED_TRACE(table);
    std::string bent = bytes_;
    bent[root_of(table) + 10] = '\x7f';
    write_bytes(path_, bent);
    EXPECT_EQ(opening_of(path_).ok(), std::string(table) != "first");
    EXPECT_EQ(touch_of(path_, last_, Extent::tables).code(), Code::corruption);
  }
  // Of the main table, a flag that makes a table one of another kind.
  std::string bent = bytes_;
  bent[main_page() + 10] = '\x7f';
  write_bytes(path_, bent);
  EXPECT_EQ(opening_of(path_).status().code(), Code::corruption);
}

TEST_F(SurveyTest, TheHeaderOfALongValueIsLookedAtByTheWalkOfEverything) {
  std::size_t headers = 0;
  for (std::size_t page = 2; page < bytes_.size() / kPage && headers < 8; ++page) {
    const std::size_t at = page * kPage;
    if (number_at<std::uint64_t>(bytes_, at) != page) continue;
    if (number_at<std::uint16_t>(bytes_, at + 10) != 4 || !is_in_use(page)) continue;
    const auto* header = reinterpret_cast<const std::byte*>(&bytes_[at]);
    const auto pages = number_at<std::uint32_t>(bytes_, at + 12);
    EXPECT_TRUE(is_header_of(header, page, kPage, pages * kPage - 16));
    EXPECT_FALSE(is_header_of(header, page, kPage, pages * kPage - 15));
    EXPECT_FALSE(is_header_of(header, page + 1, kPage, pages * kPage - 16));
    ++headers;
    for (const std::size_t byte : {0U, 7U, 10U, 11U, 12U, 15U}) {
      std::string bent = bytes_;
      bent[at + byte] = static_cast<char>(bent[at + byte] ^ 0x40);
      write_bytes(path_, bent);
      EXPECT_EQ(touch_of(path_, last_, Extent::everything).code(), Code::corruption) << byte;
    }
  }
  EXPECT_EQ(headers, 8U);
}

TEST_F(SurveyTest, ARootIsThatOfItsTransactionOrNone) {
  const int fd = ::open(path_.c_str(), O_RDONLY);
  EXPECT_TRUE(read_root(fd, kPage, last_).ok());
  EXPECT_TRUE(read_root(fd, kPage, last_ - 1).ok());
  EXPECT_EQ(read_root(fd, kPage, last_ - 2).error().code(), Code::not_found);
  EXPECT_EQ(read_root(fd, kPage, last_ + 1).error().code(), Code::not_found);
  ::close(fd);
}

TEST_F(SurveyTest, ATurnedBitInAPagesStructureIsSeenOrChangesNothing) {
  const std::vector<std::size_t> places = structure();
  constexpr std::size_t kBits = 300;
  std::size_t seen = 0;
  for (std::size_t i = 0; i < kBits && !HasFatalFailure(); ++i) {
    const std::size_t at = places[random_() % places.size()];
    const int bit = static_cast<int>(random_() % 8);
    SCOPED_TRACE("byte " + std::to_string(at % kPage) + " of page " + std::to_string(at / kPage) +
                 ", bit " + std::to_string(bit));
    std::string bent = bytes_;
    bent[at] = static_cast<char>(bent[at] ^ (1 << bit));
    write_bytes(path_, bent);
    const Status status = survey_of(path_);
    // What a large store is spared at its opening is made up for by the first touch.
    Status later = opening_of(path_).status();
    if (later.ok()) later = touch_of(path_, last_, Extent::tables);
    if (later.ok()) {
      expect_all_keys();
    } else {
      EXPECT_EQ(later.code(), Code::corruption) << later.message();
      EXPECT_EQ(status.code(), Code::corruption) << status.message();
      ++seen;
    }
  }
  EXPECT_GT(seen, kBits / 4);  // most of the others are in pages that are free
}

TEST_F(SurveyTest, AListOfFreePagesThatNamesAUsedPageIsSeen) {
  // The free table's leaves hold a count and page numbers; any that is raised or lowered by one
  // names a page that is in use, or one twice, or leaves one out, which harms nobody.
  std::size_t seen = 0, lists = 0;
  for (std::size_t page = 2 * kPage; page < bytes_.size(); page += kPage) {
    if (number_at<std::uint16_t>(bytes_, page + 10) != 2) continue;
    const auto lower = number_at<std::uint16_t>(bytes_, page + 12);
    for (std::size_t at = 16; at < lower; at += 2) {
      const std::size_t node = page + number_at<std::uint16_t>(bytes_, page + at);
      if (number_at<std::uint16_t>(bytes_, node + 6) != 8) continue;  // the keys are u64
      if (number_at<std::uint16_t>(bytes_, node) < 24) continue;
      ++lists;
      std::string bent = bytes_;
      std::memcpy(&bent[node + 16 + 8], &bent[node + 16 + 16], 8);  // the first page is the second
      write_bytes(path_, bent);
      seen += survey_of(path_).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(lists, 0U);
  EXPECT_GT(seen, 0U);
}

TEST_F(SurveyTest, AnOlderRootThatPretendsToBeTheNewestIsSeen) {
  const std::size_t number = 16 + 24 + 96 + 8;  // in a meta page: of the transaction
  const auto first = number_at<std::uint64_t>(bytes_, number);
  const auto second = number_at<std::uint64_t>(bytes_, kPage + number);
  const std::size_t older = first < second ? 0 : kPage;
  for (int bit = 0; bit < 64; ++bit) {
    for (const std::size_t meta : {older, kPage - older}) {
      std::string bent = bytes_;
      std::uint64_t value = number_at<std::uint64_t>(bent, meta + number) ^ std::uint64_t{1} << bit;
      std::memcpy(&bent[meta + number], &value, sizeof value);
      write_bytes(path_, bent);
      // The newest root's number as that of the root before the other: see check_number().
      const bool is_unseen = meta != older && bit == 1;
      EXPECT_EQ(survey_of(path_).code(), is_unseen ? Code::ok : Code::corruption)
          << "bit " << bit << " of " << meta;
    }
  }
}

}  // namespace
}  // namespace skerry::store
