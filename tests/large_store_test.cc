// large_store_test.cc - is a damaged page of a large store an error or a right answer?
//
// Contract: "damaged or foreign file: corruption or incompatible, naming what is wrong; never a
// crash". A store of more than 64 MB is not walked when it is opened, but when its tables are first
// touched. The pages of its trees, and the headers of its long values, are damaged one by one; each
// time a child opens it, reads, writes and searches. What is long in it are a few payloads of
// zeroes, which the file system need not keep.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "skerry/database.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kDimension = 16;
constexpr Key kRows = 600;
constexpr Key kLong = 17;  // of them have a payload of 4 MB
constexpr std::size_t kLongBytes = 4 << 20;
constexpr DatabaseOptions kOptions = {.durability = Durability::none, .threads = 1};

std::array<float, kDimension> vector_of(Key key) {
  std::array<float, kDimension> vector{};
  vector[key % kDimension] = 1.0F + static_cast<float>(key);
  return vector;
}

std::size_t payload_bytes(Key key) {
  return key < kLong ? kLongBytes : key >= 40 && key < 44 ? 0 : key % 40;
}

std::string name_of_row(Key key) {
  return "the name of row " + std::to_string(key);
}

// The pages of a file that hold anything.
class Sparse {
 public:
  explicit Sparse(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY);
    std::string page(kPage, '\0');
    for (std::uint64_t number = 0;; ++number) {
      const ssize_t got = ::pread(fd, page.data(), kPage, static_cast<off_t>(number * kPage));
      if (got != static_cast<ssize_t>(kPage)) break;
      bytes_ += kPage;
      if (page.find_first_not_of('\0') != std::string::npos) pages[number] = page;
    }
    ::close(fd);
  }

  std::uint64_t bytes() const { return bytes_; }

  void write(const fs::path& path) const {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(bytes_)), 0);
    for (const auto& [number, page] : pages) {
      ASSERT_EQ(::pwrite(fd, page.data(), kPage, static_cast<off_t>(number * kPage)),
                static_cast<ssize_t>(kPage));
    }
    ::close(fd);
  }

  std::map<std::uint64_t, std::string> pages;

 private:
  std::uint64_t bytes_ = 0;
};

unsigned flags_of(const std::string& page) {
  std::uint16_t flags = 0;
  std::memcpy(&flags, &page[10], sizeof flags);
  return flags;
}

// In the child: what became of its calls. Each is right, or says that the store is damaged.
class Look {
 public:
  enum Answer : int { right = 10, damaged, wrong };  // a sanitizer's own is 1

  int look(const fs::path& folder) {
    Result<Database> database = Database::open(folder, kOptions);
    if (!answered(database.status())) return answer_;
    Result<Collection> docs = database->open_collection("docs");
    Result<Collection> named = database->open_collection("named");
    if (answered(docs.status())) read_and_write(*docs);
    if (answered(named.status())) {
      std::array<std::byte, 8> payload;
      const auto size = named->get_payload(name_of_row(7), payload);
      if (answered(size.status()) && *size != 0) return wrong;
      static_cast<void>(answered(named->upsert(name_of_row(kRows), vector_of(1))));
      static_cast<void>(answered(named->remove(name_of_row(8)).status()));
    }
    static_cast<void>(answered(database->stats().status()));
    static_cast<void>(answered(database->drop("named")));
    static_cast<void>(answered(database->close()));
    return answer_;
  }

 private:
  bool answered(const Status& status) {
    if (status.ok()) return true;
    if (answer_ == right) answer_ = damaged;
    if (status.code() != Code::corruption && status.code() != Code::incompatible) answer_ = wrong;
    return false;
  }

  void read_and_write(Collection& docs) {
    const auto search = [&](Key key) {
      std::array<Hit, 1> hits;
      const auto found = docs.search(vector_of(key), hits);
      if (answered(found.status()) && (found->count != 1 || hits[0].key != key)) answer_ = wrong;
    };
    search(30);
    for (Key key = 0; key < kRows; key += 7) {
      const auto size = docs.get_payload(key, {});
      if (answered(size.status()) && *size != payload_bytes(key)) answer_ = wrong;
    }
    static_cast<void>(answered(docs.upsert(3, vector_of(3), std::vector<std::byte>(100))));
    static_cast<void>(answered(docs.upsert(kRows, vector_of(kRows))));
    static_cast<void>(answered(docs.remove(kRows - 1).status()));
    static_cast<void>(answered(docs.verify().status()));
    search(31);
  }

  int answer_ = right;
};

TEST(LargeStore, ADamagedPageIsAnErrorOrARightAnswer) {
  const TempDir home;
  const fs::path folder = home / "db";
  {
    auto database = Database::open(folder, kOptions);
    ASSERT_OK(database);
    auto docs = database->create("docs", {.index = {.dimension = kDimension}});
    auto named = database->create("named", {.index = {.dimension = kDimension}, .byte_keys = true});
    ASSERT_OK(docs);
    ASSERT_OK(named);
    for (Key key = 0; key < kRows; ++key) {
      ASSERT_OK(docs->upsert(key, vector_of(key), std::vector<std::byte>(payload_bytes(key))));
      ASSERT_OK(named->upsert(name_of_row(key), vector_of(key)));
    }
    // Old pages of no use would be most of the file. A few commits leave some that are free.
    ASSERT_OK(database->compact());
    for (Key key = 40; key < 44; ++key) ASSERT_OK(docs->upsert(key, vector_of(key), {}));
    ASSERT_OK(database->close());
  }
  const fs::path store = folder / "store" / "data.mdb";
  const Sparse good(store);
  ASSERT_GT(good.bytes(), 64U << 20);

  std::mt19937_64 random(5);
  std::map<int, int> answers;
  const auto look = [&](const std::string& what) {
    SCOPED_TRACE(what);
    fs::remove(folder / "store" / "lock.mdb");
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::alarm(120);  // a hang is a signal
      ::_exit(Look().look(folder));
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_TRUE(WEXITSTATUS(status) == Look::right || WEXITSTATUS(status) == Look::damaged)
        << WEXITSTATUS(status);
    ++answers[WEXITSTATUS(status)];
  };
  look("nothing");
  ASSERT_EQ(answers[Look::right], 1);

  for (const auto& [number, page] : good.pages) {
    const unsigned flags = flags_of(page);
    const bool is_tree = flags == 1 || flags == 2;
    // Every third of the trees' pages; of long values and whatever is free fewer.
    if (number < 2 || random() % (is_tree ? 3 : 16) != 0) continue;
    const std::uint64_t way = random() % 3;
    Sparse bad = good;
    std::string& bytes = bad.pages[number];
    const std::size_t at = random() % 64;
    if (way == 0) bytes.assign(kPage, '\0');
    if (way == 1) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    if (way == 2) std::swap(bytes, bad.pages.rbegin()->second);
    bad.write(store);
    look("page " + std::to_string(number) + ", way " + std::to_string(way) + ", byte " +
         std::to_string(at));
  }
  EXPECT_GT(answers[Look::damaged], 6);
  EXPECT_GT(answers[Look::right], 1);
}

}  // namespace
}  // namespace skerry::testing
