// main.cc - can a program use an installed Skerry through find_package?
#include <skerry/collection.h>
#include <skerry/database.h>
#include <skerry/index.h>
#include <skerry/version.h>

#include <cstdio>

#include "../answer.h"

int main() {
  const bool right = consumer::finds_the_nearest();
  std::printf("find_package: skerry %s, %s\n", skerry::version(),
              right ? "right answer" : "WRONG ANSWER");
  return right ? 0 : 1;
}
