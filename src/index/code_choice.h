// code_choice.h - which codes are good enough for these vectors? (Codes::automatic)
//
// A code is good enough when it hardly ever hides a neighbour: of up to 64 of the vectors at hand,
// the 10 nearest among up to 1,024 are to be among the best 15 by code, 99 of 100 of them: no
// search keeps fewer by rot4, and one of the default breadth keeps more by either. The cheapest
// code for which that holds is taken, and the exact rows when no code that is cheaper than they are
// does. With vectors on disk it must be a code: the better one then.
//
// With fewer than 64 vectors there is nothing to measure, and the dimension decides: rot4 from 300
// components on, since its error falls with their square root; sq8 below.
//
// No chance is involved: the same vectors give the same choice.
//
// Threads: a function of its arguments.
#pragma once

#include <span>

#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

inline constexpr std::size_t kCodeSample = 1024;  // vectors looked at, at most

// As many as are worth handing in: fewer of very many components.
std::size_t code_sample_rows(const IndexOptions& options) noexcept;

// Of checked options and checked vectors, at most code_sample_rows() of which are looked at. Never
// automatic. out_of_memory. Takes some milliseconds: 65,536 distances of each code at most.
Result<Codes> choose_codes(const IndexOptions& options, std::span<const VectorView> sample);

}  // namespace skerry
