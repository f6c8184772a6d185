// import.cc - `skerry import`: vectors of a file or a pipe into a collection, resumable.
//
// Before: rows [0, r) of the file are stored. After one more commit: rows [0, r + batch). Nothing
// in between: a batch is one transaction, and a bad row fails its batch whole. So r is all there
// is to know to go on, and it is what every way of ending says: --from-row r.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/interrupt.h"
#include "cli/keys.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/vectors.h"
#include "formats/foreign.h"
#include "formats/reader.h"

namespace skerry::cli {
namespace {

using formats::Batch;
using formats::InputOptions;
using formats::Outcome;
using formats::Trouble;

const std::map<std::string, Durability> kDurabilities{
    {"commit", Durability::commit}, {"interval", Durability::interval}, {"none", Durability::none}};
const std::map<std::string, InputOptions::Header> kHeaders{{"guess", InputOptions::Header::guess},
                                                           {"yes", InputOptions::Header::yes},
                                                           {"no", InputOptions::Header::no}};

const std::map<std::string, formats::Foreign> kForeign{{"hnswlib", formats::Foreign::hnswlib},
                                                       {"usearch", formats::Foreign::usearch}};
const std::map<std::string, Scalar> kComponents{{"f32", Scalar::f32},
                                                {"f16", Scalar::f16},
                                                {"bf16", Scalar::bf16},
                                                {"i8", Scalar::i8},
                                                {"u8", Scalar::u8}};

struct Import {
  Place place;
  CreateOptions create;
  InputOptions input;
  std::string format;
  std::optional<formats::Foreign> from;  // an index file of another library
  Scalar components = Scalar::f32;       // that one of hnswlib is made of
  std::string key_file;
  std::uint64_t from_row = 0;
  std::uint64_t row_limit = UINT64_MAX;
  std::uint64_t first_key = 0;
  std::size_t batch_rows = 1000;
  bool insert = false;
  std::uint32_t threads = 0;
  Durability durability = Durability::commit;

  formats::ForeignIndex foreign;  // what that file says of itself

  // How it went so far.
  std::uint64_t stored = 0;    // rows of this run
  std::uint64_t next_row = 0;  // where to go on
  double seconds = 0;

  void run() {
    catch_interrupts();
    if (!format.empty()) input.format = formats::parse_format(format);
    input.stop_fd = stop_fd();
    // The file first: a bad one should not leave a new database behind.
    std::unique_ptr<formats::VectorReader> reader;
    if (from.has_value()) {
      if (!format.empty()) fail(kUsage, "a file is --from a library or in a --format, not both");
      begin(formats::open_foreign(*from, input, components, reader, foreign));
    } else {
      begin(formats::open_reader(input, reader));
    }
    std::unique_ptr<formats::Source> key_source;
    if (!key_file.empty()) {
      if (reader->shape().keys) fail(kUsage, reader->name() + " has keys of its own; drop --keys");
      check(formats::Source::open(key_file, stop_fd(), key_source));
    }
    begin(reader->skip(from_row));
    skip_keys(key_source.get());
    next_row = from_row;

    Database database = open_database(place, may_make(), durability);
    Collection collection = find_collection(database, reader->shape());
    const CollectionOptions options = take(collection.options(), place.collection);
    check_dimension(reader->name(), reader->shape(), options.index);
    Outcome end = copy(*reader, key_source.get(), collection, options);
    check(database.close(), place.database);
    report(end, *reader);
  }

  // A collection that is not there: without a word about it the name may be a typing mistake. An
  // index of usearch brings its metric; that of hnswlib nobody knows but who made it.
  bool may_make() const {
    return from.has_value() ? foreign.metric.has_value() || create.given("--metric")
                            : create.given();
  }

  // Nothing is stored yet: Ctrl-C leaves everything as it was.
  void begin(const Outcome& outcome) const {
    if (outcome.trouble != Trouble::stopped) return check(outcome);
    fail(kInterrupted,
         fmt::format("interrupted: 0 rows are stored; resume with --from-row {}", from_row));
  }

  Collection find_collection(Database& database, const formats::Shape& shape) {
    const auto names = take(database.list(), place.database);
    if (std::binary_search(names.begin(), names.end(), place.collection)) {
      Collection collection = open_collection(database, place);
      const CollectionOptions there = take(collection.options(), place.collection);
      create.check_against(there, place.collection);
      const Metric metric = there.index.metric;
      if (foreign.metric.value_or(metric) != metric && !create.given("--metric")) {
        fail(kUsage,
             fmt::format("{}: an index by {}, and collection {} is by {}; say --metric {} to "
                         "take its vectors all the same",
                         input.path, name_of(*foreign.metric), place.collection, name_of(metric),
                         name_of(metric)));
      }
      return collection;
    }
    if (!may_make()) {
      fail(kNotFound,
           fmt::format("collection {}: not there; say --metric to make it", place.collection));
    }
    if (from.has_value()) create.take_over(foreign_options(shape));
    CollectionOptions options = create.options;
    options.index.dimension = shape.dimension;
    return take(database.create(place.collection, options), "collection " + place.collection);
  }

  // What the file says, where it can be had here.
  IndexOptions foreign_options(const formats::Shape& shape) const {
    IndexOptions options;
    options.metric = foreign.metric.value_or(options.metric);
    options.scalar = shape.scalar;
    options.M = std::clamp(foreign.M, 2U, 256U);
    if (foreign.ef_construction != 0) {
      options.ef_construction = std::min(foreign.ef_construction, 65536U);
    }
    return options;
  }

  void skip_keys(formats::Source* source) const {
    std::string line;
    for (std::uint64_t row = 0; source != nullptr && row < from_row; ++row) {
      bool found = false;
      check(source->line(line, found));
      if (!found) fail(kData, fmt::format("{}: only {} keys", source->name(), row));
    }
  }

  // Commits batch after batch, until the end of the file, a bad row or Ctrl-C.
  Outcome copy(formats::VectorReader& reader, formats::Source* key_source, Collection& collection,
               const CollectionOptions& options) {
    const auto begin = std::chrono::steady_clock::now();
    std::optional<std::uint64_t> total = reader.shape().rows;
    if (total.has_value()) total = std::min(*total - std::min(*total, from_row), row_limit);
    Progress progress("import", total);
    VectorConverter converter(options.index);
    Outcome end;
    for (Batch batch; stored < row_limit;) {
      end = reader.next(std::min<std::uint64_t>(batch_rows, row_limit - stored), batch);
      // Ctrl-C is seen when the reader wants more bytes: the rows that were read whole are stored.
      // After a bad row none of its batch is.
      if ((!end.ok() && end.trouble != Trouble::stopped) || batch.rows == 0) break;
      Outcome written = write(batch, key_source, collection, options, converter, reader.name());
      if (!written.ok()) {
        end = written;
        break;
      }
      stored += batch.rows;
      next_row = batch.first_row + batch.rows;
      if (!end.ok()) break;
      if (total.has_value() || !reader.bytes().has_value()) {
        progress.update(stored);
      } else {
        progress.update(
            stored, static_cast<double>(reader.offset()) / static_cast<double>(*reader.bytes()));
      }
    }
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return end;
  }

  // One batch, one commit. What the library refuses is said by file and row.
  Outcome write(const Batch& batch, formats::Source* key_source, Collection& collection,
                const CollectionOptions& options, VectorConverter& converter,
                const std::string& file) const {
    KeyList keys(options.byte_keys);
    std::string line;
    for (std::size_t i = 0; i < batch.rows; ++i) {
      const std::uint64_t row = batch.first_row + i;
      if (!batch.keys.empty()) {
        line = batch.keys[i];
      } else if (key_source == nullptr) {
        line = std::to_string(row + first_key);
      } else {
        bool found = false;
        if (Outcome read = key_source->line(line, found); !read.ok()) return read;
        if (!found) return Outcome::data(fmt::format("{}: only {} keys", key_source->name(), row));
      }
      if (const std::string why = why_no_key(line, options.byte_keys); !why.empty()) {
        return Outcome::data(fmt::format("{}: row {}: {}", file, row, why));
      }
      keys.add(line, file);
    }
    std::vector<Payload> payloads;
    for (const std::string& payload : batch.payloads) {
      payloads.push_back(std::as_bytes(std::span(payload)));
    }
    MatrixView vectors;
    if (Outcome fits = converter.convert(file, batch, vectors); !fits.ok()) return fits;
    const BatchOptions how{.threads = threads};
    const auto put = [&](auto list) {
      return insert ? collection.insert(list, vectors, payloads, how)
                    : collection.upsert(list, vectors, payloads, how);
    };
    const Status status = keys.names() ? put(keys.views()) : put(keys.keys());
    if (status.ok()) return {};
    if (status.code() == Code::invalid_argument || status.code() == Code::already_exists) {
      // {b} of a batch's message is the item.
      const std::uint64_t row = batch.first_row + status.b();
      return Outcome::data(fmt::format("{}: row {}: {}", file, row, status.with_b(row).message()));
    }
    if (exit_code_of(status.code()) != kStorage) check(status, place.collection);
    return Outcome::io(fmt::format("{}: {}", place.collection, status.message()));
  }

  void report(const Outcome& end, const formats::VectorReader& reader) const {
    const auto rate =
        static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(stored) / seconds : 0);
    Json answer{{"collection", place.collection},
                {"rows", stored},
                {"from_row", from_row},
                {"next_row", next_row},
                {"seconds", seconds},
                {"rows_per_s", rate},
                {"interrupted", end.trouble == Trouble::stopped}};
    if (from.has_value()) answer["removed"] = foreign.removed;
    if (end.ok()) {
      if (json_wanted()) return print_json(answer);
      fmt::print("{}: {} rows stored in {} ({:.2f} s, {}/s)\n", reader.name(), with_commas(stored),
                 place.collection, seconds, with_commas(rate));
      if (foreign.removed != 0) {
        fmt::print("{} that were marked as removed are left out\n", with_commas(foreign.removed));
      }
      return;
    }
    const std::string resume =
        fmt::format("{} rows are stored; resume with --from-row {}", with_commas(stored), next_row);
    if (end.trouble == Trouble::stopped) {
      if (json_wanted()) print_json(answer);
      fmt::print(stderr, "skerry: interrupted: {}\n", resume);
      fail(kInterrupted, "");
    }
    const std::string text = fmt::format(
        "{}\nskerry: nothing of the batch from row {} on is "
        "stored; before it, {}",
        end.text, next_row, resume);
    if (json_wanted()) {
      answer["error"] = end.text;
      answer["exit_code"] = end.trouble == Trouble::data ? int{kData} : int{kStorage};
      print_json(answer);
    }
    fmt::print(stderr, "skerry: {}\n", text);
    fail(end.trouble == Trouble::data ? kData : kStorage, "");
  }
};

}  // namespace

void add_import(CLI::App& app) {
  auto self = std::make_shared<Import>();
  CLI::App* command = add_command(
      app, "import", "Store the vectors of a file or a pipe",
      "  skerry import my.skerry docs points.fbin --metric cosine --codes sq8\n"
      "  zcat more.jsonl.gz | skerry import my.skerry docs - --format jsonl\n"
      "  skerry import my.skerry docs points.fbin --from-row 470000   # go on\n"
      "  skerry import my.skerry docs index.bin --from hnswlib --metric cosine\n"
      "  skerry import my.skerry docs index.usearch --from usearch\n\n"
      "Each batch is one commit: a bad row fails its batch whole, and Ctrl-C loses nothing that\n"
      "was stored; both say where to resume. Vectors without keys in the file get the number of\n"
      "their row, plus --first-key.",
      Needs::collection, self->place);
  command->add_option("file", self->input.path, "A file of vectors; - is standard input")
      ->required();
  add_format(*command, self->format);
  add_choice(*command, "--from", self->from, kForeign,
             "The file is an index of hnswlib or usearch: its vectors and keys are stored");
  add_choice(*command, "--components", self->components, kComponents,
             "--from hnswlib: what a vector in the file is made of, f32, f16, bf16, i8 or u8 "
             "(default: f32)");
  command->add_option("--batch", self->batch_rows, "Rows a commit (default: 1000)")
      ->check(CLI::Range(1, 1000000));
  command->add_option("--from-row", self->from_row, "Pass over the rows before this one");
  command->add_option("--rows", self->row_limit, "At most so many rows");
  command->add_option("--first-key", self->first_key, "Key of row 0, when rows have none");
  command->add_option("--keys", self->key_file, "A file with a key a line, for formats without");
  command->add_option("--key-column", self->input.key_column,
                      "csv: name or number of the key's column, or none (default: key, else 0)");
  command->add_option("--payload-column", self->input.payload_column,
                      "csv: name or number of the payload's column, or none (default: payload)");
  add_choice(*command, "--header", self->input.header, kHeaders,
             "csv: is the first record a header? guess, yes or no (default: guess)");
  command->add_flag("--insert", self->insert, "A key that is there already is an error");
  command->add_option("--threads", self->threads, "To link new vectors with (default: one a core)");
  add_choice(*command, "--durability", self->durability, kDurabilities,
             "When a commit is safe: commit, interval or none (default: commit)");
  self->create.add_to(*command);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli
