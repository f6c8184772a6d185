// report_page.cc - what is known of a collection, as a page one can look at.
#include "cli/report_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <numeric>
#include <utility>

#include "cli/output.h"
#include "page/markup.h"
#include "skerry/version.h"

namespace skerry::cli {
namespace {

using page::Bar;
using page::escaped;

constexpr std::size_t kSlowest = 10;     // queries that are told
constexpr std::size_t kDegreeBars = 48;  // at most, beside one another

std::string part(const char* id, const char* title, const std::string& body) {
  return fmt::format("<section id=\"{}\">\n{}{}</section>\n", id, page::heading(title), body);
}

std::string words(const std::string& text) {
  return fmt::format("<p>{}</p>\n", escaped(text));
}

std::string quiet(const std::string& text) {
  return fmt::format("<p class=\"quiet\">{}</p>\n", escaped(text));
}

std::string card(const std::string& value, const std::string& what) {
  return fmt::format("<div class=\"card\"><b>{}</b><span>{}</span></div>\n", escaped(value),
                     escaped(what));
}

std::string percent(double part) {
  return fmt::format("{:.1f} %", part * 100);
}

std::string microseconds(double us) {
  return us < 10'000 ? fmt::format("{:.0f} us", us) : fmt::format("{:.1f} ms", us / 1000);
}

std::string count_of(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", with_commas(count), count == 1 ? one : many);
}

std::uint64_t memory_bytes(const IndexStats& index) {
  return index.vector_bytes - index.vector_disk_bytes + index.code_bytes + index.link_bytes +
         index.other_bytes;
}

std::string header(const ReportFacts& facts) {
  const IndexOptions& options = facts.options.index;
  const IndexStats& index = facts.stats.index;
  std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char day[64];
  std::strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &utc);
  std::string out = fmt::format(
      "<header><h1>{}</h1>\n<p class=\"quiet\">A collection of <code>{}</code>, looked at on "
      "{}.</p></header>\n<div class=\"cards\">\n",
      escaped(facts.place.collection), escaped(facts.place.database), day);
  out += card(with_commas(index.live), index.live == 1 ? "vector" : "vectors");
  out +=
      card(with_commas(options.dimension), fmt::format("dimensions, {}", name_of(options.metric)));
  out += card(std::string(name_of(options.scalar)),
              index.code_bytes == 0 ? "kept and searched"
                                    : fmt::format("kept, searched by {}", name_of(index.codes)));
  if (index.live > 0) {
    out += card(human_bytes(memory_bytes(index) / index.live), "of memory a vector");
  }
  if (facts.queries > 0) {
    out += card(fmt::format("{:.4f}", facts.usual.recall()), fmt::format("recall@{}", facts.k));
    out += card(microseconds(facts.usual.microseconds(0.5)), "a search, median");
  }
  return out + "</div>\n";
}

std::string counts(const ReportFacts& facts) {
  const IndexStats& index = facts.stats.index;
  const IndexOptions& options = facts.options.index;
  const std::vector<std::vector<std::string>> held{
      {"live vectors", with_commas(index.live)},
      {"removed, space not free yet", with_commas(index.tombstones)},
      {"places waiting to be used again", with_commas(index.free_slots)},
      {"links still to be made or taken away", with_commas(index.backlog)},
      {"payloads", with_commas(facts.stats.payload_count)}};
  const std::vector<std::vector<std::string>> made{
      {"keys", facts.options.byte_keys ? "byte strings" : "numbers"},
      {"M, ef_construction, ef",
       fmt::format("{}, {}, {}", options.M, options.ef_construction, options.ef)},
      {"last change", with_commas(index.sequence)},
      {"changes since the last image", with_commas(facts.stats.log_entries)},
      {"index in memory from", std::string(name_of(facts.stats.opened))}};
  std::string body = "<div class=\"pair\">\n" + page::table({"what is in it", ""}, held) +
                     page::table({"what it is", ""}, made) + "</div>\n";
  if (!facts.stats.image.ok()) body += words("No image was used: " + facts.stats.image.message());
  if (facts.stats.mended_blocks != 0) {
    body +=
        words(count_of(facts.stats.mended_blocks, "block of the image was damaged and is mended",
                       "blocks of the image were damaged and are mended"));
  }
  return part("counts", "Counts", body);
}

std::string sizes(const ReportFacts& facts) {
  const IndexStats& index = facts.stats.index;
  const std::uint64_t live = std::max<std::uint64_t>(index.live, 1);
  const std::uint64_t vectors = index.vector_bytes - index.vector_disk_bytes;
  std::vector<Bar> kinds;
  std::vector<std::vector<std::string>> rows;
  const auto row = [&](const char* name, std::uint64_t bytes, const char* where) {
    rows.push_back({name, human_bytes(bytes),
                    index.live == 0 ? ""
                                    : fmt::format("{:.1f}", static_cast<double>(bytes) /
                                                                static_cast<double>(live)),
                    where});
  };
  const auto kind = [&](const char* name, std::uint64_t bytes) {
    kinds.push_back({name, static_cast<double>(bytes), human_bytes(bytes)});
    row(name, bytes, "memory");
  };
  kind("vectors", vectors);
  kind("codes", index.code_bytes);
  kind("links", index.link_bytes);
  kind("keys and versions", index.other_bytes);
  row("together", memory_bytes(index), "memory");
  if (index.vector_disk_bytes != 0) {
    row("vectors", index.vector_disk_bytes, "a file, cached while there is room");
  }
  row("image of the index", facts.stats.image_bytes, "disk");
  std::string body = words("Memory by kind, as it is committed: room for what comes included.");
  body += page::parts(kinds) + page::table({"what", "bytes", "bytes a vector", "where"}, rows);
  body += quiet(fmt::format(
      "The store of the whole database, {}, takes {} on disk, of which {} are in "
      "use; its images {}.",
      count_of(facts.database.collections, "collection", "collections"),
      human_bytes(facts.database.store_disk_bytes), human_bytes(facts.database.store_used_bytes),
      human_bytes(facts.database.image_disk_bytes)));
  return part("sizes", "Sizes", body);
}

// A bar a degree, or one for some of them. A few nodes are linked to by very many: they share the
// last bar, so that the others can be told apart.
std::string degrees(const char* title, const std::vector<std::uint64_t>& counts) {
  const auto sum = [&](std::size_t from, std::size_t until) {
    return std::accumulate(counts.begin() + static_cast<std::ptrdiff_t>(from),
                           counts.begin() + static_cast<std::ptrdiff_t>(until), std::uint64_t{0});
  };
  std::size_t limit = counts.size();  // from there on it is the last bar
  const std::uint64_t few = sum(0, limit) / 200;
  std::uint64_t beyond = 0;
  while (limit > kDegreeBars && beyond + counts[limit - 1] <= few) beyond += counts[--limit];
  const std::size_t each = (limit + kDegreeBars - 1) / kDegreeBars;
  std::vector<Bar> drawn;
  for (std::size_t from = 0; from < limit; from += each) {
    const std::size_t until = std::min(from + each, limit);
    const std::uint64_t nodes = sum(from, until);
    drawn.push_back(
        {until - from == 1 ? std::to_string(from) : fmt::format("{}-{}", from, until - 1),
         static_cast<double>(nodes), count_of(nodes, "node", "nodes")});
  }
  if (limit < counts.size()) {
    drawn.push_back({fmt::format("{}+", limit), static_cast<double>(beyond),
                     count_of(beyond, "node", "nodes")});
  }
  return page::histogram({title}, {"nodes"}, drawn);
}

double mean(const std::vector<std::uint64_t>& counts, std::uint64_t nodes) {
  double all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    all += static_cast<double>(i) * static_cast<double>(counts[i]);
  }
  return all / static_cast<double>(nodes);
}

std::string graph(const ReportFacts& facts) {
  const GraphShape& shape = facts.shape;
  if (shape.nodes == 0) {
    return part(
        "graph", "The graph",
        words(fmt::format("There is none: up to {} vectors, searches compare with every one "
                          "and are exact.",
                          with_commas(facts.options.index.flat_below))));
  }
  std::vector<Bar> levels;
  std::vector<std::vector<std::string>> level_rows;
  for (std::size_t level = 0; level < shape.levels.size(); ++level) {
    level_rows.push_back(
        {std::to_string(level), with_commas(shape.levels[level]),
         percent(static_cast<double>(shape.levels[level]) / static_cast<double>(shape.nodes))});
    levels.push_back({std::to_string(level), static_cast<double>(shape.levels[level]),
                      count_of(shape.levels[level], "node", "nodes")});
  }
  const std::uint64_t unlinked = shape.in_degrees.empty() ? 0 : shape.in_degrees[0];
  std::string body = words(fmt::format(
      "{} on {}. A node has {:.1f} links of its own on level 0, and {:.1f} live nodes link to it; "
      "the most that link to one are {}, and {} by nobody.",
      count_of(shape.nodes, "node", "nodes"), count_of(shape.levels.size(), "level", "levels"),
      mean(shape.out_degrees, shape.nodes), mean(shape.in_degrees, shape.nodes),
      with_commas(shape.in_degrees.size() - 1),
      count_of(unlinked, "is linked to", "are linked to")));
  body += "<div class=\"pair\">\n<div><h3>Links of a node</h3>\n" +
          degrees("links on level 0", shape.out_degrees) +
          "</div>\n<div><h3>Links to a node</h3>\n" +
          degrees("live nodes that link to it on level 0", shape.in_degrees) +
          "</div>\n<div><h3>Levels</h3>\n" +
          page::histogram({"highest level of a node"}, {"nodes", true}, levels) +
          "</div>\n<div><h3>Nodes by their highest level</h3>\n" +
          page::table({"level", "nodes", "share"}, level_rows) + "</div>\n</div>\n";
  return part("graph", "The graph", body);
}

std::string recall(const ReportFacts& facts) {
  if (facts.queries == 0) return part("recall", "Recall", words("There is nothing to search for."));
  const std::string asked = count_of(facts.queries, "stored vector was", "stored vectors were");
  std::string body = words(fmt::format(
      "{} searched for, first by comparing with everything and then as below; none is its own "
      "answer. A search that asks for nothing special finds {:.4f} of the true {}. It takes {}, "
      "and "
      "one in a hundred takes more than {}.",
      asked, facts.usual.recall(), facts.k, microseconds(facts.usual.microseconds(0.5)),
      microseconds(facts.usual.microseconds(0.99))));
  if (facts.by_target.empty()) {
    body += words("Without a graph nothing is to be chosen: every answer is exact.");
    return part("recall", "Recall", body);
  }
  std::vector<page::Series> curves;
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* name, const std::vector<ReportFacts::Point>& points) {
    page::Series& curve = curves.emplace_back(page::Series{fmt::format("by {}", name), {}, true});
    for (const auto& [value, price] : points) {
      // A clock may be too coarse for a short search, and 0 has no place on the axis.
      curve.points.emplace_back(price.recall(), std::max(price.microseconds(0.5), 0.1));
      rows.push_back({fmt::format("{} {:g}", name, value), fmt::format("{:.4f}", price.recall()),
                      with_commas(price.visited()), fmt::format("{:.1f}", price.microseconds(0.5)),
                      fmt::format("{:.1f}", price.microseconds(0.99))});
    }
    std::sort(curve.points.begin(), curve.points.end());
  };
  add("recall_target", facts.by_target);
  add("ef", facts.by_breadth);
  body += page::plot({fmt::format("recall@{}", facts.k)}, {"microseconds a search, median", true},
                     curves);
  body += page::table({"asked for", "recall", "vectors scored", "p50 us", "p99 us"}, rows);
  return part("recall", "Recall", body);
}

std::string map(const ReportFacts& facts) {
  if (facts.dots.empty()) return part("map", "Map", words("There is nothing to show."));
  std::string told = fmt::format("{} of {}, drawn at random, ", with_commas(facts.dots.size()),
                                 count_of(facts.stats.index.live, "vector", "vectors"));
  told += facts.is_globe ? "by longitude and latitude."
                         : fmt::format(
                               "seen from where they differ most: across is {} of their variance, "
                               "upwards {}.",
                               percent(facts.x_share), percent(facts.y_share));
  std::string body = words(told);
  if (!facts.field.empty()) {
    body += words(
        facts.with_field == 0
            ? fmt::format("No payload among them is a JSON object with a field {}.", facts.field)
            : fmt::format("Coloured by the payload's {}.", facts.field));
  }
  body += page::cloud(facts.dots);
  if (!facts.legend.empty()) {
    body += "<div class=\"legend\">";
    for (const Legend& entry : facts.legend) {
      body += fmt::format("<span><i style=\"background:{}\"></i>{}</span>\n", entry.colour,
                          escaped(entry.text));
    }
    body += "</div>\n";
  }
  if (facts.field.empty() && !facts.fields.empty()) {
    std::string names;
    for (const std::string& name : facts.fields) names += (names.empty() ? "" : ", ") + name;
    body +=
        quiet(fmt::format("Payloads have these fields, by any of which --color FIELD colours "
                          "the map: {}.",
                          names));
  }
  return part("map", "Map", body);
}

std::string slowest(const ReportFacts& facts) {
  if (facts.queries == 0) {
    return part("slowest", "Slowest queries", words("There is nothing to search for."));
  }
  std::vector<std::size_t> order(facts.usual.queries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto& queries = facts.usual.queries;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return queries[a].seconds > queries[b].seconds;
  });
  order.resize(std::min(order.size(), kSlowest));
  std::vector<std::vector<std::string>> rows;
  for (const std::size_t i : order) {
    const Answered& query = queries[i];
    rows.push_back({facts.query_keys[i], fmt::format("{:.1f}", query.seconds * 1e6),
                    with_commas(query.result.hops), with_commas(query.result.visited),
                    with_commas(query.result.reranked),
                    fmt::format("{} of {}", query.right, query.wanted)});
  }
  std::string body = words(
      "Of the searches that ask for nothing special. A hop is a node whose neighbours were looked "
      "at.");
  body += page::table({"key", "us", "hops", "vectors scored", "ranked again", "found"}, rows);
  return part("slowest", "Slowest queries", body);
}

}  // namespace

std::string report_page(const ReportFacts& facts) {
  const std::string body =
      header(facts) + counts(facts) + sizes(facts) + graph(facts) + recall(facts) + map(facts) +
      slowest(facts) +
      fmt::format("<footer>skerry {} ({}). Nothing was changed.</footer>\n", version(), target());
  return page::document(facts.place.collection + " - Skerry", body);
}

}  // namespace skerry::cli
