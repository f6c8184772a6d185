// page_test.cc - is what is drawn well-formed, whole, and of the numbers that were given?
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "page/markup.h"
#include "page/plot.h"
#include "page/test_page.h"

namespace skerry::page {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

TEST(Markup, WhatIsMarkupIsShownAsText) {
  EXPECT_EQ(escaped("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(escaped("</script>"), "&lt;/script&gt;");
  EXPECT_EQ(escaped(""), "");
}

TEST(Markup, CharactersOfEveryLengthStay) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\xAA\xA8 b\tc\n";
  EXPECT_EQ(escaped(text), text);
}

TEST(Markup, BytesThatAreNoCharactersAreReplaced) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped(std::string("a\0b", 3)), "a" + r + "b");
  EXPECT_EQ(escaped("\x1B[31m"), r + "[31m");
  EXPECT_EQ(escaped("\xFF"), r);
  EXPECT_EQ(escaped("\x80"), r) << "a continuation without a beginning";
  EXPECT_EQ(escaped("\xC3"), r) << "cut off at the end";
  EXPECT_EQ(escaped("\xC3<"), r + "&lt;") << "what follows is not swallowed";
  EXPECT_EQ(escaped("\xE2\x82"), r + r);
  EXPECT_EQ(escaped("\xC0\xBC"), r + r) << "< in two bytes";
  EXPECT_EQ(escaped("\xE0\x80\xBC"), r + r + r) << "< in three";
  EXPECT_EQ(escaped("\xED\xA0\x80"), r + r + r) << "half of a pair";
  EXPECT_EQ(escaped("\xF4\x90\x80\x80"), r + r + r + r) << "beyond the last";
  EXPECT_EQ(escaped("\xEF\xBF\xBF"), r + r + r) << "no character";
}

TEST(Markup, APageIsWellFormedAndAsksForNothing) {
  const std::string html =
      document("<&>", heading("a < b") + table({"x", "\"y\""}, {{"1", "<b>"}, {"2", "&"}}));
  expect_well_formed(html);
  EXPECT_EQ(count(html, "<tr>"), 3U);
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_EQ(html.find("http"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
}

TEST(Plot, APointIsDrawnForEachValue) {
  const std::string svg = plot({"recall"}, {"us", true},
                               {{"a<b", {{0.9, 10}, {0.99, 100}}, true}, {"c", {{0.5, 1}}, false}});
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<circle"), 3U);
  EXPECT_EQ(count(svg, "<polyline"), 2U);
  EXPECT_NE(svg.find("a&lt;b: 100 at 0.99"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(Plot, OnePointAloneHasRoom) {
  const std::string svg = plot({"x"}, {"y"}, {{"a", {{1, 1}}, false}});
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(Histogram, ABarIsAsHighAsItsValue) {
  const std::string svg =
      histogram({"x"}, {"y"}, {{"0", 0, "0"}, {"1", 50, "50"}, {"2", 100, "h"}});
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "class=\"bar\""), 3U);
  EXPECT_EQ(count(svg, "height=\"0.0\""), 1U);
  const std::string one = histogram({"x"}, {"y", true}, {{"0", 1, "1"}, {"1", 1e9, "many"}});
  EXPECT_EQ(count(one, "height=\"0.0\""), 0U) << "one is seen beside a thousand million";
  expect_well_formed(histogram({"x"}, {"y", true}, {}));
}

TEST(Histogram, OfManyBarsSomeAreNamed) {
  std::vector<Bar> bars;
  for (int i = 0; i < 48; ++i) bars.push_back({"name" + std::to_string(i), 1, "1"});
  const std::string svg = histogram({"x"}, {"y"}, bars);
  EXPECT_EQ(count(svg, "class=\"bar\""), 48U);
  EXPECT_EQ(count(svg, ">name"), 48U + 8U) << "a title each, and a name for one in six";
}

TEST(Parts, FillTheWidth) {
  const std::string svg = parts({{"a", 1, "1"}, {"b", 3, "3"}});
  expect_well_formed(svg);
  EXPECT_NE(svg.find("width=\"190.0\""), std::string::npos);
  EXPECT_NE(svg.find("width=\"570.0\""), std::string::npos);
  expect_well_formed(parts({{"a", 0, "0"}}));
  EXPECT_EQ(parts({{"a", 0, "0"}}).find("nan"), std::string::npos);
}

TEST(Bars, TheLongestIsTheLargest) {
  const std::string svg = bars({{"a", 10, "10 bytes"}, {"b&", 20, "20 bytes"}});
  expect_well_formed(svg);
  EXPECT_NE(svg.find("width=\"215.0\""), std::string::npos);
  EXPECT_NE(svg.find("width=\"430.0\""), std::string::npos);
  EXPECT_NE(svg.find("b&amp;"), std::string::npos);
}

TEST(Cloud, KeepsEveryPointInsideAndBothAxesToOneScale) {
  const std::string svg =
      cloud({{-10, 0, "#000", "left"}, {10, 0, "#000", "right"}, {0, 1, "#000", "<up>"}});
  expect_well_formed(svg);
  EXPECT_NE(svg.find("cx=\"12.0\""), std::string::npos);
  EXPECT_NE(svg.find("cx=\"748.0\""), std::string::npos);
  EXPECT_NE(svg.find("cx=\"380.0\" cy=\"241.6\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("&lt;up&gt;"), std::string::npos);
}

TEST(Cloud, OfOnePlaceLiesInTheMiddle) {
  const std::string svg = cloud({{3, 4, "#000", ""}, {3, 4, "#000", ""}});
  EXPECT_EQ(count(svg, "cx=\"380.0\" cy=\"260.0\""), 2U);
  expect_well_formed(cloud({}));
}

TEST(Colours, RepeatAndShadesAreWithinTheirScale) {
  EXPECT_EQ(colour(0), colour(8));
  EXPECT_EQ(shade(-1), shade(0));
  EXPECT_EQ(shade(2), shade(1));
  EXPECT_EQ(shade(0.0 / 0.0), shade(0));
  EXPECT_NE(shade(0), shade(1));
}

TEST(Numbers, AreShortOnAnAxis) {
  EXPECT_EQ(short_number(12500), "12.5k");
  EXPECT_EQ(short_number(3e6), "3M");
  EXPECT_EQ(short_number(0.123456), "0.1235");
}

}  // namespace
}  // namespace skerry::page
