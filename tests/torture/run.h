// run.h - what every torture is: seeded rounds, children that may fall, one line of JSON at the
// end.
//
// A torture never opens a database in its own process: what is tortured runs in forked children, so
// that a crash or a hang of ours is a failure that is counted and not the end of the run. Children
// tell what they found through shared memory.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <random>
#include <string>
#include <string_view>

namespace skerry::torture {

using Clock = std::chrono::steady_clock;

// The arguments, the progress, the failures, the last line.
class Run {
 public:
  // Takes --rounds N and --seed N; another word ends the program with a usage line.
  Run(const char* name, std::uint64_t rounds, int argc, char** argv)
      : name_(name), rounds_(rounds), seed_(std::random_device{}()) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      std::uint64_t* number = word == "--rounds" ? &rounds_ : word == "--seed" ? &seed_ : nullptr;
      char* end = nullptr;
      if (number != nullptr && i + 1 < argc) *number = std::strtoull(argv[++i], &end, 0);
      if (end == nullptr || *end != '\0') {
        std::fprintf(stderr, "usage: %s [--rounds N] [--seed N]\n", argv[0]);
        std::exit(2);
      }
    }
  }

  std::uint64_t rounds() const { return rounds_; }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t failures() const { return failures_; }

  // On a terminal only, and at most ten times a second.
  void progress(std::uint64_t round, const char* doing) {
    if (::isatty(STDERR_FILENO) == 0 || Clock::now() - shown_ < std::chrono::milliseconds(100)) {
      return;
    }
    shown_ = Clock::now();
    std::fprintf(stderr, "\r%s: %llu of %llu, %llu failures (%s)\033[K", name_,
                 static_cast<unsigned long long>(round), static_cast<unsigned long long>(rounds_),
                 static_cast<unsigned long long>(failures_), doing);
  }

  void fail(std::uint64_t round, std::string_view what) {
    ++failures_;
    std::fprintf(stderr, "%s%s: round %llu of seed %llu: %.*s\n",
                 ::isatty(STDERR_FILENO) != 0 ? "\r\033[K" : "", name_,
                 static_cast<unsigned long long>(round), static_cast<unsigned long long>(seed_),
                 static_cast<int>(what.size()), what.data());
  }

  // Prints the line, with `more` at its end; what main() returns.
  int finish(std::string_view more = {}) const {
    if (::isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
    const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
    std::printf(
        "{\"torture\": \"%s\", \"rounds\": %llu, \"failures\": %llu, \"seed\": %llu, "
        "\"seconds\": %.1f%.*s}\n",
        name_, static_cast<unsigned long long>(rounds_), static_cast<unsigned long long>(failures_),
        static_cast<unsigned long long>(seed_), seconds, static_cast<int>(more.size()),
        more.data());
    return failures_ == 0 ? 0 : 1;
  }

 private:
  const char* name_;
  std::uint64_t rounds_;
  std::uint64_t seed_;
  std::uint64_t failures_ = 0;
  Clock::time_point began_ = Clock::now();
  Clock::time_point shown_ = {};
};

// Independent numbers from a few: where a torture needs chance without a generator to carry.
inline std::uint64_t mix(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  std::uint64_t x = a * 0x9E3779B97F4A7C15ULL ^ (b + 0x632BE59BD9B4E019ULL) * 0xD1342543DE82EF95ULL;
  x ^= (c + 0xA0761D6478BD642FULL) * 0xAF251AF3B0F025B5ULL;
  for (int i = 0; i < 2; ++i) {
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ULL;
  }
  return x ^ x >> 32;
}

// A T that parent and children see; T is plain data, zeroes at first.
template <class T>
class Shared {
 public:
  Shared()
      : at_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~Shared() { ::munmap(at_, sizeof(T)); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return static_cast<T*>(at_); }
  T& operator*() const { return *static_cast<T*>(at_); }

 private:
  void* at_;
};

// Words from a child: the first ones stay.
struct Words {
  char text[600];

  void clear() { text[0] = '\0'; }
  bool any() const { return text[0] != '\0'; }
  [[gnu::format(printf, 2, 3)]] void say(const char* format, ...) {
    if (any()) return;
    std::va_list rest;
    va_start(rest, format);
    std::vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
  }
};

// A forked child that runs `body` and leaves with what it returns. It takes nothing of the parent's
// down with it: no destructor runs, nothing buffered is printed twice.
class Child {
 public:
  template <class Body>
  explicit Child(Body&& body) : pid_(::fork()) {
    if (pid_ < 0) {
      std::perror("fork");
      std::abort();
    }
    if (pid_ == 0) {
      // A dead parent leaves no children that work for ever.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      int code = 98;
      try {
        code = body();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "an exception in a child: %s\n", error.what());
      }
      ::_exit(code);
    }
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // SIGKILL; wait() is still to be called.
  void signal() { ::kill(pid_, SIGKILL); }

  void kill() {
    signal();
    wait();
  }

  // Whether it has ended within `limit`; wait() is still to be called.
  bool ends_within(std::chrono::microseconds limit) const {
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (handle < 0) return false;
    pollfd ended = {handle, POLLIN, 0};
    const timespec most = {limit.count() / 1'000'000, limit.count() % 1'000'000 * 1000};
    const int ready = ::ppoll(&ended, 1, &most, nullptr);
    ::close(handle);
    return ready > 0;
  }

  // How it ended, in waitpid's words. A child that is still there after `limit` is killed, and
  // `hung` is set.
  int wait(std::chrono::microseconds limit = std::chrono::minutes(2)) {
    if (!ends_within(limit)) {
      hung = true;
      signal();
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  bool hung = false;

 private:
  pid_t pid_;
};

// "was killed by signal 11 (Segmentation fault)", "left with 3", "hung".
inline std::string ending(int status, bool hung) {
  if (hung) return "hung";
  if (WIFSIGNALED(status)) {
    return "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" +
           ::strsignal(WTERMSIG(status)) + ")";
  }
  return "left with " + std::to_string(WEXITSTATUS(status));
}

}  // namespace skerry::torture
