#include "base/scratch_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <utility>

#include "base/test_folder.h"

namespace skerry {
namespace {

TEST(ScratchFile, HasNoNameAndReadsZero) {
  const TestFolder folder;
  Result<ScratchFile> made = ScratchFile::create(folder.path());
  ASSERT_TRUE(made.ok()) << made.status().message();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  ScratchFile file = std::move(*made);
  EXPECT_FALSE(made->is_open());
  ASSERT_TRUE(file.take(4096, 4096).ok());
  const std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};
  ASSERT_TRUE(file.write(5000, bytes).ok());
  std::array<std::byte, 4> got = {};
  ASSERT_EQ(::pread(file.descriptor(), got.data(), got.size(), 4999), 4);
  EXPECT_EQ(got[0], std::byte{0});
  EXPECT_EQ(got[3], std::byte{3});
}

TEST(ScratchFile, SaysWhenTheFolderIsNone) {
  const TestFolder folder;
  const Status status = ScratchFile::create(folder / "absent").status();
  EXPECT_EQ(status.code(), Code::io_error);
  EXPECT_NE(status.message().find("No such file"), std::string::npos) << status.message();
}

// A file-size limit stands for a full disk.
TEST(ScratchFile, SpaceThatIsNotThereIsStorageFull) {
  const TestFolder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    Result<ScratchFile> file = ScratchFile::create(folder.path());
    if (!file.ok()) _exit(1);
    const rlimit limit = {1 << 20, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    if (file->take(0, 2 << 20).code() != Code::storage_full) _exit(3);
    if (!file->take(0, 1 << 20).ok()) _exit(4);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace skerry
