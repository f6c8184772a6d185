// status_matchers.h - did the call answer as promised, and does the message help?
#pragma once

#include <cctype>
#include <string>
#include <string_view>
#include <type_traits>

#include "gtest/gtest.h"
#include "skerry/status.h"

namespace skerry::testing {

inline Status status_of(const Status& status) {
  return status;
}
template <class T>
Status status_of(const Result<T>& result) {
  return result.status();
}

template <class T>
::testing::AssertionResult is_ok(const T& outcome) {
  const Status status = status_of(outcome);
  if (status.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << status.message();
}

// The code, and its own name at the head of a message that says more than the name.
template <class T>
::testing::AssertionResult is_error(const T& outcome, Code code) {
  const Status status = status_of(outcome);
  const std::string message = status.message();
  if (status.code() != code) {
    return ::testing::AssertionFailure()
           << "expected " << name_of(code) << ", got \"" << message << '"';
  }
  const std::string_view name = name_of(code);
  if (!message.starts_with(name) || message.size() < name.size() + 4) {
    return ::testing::AssertionFailure() << "a message that says nothing: \"" << message << '"';
  }
  if (message.find_first_of("{}") != std::string::npos) {
    return ::testing::AssertionFailure() << "a hole in the message: \"" << message << '"';
  }
  return ::testing::AssertionSuccess();
}

// True when `message` has `word` standing alone: 7 is not in 17 or 70.
inline bool says(std::string_view message, std::string_view word) {
  const auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (auto at = message.find(word); at != std::string_view::npos;
       at = message.find(word, at + 1)) {
    const bool begins = at == 0 || !part_of_word(message[at - 1]);
    const auto limit = at + word.size();
    if (begins && (limit == message.size() || !part_of_word(message[limit]))) return true;
  }
  return false;
}

// is_error(), and the message says each of `words` (numbers may be given as numbers).
template <class T, class... Words>
::testing::AssertionResult is_error_saying(const T& outcome, Code code, const Words&... words) {
  if (auto right = is_error(outcome, code); !right) return right;
  const std::string message = status_of(outcome).message();
  const auto text = [](const auto& word) -> std::string {
    if constexpr (std::is_arithmetic_v<std::remove_cvref_t<decltype(word)>>) {
      return std::to_string(word);
    } else {
      return std::string(word);
    }
  };
  std::string missing;
  ((says(message, text(words)) ? void() : void(missing += " " + text(words))), ...);
  if (missing.empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << '"' << message << "\" does not say" << missing;
}

}  // namespace skerry::testing

#define ASSERT_OK(outcome) ASSERT_TRUE(::skerry::testing::is_ok(outcome))
#define EXPECT_OK(outcome) EXPECT_TRUE(::skerry::testing::is_ok(outcome))
#define EXPECT_ERROR(outcome, code) EXPECT_TRUE(::skerry::testing::is_error(outcome, code))
#define EXPECT_ERROR_SAYING(outcome, code, ...) \
  EXPECT_TRUE(::skerry::testing::is_error_saying(outcome, code, __VA_ARGS__))
