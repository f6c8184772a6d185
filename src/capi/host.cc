// host.cc - memory and threads of a host that speaks C.
#include "skerry/host.h"

#include "capi/arguments.h"

using namespace skerry;
using namespace skerry::capi;

skerry_code skerry_set_executor(const skerry_executor* executor, skerry_error* error) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(executor);
    skerry_executor all = SKERRY_EXECUTOR_INIT;
    SKERRY_TRY(take(executor, all));
    SKERRY_TRY(check_reserved(all.reserved));
    return set_executor({all.run, all.context, all.hands});
  });
}

skerry_code skerry_set_allocator(const skerry_allocator* allocator, skerry_error* error) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(allocator);
    skerry_allocator all = SKERRY_ALLOCATOR_INIT;
    SKERRY_TRY(take(allocator, all));
    return set_allocator(
        {all.allocate, all.release, all.reserve, all.commit, all.unreserve, all.context});
  });
}
