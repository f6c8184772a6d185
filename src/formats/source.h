// source.h - bytes of a file or a pipe, in order, with a way to be stopped.
//
// One buffer of 256 KB; a file of any size streams through it. `stop_fd` is a descriptor that
// becomes readable when the reader should give up (the door's signal handler writes to a pipe): a
// read that would wait forever on standard input then returns Trouble::stopped, without a race
// between the signal and the wait.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/outcome.h"

namespace skerry::formats {

class Source {
 public:
  // `path` "-" is standard input.
  static Outcome open(const std::string& path, int stop_fd, std::unique_ptr<Source>& out);

  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  // Up to `count` bytes; fewer (`got`) only at the end or when the outcome is not ok.
  Outcome read(void* out, std::size_t count, std::size_t& got);

  // The next line without its newline (and without a carriage return before it). `found` is false
  // at the end.
  Outcome line(std::string& out, bool& found);

  // Passes over bytes: a seek where the file can, reading where it cannot.
  Outcome skip(std::uint64_t count, std::uint64_t& skipped);

  // Bytes taken so far.
  std::uint64_t position() const noexcept { return position_; }

  // Of a regular file; a pipe does not know.
  std::optional<std::uint64_t> size() const noexcept { return size_; }

  // For messages: the path, or "standard input".
  const std::string& name() const noexcept { return name_; }

 private:
  Source(std::string name, int fd, int stop_fd, std::optional<std::uint64_t> size);
  Outcome fill();  // reads more when the buffer is empty; at the end it stays empty

  std::string name_;
  int fd_;
  int stop_fd_;
  std::optional<std::uint64_t> size_;
  std::uint64_t position_ = 0;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // buffer_[begin_, limit_) is read but not taken
  std::size_t limit_ = 0;
};

}  // namespace skerry::formats
