// text.h - numbers and lines as the text formats write them.
#pragma once

#include <string>
#include <string_view>

#include "formats/source.h"

namespace skerry::formats {

// Reads one number at the beginning of `text` and takes it away; "NaN" and "Infinity" are numbers
// here, and a number beyond float's range is infinite: the reader's check names the component.
bool take_float(std::string_view& text, float& value) noexcept;

// Whether the whole of `text` (spaces around allowed) is one such number.
bool parse_float(std::string_view text, float& value) noexcept;

std::string_view trim(std::string_view text) noexcept;

// Appends the shortest decimal that reads back as the same float.
void append_float(std::string& out, float value);

// Appends `text` as a JSON string if it is valid UTF-8; otherwise appends nothing and is false.
bool append_json_string(std::string& out, std::string_view text);

// Bytes that are no text travel as base64 (RFC 4648).
void append_base64(std::string& out, std::string_view bytes);
bool parse_base64(std::string_view text, std::string& bytes);

}  // namespace skerry::formats
