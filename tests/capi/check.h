// check.h - how a program in C says which line was wrong.
#ifndef SKERRY_TESTS_CAPI_CHECK_H
#define SKERRY_TESTS_CAPI_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "skerry/c.h"

// Ends the program with 1 unless it is true.
#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      fprintf(stderr, "%s:%d: this is not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                        \
    }                                                                                 \
  } while (0)

// The same of a call; says what the error says. `error` is a skerry_error in scope.
#define CHECK_CODE(call, expected)                                                          \
  do {                                                                                      \
    const skerry_code code_of_call = (call);                                                \
    if (code_of_call != (expected)) {                                                       \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call,                         \
              error.code == code_of_call ? error.message : skerry_code_name(code_of_call)); \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)
#define CHECK_OK(call) CHECK_CODE(call, SKERRY_OK)
#define CHECK_SAYS(text) CHECK(strstr(error.message, text) != NULL)

#endif
