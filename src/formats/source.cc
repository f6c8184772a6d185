// source.cc - bytes of a file or a pipe, in order, with a way to be stopped.
#include "formats/source.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skerry::formats {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kLineBytesMax = std::size_t{1} << 30;

}  // namespace

Outcome Source::open(const std::string& path, int stop_fd, std::unique_ptr<Source>& out) {
  if (path == "-") {
    out.reset(new Source("standard input", STDIN_FILENO, stop_fd, std::nullopt));
    return {};
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string text = fmt::format("{}: {}", path, std::strerror(errno));
    return errno == ENOENT ? Outcome::missing(text) : Outcome::io(text);
  }
  struct stat about {};
  if (::fstat(fd, &about) != 0 || S_ISDIR(about.st_mode)) {
    ::close(fd);
    return Outcome::io(path + ": not a file that can be read");
  }
  std::optional<std::uint64_t> size;
  if (S_ISREG(about.st_mode)) size = static_cast<std::uint64_t>(about.st_size);
  out.reset(new Source(path, fd, stop_fd, size));
  return {};
}

Source::Source(std::string name, int fd, int stop_fd, std::optional<std::uint64_t> size)
    : name_(std::move(name)), fd_(fd), stop_fd_(stop_fd), size_(size), buffer_(kBufferBytes) {}

Source::~Source() {
  if (fd_ != STDIN_FILENO) ::close(fd_);
}

Outcome Source::fill() {
  if (begin_ < limit_) return {};
  begin_ = limit_ = 0;
  for (;;) {
    pollfd watched[2] = {{stop_fd_, POLLIN, 0}, {fd_, POLLIN, 0}};  // a negative one is passed over
    if (stop_fd_ >= 0 && ::poll(watched, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return Outcome::io(fmt::format("{}: {}", name_, std::strerror(errno)));
    }
    if (watched[0].revents != 0) return Outcome::stopped();
    const ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
    // Ctrl-C ends the program that writes into the pipe too: its end may be seen first.
    if (got == 0 && stop_fd_ >= 0 && ::poll(watched, 1, 0) > 0) return Outcome::stopped();
    if (got >= 0) {
      limit_ = static_cast<std::size_t>(got);
      return {};
    }
    if (errno != EINTR) return Outcome::io(fmt::format("{}: {}", name_, std::strerror(errno)));
  }
}

Outcome Source::read(void* out, std::size_t count, std::size_t& got) {
  got = 0;
  while (got < count) {
    if (Outcome filled = fill(); !filled.ok()) return filled;
    if (begin_ == limit_) return {};
    const std::size_t take = std::min(count - got, limit_ - begin_);
    std::memcpy(static_cast<char*>(out) + got, buffer_.data() + begin_, take);
    begin_ += take;
    got += take;
    position_ += take;
  }
  return {};
}

Outcome Source::line(std::string& out, bool& found) {
  out.clear();
  found = false;
  for (;;) {
    if (Outcome filled = fill(); !filled.ok()) return filled;
    if (begin_ == limit_) break;
    found = true;
    const char* from = buffer_.data() + begin_;
    const auto* end = static_cast<const char*>(std::memchr(from, '\n', limit_ - begin_));
    const std::size_t take = end == nullptr ? limit_ - begin_ : end - from;
    out.append(from, take);
    begin_ += take + (end != nullptr);
    position_ += take + (end != nullptr);
    if (end != nullptr) break;
    if (out.size() > kLineBytesMax) {
      return Outcome::data(fmt::format("{}: a line is longer than {} bytes", name_, kLineBytesMax));
    }
  }
  if (!out.empty() && out.back() == '\r') out.pop_back();
  return {};
}

Outcome Source::skip(std::uint64_t count, std::uint64_t& skipped) {
  skipped = std::min<std::uint64_t>(count, limit_ - begin_);
  begin_ += skipped;
  position_ += skipped;
  if (size_.has_value() && skipped < count) {
    const std::uint64_t jump = std::min(count - skipped, *size_ - std::min(*size_, position_));
    if (::lseek(fd_, static_cast<off_t>(jump), SEEK_CUR) < 0) {
      return Outcome::io(fmt::format("{}: {}", name_, std::strerror(errno)));
    }
    skipped += jump;
    position_ += jump;
    return {};
  }
  while (skipped < count) {
    if (Outcome filled = fill(); !filled.ok()) return filled;
    if (begin_ == limit_) return {};
    const std::uint64_t take = std::min<std::uint64_t>(count - skipped, limit_ - begin_);
    begin_ += take;
    position_ += take;
    skipped += take;
  }
  return {};
}

}  // namespace skerry::formats
