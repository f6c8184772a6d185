// measure.h - the measurements, one for each word after `skerry bench`.
//
// Each writes its lines as soon as they are known and throws std::runtime_error when it cannot go
// on, Stopped after Ctrl-C.
#pragma once

#include "lines.h"
#include "settings.h"

namespace skerry::bench {

// Recall against speed over a sweep of ef, all libraries in turn; then the speed at recall 0.95
// and 0.99 and its ratio to hnswlib's.
void measure_search(const Settings& settings, Lines& lines);

// The same with filters, of rows anywhere, near the queries, and far from them.
void measure_filter(const Settings& settings, Lines& lines);

// The cost of an insert, of a batch and of a whole build at several sizes.
void measure_build(const Settings& settings, Lines& lines);

// Batches of several sizes on top of indexes of several sizes: inserted one by one, inserted as a
// batch, or built anew with all the rest; and what a caller gets who says nothing.
void measure_crossover(const Settings& settings, Lines& lines);

// Updates, removals and re-insertions a second, and the recall before and after each round.
void measure_update(const Settings& settings, Lines& lines);

// A runbook of changes, with recall and speed at each of its searches beside those of a fresh
// build.
void measure_churn(const Settings& settings, Lines& lines);

// A reader's latency and speed, alone and beside a writer.
void measure_mixed(const Settings& settings, Lines& lines);

// Durable upserts a second by batch size, beside LMDB storing the same bytes.
void measure_durable(const Settings& settings, Lines& lines);

// Time to open and to answer the first query, with the image and without.
void measure_open(const Settings& settings, Lines& lines);

// Memory and disk a vector, each library in a process of its own.
void measure_memory(const Settings& settings, Lines& lines);

// Bytes on the disk a vector and their ratio to the vectors' own, by dimension and age.
void measure_disk(const Settings& settings, Lines& lines);

// Many small collections in one database, and a large one beside them: making, filling, opening,
// searching and dropping them, and what an idle one holds in memory.
void measure_tenants(const Settings& settings, Lines& lines);

// What the machine can do: nanoseconds a record, drawn at random from a large piece of memory, and
// nanoseconds a row that is at hand, by its codes.
void measure_probe(const Settings& settings, Lines& lines);

// The commit that this was built from; "-dirty" behind it when there were changes.
const char* build_commit() noexcept;

// What every line about a data set begins with.
Line begin_line(const std::string& bench, const PeerKind& kind, const Dataset& set,
                const Settings& settings);

// Writes a line for each library that was asked for and is not here; returns those that are, each
// of Skerry's followed by the collections that were asked for.
std::vector<PeerKind> present_peers(const std::string& bench, const Settings& settings,
                                    Lines& lines);

}  // namespace skerry::bench
