// markup.cc - text from anywhere inside a page, and the page around it.
#include "page/markup.h"

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>

namespace skerry::page {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// How many bytes the character at the beginning of `text` has; 0 when there is none that a page may
// have (RFC 3629; XML 1.0, "Char").
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return 0;
  std::uint32_t code = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[bytes] || code > 0x10FFFF || is_surrogate) return 0;
  return code == 0xFFFE || code == 0xFFFF ? 0 : bytes;
}

// Light or dark, as the reader's system is. Colours of series are the plots' own.
constexpr std::string_view kStyle =
    ":root{color-scheme:light dark;--ink:#1c2733;--quiet:#5f6f7f;--rule:#dfe5ea;--card:#f5f8fa;"
    "--paper:#fff;--accent:#0072b2}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4eaf0;--quiet:#94a3b1;--rule:#2f3b47;"
    "--card:#1b242d;--paper:#12181e;--accent:#4da3d8}}"
    "body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:62rem;margin:2.5rem auto;padding:0 1.25rem}"
    "h1{font-size:1.75rem;line-height:1.2;margin:0}"
    "h2{font-size:1.2rem;margin:2.6rem 0 .4rem;padding-top:1rem;border-top:1px solid var(--rule)}"
    "h3{font-size:.95rem;margin:1.2rem 0 .2rem}"
    "p{margin:.4rem 0 .9rem;max-width:46rem}.quiet{color:var(--quiet)}"
    "code{font:13px ui-monospace,monospace;background:var(--card);padding:.1em .35em;"
    "border-radius:4px}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.75rem;"
    "margin:1.4rem 0}.card{background:var(--card);border-radius:8px;padding:.7rem .9rem}"
    ".card b{display:block;font-size:1.35rem;font-weight:600;line-height:1.3}"
    ".card span{color:var(--quiet);font-size:.85rem}"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr));"
    "gap:0 2rem}"
    "svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}"
    "svg .faint{fill:var(--quiet)}.grid{stroke:var(--rule)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;"
    "font-variant-numeric:tabular-nums}"
    "th,td{padding:4px 12px 4px 0;border-bottom:1px solid var(--rule);text-align:right;"
    "white-space:nowrap}th{color:var(--quiet);font-weight:500}"
    "th:first-child,td:first-child{text-align:left}"
    ".legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:13px;margin:.5rem 0}"
    ".legend i{display:inline-block;width:.75rem;height:.75rem;border-radius:50%;"
    "margin-right:.4rem;vertical-align:-1px}"
    "footer{margin:3rem 0 1rem;padding-top:.8rem;border-top:1px solid var(--rule);"
    "color:var(--quiet);font-size:.85rem}";

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    switch (text[0]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += bytes == 0 ? kReplacement : text.substr(0, bytes);
    }
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  return out;
}

std::string heading(std::string_view text) {
  return fmt::format("<h2>{}</h2>\n", escaped(text));
}

std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"wide\"><table><thead><tr>";
  for (const std::string& name : header) html += fmt::format("<th>{}</th>", escaped(name));
  html += "</tr></thead>\n<tbody>";
  for (const auto& row : rows) {
    html += "<tr>";
    for (const std::string& cell : row) html += fmt::format("<td>{}</td>", escaped(cell));
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string document(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
      "<link rel=\"icon\" href=\"data:,\"/><title>{}</title>\n<style>{}</style></head>\n"
      "<body>\n{}</body></html>\n",
      escaped(title), kStyle, body);
}

}  // namespace skerry::page
