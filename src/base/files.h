// files.h - the few things we ask of files beyond the standard library: syncs, and errors as
// Status.
//
// Threads: plain functions.
#pragma once

#include <filesystem>

#include "skerry/status.h"

namespace skerry {

// What error number `error` of the operating system means to a caller: storage_full for a full
// device, quota or file-size limit, out_of_memory, or io_error with `text`, in which {e} stands for
// the system's own words.
Status status_of_errno(int error, const char* text) noexcept;

// Makes the contents of a file, or the names in a folder, survive power loss.
Status sync_path(const std::filesystem::path& path) noexcept;

}  // namespace skerry
