// markup.h - text from anywhere inside a page, and the page around it.
//
// A page is one file: its style is in it, it has no script, and it asks for nothing from elsewhere.
// It is also well-formed XML, so that anybody's parser can read it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::page {

// As the text of an element or of an attribute. Whatever comes is shown: bytes that are no UTF-8
// and characters that a page must not have become U+FFFD.
std::string escaped(std::string_view text);

std::string heading(std::string_view text);  // of a part

// Rows of cells under a header; scrolls by itself when it is wide.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

// The whole page. `body` is markup, the title is text.
std::string document(std::string_view title, std::string_view body);

}  // namespace skerry::page
