// SPDX-License-Identifier: Apache-2.0
// Runs a verb and keeps what it prints.
#pragma once

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace sealane {

struct VerbRun {
  int status = -1;
  std::string out;
  std::string err;

  bool says(std::string_view part) const { return out.find(part) != std::string::npos; }
  bool complains(std::string_view part) const { return err.find(part) != std::string::npos; }
};

struct Seat {
  std::string input;
  bool terminal = false;  ///< on all three
  bool colour = false;
};

template <class Verb>
VerbRun run_verb(Verb verb, const std::vector<std::string>& words, const Seat& seat = {}) {
  std::istringstream in(seat.input);
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  console.in_is_terminal = console.out_is_terminal = console.err_is_terminal = seat.terminal;
  console.in_colour = seat.colour;
  const int status = verb(std::span<const std::string>(words), console);
  return {status, out.str(), err.str()};
}

}  // namespace sealane
