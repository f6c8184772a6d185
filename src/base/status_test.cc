// status_test.cc - does a Status say what its header promises?
#include "skerry/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace skerry {
namespace {

TEST(Status, SuccessIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().message(), "ok");
}

TEST(Status, NumbersStandInTheSentence) {
  const Status status(Code::invalid_argument, "expected dimension {a}, given {b}", 384, 383);
  EXPECT_EQ(status.message(), "invalid_argument: expected dimension 384, given 383");
  EXPECT_EQ(status.with_b(7).message(), "invalid_argument: expected dimension 384, given 7");
}

TEST(Status, TheSystemsReasonIsTold) {
  const Status status(Code::io_error, "cannot read: {e}", EIO);
  EXPECT_EQ(status.message(), "io_error: cannot read: Input/output error");
}

TEST(Status, NumbersSaturate) {
  const Status status(Code::io_error, "{a} {b}", 1ULL << 40, 1ULL << 40);
  EXPECT_EQ(status.message(), "io_error: 16777215 4294967295");
}

TEST(Status, UnknownMarksAreLeftAlone) {
  EXPECT_EQ(Status(Code::busy, "{c} {").message(), "busy: {c} {");
  EXPECT_EQ(Status(Code::busy, "").message(), "busy");
}

TEST(Status, AShortBufferIsCutAndTerminated) {
  const Status status(Code::busy, "taken");
  char out[7];
  EXPECT_EQ(status.message(out), 11U);
  EXPECT_STREQ(out, "busy: ");
  EXPECT_EQ(status.message(std::span<char>()), 11U);
}

TEST(Status, EveryCodeHasAName) {
  for (const Code code :
       {Code::ok, Code::invalid_argument, Code::not_found, Code::already_exists, Code::busy,
        Code::closed, Code::read_only, Code::cancelled, Code::out_of_memory, Code::storage_full,
        Code::io_error, Code::corruption, Code::incompatible}) {
    EXPECT_STRNE(name_of(code), "unknown");
  }
  EXPECT_STREQ(name_of(Code::storage_full), "storage_full");
}

TEST(Result, HoldsAValueOrTheReason) {
  const Result<int> value(3);
  EXPECT_TRUE(value.ok());
  EXPECT_EQ(*value, 3);
  EXPECT_TRUE(value.status().ok());
  const Result<int> nothing(Status(Code::not_found, "no such thing"));
  EXPECT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code(), Code::not_found);
  EXPECT_EQ(nothing.value_or(9), 9);
}

}  // namespace
}  // namespace skerry
