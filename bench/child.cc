// child.cc - see child.h.
#include "child.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "stop.h"

namespace skerry::bench {
namespace {

void write_all(int file, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return;  // the parent sees too little and says so
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

std::string read_all(int file) {
  std::string text;
  char block[4096];
  for (;;) {
    const ssize_t got = ::read(file, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

[[noreturn]] void run_child(int out, const std::function<std::vector<Line>()>& work) {
  Line answer;
  try {
    answer["lines"] = work();
  } catch (const Stopped&) {
    answer = {{"stopped", true}};
  } catch (const std::exception& error) {
    answer = {{"error", error.what()}};
  }
  write_all(out, answer.dump());
  _exit(0);
}

}  // namespace

std::vector<Line> in_child(const std::function<std::vector<Line>()>& work) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error(fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  if (child == 0) {
    close(ends[0]);
    run_child(ends[1], work);
  }
  close(ends[1]);
  const std::string text = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  const Line answer = Line::parse(text, nullptr, false);
  if (answer.is_discarded() || !answer.is_object()) {
    throw std::runtime_error(
        WIFSIGNALED(status)
            ? fmt::format("a measurement's process was ended by signal {}", WTERMSIG(status))
            : std::string("a measurement's process ended without an answer"));
  }
  if (answer.contains("stopped")) throw Stopped();
  if (answer.contains("error")) throw std::runtime_error(answer["error"].get<std::string>());
  return answer["lines"].get<std::vector<Line>>();
}

Resident resident() {
  malloc_trim(0);
  Resident bytes;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long kilobytes = 0;
    char word[32] = "";
    if (std::sscanf(line.c_str(), "%31[^:]: %lu kB", word, &kilobytes) != 2) continue;
    if (std::strcmp(word, "RssAnon") == 0) bytes.anonymous = kilobytes * 1024;
    if (std::strcmp(word, "RssFile") == 0 || std::strcmp(word, "RssShmem") == 0) {
      bytes.file += kilobytes * 1024;
    }
  }
  return bytes;
}

}  // namespace skerry::bench
