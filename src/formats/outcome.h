// outcome.h - what went wrong with a file, in words for the person who has to mend it?
//
// A Status carries a constant sentence and two numbers; a file needs its name, the row and what was
// expected there. So the doors speak in outcomes: a kind, which becomes an exit code, and a text
// made for this one case ("points.fbin: row 7: component 3 is NaN"). Rows count from 0, as keys
// made from row numbers do.
#pragma once

#include <string>
#include <utility>

namespace skerry::formats {

enum class Trouble {
  none,
  usage,    // what was asked for makes no sense: an unknown format, a missing option
  missing,  // no such file
  io,       // the operating system refused
  data,     // the file's content is not what it promised
  stopped,  // somebody asked us to stop; nothing is wrong with the file
};

struct [[nodiscard]] Outcome {
  Trouble trouble = Trouble::none;
  std::string text;

  bool ok() const noexcept { return trouble == Trouble::none; }

  static Outcome usage(std::string text) { return {Trouble::usage, std::move(text)}; }
  static Outcome missing(std::string text) { return {Trouble::missing, std::move(text)}; }
  static Outcome io(std::string text) { return {Trouble::io, std::move(text)}; }
  static Outcome data(std::string text) { return {Trouble::data, std::move(text)}; }
  static Outcome stopped() { return {Trouble::stopped, "stopped"}; }
};

}  // namespace skerry::formats
