// system_calls.cc - the functions of the C library, passed by an observer on the way to the kernel.
#include "torture/system_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>

namespace skerry::torture {

std::atomic<SystemCallObserver*> system_call_observer{nullptr};

namespace {

using Kind = SystemCall::Kind;

// What an observer does itself is not observed.
constinit thread_local bool observing = false;

int ask(SystemCallObserver& observer, SystemCall& call) noexcept {
  observing = true;
  const int refused = observer.before(call);
  observing = false;
  return refused;
}

// `perform` makes the call, of `call.bytes` bytes where that matters; -1 and errno when it fails.
template <class Perform>
std::int64_t pass(SystemCall& call, Perform perform) {
  SystemCallObserver* observer = system_call_observer.load(std::memory_order_acquire);
  if (observer == nullptr || observing) return perform();
  const int refused = ask(*observer, call);
  std::int64_t result = -1;
  if (refused == 0) {
    result = perform();
  } else {
    errno = refused;
  }
  const int error = errno;
  observing = true;
  observer->after(call, result);
  observing = false;
  errno = error;
  return result;
}

std::int64_t open_at(const char* name, int folder, const char* path, int flags, mode_t mode) {
  SystemCall call{.kind = Kind::open, .name = name, .fd = folder, .path = path, .flags = flags};
  return pass(call, [&] { return ::syscall(SYS_openat, folder, call.path, flags, mode); });
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

std::int64_t write_parts(const char* name, int fd, const iovec* parts, int count, off_t offset) {
  std::size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
  const bool moves = offset < 0;
  if (moves) offset = ::lseek(fd, 0, SEEK_CUR);
  SystemCall call{.kind = Kind::write,
                  .name = name,
                  .fd = fd,
                  .parts = parts,
                  .part_count = count,
                  .bytes = bytes,
                  .offset = offset};
  return pass(call, [&]() -> std::int64_t {
    if (call.bytes == bytes) {
      return moves ? ::syscall(SYS_writev, fd, parts, count)
                   : ::syscall(SYS_pwritev, fd, parts, count, offset, 0);
    }
    std::int64_t written = 0;
    for (int i = 0; i < count && call.bytes > 0; ++i) {
      const std::size_t part = std::min(call.bytes, parts[i].iov_len);
      const std::int64_t done =
          moves ? ::syscall(SYS_write, fd, parts[i].iov_base, part)
                : ::syscall(SYS_pwrite64, fd, parts[i].iov_base, part, offset + written);
      if (done < 0) return written > 0 ? written : done;
      written += done;
      call.bytes -= part;
    }
    return written;
  });
}

std::int64_t write_bytes(const char* name, int fd, const void* data, std::size_t bytes,
                         off_t offset) {
  const iovec part{const_cast<void*>(data), bytes};
  return write_parts(name, fd, &part, 1, offset);
}

std::int64_t read_bytes(const char* name, int fd, void* data, std::size_t bytes, off_t offset) {
  SystemCall call{.kind = Kind::read, .name = name, .fd = fd, .bytes = bytes, .offset = offset};
  return pass(call, [&] {
    return offset < 0 ? ::syscall(SYS_read, fd, data, call.bytes)
                      : ::syscall(SYS_pread64, fd, data, call.bytes, offset);
  });
}

int remove_at(const char* name, int folder, const char* path, int flags) {
  SystemCall call{.kind = Kind::remove, .name = name, .fd = folder, .path = path, .flags = flags};
  return static_cast<int>(pass(call, [&] { return ::syscall(SYS_unlinkat, folder, path, flags); }));
}

int rename_at(const char* name, int folder, const char* from, int target_folder, const char* to,
              unsigned flags) {
  SystemCall call{.kind = Kind::rename,
                  .name = name,
                  .fd = folder,
                  .path = from,
                  .target_fd = target_folder,
                  .target = to};
  return static_cast<int>(
      pass(call, [&] { return ::syscall(SYS_renameat2, folder, from, target_folder, to, flags); }));
}

int sync_with(const char* name, long number, int fd) {
  SystemCall call{.kind = Kind::sync, .name = name, .fd = fd};
  return static_cast<int>(pass(call, [&] { return ::syscall(number, fd); }));
}

int truncate_to(const char* name, int fd, off_t size) {
  SystemCall call{.kind = Kind::truncate, .name = name, .fd = fd, .offset = size};
  return static_cast<int>(pass(call, [&] { return ::syscall(SYS_ftruncate, fd, size); }));
}

void* map_pages(const char* name, void* at, std::size_t bytes, int protection, int sharing, int fd,
                off_t offset) {
  SystemCall call{.kind = Kind::map,
                  .name = name,
                  .fd = fd,
                  .bytes = bytes,
                  .offset = offset,
                  .flags = protection,
                  .sharing = sharing};
  const std::int64_t result =
      pass(call, [&] { return ::syscall(SYS_mmap, at, bytes, protection, sharing, fd, offset); });
  return result == -1 ? MAP_FAILED : reinterpret_cast<void*>(result);
}

}  // namespace

int refusal_of(SystemCall& call) noexcept {
  SystemCallObserver* observer = system_call_observer.load(std::memory_order_acquire);
  return observer == nullptr || observing ? 0 : ask(*observer, call);
}

}  // namespace skerry::torture

namespace torture = skerry::torture;
using torture::Kind;
using torture::SystemCall;

#pragma GCC visibility push(default)
extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = torture::mode_of(flags, arguments);
  va_end(arguments);
  return static_cast<int>(torture::open_at("open", AT_FDCWD, path, flags, mode));
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = torture::mode_of(flags, arguments);
  va_end(arguments);
  return static_cast<int>(torture::open_at("open", AT_FDCWD, path, flags, mode));
}
int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = torture::mode_of(flags, arguments);
  va_end(arguments);
  return static_cast<int>(torture::open_at("openat", folder, path, flags, mode));
}

ssize_t read(int fd, void* data, size_t bytes) {
  return torture::read_bytes("read", fd, data, bytes, -1);
}
ssize_t pread(int fd, void* data, size_t bytes, off_t offset) {
  return torture::read_bytes("pread", fd, data, bytes, offset);
}
ssize_t pread64(int fd, void* data, size_t bytes, off64_t offset) {
  return torture::read_bytes("pread", fd, data, bytes, offset);
}

ssize_t write(int fd, const void* data, size_t bytes) {
  return torture::write_bytes("write", fd, data, bytes, -1);
}
ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  return torture::write_bytes("pwrite", fd, data, bytes, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t bytes, off64_t offset) {
  return torture::write_bytes("pwrite", fd, data, bytes, offset);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  return torture::write_parts("writev", fd, parts, count, -1);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return torture::write_parts("pwritev", fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t offset) {
  return torture::write_parts("pwritev", fd, parts, count, offset);
}

int fsync(int fd) {
  return torture::sync_with("fsync", SYS_fsync, fd);
}
int fdatasync(int fd) {
  return torture::sync_with("fdatasync", SYS_fdatasync, fd);
}
// Of maps that are written through memory, which the power recorder calls scratch.
int msync(void* at, size_t bytes, int flags) {
  SystemCall call{.kind = Kind::sync, .name = "msync"};
  return static_cast<int>(
      torture::pass(call, [&] { return ::syscall(SYS_msync, at, bytes, flags); }));
}

int ftruncate(int fd, off_t size) noexcept {
  return torture::truncate_to("ftruncate", fd, size);
}
int ftruncate64(int fd, off64_t size) noexcept {
  return torture::truncate_to("ftruncate", fd, size);
}

int rename(const char* from, const char* to) noexcept {
  return torture::rename_at("rename", AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int folder, const char* from, int target_folder, const char* to) noexcept {
  return torture::rename_at("renameat", folder, from, target_folder, to, 0);
}
int renameat2(int folder, const char* from, int target_folder, const char* to,
              unsigned flags) noexcept {
  return torture::rename_at("renameat2", folder, from, target_folder, to, flags);
}

int unlink(const char* path) noexcept {
  return torture::remove_at("unlink", AT_FDCWD, path, 0);
}
int rmdir(const char* path) noexcept {
  return torture::remove_at("rmdir", AT_FDCWD, path, AT_REMOVEDIR);
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  return torture::remove_at("unlinkat", folder, path, flags);
}
int remove(const char* path) noexcept {
  struct stat file = {};
  const bool is_folder = ::lstat(path, &file) == 0 && S_ISDIR(file.st_mode);
  return torture::remove_at("remove", AT_FDCWD, path, is_folder ? AT_REMOVEDIR : 0);
}

int mkdir(const char* path, mode_t mode) noexcept {
  SystemCall call{.kind = Kind::mkdir, .name = "mkdir", .fd = AT_FDCWD, .path = path};
  return static_cast<int>(
      torture::pass(call, [&] { return ::syscall(SYS_mkdirat, AT_FDCWD, path, mode); }));
}

void* mmap(void* at, size_t bytes, int protection, int sharing, int fd, off_t offset) noexcept {
  return torture::map_pages("mmap", at, bytes, protection, sharing, fd, offset);
}
void* mmap64(void* at, size_t bytes, int protection, int sharing, int fd, off64_t offset) noexcept {
  return torture::map_pages("mmap", at, bytes, protection, sharing, fd, offset);
}
int mprotect(void* at, size_t bytes, int protection) noexcept {
  SystemCall call{.kind = Kind::map,
                  .name = "mprotect",
                  .bytes = bytes,
                  .flags = protection,
                  .sharing = MAP_PRIVATE};
  return static_cast<int>(
      torture::pass(call, [&] { return ::syscall(SYS_mprotect, at, bytes, protection); }));
}

int flock(int fd, int operation) noexcept {
  SystemCall call{.kind = Kind::lock, .name = "flock", .fd = fd, .flags = operation};
  return static_cast<int>(torture::pass(call, [&] { return ::syscall(SYS_flock, fd, operation); }));
}
int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  const auto perform = [&] { return ::syscall(SYS_fcntl, fd, command, argument); };
  if (command != F_SETLK && command != F_SETLKW && command != F_GETLK && command != F_OFD_SETLK &&
      command != F_OFD_SETLKW && command != F_OFD_GETLK) {
    return static_cast<int>(perform());
  }
  SystemCall call{.kind = Kind::lock, .name = "fcntl", .fd = fd, .flags = command};
  return static_cast<int>(torture::pass(call, perform));
}

ssize_t getrandom(void* data, size_t bytes, unsigned flags) {
  SystemCall call{.kind = Kind::random, .name = "getrandom", .bytes = bytes};
  return torture::pass(call, [&] { return ::syscall(SYS_getrandom, data, call.bytes, flags); });
}

// Its errors are returned, and not in errno.
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  static const auto next =
      reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  SystemCall call{.kind = Kind::thread, .name = "pthread_create"};
  const std::int64_t result = torture::pass(call, [&]() -> std::int64_t {
    const int error = next(thread, attributes, start, argument);
    if (error == 0) return 0;
    errno = error;
    return -1;
  });
  return result == 0 ? 0 : errno;
}

}  // extern "C"
#pragma GCC visibility pop
