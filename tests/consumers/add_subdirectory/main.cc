// main.cc - can a program keep Skerry in its own tree and build it along?
#include <skerry/collection.h>
#include <skerry/database.h>
#include <skerry/index.h>
#include <skerry/version.h>

#include <cstdio>

#include "../answer.h"

int main() {
  const bool right = consumer::finds_the_nearest();
  std::printf("add_subdirectory: skerry %s, %s\n", skerry::version(),
              right ? "right answer" : "WRONG ANSWER");
  return right ? 0 : 1;
}
