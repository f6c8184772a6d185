// report_page.h - what is known of a collection, as a page one can look at.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/payload_colours.h"
#include "cli/recall_meter.h"
#include "page/plot.h"

namespace skerry::cli {

struct ReportFacts {
  Place place;
  CollectionOptions options;
  CollectionStats stats;
  DatabaseStats database;
  GraphShape shape;

  // Measured with `queries` stored vectors, of which none is its own answer.
  struct Point {
    double asked = 0;  // a recall, or an ef
    Price price;
  };
  std::size_t k = 0;
  std::size_t queries = 0;
  std::vector<Point> by_target;  // none without a graph
  std::vector<Point> by_breadth;
  Price usual;                          // as a search that asks for nothing special
  std::vector<std::string> query_keys;  // as text that can be read

  // Of some vectors, on a plane.
  std::vector<page::Dot> dots;
  double x_share = 0;  // of all variance, that an axis shows
  double y_share = 0;
  bool is_globe = false;  // the axes are longitude and latitude
  std::string field;      // of the payloads, that colours them; empty: none
  std::size_t with_field = 0;
  std::vector<std::string> fields;  // that there are, as far as was seen
  std::vector<Legend> legend;
};

std::string report_page(const ReportFacts& facts);

}  // namespace skerry::cli
