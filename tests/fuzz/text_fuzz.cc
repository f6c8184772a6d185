// text_fuzz.cc - are numbers, keys and base64 read from any text without a slip?
//
// What is read is written and read again, and must be the same.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "formats/text.h"

namespace formats = skerry::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  float value = 0;
  if (formats::parse_float(text, value) && std::isfinite(value)) {
    std::string written;
    formats::append_float(written, value);
    float again = 0;
    if (!formats::parse_float(written, again) || again != value) std::abort();
  }

  // A list of numbers, as the command takes it and the text formats hold it.
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t before = rest.size();
    if (!formats::take_float(rest, value)) {
      if (rest.size() != before) std::abort();
      rest.remove_prefix(1);
    } else if (rest.size() >= before) {
      std::abort();
    }
  }

  std::string bytes;
  if (formats::parse_base64(text, bytes)) {
    std::string written, again;
    formats::append_base64(written, bytes);
    if (!formats::parse_base64(written, again) || again != bytes) std::abort();
  }

  std::string json;
  if (formats::append_json_string(json, text) && json.size() < text.size() + 2) std::abort();
  if (formats::trim(text).size() > size) std::abort();
  return 0;
}
