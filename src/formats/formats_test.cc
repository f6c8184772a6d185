// formats_test.cc - do the readers give back what the writers wrote, and say clearly what is wrong?
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include "base/test_folder.h"
#include "formats/reader.h"
#include "formats/text.h"
#include "formats/truth.h"
#include "formats/writer.h"

namespace skerry::formats {
namespace {

namespace fs = std::filesystem;

class Formats : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string put_file(const std::string& name, std::string_view content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  std::string content_of(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(path(name), std::ios::binary).rdbuf();
    return content.str();
  }

  // Row r, component c of every written file: whole numbers, so that any format holds them.
  static float cell(std::size_t row, std::size_t component) {
    return static_cast<float>((row * 7 + component * 3) % 100);
  }

  // Writes `rows` rows of `dimension` and returns the path.
  std::string write(Format format, std::size_t rows, std::uint32_t dimension,
                    Scalar scalar = Scalar::f32) const {
    OutputOptions options;
    options.path = path("points." + std::string(name_of(format)));
    options.format = format;
    options.dimension = dimension;
    options.rows = rows;
    options.scalar = scalar;
    std::unique_ptr<VectorWriter> writer;
    EXPECT_EQ(open_writer(options, writer).text, "");
    std::vector<float> vector(dimension);
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::uint32_t i = 0; i < dimension; ++i) vector[i] = cell(row, i);
      EXPECT_EQ(writer->put(std::to_string(row + 40), vector, "pay \"" + std::to_string(row)).text,
                "");
    }
    EXPECT_EQ(writer->finish().text, "");
    return options.path;
  }

  static std::string read_error(const std::string& path, Batch* all = nullptr) {
    Batch batch;
    InputOptions options;
    options.path = path;
    Outcome read = read_all(options, batch);
    if (all != nullptr) *all = batch;
    return read.text;
  }

  TestFolder folder_;
};

constexpr Format kAll[] = {Format::fvecs, Format::bvecs, Format::ivecs,  Format::fbin,
                           Format::u8bin, Format::i8bin, Format::f16bin, Format::npy,
                           Format::jsonl, Format::csv};

TEST_F(Formats, a_name_and_an_extension_tell_the_format) {
  for (const Format format : kAll) {
    EXPECT_EQ(parse_format(name_of(format)), format);
    EXPECT_EQ(format_of_path("some.dir/points." + std::string(name_of(format))), format);
    EXPECT_NE(kFormatNames.find(name_of(format)), std::string_view::npos);
  }
  EXPECT_FALSE(parse_format("hdf5").has_value());
  EXPECT_FALSE(format_of_path("points").has_value());
}

TEST_F(Formats, what_is_written_is_read_back) {
  for (const Format format : kAll) {
    SCOPED_TRACE(name_of(format));
    Batch all;
    ASSERT_EQ(read_error(write(format, 33, 13), &all), "");
    ASSERT_EQ(all.rows, 33U);
    ASSERT_EQ(all.dimension, 13U);
    const std::vector<float> floats = to_floats(all.matrix());
    for (std::size_t row = 0; row < all.rows; ++row) {
      for (std::size_t i = 0; i < 13; ++i) ASSERT_EQ(floats[row * 13 + i], cell(row, i));
    }
    ASSERT_EQ(all.keys.size(), carries_keys(format) ? 33U : 0U);
    if (carries_keys(format)) {
      EXPECT_EQ(all.keys[32], "72");
      EXPECT_EQ(all.payloads[32], "pay \"32");
    }
  }
}

TEST_F(Formats, npy_holds_every_scalar) {
  for (const Scalar scalar : {Scalar::f32, Scalar::f16, Scalar::i8, Scalar::u8}) {
    Batch all;
    ASSERT_EQ(read_error(write(Format::npy, 5, 3, scalar), &all), "");
    EXPECT_EQ(all.scalar, scalar);
    EXPECT_EQ(to_floats(all.matrix())[4], cell(1, 1));
  }
}

TEST_F(Formats, npy_of_every_version_and_of_doubles) {
  const double rows[4] = {0.5, -2, 3, 1e30};
  const std::string body(reinterpret_cast<const char*>(rows), sizeof(rows));
  for (const char version : {1, 2, 3}) {
    std::string text = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n";
    std::string file = std::string("\x93NUMPY") + version + '\0';
    const auto length = static_cast<std::uint32_t>(text.size());
    file.append(reinterpret_cast<const char*>(&length), version == 1 ? 2 : 4);
    Batch all;
    ASSERT_EQ(read_error(put_file("d.npy", file + text + body), &all), "");
    EXPECT_EQ(all.scalar, Scalar::f32);
    EXPECT_EQ(to_floats(all.matrix()), (std::vector<float>{0.5F, -2, 3, 1e30F}));
  }
}

TEST_F(Formats, npy_says_what_it_does_not_read) {
  const auto header = [&](const std::string& text) {
    std::string file("\x93NUMPY\x01\x00", 8);
    file += static_cast<char>(text.size());
    file += '\0';
    return read_error(put_file("x.npy", file + text + std::string(64, '\0')));
  };
  const std::string shape = "'shape': (2, 2), }";
  EXPECT_NE(header("{'descr': '<f4', 'fortran_order': True, " + shape).find("fortran order"),
            std::string::npos);
  EXPECT_NE(header("{'descr': '>f4', 'fortran_order': False, " + shape).find("npy type >f4"),
            std::string::npos);
  EXPECT_NE(header("{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }").find("npy shape"),
            std::string::npos);
  EXPECT_NE(
      header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }").find("npy shape"),
      std::string::npos);
  EXPECT_NE(read_error(put_file("y.npy", "PK\x03\x04 something")).find("not an npy file"),
            std::string::npos);
}

TEST_F(Formats, every_binary_file_cut_anywhere_is_an_error) {
  for (const Format format : kAll) {
    if (carries_keys(format)) continue;
    SCOPED_TRACE(name_of(format));
    const std::string name = "points." + std::string(name_of(format));
    write(format, 3, 5);
    const std::string whole = content_of(name);
    const bool headless =
        format == Format::fvecs || format == Format::bvecs || format == Format::ivecs;
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const std::string error = read_error(put_file(name, whole.substr(0, bytes)));
      // Without a header, fewer whole rows are a lawful file.
      if (headless && bytes > 0 && bytes % (whole.size() / 3) == 0) continue;
      ASSERT_NE(error, "") << bytes;
      ASSERT_NE(error.find(name), std::string::npos) << error;
    }
    const std::string error = read_error(put_file(name, whole + "x"));
    ASSERT_NE(error, "") << "a byte too many";
  }
}

TEST_F(Formats, every_text_file_cut_anywhere_is_read_or_refused) {
  for (const Format format : {Format::jsonl, Format::csv}) {
    const std::string name = "points." + std::string(name_of(format));
    write(format, 3, 5);
    const std::string whole = content_of(name);
    std::size_t refused = 0;
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      const std::string error = read_error(put_file(name, whole.substr(0, bytes)));
      refused += !error.empty();
      // A line of JSON is whole or refused, at every byte.
      const bool at_line_end = bytes > 0 && (whole[bytes - 1] == '\n' || whole[bytes] == '\n');
      if (format == Format::jsonl) {
        ASSERT_EQ(error.empty(), at_line_end) << bytes << error;
      }
    }
    EXPECT_GT(refused, 0U);
  }
}

TEST_F(Formats, every_file_with_a_changed_byte_is_read_or_refused) {
  std::mt19937 random(7);
  for (const Format format : kAll) {
    const std::string name = "points." + std::string(name_of(format));
    write(format, 3, 5);
    const std::string whole = content_of(name);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string broken = whole;
      broken[at] = static_cast<char>(random());
      Batch all;
      if (read_error(put_file(name, broken), &all).empty()) {
        for (std::size_t row = 0; row < all.rows; ++row) {
          ASSERT_FALSE(first_not_finite(all.matrix().row(row)).has_value());
        }
      }
    }
  }
}

TEST_F(Formats, a_truncated_file_says_how_many_rows_were_found) {
  write(Format::fbin, 10, 4);
  const std::string whole = content_of("points.fbin");
  const std::string file = put_file("points.fbin", whole.substr(0, 8 + 7 * 16 + 5));
  EXPECT_EQ(read_error(file),
            file + ": truncated: 10 rows promised, 7 and a part of the next found");
}

TEST_F(Formats, nan_in_row_7_is_named_in_every_format_that_can_hold_it) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Format format : {Format::fvecs, Format::fbin, Format::npy}) {
    const std::string name = "points." + std::string(name_of(format));
    write(format, 10, 4);
    std::string whole = content_of(name);
    const std::size_t stride = format == Format::fvecs ? 20 : 16;
    const std::size_t row = whole.size() - 3 * stride;
    std::memcpy(whole.data() + row + stride - 4, &nan, 4);
    const std::string file = put_file(name, whole);
    Batch all;
    EXPECT_EQ(read_error(file), file + ": row 7: component 3 is NaN");
  }
  write(Format::f16bin, 10, 4);
  std::string halves = content_of("points.f16bin");
  halves[8 + 7 * 8 + 2] = '\x01';
  halves[8 + 7 * 8 + 3] = '\x7C';
  const std::string file = put_file("points.f16bin", halves);
  EXPECT_EQ(read_error(file), file + ": row 7: component 1 is NaN");

  std::string lines;
  std::string csv;
  for (int row = 0; row < 10; ++row) {
    lines += row == 7 ? "{\"vector\":[1,2,3,NaN]}\n" : "{\"vector\":[1,2,3,4]}\n";
    csv += row == 7 ? "7,1,2,3,nan\n" : "7,1,2,3,4\n";
  }
  const std::string jsonl_file = put_file("n.jsonl", lines);
  EXPECT_EQ(read_error(jsonl_file), jsonl_file + ": row 7: component 3 is NaN");
  const std::string csv_file = put_file("n.csv", csv);
  EXPECT_EQ(read_error(csv_file), csv_file + ": row 7: component 3 is NaN");
  const std::string far = put_file("far.csv", "1,1e39\n");
  EXPECT_EQ(read_error(far), far + ": row 0: component 0 is infinite");
}

TEST_F(Formats, the_rows_before_a_bad_one_are_in_the_batch) {
  write(Format::fvecs, 10, 4);
  std::string whole = content_of("points.fvecs");
  whole[7 * 20] = 3;
  InputOptions options;
  options.path = put_file("points.fvecs", whole);
  std::unique_ptr<VectorReader> reader;
  ASSERT_TRUE(open_reader(options, reader).ok());
  Batch batch;
  EXPECT_EQ(reader->next(100, batch).text, options.path + ": row 7: dimension 3, expected 4");
  EXPECT_EQ(batch.rows, 7U);
  EXPECT_EQ(reader->row(), 7U);
}

TEST_F(Formats, a_reader_starts_at_any_row) {
  for (const Format format : kAll) {
    SCOPED_TRACE(name_of(format));
    InputOptions options;
    options.path = write(format, 20, 3);
    for (const std::uint64_t from : {0, 1, 13, 20}) {
      std::unique_ptr<VectorReader> reader;
      ASSERT_TRUE(open_reader(options, reader).ok());
      ASSERT_EQ(reader->skip(from).text, "");
      Batch batch;
      ASSERT_EQ(reader->next(4, batch).text, "");
      EXPECT_EQ(batch.first_row, from);
      EXPECT_EQ(batch.rows, std::min<std::uint64_t>(4, 20 - from));
      if (batch.rows > 0) {
        EXPECT_EQ(to_floats(batch.matrix())[1], cell(from, 1));
      }
    }
    std::unique_ptr<VectorReader> reader;
    ASSERT_TRUE(open_reader(options, reader).ok());
    EXPECT_NE(reader->skip(21).text.find("only 20 rows"), std::string::npos);
  }
}

TEST_F(Formats, skipping_passes_over_a_bad_row) {
  const std::string lines = put_file("n.jsonl",
                                     "{\"key\":1,\"vector\":[1]}\n{\"key\":2,\"vector\":[oops]}\n\n"
                                     "{\"key\":3,\"vector\":[3]}\n");
  InputOptions options;
  options.path = lines;
  std::unique_ptr<VectorReader> reader;
  ASSERT_TRUE(open_reader(options, reader).ok());
  ASSERT_TRUE(reader->skip(2).ok());
  Batch batch;
  ASSERT_EQ(reader->next(9, batch).text, "");
  ASSERT_EQ(batch.rows, 1U);
  EXPECT_EQ(batch.keys[0], "3");
}

TEST_F(Formats, jsonl_takes_every_kind_of_key_and_payload) {
  Batch all;
  ASSERT_EQ(read_error(put_file("k.jsonl",
                                "{\"key\":18446744073709551615,\"vector\":[1,-2.5e-1]}\n"
                                "{\"payload\":\"a\\u00e9\\n\",\"vector\":[1,2],\"key\":\"x y\"}\n"
                                "  {\"key\" : 3 , \"vector\" : [ 1 , 2 ] , \"payload\" : "
                                "{\"b\": [1, {\"c\":\"}\"}]} , \"other\":[[]]}  \r\n"
                                "{\"key\":4,\"vector\":[1,2],\"payload\":null}\n"
                                "{\"key_base64\":\"/wA=\",\"vector\":[1,2],"
                                "\"payload_base64\":\"AQID\"}"),
                       &all),
            "");
  ASSERT_EQ(all.rows, 5U);
  EXPECT_EQ(all.keys[0], "18446744073709551615");
  EXPECT_EQ(to_floats(all.matrix())[1], -0.25F);
  EXPECT_EQ(all.keys[1], "x y");
  EXPECT_EQ(all.payloads[1], "a\xC3\xA9\n");
  EXPECT_EQ(all.payloads[2], "{\"b\": [1, {\"c\":\"}\"}]}");
  EXPECT_EQ(all.payloads[3], "");
  EXPECT_EQ(all.keys[4], std::string("\xFF\0", 2));
  EXPECT_EQ(all.payloads[4], "\x01\x02\x03");
}

TEST_F(Formats, jsonl_says_what_is_wrong) {
  const auto error = [&](const std::string& line) {
    return read_error(put_file("e.jsonl", "{\"key\":1,\"vector\":[1,2]}\n" + line + "\n"));
  };
  const auto says = [&](const std::string& line, const std::string& what) {
    const std::string text = error(line);
    EXPECT_NE(text.find("row 1 (line 2): " + what), std::string::npos) << line << " -> " << text;
  };
  says("{\"key\":1,\"vector\":[1]}", "dimension 1, expected 2");
  says("{\"key\":1,\"vector\":[1,2,3]}", "dimension 3, expected 2");
  says("{\"vector\":[1,2]}", "no key, but the rows before it have one");
  says("{\"key\":-1,\"vector\":[1,2]}", "the key is neither");
  says("{\"key\":1.5,\"vector\":[1,2]}", "the key is neither");
  says("{\"key\":1}", "no \"vector\"");
  says("[1,2]", "expected a JSON object");
  says("{\"key\":1,\"vector\":[1,true]}", "component 1 is not a number");
  says("{\"key\":1,\"vector\":[1 2]}", "after component 0, expected a comma or ]");
  says("{\"key\":1,\"vector\":{}}", "the vector is not an array");
  says("{\"key\":1,\"vector\":[1,2]} x", "something follows");
  says("{\"key\":1,\"vector\":[1,2],\"payload\":{\"a\":}}", "the value of \"payload\" is not JSON");
  says("{\"key_base64\":\"?\",\"vector\":[1,2]}", "\"key_base64\" is not base64");
}

TEST_F(Formats, csv_finds_its_columns) {
  const auto read = [&](const std::string& text, InputOptions options, Batch& all) {
    options.path = put_file("c.csv", text);
    return read_all(options, all).text;
  };
  Batch all;
  ASSERT_EQ(read("1,0.5,2\n\n2,3,4\r\n", {}, all), "");
  EXPECT_EQ(all.rows, 2U);
  EXPECT_EQ(all.keys[1], "2");
  EXPECT_EQ(to_floats(all.matrix())[0], 0.5F);

  ASSERT_EQ(read("a,payload,key,b\n+1,\"x, \"\"y\"\"\nz\",7,2\n", {}, all), "");
  EXPECT_EQ(all.rows, 1U);
  EXPECT_EQ(all.dimension, 2U);
  EXPECT_EQ(all.keys[0], "7");
  EXPECT_EQ(all.payloads[0], "x, \"y\"\nz");

  InputOptions none;
  none.key_column = "none";
  ASSERT_EQ(read("1,0.5,2\n", none, all), "");
  EXPECT_EQ(all.dimension, 3U);
  EXPECT_TRUE(all.keys.empty());

  InputOptions last;
  last.key_column = "2";
  last.payload_column = "0";
  ASSERT_EQ(read("text,0.5,k7\n", last, all), "");
  EXPECT_EQ(all.dimension, 1U);
  EXPECT_EQ(all.keys[0], "k7");
  EXPECT_EQ(all.payloads[0], "text");

  InputOptions named;
  named.key_column = "id";
  ASSERT_EQ(read("x,id\n3,9\n", named, all), "");
  EXPECT_EQ(all.keys[0], "9");
  named.key_column = "nobody";
  EXPECT_NE(read("x,id\n3,9\n", named, all).find("no column \"nobody\""), std::string::npos);
}

TEST_F(Formats, csv_says_what_is_wrong) {
  const auto says = [&](const std::string& text, const std::string& what) {
    const std::string error = read_error(put_file("e.csv", text));
    EXPECT_NE(error.find(what), std::string::npos) << text << " -> " << error;
  };
  says("1,2,3\n2,3\n", "row 1 (line 2): dimension 1, expected 2");
  says("1,2,3\n2,3,four\n", "row 1 (line 2): component 1 is \"four\", expected a number");
  says("1,2\n,3\n", "row 1 (line 2): the key is empty");
  says("1,2\n\"3,4\n", "truncated: a quote is never closed");
  says("1,2\n\"3\"x,4\n", "text after the closing quote");
  says("1\n", "columns, expected 1 to 65535");
  says("", "empty");
}

TEST_F(Formats, a_writer_refuses_what_its_format_cannot_hold) {
  const auto error = [&](Format format, float value) {
    OutputOptions options;
    options.path = path("w." + std::string(name_of(format)));
    options.format = format;
    options.dimension = 2;
    options.rows = 1;
    std::unique_ptr<VectorWriter> writer;
    EXPECT_TRUE(open_writer(options, writer).ok());
    const float vector[2] = {1, value};
    Outcome put = writer->put("1", vector, "");
    if (put.ok()) put = writer->finish();
    return put.text;
  };
  EXPECT_NE(error(Format::u8bin, 256).find("row 0: component 1 is 256, expected a whole number"),
            std::string::npos);
  EXPECT_NE(error(Format::bvecs, 0.5F), "");
  EXPECT_NE(error(Format::i8bin, -129), "");
  EXPECT_EQ(error(Format::i8bin, -128), "");
  EXPECT_NE(error(Format::ivecs, 1e10F), "");
  EXPECT_NE(error(Format::f16bin, 1e6F), "");
  EXPECT_EQ(error(Format::fbin, 1e30F), "");
}

TEST_F(Formats, a_file_is_there_whole_or_not_at_all) {
  OutputOptions options;
  options.path = path("half.fbin");
  options.dimension = 1;
  options.rows = 2;
  {
    std::unique_ptr<VectorWriter> writer;
    ASSERT_TRUE(open_writer(options, writer).ok());
    const float vector[1] = {1};
    ASSERT_TRUE(writer->put("1", vector, "").ok());
    EXPECT_NE(writer->finish().text.find("2 rows announced, 1 written"), std::string::npos);
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(Formats, missing_directory_and_unknown_are_three_different_answers) {
  std::unique_ptr<VectorReader> reader;
  InputOptions options;
  options.path = path("nobody.fbin");
  EXPECT_EQ(open_reader(options, reader).trouble, Trouble::missing);
  options.path = folder_.path().string();
  options.format = Format::fbin;
  EXPECT_EQ(open_reader(options, reader).trouble, Trouble::io);
  options.path = path("points.xyz");
  options.format.reset();
  EXPECT_EQ(open_reader(options, reader).trouble, Trouble::usage);
}

TEST_F(Formats, a_pipe_is_read_like_a_file_and_can_be_stopped) {
  int pipe_ends[2];
  int stop_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  ASSERT_EQ(::pipe(stop_ends), 0);
  const int saved = ::dup(STDIN_FILENO);
  ASSERT_GE(::dup2(pipe_ends[0], STDIN_FILENO), 0);
  const std::string some = "{\"vector\":[1]}\n{\"vector\":[2]}\n{\"vec";
  ASSERT_EQ(::write(pipe_ends[1], some.data(), some.size()), static_cast<ssize_t>(some.size()));
  InputOptions options;
  options.path = "-";
  options.format = Format::jsonl;
  options.stop_fd = stop_ends[0];
  std::unique_ptr<VectorReader> reader;
  Batch batch;
  EXPECT_TRUE(open_reader(options, reader).ok());
  ASSERT_EQ(::write(stop_ends[1], "!", 1), 1);
  EXPECT_EQ(reader->next(100, batch).trouble, Trouble::stopped);
  EXPECT_EQ(batch.rows, 2U);
  ::dup2(saved, STDIN_FILENO);
  for (const int fd : {saved, pipe_ends[0], pipe_ends[1], stop_ends[0], stop_ends[1]}) ::close(fd);
}

TEST_F(Formats, truth_is_read_back_and_a_cut_one_refused) {
  Truth truth;
  truth.queries = 2;
  truth.k = 3;
  truth.rows = {5, 4, 3, 2, 1, -1};
  truth.distances = {0, 1, 2, 3, 4, std::numeric_limits<float>::infinity()};
  ASSERT_TRUE(write_truth(path("t.ibin"), truth).ok());
  Truth back;
  ASSERT_EQ(read_truth(path("t.ibin"), back).text, "");
  EXPECT_EQ(back.rows, truth.rows);
  EXPECT_EQ(back.distances, truth.distances);
  EXPECT_EQ(back.rows_of(1)[1], 1);
  const std::string whole = content_of("t.ibin");
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_FALSE(read_truth(put_file("t.ibin", whole.substr(0, bytes)), back).ok());
  }
  ASSERT_EQ(read_truth(write(Format::ivecs, 4, 3), back).text, "");
  EXPECT_EQ(back.rows_of(2)[1], static_cast<int>(cell(2, 1)));
}

TEST_F(Formats, base64_of_every_length) {
  std::string bytes;
  for (int length = 0; length < 9; ++length) {
    std::string text;
    std::string back;
    append_base64(text, bytes);
    ASSERT_TRUE(parse_base64(text, back)) << text;
    EXPECT_EQ(back, bytes);
    bytes += static_cast<char>(250 - length * 31);
  }
  std::string back;
  EXPECT_FALSE(parse_base64("abc", back));
  EXPECT_FALSE(parse_base64("ab!=", back));
}

TEST_F(Formats, floats_survive_text) {
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    const std::uint32_t bits = random();
    float value = 0;
    std::memcpy(&value, &bits, 4);
    if (!std::isfinite(value)) continue;
    std::string text;
    append_float(text, value);
    float back = 0;
    ASSERT_TRUE(parse_float(text, back)) << text;
    ASSERT_EQ(back, value) << text;
  }
  float tiny = 1;
  EXPECT_TRUE(parse_float("1e-400", tiny));
  EXPECT_EQ(tiny, 0);
  EXPECT_FALSE(parse_float("1x", tiny));
  EXPECT_FALSE(parse_float("", tiny));
}

}  // namespace
}  // namespace skerry::formats
