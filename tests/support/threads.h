// threads.h - many threads that begin together.
#pragma once

#include <cstddef>
#include <latch>
#include <thread>
#include <vector>

namespace skerry::testing {

// Runs body(0) .. body(count - 1), each in a thread of its own; none begins before all are there.
template <class Body>
void together(std::size_t count, Body&& body) {
  std::latch ready(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      body(i);
    });
  }
}

}  // namespace skerry::testing
