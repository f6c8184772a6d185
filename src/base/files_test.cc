// files_test.cc - do errors of the system say whose move it is?
#include "base/files.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/test_folder.h"

namespace skerry {
namespace {

TEST(Files, ErrnoIsSortedByWhoseMoveItIs) {
  EXPECT_EQ(status_of_errno(ENOSPC, "x").code(), Code::storage_full);
  EXPECT_EQ(status_of_errno(EDQUOT, "x").code(), Code::storage_full);
  EXPECT_EQ(status_of_errno(EFBIG, "x").code(), Code::storage_full);
  EXPECT_EQ(status_of_errno(ENOMEM, "x").code(), Code::out_of_memory);
  EXPECT_EQ(status_of_errno(EAGAIN, "x").code(), Code::out_of_memory);
  EXPECT_EQ(status_of_errno(EIO, "cannot write: {e}").message(),
            "io_error: cannot write: Input/output error");
}

TEST(Files, AFolderCanBeSyncedAndAMissingOneIsAnError) {
  EXPECT_TRUE(sync_path(std::filesystem::temp_directory_path()).ok());
  EXPECT_EQ(sync_path("/nonexistent/skerry").code(), Code::io_error);
}

TEST(Files, NamesOfAFolderAreThoseInItAndOfNoneThereAreNone) {
  const TestFolder folder;
  std::ofstream(folder / "a") << "x";
  std::filesystem::create_directory(folder / "b");
  FolderNames names(folder.path());
  std::set<std::string> found;
  while (const char* name = names.next()) found.insert(name);
  EXPECT_EQ(found, (std::set<std::string>{"a", "b"}));
  EXPECT_TRUE(names.status().ok());

  FolderNames none(folder / "absent");
  EXPECT_EQ(none.next(), nullptr);
  EXPECT_TRUE(none.status().ok());

  FolderNames no_folder(folder / "a");
  EXPECT_EQ(no_folder.next(), nullptr);
  EXPECT_EQ(no_folder.status().code(), Code::io_error);
}

TEST(Files, AFolderIsRemovedWithTheFilesInIt) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "a");
  std::ofstream(folder / "a" / "1") << "x";
  std::ofstream(folder / "a" / "2") << "x";
  EXPECT_TRUE(remove_folder(folder / "a").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  EXPECT_TRUE(remove_folder(folder / "a").ok()) << "what is not there needs no removing";

  std::filesystem::create_directories(folder / "b" / "deeper");
  EXPECT_EQ(remove_folder(folder / "b").code(), Code::io_error) << "folders of others are let be";
  EXPECT_TRUE(std::filesystem::exists(folder / "b" / "deeper"));
}

}  // namespace
}  // namespace skerry
