// get.cc - `skerry get`: what is stored under these keys?
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/entry.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "formats/text.h"
#include "formats/writer.h"

namespace skerry::cli {
namespace {

struct Get {
  Place place;
  KeyArguments wanted;

  void run() {
    catch_interrupts();
    wanted.require();
    Database database = open_to_read(place);
    Collection collection = open_collection(database, place);
    const CollectionOptions options = take(collection.options(), place.collection);
    const KeyList keys = wanted.read(options.byte_keys);
    std::size_t missing = 0;
    Entry entry;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (interrupted()) fail(kInterrupted, "interrupted");
      const bool found = read_entry(collection, keys, i, options.index.dimension, true, entry);
      missing += !found;
      print(keys, i, found ? &entry : nullptr);
    }
    check(database.close(), place.database);
    if (missing > 0) {
      if (!json_wanted()) {
        fmt::print(stderr, "skerry: {} of {} keys are not there\n", missing, keys.size());
      }
      fail(kNotFound, "");
    }
  }

  static void print(const KeyList& keys, std::size_t i, const Entry* entry) {
    std::string vector;
    for (std::size_t c = 0; entry != nullptr && c < entry->vector.size(); ++c) {
      if (c > 0) vector += ", ";
      formats::append_float(vector, entry->vector[c]);
    }
    if (!json_wanted()) {
      fmt::print("key      {}\n", keys.text(i));
      if (entry == nullptr) return fmt::print("         not there\n");
      fmt::print("vector   [{}]\n", vector);
      if (!entry->payload.empty()) fmt::print("payload  {}\n", entry->payload);
      return;
    }
    Json answer;
    if (keys.names()) {
      add_bytes(answer, "key", keys.name(i));
    } else {
      answer["key"] = keys.keys()[i];
    }
    answer["found"] = entry != nullptr;
    if (entry != nullptr) {
      Json& components = answer["vector"] = Json::array();
      for (const float component : entry->vector) components.push_back(shortest(component));
      if (!entry->payload.empty()) add_bytes(answer, "payload", entry->payload);
    }
    print_json(answer);
  }
};

}  // namespace

void add_get(CLI::App& app) {
  auto self = std::make_shared<Get>();
  CLI::App* command = add_command(app, "get", "Print what is stored under keys",
                                  "  skerry get my.skerry docs 7 8\n"
                                  "  skerry get my.skerry docs --keys wanted.txt --json\n\n"
                                  "Leaves with 1 when a key is not there.",
                                  Needs::collection, self->place);
  self->wanted.add_to(*command);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli
