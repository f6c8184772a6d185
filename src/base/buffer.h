// buffer.h - scratch of a search: grows to the largest use, is never copied, throws nothing.
//
// Threads: one owner at a time.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/host_functions.h"
#include "skerry/status.h"

namespace skerry {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() { give_lines_back(data_, bytes_of(size_)); }

  // Makes room for `count`; what was inside is lost when it grows. Starts on a cache line.
  Status reserve(std::size_t count) {
    if (count <= size_) return {};
    const std::size_t wish = count + size_ / 2;
    void* fresh = take_lines(bytes_of(wish));
    if (fresh == nullptr) return Status(Code::out_of_memory, "no memory for a search's scratch");
    give_lines_back(data_, bytes_of(size_));
    data_ = static_cast<T*>(fresh);
    size_ = wish;
    return {};
  }

  T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  static constexpr std::size_t bytes_of(std::size_t count) noexcept {
    return whole_lines(count * sizeof(T));
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace skerry
