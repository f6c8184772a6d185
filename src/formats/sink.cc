// sink.cc - bytes into a file that appears whole or not at all, or onto standard output.
#include "formats/sink.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>

namespace skerry::formats {

Outcome Sink::open(const std::string& path, std::unique_ptr<Sink>& out) {
  if (path == "-") {
    out.reset(new Sink("standard output", "", stdout));
    return {};
  }
  std::FILE* file = std::fopen((path + ".partial").c_str(), "wbe");
  if (file == nullptr) return Outcome::io(fmt::format("{}: {}", path, std::strerror(errno)));
  out.reset(new Sink(path, path, file));
  return {};
}

Sink::Sink(std::string name, std::string path, std::FILE* file)
    : name_(std::move(name)), path_(std::move(path)), file_(file) {}

Sink::~Sink() {
  if (path_.empty() || file_ == nullptr) return;
  std::fclose(file_);
  std::remove((path_ + ".partial").c_str());
}

Outcome Sink::failed() const {
  return Outcome::io(fmt::format("{}: {}", name_, std::strerror(errno)));
}

Outcome Sink::write(const void* data, std::size_t bytes) {
  return std::fwrite(data, 1, bytes, file_) == bytes ? Outcome{} : failed();
}

Outcome Sink::finish() {
  if (std::fflush(file_) != 0) return failed();
  if (path_.empty()) return {};
  std::FILE* file = file_;
  file_ = nullptr;
  const std::string partial = path_ + ".partial";
  if (std::fclose(file) != 0 || std::rename(partial.c_str(), path_.c_str()) != 0) {
    Outcome outcome = failed();
    std::remove(partial.c_str());
    return outcome;
  }
  return {};
}

}  // namespace skerry::formats
