// write.h - vectors in and out: add, upsert, remove, get, and which keys there are.
//
// Threads: with the GIL, which is let go while the library is at work.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "python/keys.h"
#include "python/long_call.h"
#include "python/numbers.h"
#include "python/payloads.h"
#include "python/rows.h"
#include "python/subject.h"
#include "skerry/collection.h"
#include "skerry/index.h"
#include "skerry/snapshot.h"

namespace skerry::python {

enum class Verb { insert, upsert };

// Does the handle still answer? What size() and contains() say of a closed one, nothing, is a
// question for this.
inline Status usable(const Index& index) {
  return index.for_each([](Key) { return false; });
}
inline Status usable(const Collection& collection) {
  return collection.options().status();
}

// Calls the verb with what there is: a collection takes payloads, an index does not.
template <class T, class K, class V, class... More>
Status write_one(T& handle, Verb verb, K key, V vector, const More&... more) {
  return verb == Verb::insert ? handle.insert(key, vector, more...)
                              : handle.upsert(key, vector, more...);
}

// One key with one vector is a row; everything else is a batch: one step, all or nothing.
template <class T>
void write(const Subject<T>& subject, Verb verb, py::handle keys_in, py::handle vectors_in,
           py::handle payloads_in, py::handle threads, py::handle timeout, py::handle progress) {
  const Keys keys = keys_of("keys", keys_in, subject.keys());
  const Rows rows = rows_of("vectors", vectors_in, subject.scalar(), subject.dimension());
  const bool is_empty = keys.size() == 0 && rows.view.dimension() == 0;
  const MatrixView vectors = is_empty ? MatrixView() : rows.view;
  if (keys.size() != vectors.rows()) {
    raise_invalid("vectors: expected as many as keys, " + std::to_string(keys.size()) + ", given " +
                  std::to_string(vectors.rows()));
  }
  if (is_empty) return;
  const bool is_one = keys.is_one && rows.is_one;
  const Payloads payloads(payloads_in, keys.size(), is_one);
  const std::shared_ptr<T> handle = subject.handle();
  LongCall call(progress, timeout, subject.raised());
  BatchOptions options;
  options.threads = whole<std::uint32_t>("threads", threads);
  options.control = call.control();
  const Status status = without_gil([&] {
    if constexpr (std::is_same_v<T, Index>) {
      return is_one ? write_one(*handle, verb, keys.numbers.front(), vectors.row(0))
                    : write_one(*handle, verb, keys.numbers, vectors, options);
    } else {
      const auto with = [&](const auto& list) {
        return is_one ? write_one(*handle, verb, list.front(), vectors.row(0), payloads.front())
                      : write_one(*handle, verb, std::span(list), vectors, payloads.all(), options);
      };
      return subject.keys() == KeyKind::number
                 ? with(keys.numbers)
                 : with(std::span<const std::string_view>(keys.names));
    }
  });
  call.finish(status);
}

template <class T>
std::uint64_t remove(const Subject<T>& subject, py::handle keys_in) {
  const Keys keys = keys_of("keys", keys_in, subject.keys());
  const std::shared_ptr<T> handle = subject.handle();
  const auto removed = without_gil([&] {
    if constexpr (!std::is_same_v<T, Index>) {
      if (subject.keys() != KeyKind::number) {
        return handle->remove(std::span<const std::string_view>(keys.names));
      }
    }
    return handle->remove(keys.numbers);
  });
  if (Raised* raised = subject.raised()) raised->rethrow_if_any();
  return value_of(removed);
}

// Calls `use` with a key as the subject has it, without the GIL.
template <class T, class Use>
auto with_key(const Subject<T>& subject, const Keys& keys, std::size_t i, Use&& use) {
  if constexpr (!std::is_same_v<T, Index>) {
    if (subject.keys() != KeyKind::number) return use(keys.names[i]);
  }
  return use(keys.numbers[i]);
}

inline Result<bool> contains_one(const Snapshot& snapshot, const auto& key) {
  return snapshot.contains(key);
}
template <class T>
Result<bool> contains_one(const T& handle, const auto& key) {
  if (handle.contains(key)) return true;
  if (Status status = usable(handle); !status.ok()) return status;
  return false;
}

// Of one key a bool, of many an array of them.
template <class T>
py::object contains(const Subject<T>& subject, py::handle keys_in) {
  const Keys keys = keys_of("keys", keys_in, subject.keys());
  const std::shared_ptr<T> handle = subject.handle();
  py::array_t<bool> answers(static_cast<py::ssize_t>(keys.size()));
  bool* answer = answers.mutable_data();
  const Status status = without_gil([&] {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Result<bool> found =
          with_key(subject, keys, i, [&](const auto& key) { return contains_one(*handle, key); });
      if (!found) return found.error();
      answer[i] = *found;
    }
    return Status();
  });
  check(status);
  if (keys.is_one) return py::bool_(answer[0]);
  return answers;
}

template <class T>
std::uint64_t size_of(const Subject<T>& subject) {
  const std::shared_ptr<T> handle = subject.handle();
  const auto size = without_gil([&]() -> Result<std::uint64_t> {
    const std::uint64_t count = handle->size();
    if constexpr (!std::is_same_v<T, Snapshot>) {
      if (count == 0) {
        if (Status status = usable(*handle); !status.ok()) return status;
      }
    }
    return count;
  });
  return value_of(size);
}

// Puts the key behind the message: the library says "no such key".
[[noreturn]] inline void raise_of_key(const Status& status, const Keys& keys, std::size_t i) {
  const std::string key =
      keys.names.empty() ? std::to_string(keys.numbers[i])
                         : py::repr(name_out(keys.names[i], KeyKind::text)).cast<std::string>();
  raise(status, ": " + key);
}

// Of one key (dimension,), of n keys (n, dimension), in the type of dtype_out().
template <class T>
py::array get(const Subject<T>& subject, py::handle keys_in) {
  const Keys keys = keys_of("keys", keys_in, subject.keys());
  const std::shared_ptr<T> handle = subject.handle();
  const Scalar scalar = subject.scalar();
  const py::dtype type = dtype_out(scalar);
  const std::size_t stored = vector_bytes(scalar, subject.dimension());
  const std::size_t bytes = scalar == Scalar::bf16 ? subject.dimension() * sizeof(float) : stored;
  const auto width = static_cast<py::ssize_t>(bytes) / type.itemsize();
  std::vector<py::ssize_t> shape{width};
  if (!keys.is_one) shape.insert(shape.begin(), static_cast<py::ssize_t>(keys.size()));
  py::array vectors(type, shape);
  auto* place = static_cast<std::byte*>(vectors.mutable_data());
  std::size_t i = 0;
  const Status status = without_gil([&] {
    for (; i < keys.size(); ++i) {
      std::byte* row = place + i * bytes;
      const Status got = with_key(subject, keys, i, [&](const auto& key) {
        if (scalar == Scalar::bf16) {
          return handle->get(key, {reinterpret_cast<float*>(row), subject.dimension()});
        }
        return handle->get_bytes(key, {row, bytes});
      });
      if (!got.ok()) return got;
    }
    return Status();
  });
  if (!status.ok()) raise_of_key(status, keys, i);
  return vectors;
}

// All keys: an array of uint64, or a list of str or bytes.
template <class T>
py::object all_keys(const Subject<T>& subject) {
  const std::shared_ptr<T> handle = subject.handle();
  if constexpr (!std::is_same_v<T, Index>) {
    if (subject.keys() != KeyKind::number) {
      std::vector<std::string> names;
      check(without_gil([&] {
        return handle->for_each_name([&](std::string_view name) {
          names.emplace_back(name);
          return true;
        });
      }));
      py::list list;
      for (const std::string& name : names) list.append(name_out(name, subject.keys()));
      return list;
    }
  }
  std::vector<Key> keys;
  check(without_gil([&] {
    return handle->for_each([&](Key key) {
      keys.push_back(key);
      return true;
    });
  }));
  return py::array_t<Key>(static_cast<py::ssize_t>(keys.size()), keys.data());
}

// The payload as bytes; None when the key has none.
template <class T>
py::object payload(const Subject<T>& subject, py::handle key_in) {
  const Keys keys = key_of("key", key_in, subject.keys());
  const std::shared_ptr<T> handle = subject.handle();
  std::vector<std::byte> bytes(1024);
  Result<std::size_t> size = without_gil([&] {
    return with_key(subject, keys, 0, [&](const auto& key) {
      Result<std::size_t> read = handle->get_payload(key, bytes);
      while (read && *read > bytes.size()) {  // another write may have made it longer
        bytes.resize(*read);
        read = handle->get_payload(key, bytes);
      }
      return read;
    });
  });
  if (!size) raise_of_key(size.error(), keys, 0);
  if (*size == 0) return py::none();
  return py::bytes(reinterpret_cast<const char*>(bytes.data()), *size);
}

}  // namespace skerry::python
