// main.cc - can a program use an installed Skerry through pkg-config?
#include <skerry/collection.h>
#include <skerry/database.h>
#include <skerry/index.h>
#include <skerry/version.h>

#include <cstdio>

#include "../answer.h"

int main() {
  const bool right = consumer::finds_the_nearest();
  std::printf("pkg_config: skerry %s, %s\n", skerry::version(),
              right ? "right answer" : "WRONG ANSWER");
  return right ? 0 : 1;
}
