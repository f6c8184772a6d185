// files_test.cc - do errors of the system say whose move it is?
#include "base/files.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

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

}  // namespace
}  // namespace skerry
