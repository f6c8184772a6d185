// main.cc - the command `skerry`: which word was said, and how does it end?
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string_view>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/output.h"
#include "skerry/version.h"
#ifdef SKERRY_HAVE_BENCH
#include "bench/bench.h"
#endif

namespace skerry::cli {
namespace {

int say_failure(const Failure& failure) {
  std::fflush(stdout);
  if (failure.text.empty()) return failure.exit_code;
  std::fprintf(stderr, "skerry: %s\n", failure.text.c_str());
  if (json_wanted()) print_json({{"error", failure.text}, {"exit_code", failure.exit_code}});
  return failure.exit_code;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Skerry keeps vectors on disk, changes them all the time and searches them fast.\n"
      "A database is a folder; it holds collections; a collection holds vectors of one\n"
      "dimension under keys. Rows of files count from 0."};
  app.name("skerry");
  app.set_version_flag("--version", std::string("skerry ") + version() + " (" + target() + ")");
  app.require_subcommand(1);
  app.footer(std::string("Example:\n"
                         "  skerry import my.skerry docs points.fbin --metric cosine --codes sq8\n"
                         "  skerry search my.skerry docs --like 7 -k 5\n"
                         "  skerry verify my.skerry\n"
                         "`skerry COMMAND --help` teaches each command.\n\n") +
             kExitCodes);
  add_create(app);
  add_import(app);
  add_search(app);
  add_tune(app);
  add_explain(app);
  add_report(app);
  add_get(app);
  add_remove(app);
  add_rename(app);
  add_clone(app);
  add_export(app);
  add_stats(app);
  add_verify(app);
  add_compact(app);
  add_backup(app);
  add_restore(app);
  add_repair(app);
  add_bench(app);
  add_demo(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    app.exit(error, std::cerr, std::cerr);
    if (json_wanted()) print_json({{"error", error.what()}, {"exit_code", int{kUsage}}});
    return kUsage;
  }
  return kOk;
}

}  // namespace
}  // namespace skerry::cli

int main(int argc, char** argv) {
  using namespace skerry::cli;
#ifdef SKERRY_HAVE_BENCH
  // The bench has words of its own.
  if (argc > 1 && std::string_view(argv[1]) == "bench") {
    char name[] = "skerry bench";
    argv[1] = name;
    return skerry::bench::run_bench(argc - 1, argv + 1);
  }
#endif
  try {
    const int code = run(argc, argv);
    if (std::fflush(stdout) != 0) fail(kStorage, "standard output: cannot be written");
    return code;
  } catch (const Failure& failure) {
    return say_failure(failure);
  } catch (const std::bad_alloc&) {
    return say_failure({kStorage, "out of memory"});
  } catch (const std::exception& error) {
    return say_failure({kStorage, error.what()});
  }
}
