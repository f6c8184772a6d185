// sink.h - bytes into a file that appears whole or not at all, or onto standard output.
//
// A file is written beside its place as NAME.partial and renamed by finish(); a writer that goes
// away without finish() takes the partial file with it.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "formats/outcome.h"

namespace skerry::formats {

class Sink {
 public:
  // `path` "-" is standard output.
  static Outcome open(const std::string& path, std::unique_ptr<Sink>& out);

  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  ~Sink();

  Outcome write(const void* data, std::size_t bytes);
  Outcome write(std::string_view text) { return write(text.data(), text.size()); }
  Outcome finish();

  const std::string& name() const noexcept { return name_; }

 private:
  Sink(std::string name, std::string path, std::FILE* file);
  Outcome failed() const;

  std::string name_;
  std::string path_;  // empty for standard output
  std::FILE* file_;
};

}  // namespace skerry::formats
