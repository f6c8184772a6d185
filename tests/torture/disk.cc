// disk.cc - filming, and losing power.
#include "torture/disk.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>
#include <utility>

namespace skerry::torture {
namespace {

constexpr std::size_t kSector = 512;

[[noreturn]] void give_up(const char* what, const std::string& about) {
  std::fprintf(stderr, "torture: %s: %s\n", what, about.c_str());
  std::abort();
}

bool by_chance(unsigned chance, std::mt19937_64& random) {
  return random() % 256 < chance;
}

}  // namespace

// -- Film -----------------------------------------------------------------------------------------

Film::Film(std::filesystem::path folder) : folder_(std::move(folder)), names_(1) {
  system_call_observer.store(this, std::memory_order_release);
}

Film::~Film() {
  stop();
}

void Film::stop() noexcept {
  system_call_observer.store(nullptr, std::memory_order_release);
}

void Film::mark(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  add({.kind = Event::Kind::mark, .offset = number});
}

// False when the path leads elsewhere.
bool Film::place_of(int folder, const char* path, Place& place) const {
  place = {};
  std::string_view rest = path;
  if (!rest.starts_with('/')) {
    const auto found = open_.find(folder);
    if (found == open_.end()) return false;
    place.folder = found->second.node;
  } else {
    const std::string& root = folder_.native();
    if (!rest.starts_with(root)) return false;
    rest.remove_prefix(root.size());
    if (!rest.empty() && rest.front() != '/') return false;
  }
  for (;;) {
    while (rest.starts_with('/')) rest.remove_prefix(1);
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.empty()) return true;
    if (!place.name.empty()) {
      Node node = 0;
      if (!node_of(place, node)) return false;
      place = {node, {}};
    }
    place.name = part;
    rest.remove_prefix(part.size());
  }
}

bool Film::node_of(const Place& place, Node& node) const {
  node = place.folder;
  if (place.name.empty()) return true;
  const auto& names = names_[place.folder];
  const auto found = names.find(place.name);
  if (found == names.end()) return false;
  node = found->second;
  return true;
}

int Film::before(SystemCall& call) noexcept {
  // A lock may be waited for: it changes no file.
  if (call.kind != SystemCall::Kind::lock && call.kind != SystemCall::Kind::thread) mutex_.lock();
  return 0;
}

void Film::after(const SystemCall& call, std::int64_t result) noexcept {
  using Kind = SystemCall::Kind;
  if (call.kind == Kind::lock || call.kind == Kind::thread) return;
  const std::lock_guard lock(mutex_, std::adopt_lock);
  if (result < 0) return;
  const auto open = open_.find(call.fd);
  Place place;
  Node node = 0;
  switch (call.kind) {
    case Kind::open:
      opened(call, result);
      break;
    case Kind::write:
      written(call, result);
      break;
    case Kind::sync:
      if (open != open_.end()) add({.kind = Event::Kind::sync, .node = open->second.node});
      break;
    case Kind::truncate:
      if (open != open_.end()) {
        add({.kind = Event::Kind::resize,
             .node = open->second.node,
             .offset = static_cast<std::uint64_t>(call.offset)});
      }
      break;
    case Kind::rename: {
      Place target;
      if (!place_of(call.fd, call.path, place)) break;
      if (!place_of(call.target_fd, call.target, target) || !node_of(place, node)) {
        give_up("a rename out of the film", call.target);
      }
      names_[place.folder].erase(place.name);
      names_[target.folder][target.name] = node;
      add({.kind = Event::Kind::rename,
           .node = node,
           .folder = place.folder,
           .target_folder = target.folder,
           .name = place.name,
           .target = target.name});
      break;
    }
    case Kind::remove:
      if (!place_of(call.fd, call.path, place) || !node_of(place, node)) break;
      names_[place.folder].erase(place.name);
      add({.kind = Event::Kind::remove, .folder = place.folder, .name = place.name});
      break;
    case Kind::mkdir:
      if (!place_of(AT_FDCWD, call.path, place) || place.name.empty()) break;
      node = static_cast<Node>(names_.size());
      names_.emplace_back();
      names_[place.folder][place.name] = node;
      add({.kind = Event::Kind::make_folder,
           .node = node,
           .folder = place.folder,
           .name = place.name});
      break;
    case Kind::map:
      if (open != open_.end() && (call.flags & PROT_WRITE) != 0 &&
          (call.sharing & MAP_SHARED) != 0) {
        add({.kind = Event::Kind::scratch, .node = open->second.node});
      }
      break;
    default:
      break;
  }
}

void Film::opened(const SystemCall& call, std::int64_t fd) {
  const int number = static_cast<int>(fd);
  open_.erase(number);
  Place place;
  if (!place_of(call.fd, call.path, place)) return;
  Node node = 0;
  if (!node_of(place, node)) {
    if ((call.flags & O_CREAT) == 0) give_up("a file that nobody made", call.path);
    node = static_cast<Node>(names_.size());
    names_.emplace_back();
    names_[place.folder][place.name] = node;
    add({.kind = Event::Kind::make_file, .node = node, .folder = place.folder, .name = place.name});
  } else if ((call.flags & O_TRUNC) != 0) {
    add({.kind = Event::Kind::resize, .node = node, .offset = 0});
  }
  open_[number] = {node, (call.flags & O_DSYNC) != 0};
}

void Film::written(const SystemCall& call, std::int64_t bytes) {
  const auto open = open_.find(call.fd);
  if (open == open_.end() || bytes == 0) return;
  Event event{.kind = Event::Kind::write,
              .lasts = open->second.lasts,
              .node = open->second.node,
              .offset = static_cast<std::uint64_t>(call.offset)};
  auto left = static_cast<std::size_t>(bytes);
  for (int i = 0; i < call.part_count && left > 0; ++i) {
    const std::size_t part = std::min(left, call.parts[i].iov_len);
    event.bytes.append(static_cast<const char*>(call.parts[i].iov_base), part);
    left -= part;
  }
  add(std::move(event));
}

// -- losing power ---------------------------------------------------------------------------------

Loss loss_of(unsigned way, std::mt19937_64& random) {
  const auto chance = [&] { return static_cast<unsigned>(16 + random() % 225); };
  switch (way) {
    case 0:
      return {};
    case 1:
      return {.write_chance = 256, .name_chance = 256};
    case 2:
      return {.name_chance = 256};
    case 3:
      return {.write_chance = 256};
    case 4:
      return {.write_chance = chance(), .name_chance = chance()};
    case 5:
      return {.writes = Loss::Writes::torn, .write_chance = chance(), .name_chance = chance()};
    case 6:
      return {.writes = Loss::Writes::last, .names_in_order = true};
    default:
      return {.writes = Loss::Writes::first, .names_in_order = true};
  }
}

// -- Disk -----------------------------------------------------------------------------------------

Disk::Disk(const Film& film, std::size_t events) : files_(1) {
  files_[0].is_folder = true;
  for (std::size_t i = 0; i < events; ++i) {
    const Event& event = film.events()[i];
    switch (event.kind) {
      case Event::Kind::make_file:
      case Event::Kind::make_folder:
        files_.resize(event.node + 1);
        files_[event.node].is_folder = event.kind == Event::Kind::make_folder;
        unsynced_names_.push_back(&event);
        break;
      case Event::Kind::rename:
      case Event::Kind::remove:
        unsynced_names_.push_back(&event);
        break;
      case Event::Kind::write:
      case Event::Kind::resize:
        files_[event.node].unsynced.push_back(&event);
        break;
      case Event::Kind::sync:
        sync(event.node);
        break;
      case Event::Kind::scratch:
        files_[event.node].is_scratch = true;
        break;
      case Event::Kind::mark:
        marks_.push_back(event.offset);
        break;
    }
  }
}

void Disk::sync(Node node) {
  File& file = files_[node];
  if (!file.is_folder) {
    for (const Event* event : file.unsynced)
      apply_write(file.bytes, *event, 0, event->bytes.size());
    file.unsynced.clear();
    return;
  }
  std::erase_if(unsynced_names_, [&](const Event* event) {
    const bool is_here = event->folder == node ||
                         (event->kind == Event::Kind::rename && event->target_folder == node);
    if (is_here) apply_name(*event);
    return is_here;
  });
}

void Disk::apply_name(const Event& event) {
  auto& names = files_[event.folder].names;
  switch (event.kind) {
    case Event::Kind::rename:
      names.erase(event.name);
      files_[event.target_folder].names[event.target] = event.node;
      break;
    case Event::Kind::remove:
      names.erase(event.name);
      break;
    default:
      names[event.name] = event.node;
  }
}

// Bytes [from, to) of a write; a resize whole.
void Disk::apply_write(std::string& bytes, const Event& event, std::size_t from, std::size_t to) {
  if (event.kind == Event::Kind::resize) {
    bytes.resize(event.offset);
    return;
  }
  if (bytes.size() < event.offset + to) bytes.resize(event.offset + to);
  std::memcpy(&bytes[event.offset + from], &event.bytes[from], to - from);
}

std::string Disk::content(const File& file, const Loss& loss, std::mt19937_64& random) const {
  if (file.is_scratch) {
    std::string noise(random() % 3 == 0 ? 0 : 8192, '\0');
    if (random() % 2 == 0) std::generate(noise.begin(), noise.end(), [&] { return random(); });
    return noise;
  }
  std::string bytes = file.bytes;
  const std::size_t moment =
      file.unsynced.empty() ? 0 : static_cast<std::size_t>(random() % (file.unsynced.size() + 1));
  for (std::size_t i = 0; i < file.unsynced.size(); ++i) {
    const Event& event = *file.unsynced[i];
    const std::size_t size = event.bytes.size();
    bool is_there = event.lasts;
    if (loss.writes == Loss::Writes::first) is_there |= i < moment;
    if (loss.writes == Loss::Writes::last) is_there |= i + 1 == file.unsynced.size();
    if (loss.writes == Loss::Writes::each) is_there |= by_chance(loss.write_chance, random);
    if (loss.writes != Loss::Writes::torn || event.kind == Event::Kind::resize || is_there) {
      if (is_there || (loss.writes == Loss::Writes::torn && by_chance(loss.write_chance, random))) {
        apply_write(bytes, event, 0, size);
      }
      continue;
    }
    for (std::size_t from = 0; from < size;) {
      const std::size_t to =
          std::min(size, (event.offset + from) / kSector * kSector + kSector - event.offset);
      if (by_chance(loss.write_chance, random)) apply_write(bytes, event, from, to);
      from = to;
    }
    // The size without the bytes.
    if (bytes.size() < event.offset + size && by_chance(loss.write_chance, random)) {
      bytes.resize(event.offset + size);
    }
  }
  return bytes;
}

bool Disk::is_scratch(const std::filesystem::path& path) const {
  Node node = 0;
  for (const std::filesystem::path& part : path) {
    const auto found = files_[node].names.find(part.native());
    if (found == files_[node].names.end()) return false;
    node = found->second;
  }
  return files_[node].is_scratch;
}

void Disk::lose_power(const Loss& loss, std::mt19937_64& random,
                      const std::filesystem::path& folder) {
  const std::size_t moment =
      unsynced_names_.empty() ? 0
                              : static_cast<std::size_t>(random() % (unsynced_names_.size() + 1));
  for (std::size_t i = 0; i < unsynced_names_.size(); ++i) {
    if (loss.names_in_order ? i < moment : by_chance(loss.name_chance, random)) {
      apply_name(*unsynced_names_[i]);
    }
  }
  unsynced_names_.clear();
  write_folder(0, loss, random, folder);
}

void Disk::write_folder(Node node, const Loss& loss, std::mt19937_64& random,
                        const std::filesystem::path& path) const {
  std::filesystem::create_directory(path);
  for (const auto& [name, child] : files_[node].names) {
    const File& file = files_[child];
    if (file.is_folder) {
      write_folder(child, loss, random, path / name);
      continue;
    }
    if (file.is_scratch && random() % 4 == 0) continue;
    const std::string bytes = content(file, loss, random);
    std::ofstream(path / name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace skerry::torture
