// compacted.cc - see compacted.h.
#include "store/compacted.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include "base/files.h"

namespace skerry::store {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

// Fills the piece, unless the writer has closed his end before. A number below 0: see errno.
ssize_t read_piece(int fd, std::span<std::byte> piece) noexcept {
  std::size_t filled = 0;
  while (filled < piece.size()) {
    const ssize_t got = ::read(fd, piece.data() + filled, piece.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return got;
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(filled);
}

int write_all(int fd, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return 0;
}

// Until the end of the pipe, a failure, or somebody who asks to stop.
int pass_on(int from, int to, std::span<std::byte> piece, Watch& watch) noexcept {
  for (;;) {
    const ssize_t got = read_piece(from, piece);
    if (got < 0) return errno;
    if (got == 0) return 0;
    const int error = write_all(to, piece.first(static_cast<std::size_t>(got)));
    if (error != 0) return error;
    if (!watch.advance(static_cast<std::uint64_t>(got)).ok()) return ECANCELED;
  }
}

}  // namespace

int copy_compacted(MDB_env* env, int fd, Watch& watch) {
  if (watch.is_idle()) return mdb_env_copyfd2(env, fd, MDB_CP_COMPACT);
  std::vector<std::byte> piece(kPieceBytes);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
  int copied = 0;
  int passed = 0;
  std::thread copier;
  {
    const Descriptor source(ends[0]);
    try {
      copier = std::thread([env, sink = ends[1], &copied] {
        const Descriptor end(sink);
        copied = mdb_env_copyfd2(env, sink, MDB_CP_COMPACT);
      });
    } catch (const std::system_error& error) {
      ::close(ends[1]);
      return error.code().value();
    }
    passed = pass_on(source.get(), fd, piece, watch);
  }
  copier.join();
  return passed != 0 ? passed : copied;
}

}  // namespace skerry::store
