// export.cc - `skerry export`: a collection into a file, ordered by key.
//
// Binary formats hold vectors alone: --keys-to writes the keys beside them, one a line, which
// `skerry import --keys` reads back.
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/entry.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "formats/writer.h"

namespace skerry::cli {
namespace {

struct Export {
  Place place;
  formats::OutputOptions output;
  std::string format;
  std::string keys_to;
  std::string only;

  void run() {
    catch_interrupts();
    const auto known =
        format.empty() ? formats::format_of_path(output.path) : formats::parse_format(format);
    if (!known.has_value()) {
      fail(kUsage, fmt::format("{}: cannot tell the format; say --format, one of {}", output.path,
                               formats::kFormatNames));
    }
    if (json_wanted() && output.path == "-") {
      fail(kUsage, "--json answers on standard output, which the vectors take");
    }
    Database database = open_to_read(place);
    Collection collection = open_collection(database, place);
    const CollectionOptions options = take(collection.options(), place.collection);
    const KeyList keys = only.empty() ? all_keys(collection, options.byte_keys)
                                      : read_keys(options.byte_keys, {}, only);
    output.format = *known;
    output.dimension = options.index.dimension;
    output.rows = keys.size();
    output.scalar = options.index.scalar;
    output.numeric_keys = !options.byte_keys;
    output.payloads = take(collection.stats(), place.collection).payload_count > 0;
    write(collection, keys);
    check(database.close(), place.database);
    if (output.path == "-") return;
    if (json_wanted()) {
      return print_json({{"collection", place.collection},
                         {"file", output.path},
                         {"format", std::string(name_of(output.format))},
                         {"rows", keys.size()}});
    }
    fmt::print("{}: {} rows written\n", output.path, with_commas(keys.size()));
  }

  void write(const Collection& collection, const KeyList& keys) const {
    std::unique_ptr<formats::VectorWriter> writer;
    std::unique_ptr<formats::Sink> key_sink;
    check(formats::open_writer(output, writer));
    if (!keys_to.empty()) check(formats::Sink::open(keys_to, key_sink));
    const bool payloads = output.payloads && carries_keys(output.format);
    Progress progress("export", keys.size());
    Entry entry;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (interrupted()) fail(kInterrupted, "interrupted: nothing was written");
      if (!read_entry(collection, keys, i, output.dimension, payloads, entry)) {
        fail(kNotFound, fmt::format("key {} is not there", keys.text(i)));
      }
      const std::string key = keys.text(i);
      check(writer->put(key, entry.vector, entry.payload));
      if (key_sink != nullptr) {
        if (key.find('\n') != std::string::npos) {
          fail(kData, fmt::format("{}: row {}: the key has a line end in it", keys_to, i));
        }
        check(key_sink->write(key + "\n"));
      }
      progress.update(i + 1);
    }
    check(writer->finish());
    if (key_sink != nullptr) check(key_sink->finish());
  }
};

}  // namespace

void add_export(CLI::App& app) {
  auto self = std::make_shared<Export>();
  CLI::App* command = add_command(
      app, "export", "Write a collection's vectors to a file, ordered by key",
      "  skerry export my.skerry docs docs.jsonl                      # keys and payloads too\n"
      "  skerry export my.skerry docs docs.fbin --keys-to docs.keys   # vectors, keys beside\n"
      "  skerry export my.skerry docs - --format csv | head -3\n\n"
      "The file appears when it is whole. Components are never rounded to fit a format, except\n"
      "to f16.",
      Needs::collection, self->place);
  command->add_option("file", self->output.path, "The file to write; - is standard output")
      ->required();
  add_format(*command, self->format);
  command->add_option("--keys-to", self->keys_to, "Write the keys to this file, one a line");
  command->add_option("--only", self->only, "Only the keys in this file, in its order");
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli
