// lost_root_test.cc - was a commit made whose root could not be written, or was it not?
//
// LMDB writes a transaction's root last. When the system says that it could not, the root may be on
// the device or not; when another process commits before we have looked, it does so under the same
// number. Contract: "disk full ...: nothing changed, reads go on, writes go on once there is room",
// and "a write that had not returned is absent or complete".
//
// The root's write is refused here, made or not made; what another process does in between it does
// when our store is opened again, which is after our transaction has let the others go on.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "skerry/database.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "torture/system_calls.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;
using torture::SystemCall;

constexpr std::size_t kPage = 4096;

std::array<float, 4> vector_of(Key key) {
  return {static_cast<float>(key), 1, 2, 3};
}

Result<Collection> open_docs(std::optional<Database>& database, const fs::path& folder) {
  auto opened = Database::open(folder);
  if (!opened.ok()) return opened.error();
  database.emplace(*std::move(opened));
  return database->open_or_create("docs", {.index = {.dimension = 4}});
}

// Another process: opens the database, and writes keys, when it is told to.
class Other {
 public:
  explicit Other(const fs::path& folder) {
    std::array<int, 2> to, from;
    if (::pipe(to.data()) != 0 || ::pipe(from.data()) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      ::close(to[1]);
      ::close(from[0]);
      obey(folder, to[0], from[1]);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
  }
  ~Other() { kill(); }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  // 'o' opens, another letter is a key to insert. Whether it went well.
  bool ask(char letter) const {
    char answer = 'n';
    return ::write(to_, &letter, 1) == 1 && ::read(from_, &answer, 1) == 1 && answer == 'y';
  }

  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    ::close(to_);
    ::close(from_);
    child_ = -1;
  }

 private:
  [[noreturn]] static void obey(const fs::path& folder, int in, int out) {
    std::optional<Database> database;
    std::optional<Collection> docs;
    for (char letter = 0; ::read(in, &letter, 1) == 1;) {
      Status status;
      if (letter == 'o') {
        const auto opened = open_docs(database, folder);
        status = opened.status();
        if (opened.ok()) docs.emplace(*opened);
      } else {
        status = docs->insert(static_cast<Key>(letter), vector_of(static_cast<Key>(letter)));
      }
      const char answer = status.ok() ? 'y' : 'n';
      if (::write(out, &answer, 1) != 1) break;
    }
    ::_exit(0);
  }

  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
};

// Refuses to write the store's root, once, and what LMDB writes back over it.
class Refusal final : public torture::SystemCallObserver {
 public:
  // `made`: the root is written before it is said that it could not be. `then` is asked of the
  // other process, letter by letter, when the store is opened again.
  Refusal(bool made, const Other* other, std::string_view then)
      : made_(made), other_(other), then_(then) {
    torture::system_call_observer.store(this);
  }
  ~Refusal() { torture::system_call_observer.store(nullptr); }
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;

  bool has_refused() const { return refused_ > 0; }
  bool has_answered_well() const { return then_.empty() && is_well_; }

  int before(SystemCall& call) noexcept override {
    if (call.kind == SystemCall::Kind::open && refused_ > 0 &&
        std::string_view(call.path).ends_with("data.mdb")) {
      for (; !then_.empty(); then_.remove_prefix(1)) is_well_ &= other_->ask(then_.front());
    }
    const bool is_root = call.kind == SystemCall::Kind::write && call.bytes < kPage &&
                         call.offset >= 0 && call.offset < std::int64_t{2 * kPage} &&
                         is_store(call.fd);
    if (!is_root || refused_ == (made_ ? 2 : 1)) return 0;
    ++refused_;
    if (made_ && refused_ == 1) {
      const ssize_t done = ::pwritev(call.fd, call.parts, call.part_count, call.offset);
      is_well_ &= done == static_cast<ssize_t>(call.bytes);
    }
    return EIO;
  }
  void after(const SystemCall&, std::int64_t) noexcept override {}

 private:
  static bool is_store(int fd) noexcept {
    std::array<char, 4096> name;
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), name.data(), name.size());
    return size > 0 &&
           std::string_view(name.data(), static_cast<std::size_t>(size)).ends_with("data.mdb");
  }

  const bool made_;
  const Other* other_;
  std::string_view then_;
  int refused_ = 0;
  bool is_well_ = true;
};

class LostRoot : public ::testing::Test {
 protected:
  void open() {
    auto docs = open_docs(database_, folder_);
    ASSERT_OK(docs);
    docs_.emplace(*docs);
  }

  // Inserts key 1 while the root cannot be written.
  Status insert(bool made, const Other* other, std::string_view then) {
    Refusal refusal(made, other, then);
    const Status status = docs_->insert(1, vector_of(1));
    EXPECT_TRUE(refusal.has_refused());
    EXPECT_TRUE(refusal.has_answered_well());
    return status;
  }

  // Whether key 1 is there, says everybody, and those who open later when all others were killed.
  void expect(bool is_there, Other* other, std::string_view others) {
    for (int life = 0; life < 2; ++life) {
      EXPECT_EQ(docs_->contains(1), is_there) << life;
      for (const char key : others) EXPECT_TRUE(docs_->contains(static_cast<Key>(key)));
      EXPECT_EQ(docs_->size(), others.size() + (is_there ? 1 : 0));
      EXPECT_OK(docs_->verify());
      if (life == 1) break;
      // No commit, and no image: as if both had been killed here.
      const fs::path copy = home_ / "copy";
      fs::create_directories(copy);
      fs::copy(folder_ / "store", copy / "store", fs::copy_options::recursive);
      docs_.reset();
      if (other != nullptr) other->kill();
      EXPECT_OK(database_->close());
      fs::remove_all(folder_);
      fs::rename(copy, folder_);
      open();
    }
    EXPECT_OK(docs_->upsert(1, vector_of(1)));
  }

  TempDir home_;
  const fs::path folder_ = home_ / "db";
  std::optional<Database> database_;
  std::optional<Collection> docs_;
};

TEST_F(LostRoot, ThatWasNotWrittenIsNoCommit) {
  open();
  EXPECT_ERROR(insert(false, nullptr, ""), Code::io_error);
  expect(false, nullptr, "");
}

TEST_F(LostRoot, ThatWasWrittenThoughItIsSaidThatItWasNotIsACommit) {
  open();
  EXPECT_OK(insert(true, nullptr, ""));
  expect(true, nullptr, "");
}

TEST_F(LostRoot, IsNotTakenForTheCommitThatAnotherProcessMadeUnderItsNumber) {
  Other other(folder_);
  open();
  ASSERT_TRUE(other.ask('o'));
  EXPECT_ERROR(insert(false, &other, "b"), Code::io_error);
  expect(false, &other, "b");
}

TEST_F(LostRoot, ThatWasWrittenIsWrittenOverByAnotherProcess) {
  Other other(folder_);
  open();
  ASSERT_TRUE(other.ask('o'));
  EXPECT_ERROR(insert(true, &other, "b"), Code::io_error);
  expect(false, &other, "b");
}

TEST_F(LostRoot, ThatWasWrittenAndThatNobodySeesDoesNotComeBack) {
  Other other(folder_);
  open();
  ASSERT_TRUE(other.ask('o'));
  EXPECT_ERROR(insert(true, &other, ""), Code::io_error);
  expect(false, &other, "");
}

TEST_F(LostRoot, ThatWasWrittenIsACommitThoughAnotherProcessHasWrittenSince) {
  Other other(folder_);
  open();
  EXPECT_OK(insert(true, &other, "obcd"));
  expect(true, &other, "bcd");
}

}  // namespace
}  // namespace skerry::testing
