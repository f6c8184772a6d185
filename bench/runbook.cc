// runbook.cc - see runbook.h.
#include "runbook.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <stdexcept>

namespace skerry::bench {
namespace {

constexpr std::size_t kStepsMax = 1'000'000;
constexpr double kCountMax = 4294967295;  // rows have 32 bits

// The verbs by their names in the file, and what may stand beside each.
struct Word {
  const char* name;
  std::optional<Step::Verb> verb;  // nothing: repeat, which is no step of its own
  std::vector<std::string> beside;
};
const std::vector<Word>& words() {
  static const std::vector<Word> all = {
      {"insert", Step::Verb::insert, {}},  {"delete", Step::Verb::remove, {"which", "region"}},
      {"refill", Step::Verb::refill, {}},  {"replace", Step::Verb::replace, {"region"}},
      {"repeat", std::nullopt, {"steps"}},
  };
  return all;
}

class Reader {
 public:
  explicit Reader(std::filesystem::path path) : path_(std::move(path)) {}

  Runbook read() {
    const YAML::Node root = load();
    const Fields fields = fields_of(root, {"order", "seed", "fresh_every", "steps"});
    Runbook book;
    book.path = path_.string();
    book.name = path_.stem().string();
    if (const auto order = fields.find("order"); order != fields.end()) {
      book.order = choice<Order>(
          order->second,
          {{"file", Order::file}, {"random", Order::random}, {"drift", Order::drift}});
    }
    if (const auto seed = fields.find("seed"); seed != fields.end()) {
      book.seed = whole(seed->second, 0);
    }
    if (const auto every = fields.find("fresh_every"); every != fields.end()) {
      book.fresh_every = whole(every->second, 1);
    }
    if (!fields.contains("steps")) fail(root, "a list `steps`", "none");
    add_steps(fields.at("steps"), book.steps);
    return book;
  }

 private:
  using Fields = std::map<std::string, YAML::Node>;

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& expected,
                         const std::string& given) const {
    throw std::runtime_error(fmt::format("{}: line {}: expected {}; given {}", path_.string(),
                                         mark.line + 1, expected, given));
  }
  [[noreturn]] void fail(const YAML::Node& node, const std::string& expected,
                         const std::string& given) const {
    fail(node.Mark(), expected, given);
  }

  static std::string text_of(const YAML::Node& node) {
    if (node.IsScalar()) return node.Scalar();
    return node.IsMap() ? "a map" : node.IsSequence() ? "a list" : "nothing";
  }

  YAML::Node load() const {
    try {
      return YAML::LoadFile(path_.string());
    } catch (const YAML::ParserException& error) {
      fail(error.mark, "YAML", error.msg);
    } catch (const YAML::BadFile&) {
      throw std::runtime_error(fmt::format("{}: cannot be opened", path_.string()));
    }
  }

  Fields fields_of(const YAML::Node& map, const std::vector<std::string>& known) const {
    if (!map.IsMap()) fail(map, fmt::format("a map of {}", fmt::join(known, ", ")), text_of(map));
    Fields fields;
    for (const auto& field : map) {
      const YAML::Node& name = field.first;
      const std::string text = text_of(name);
      if (std::find(known.begin(), known.end(), text) == known.end()) {
        fail(name, fmt::format("one of {}", fmt::join(known, ", ")), text);
      }
      if (!fields.emplace(text, field.second).second)
        fail(name, fmt::format("one `{}`", text), "two");
    }
    return fields;
  }

  template <class Value>
  Value choice(const YAML::Node& node,
               const std::vector<std::pair<std::string, Value>>& known) const {
    std::vector<std::string> names;
    for (const auto& [name, value] : known) {
      if (node.IsScalar() && node.Scalar() == name) return value;
      names.push_back(name);
    }
    fail(node, fmt::format("one of {}", fmt::join(names, ", ")), text_of(node));
  }

  // A whole number, in digits and nothing else.
  std::uint64_t whole(const YAML::Node& node, std::uint64_t least) const {
    const std::string text = text_of(node);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least) {
      fail(node, fmt::format("a whole number from {}", least), text);
    }
    return value;
  }

  Amount amount(const YAML::Node& node) const {
    const std::string text = text_of(node);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error == std::errc() && rest == "%" && value > 0 && value <= 100)
      return {value / 100, true};
    if (error == std::errc() && rest.empty() && value >= 1 && value <= kCountMax &&
        value == std::floor(value)) {
      return {value, false};
    }
    fail(node, "a count from 1, or a part such as 5%", text);
  }

  void add(std::vector<Step>& steps, const Step& step, const YAML::Node& node) const {
    steps.push_back(step);
    if (steps.size() > kStepsMax) {
      fail(node, fmt::format("{} steps at most, repetitions counted", kStepsMax), "more");
    }
  }

  void add_steps(const YAML::Node& list, std::vector<Step>& steps) const {
    if (!list.IsSequence() || list.size() == 0) fail(list, "a list of steps", text_of(list));
    for (const YAML::Node& node : list) add_step(node, steps);
  }

  void add_step(const YAML::Node& node, std::vector<Step>& steps) const {
    constexpr const char* kExpected =
        "search, or a map with one of insert, delete, refill, replace, repeat";
    Step step;
    step.line = static_cast<std::size_t>(node.Mark().line) + 1;
    if (node.IsScalar() && node.Scalar() == "search") return add(steps, step, node);
    if (!node.IsMap()) fail(node, kExpected, text_of(node));
    const auto word = std::find_if(words().begin(), words().end(),
                                   [&](const Word& known) { return bool(node[known.name]); });
    if (word == words().end()) fail(node, kExpected, text_of(node.begin()->first));
    std::vector<std::string> known = word->beside;
    known.insert(known.begin(), word->name);
    const Fields fields = fields_of(node, known);
    const YAML::Node& value = fields.at(word->name);
    if (!word->verb) return repeat(node, value, fields, steps);

    step.verb = *word->verb;
    if (step.verb == Step::Verb::refill) {
      step.is_near = choice<bool>(value, {{"next", false}, {"near", true}});
    } else {
      step.amount = amount(value);
    }
    if (const auto which = fields.find("which"); which != fields.end()) {
      step.is_oldest = choice<bool>(which->second, {{"random", false}, {"oldest", true}});
    }
    if (const auto region = fields.find("region"); region != fields.end()) {
      step.region = amount(region->second);
      if (step.is_oldest) fail(region->second, "no region beside `which: oldest`", "one");
    }
    add(steps, step, node);
  }

  void repeat(const YAML::Node& node, const YAML::Node& times, const Fields& fields,
              std::vector<Step>& steps) const {
    if (!fields.contains("steps")) fail(node, "a list `steps` beside `repeat`", "none");
    const std::uint64_t count = whole(times, 1);
    std::vector<Step> once;
    add_steps(fields.at("steps"), once);
    for (std::uint64_t i = 0; i < count; ++i) {
      for (const Step& step : once) add(steps, step, node);
    }
  }

  std::filesystem::path path_;
};

}  // namespace

std::size_t Amount::of(std::size_t whole) const noexcept {
  if (!is_part) return static_cast<std::size_t>(value);
  return static_cast<std::size_t>(std::llround(value * static_cast<double>(whole)));
}

Runbook read_runbook(const std::filesystem::path& path) {
  return Reader(path).read();
}

std::size_t most_live(const Runbook& runbook, std::size_t rows) {
  std::size_t live = 0, most = 0;
  std::optional<std::size_t> last_removed;
  bool has_region = false;
  const auto want = [&](const Step& step, const char* what, std::size_t count, std::size_t there) {
    if (count <= there) return;
    throw std::runtime_error(fmt::format("{}: line {}: expected {} {} at most; given {}",
                                         runbook.path, step.line, there, what, count));
  };
  const auto refuse = [&](const Step& step, const char* expected) {
    throw std::runtime_error(
        fmt::format("{}: line {}: expected {}; given none", runbook.path, step.line, expected));
  };
  for (const Step& step : runbook.steps) {
    if (step.region && live == 0) refuse(step, "something live for a region");
    has_region |= step.region.has_value();
    const std::size_t among = step.region ? step.region->of(live) : live;
    want(step, "vectors that are live", among, live);
    switch (step.verb) {
      case Step::Verb::insert:
        want(step, "rows that are not live", step.amount.of(rows), rows - live);
        live += step.amount.of(rows);
        break;
      case Step::Verb::remove:
        want(step, "vectors that are live", step.amount.of(among), among);
        last_removed = step.amount.of(among);
        live -= *last_removed;
        break;
      case Step::Verb::refill:
        if (!last_removed) refuse(step, "a `delete` before it");
        if (step.is_near && !has_region) refuse(step, "a step with a region before it");
        want(step, "rows that are not live", *last_removed, rows - live);
        live += *last_removed;
        break;
      case Step::Verb::replace:
        want(step, "vectors that are live", step.amount.of(among), among);
        want(step, "rows that are not live", step.amount.of(among), rows - live);
        break;
      case Step::Verb::search:
        if (live == 0) refuse(step, "something live to be searched");
        break;
    }
    most = std::max(most, live);
  }
  return most;
}

}  // namespace skerry::bench
