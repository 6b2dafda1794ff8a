// runtime_readers.cpp: CSV, IDX and .npy, good and malformed; conversion, splits, permutations,
// batches.
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/file.h"
#include "runtime/permutation.h"
#include "runtime_support.h"
#include "tests/catch.h"

namespace {

using namespace gradc::driver;
using gradc::DType;
using gradc::Tensor;
using test::refusal;

std::vector<double> doubles(const Array& array) {
  std::vector<double> result(static_cast<std::size_t>(array.size()));
  std::memcpy(result.data(), array.bytes.data() + array.start, result.size() * sizeof(double));
  return result;
}

std::vector<double> csv(const std::string& text, bool header = false) {
  return doubles(parse_csv(text, "t.csv", header, {{0, 1}})[0]);
}
std::string csv_refusal(const std::string& text, bool header = false) {
  return refusal([&] { csv(text, header); });
}

std::string data_file(const std::string& name) {
  return GRADC_SOURCE_DIR "/tests/data/runtime/" + name;
}

template <class Value>
std::vector<Value> values(const Column& column) {
  std::vector<Value> result(column.data.size() / sizeof(Value));
  std::memcpy(result.data(), column.data.data(), column.data.size());
  return result;
}

Tensor input(DType dtype, std::int64_t limit = 0) {
  Tensor tensor = {"x", dtype, 1, {{0, 1, 0}}, 0};
  tensor.limit = limit;
  return tensor;
}

std::string gzip(const std::string& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// Images of 2 x 2: two of them.
std::string idx_bytes() {
  return std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x02", 16) +
         "\x01\x02\x03\x04\x05\x06\x07\xff";
}

}  // namespace

TEST_CASE("CSV is read with quotes, CRLF, spaces, headers and a mark of byte order", "[readers]") {
  const std::vector<double> one_to_four = {1, 2, 3, 4};
  CHECK(csv("1,2\n3,4\n") == one_to_four);
  CHECK(csv("1,2\r\n3,4\r\n") == one_to_four);
  CHECK(csv("1,2\n3,4") == one_to_four);
  CHECK(csv("1,2\n3,4\n\n\r\n") == one_to_four);
  CHECK(csv("a,\"b\nc\"\n1,2\n3,4\n", true) == one_to_four);
  CHECK(csv("\"1\",\" 2 \"\n3\t,+4\n") == one_to_four);
  CHECK(csv("\xef\xbb\xbf"
            "1,2\n3,4\n") == one_to_four);
  CHECK(csv("1,2,\"he said \"\"no\"\", twice\"\n3,4,\"\"\n") == one_to_four);
  CHECK(csv("-1.5e3,.5\n1e-400,0\n") == std::vector<double>{-1500, 0.5, 0, 0});
  const std::vector<Array> arrays = parse_csv("1,2,3\n4,5,6\n", "t.csv", false, {{1, 2}, {0, 0}});
  CHECK(arrays[0].shape == std::vector<std::int64_t>{2, 2});
  CHECK(doubles(arrays[0]) == std::vector<double>{2, 3, 5, 6});
  CHECK(arrays[1].shape == std::vector<std::int64_t>{2});
  CHECK(doubles(arrays[1]) == std::vector<double>{1, 4});
}

TEST_CASE("malformed CSV is refused with line and column", "[readers]") {
  CHECK_THAT(csv_refusal("1,2\n3\n"),
             test::contains("t.csv:2: 1 fields; the lines before it have 2"));
  CHECK_THAT(csv_refusal("1,2\n3,4,5\n"), test::contains("t.csv:2: more than the 2 fields"));
  CHECK_THAT(csv_refusal("1,2\n\n3,4\n"),
             test::contains("t.csv:2: column 0 (counted from 0) is empty"));
  CHECK_THAT(csv_refusal("1,2\n3,\n"),
             test::contains("t.csv:2: column 1 (counted from 0) is empty"));
  CHECK_THAT(csv_refusal("1,2\n3,4x\n"),
             test::contains("t.csv:2: column 1 (counted from 0): '4x' is not a number"));
  CHECK_THAT(csv_refusal("a,b\n3,4\n"), test::contains("header = true"));
  CHECK_THAT(csv_refusal("1,0x10\n"), test::contains("'0x10' is not a number"));
  CHECK_THAT(csv_refusal("1,1e999\n"), test::contains("'1e999' is not a number"));
  CHECK_THAT(csv_refusal("1,+-2\n"), test::contains("'+-2' is not a number"));
  CHECK_THAT(csv_refusal("\"q\n\n1\",2\n\"7\",x\n", true), test::contains("t.csv:4: column 1"));
  CHECK_THAT(csv_refusal("1,\"2\n"),
             test::contains("t.csv:1: column 1: the quote is never closed"));
  CHECK_THAT(csv_refusal("1,\"2\"3\n"), test::contains("text after the closing quote"));
  CHECK_THAT(csv_refusal("1,2\"\n"), test::contains("a quote inside a field"));
  CHECK_THAT(csv_refusal("1\n2\n"),
             test::contains("columns 0 to 1 are wanted, but there are only columns 0 to 0"));
  CHECK_THAT(csv_refusal(""), test::contains("t.csv: no rows"));
  CHECK_THAT(csv_refusal("a,b\n", true), test::contains("no rows"));
  CHECK_THAT(csv_refusal("1,2\n\x1b[31m,4\n"), test::contains("'?[31m' is not a number"));
  CHECK_THAT(csv_refusal(std::string(max_csv_line + 2, '1')),
             test::contains("longer than 1048576 bytes"));
  CHECK_THAT(csv_refusal("\"" + std::string(max_csv_line + 2, '\n')),
             test::contains("longer than 1048576 bytes"));
  CHECK_THAT(csv_refusal("1,2" + std::string(65'600, ',')),
             test::contains("more than 65536 columns"));
}

TEST_CASE("truncated CSV is read or refused, never more", "[readers]") {
  const std::string text = "a,\"b\"\"\"\r\n1,\"2\"\r\n-3.5e1,4\r\n";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    std::size_t size = 0;
    const std::string message = refusal([&] { size = csv(text.substr(0, length), true).size(); });
    CHECK(size <= 4);
    CHECK((message.empty() || message.substr(0, 5) == "t.csv"));
  }
}

TEST_CASE("IDX is read, also packed", "[readers]") {
  const Array array = parse_idx(idx_bytes(), "t.idx");
  CHECK(array.shape == std::vector<std::int64_t>{2, 2, 2});
  CHECK(values<float>(convert(array, input(DType::f32), 2, 1, false)) ==
        std::vector<float>{3, 5, 7, 9, 11, 13, 15, 511});
  CHECK(values<std::int32_t>(convert(
            parse_idx(std::string("\0\0\x0c\x01\0\0\0\x02\xff\xff\xff\xfe\0\0\x01\0", 16), "t"),
            input(DType::i32), 1, 0, false)) == std::vector<std::int32_t>{-2, 256});
  CHECK(
      values<double>(convert(parse_idx(std::string("\0\0\x0d\x01\0\0\0\x01\x3f\xc0\0\0", 12), "t"),
                             input(DType::f64), 1, 0, false)) == std::vector<double>{1.5});
  test::Folder folder;
  test::write(folder / "t.idx.gz", gzip(idx_bytes()));
  CHECK(read_idx(folder / "t.idx.gz").bytes == idx_bytes());
  test::write(folder / "t.idx", idx_bytes());
  CHECK(read_idx(folder / "t.idx").bytes == idx_bytes());
}

TEST_CASE("malformed IDX is refused with its byte", "[readers]") {
  const auto changed = [](std::size_t at, char c) {
    std::string bytes = idx_bytes();
    bytes[at] = c;
    return refusal([&] { parse_idx(bytes, "t.idx"); });
  };
  CHECK_THAT(changed(0, 'x'), test::contains("t.idx: byte 0: not an IDX file"));
  CHECK_THAT(changed(2, 7), test::contains("t.idx: byte 2: 0x07 is no element type"));
  CHECK_THAT(changed(3, 0), test::contains("byte 3: a rank of 0"));
  CHECK_THAT(changed(3, 9), test::contains("byte 3: a rank of 9"));
  CHECK_THAT(changed(7, 3), test::contains("promises 12 bytes of data, but 8 follow"));
  CHECK_THAT(changed(7, 0), test::contains("byte 4: an extent of 0"));
  CHECK_THAT(changed(4, '\x80'), test::contains("byte 4: an extent of 2147483650"));
  const std::string huge =
      std::string("\0\0\x0e\x03", 4) + "\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff";
  CHECK_THAT(refusal([&] { parse_idx(huge, "t.idx"); }),
             test::contains("the extents are too large"));
  for (std::size_t length = 0; length < idx_bytes().size(); ++length)
    CHECK_FALSE(refusal([&] { parse_idx(idx_bytes().substr(0, length), "t.idx"); }).empty());
  CHECK_FALSE(refusal([&] { parse_idx(idx_bytes() + "x", "t.idx"); }).empty());
}

TEST_CASE("broken and exploding gzip data is refused", "[readers]") {
  const std::string packed = gzip(idx_bytes());
  CHECK(unpack_gz(packed, "t.gz") == idx_bytes());
  CHECK(unpack_gz(packed + packed, "t.gz") == idx_bytes() + idx_bytes());
  for (std::size_t length = 0; length < packed.size(); ++length)
    CHECK_THAT(refusal([&] { unpack_gz(packed.substr(0, length), "t.gz"); }),
               test::contains("t.gz"));
  for (std::size_t at = 0; at < packed.size(); ++at) {
    std::string broken = packed;
    broken[at] = static_cast<char>(broken[at] ^ 0x55);
    std::string unpacked;
    const std::string message = refusal([&] { unpacked = unpack_gz(broken, "t.gz"); });
    INFO("byte " << at);
    // Bytes 4 to 9 are time, flags and system: any will do.
    CHECK((at >= 4 && at < 10 ? unpacked == idx_bytes() : !message.empty()));
  }
  // Zeros pack to a thousandth and a little less.
  const std::string bomb = gzip(std::string(64 << 20, '\0'));
  REQUIRE(bomb.size() * max_gz_ratio < (64 << 20));
  CHECK_THAT(refusal([&] { unpack_gz(bomb, "t.gz"); }), test::contains("zip bomb"));
}

TEST_CASE(".npy files of NumPy are read", "[readers]") {
  CHECK(values<float>(convert(read_npy(data_file("f4.npy")), input(DType::f32), 1, 0, false)) ==
        std::vector<float>{1.5f, -2, 3, 4, 5, 1e-30f});
  CHECK(read_npy(data_file("f4.npy")).shape == std::vector<std::int64_t>{2, 3});
  CHECK(doubles(read_npy(data_file("f8.npy"))) == std::vector<double>{0.1, 2e300});
  const Array bytes = read_npy(data_file("u1.npy"));
  CHECK(bytes.shape == std::vector<std::int64_t>{2, 3, 4});
  CHECK(values<std::int32_t>(convert(bytes, input(DType::i32), 1, 0, false))[23] == 23);
  CHECK(values<std::int32_t>(convert(read_npy(data_file("i8.npy")), input(DType::i32), 1, 0,
                                     false)) == std::vector<std::int32_t>{7, -9});
  CHECK(read_npy(data_file("i4.npy")).shape.empty());
  CHECK(values<unsigned char>(convert(read_npy(data_file("b1.npy")), input(DType::boolean), 1, 0,
                                      false)) == std::vector<unsigned char>{1, 0, 1});
  for (const char* name : {"version2.npy", "version3.npy"})
    CHECK(values<double>(convert(read_npy(data_file(name)), input(DType::f64), 1, 0, false)) ==
          std::vector<double>{1, 2, 3});
  // Ours are what NumPy's are, byte for byte.
  const std::string header = npy_header("<f4", {2, 3});
  CHECK(test::read(data_file("f4.npy")).substr(0, header.size()) == header);
  CHECK(test::read(data_file("f8.npy")).substr(0, 128) == npy_header("<f8", {2}));
  CHECK(test::read(data_file("i4.npy")).substr(0, 128) == npy_header("<i4", {}));
}

TEST_CASE(".npy files that can't be read say why", "[readers]") {
  const auto why = [](const char* name) { return refusal([&] { read_npy(data_file(name)); }); };
  CHECK_THAT(why("fortran.npy"), test::contains("Fortran order"));
  CHECK_THAT(why("big_endian.npy"), test::contains("type '>f4' are not read"));
  CHECK_THAT(why("object.npy"), test::contains("pickled Python code"));
  CHECK_THAT(why("structured.npy"), test::contains("structured arrays are not read"));
  const auto with = [](const std::string& header) {
    std::string bytes = "\x93NUMPY\x01";
    bytes += '\0';
    bytes += static_cast<char>(header.size() & 0xff);
    bytes += static_cast<char>(header.size() >> 8);
    return refusal([&] { parse_npy(bytes + header + std::string(8, '\0'), "t.npy"); });
  };
  CHECK(with("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n").empty());
  CHECK(with("{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<f4\"}").empty());
  CHECK_THAT(with("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n"),
             test::contains("promises 12 bytes of data, but 8 follow"));
  for (const char* header :
       {"", "{", "{}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 2}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}",
        "{'descr': __import__('os'), 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647,2147483647,2147483647)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "{'descr': '<f4"})
    CHECK_THAT(with(header), test::contains("t.npy"));
  const std::string good = test::read(data_file("f4.npy"));
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK_FALSE(refusal([&] { parse_npy(good.substr(0, length), "t.npy"); }).empty());
  for (std::size_t at = 0; at < good.size(); ++at)
    for (int flip = 1; flip < 256; flip += 2) {
      std::string broken = good;
      broken[at] = static_cast<char>(broken[at] ^ flip);
      std::int64_t size = 0;
      refusal([&] { size = parse_npy(broken, "t.npy").size(); });
      CHECK(size <= 24);  // of one byte each, at most
    }
}

TEST_CASE("what is no regular file is refused at once", "[readers]") {
  test::Folder folder;
  CHECK_THAT(refusal([&] { read_idx(folder / "none"); }), test::contains("cannot open"));
  CHECK_THAT(refusal([&] { read_idx(folder.path.string()); }),
             test::contains("not a regular file"));
  CHECK_THAT(refusal([&] { read_idx("/dev/zero"); }), test::contains("not a regular file"));
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(refusal([&] { read_idx(folder / "fifo"); }), test::contains("not a regular file"));
}

TEST_CASE("values that don't fit an input are refused with their place", "[readers]") {
  const auto why = [](const std::string& text, const Tensor& tensor, double scale = 1,
                      bool allow_nan = false) {
    return refusal([&] {
      convert(parse_csv(text, "t.csv", false, {{1, 2}})[0], tensor, scale, 0, allow_nan);
    });
  };
  CHECK(why("0,1,2\n", input(DType::f32)).empty());
  CHECK_THAT(why("0,1,2\n0,3,nan\n", input(DType::f32)),
             test::contains("t.csv:2: column 2: the value nan of 'x'"));
  CHECK_THAT(why("0,1,-inf\n", input(DType::f64)), test::contains("t.csv:1: column 2"));
  CHECK(why("0,nan,-inf\n", input(DType::f64), 1, true).empty());
  CHECK(why("0,nan,-inf\n", input(DType::f32), 1, true).empty());
  CHECK_THAT(why("0,1,1e39\n", input(DType::f32)), test::contains("too large for its type"));
  CHECK(why("0,1,3.4028234e38\n", input(DType::f32)).empty());
  CHECK_THAT(why("0,1,1e300\n", input(DType::f64), 1e10), test::contains("too large"));
  CHECK_THAT(why("0,1,2.5\n", input(DType::i32)),
             test::contains("t.csv:1: column 2: the value 2.5 of 'x' is not an integer"));
  CHECK(why("0,1,2.5\n", input(DType::i32), 2).empty());
  CHECK_THAT(why("0,2147483648,0\n", input(DType::i32)),
             test::contains("column 1: the value 2147483648 of 'x' does not fit"));
  CHECK(why("0,2147483647,-2147483648\n", input(DType::i32)).empty());
  CHECK_THAT(why("0,1,nan\n", input(DType::i32), 1, true),
             test::contains("does not fit a 32-bit integer"));
  CHECK(why("0,0,9\n", input(DType::i32, 10)).empty());
  CHECK_THAT(why("0,0,10\n", input(DType::i32, 10)), test::contains("is a position outside 0 … 9"));
  CHECK_THAT(why("0,-1,0\n", input(DType::i32, 10)), test::contains("is a position outside 0 … 9"));
  CHECK_THAT(why("0,1,2\n", input(DType::boolean)), test::contains("neither 0 nor 1"));
}

TEST_CASE("permutations hold every row once, differ by seed and round, and are even", "[readers]") {
  std::vector<std::int64_t> rows(1000);
  std::iota(rows.begin(), rows.end(), 0);
  std::set<std::vector<std::int64_t>> seen;
  for (std::uint64_t seed : {0, 1, 7})
    for (std::uint32_t round : {0u, 1u, 2u}) {
      std::vector<std::int64_t> order = rows;
      permute(order, seed, round);
      seen.insert(order);
      std::sort(order.begin(), order.end());
      CHECK(order == rows);
    }
  CHECK(seen.size() == 9);
  // Each of the 6 orders of 3 rows comes up a sixth of the time; 6000 draws deviate by 29 (1
  // sigma).
  std::map<std::vector<std::int64_t>, int> counts;
  for (std::uint32_t round = 0; round < 6000; ++round) {
    std::vector<std::int64_t> order = {0, 1, 2};
    permute(order, 3, round);
    ++counts[order];
  }
  CHECK(counts.size() == 6);
  for (const auto& [order, count] : counts) CHECK(std::abs(count - 1000) < 150);
  // These bits are part of what a seed means; they never change.
  std::vector<std::int64_t> order = {0, 1, 2, 3, 4, 5, 6, 7};
  permute(order, 1, 0);
  CHECK(order == std::vector<std::int64_t>{3, 7, 2, 1, 0, 5, 6, 4});
}

TEST_CASE("parts are disjoint and together all rows", "[readers]") {
  const gradc::Part parts[] = {{"train", 0.7}, {"dev", 0.1}, {"test", 0.2}};
  const gradc::Split splits[] = {{"digits", parts, 3, 7}};
  const gradc::Program program = {nullptr, 0, splits, 1, nullptr, 0};
  for (const std::int64_t rows : {10, 99, 100, 1797}) {
    std::vector<std::int64_t> all;
    for (const gradc::Part& part : parts) {
      const std::vector<std::int64_t> some = part_rows(program, "digits", part.name, rows);
      CHECK(std::abs(static_cast<double>(some.size()) - part.fraction * static_cast<double>(rows)) <
            1);
      all.insert(all.end(), some.begin(), some.end());
    }
    CHECK_FALSE(std::is_sorted(all.begin(), all.end()));
    std::sort(all.begin(), all.end());
    CHECK(all == part_rows(program, "digits", nullptr, rows));
    CHECK(static_cast<std::int64_t>(all.size()) == rows);
  }
  CHECK_THAT(refusal([&] { part_rows(program, "digits", "dev", 2); }),
             test::contains("holds none of the 2 examples"));
  CHECK_THAT(refusal([&] { part_rows(program, "digits", "valid", 50); }),
             test::contains("no part digits.valid"));
}

TEST_CASE("data is fitted to the shapes of inputs", "[readers]") {
  const gradc::Dim dims[] = {{"B", 8}, {"T", 5}};
  const gradc::Model model = {"m",     1, "", dims, 2,       nullptr, 0,      0,
                              nullptr, 0, 0,  0,    nullptr, 0,       nullptr};
  const auto column = [](std::vector<std::int64_t> shape) {
    Column result;
    result.name = "x";
    result.path = "f.npy";
    std::int64_t bytes = 4;
    for (const std::int64_t extent : shape) bytes *= extent;
    result.shape = std::move(shape);
    result.data = Buffer(static_cast<std::uint64_t>(bytes), "test");
    for (std::int64_t i = 0; i < bytes / 4; ++i)
      reinterpret_cast<float*>(result.data.data())[i] = static_cast<float>(i);
    return result;
  };
  const auto fit = [&](const Tensor& tensor, std::vector<std::int64_t> shape,
                       std::int64_t batch = 0) {
    Dataset data;
    data.name = "d";
    data.columns.push_back(column(std::move(shape)));
    const gradc::Function function = {"f",    gradc::FunctionKind::step, &tensor, 1, nullptr, 0,
                                      nullptr};
    Batches batches(model, function, data, batch);
    batches.steps(batches.rows());
    return batches.dims();
  };
  const Tensor pixels = {"x", DType::f32, 2, {{0, 1, 0}, {4, 0, -1}}, 0};
  CHECK(fit(pixels, {10, 2, 2}) == std::vector<std::int64_t>{8, 1});
  CHECK(fit(pixels, {10, 4}, 3) == std::vector<std::int64_t>{3, 1});
  CHECK(fit(pixels, {3, 4}) == std::vector<std::int64_t>{3, 1});
  CHECK_THAT(refusal([&] { fit(pixels, {10, 5}); }),
             test::contains("data d: 'x' is [B, 4] in the spec, but f.npy holds [10, 5]: 4 numbers "
                            "per example are wanted, not 5"));
  const Tensor sequence = {
      "x", DType::f32, 3, {{0, 1, 0}, {1, 2, 1}, {2, 0, -1}}, 0};  // [B, 2*T+1, 2]
  CHECK(fit(sequence, {10, 7, 2}) == std::vector<std::int64_t>{8, 3});
  CHECK_THAT(refusal([&] { fit(sequence, {10, 6, 2}); }), test::contains("[B, 2*T+1, 2]"));
  CHECK_THAT(refusal([&] { fit(sequence, {10, 13, 2}); }), test::contains("dim T is at most 5"));
  CHECK_THAT(refusal([&] { fit(sequence, {10, 7, 3}); }), test::contains("[10, 7, 3]"));
  CHECK_THAT(refusal([&] { fit(sequence, {10, 7}); }), test::contains("[10, 7]"));
  const Tensor fixed = {"x", DType::f32, 2, {{5, 0, -1}, {4, 0, -1}}, 0};
  CHECK(fit(fixed, {10, 4}) == std::vector<std::int64_t>{1, 1});
  CHECK_THAT(refusal([&] { fit(fixed, {11, 4}); }),
             test::contains("takes exactly 5 examples at a time, and 11 is no multiple"));
  CHECK_THAT(refusal([&] { fit(fixed, {10, 4}, 2); }), test::contains("takes exactly 5"));
  CHECK_THAT(refusal([&] { fit({"x", DType::f32, 0, {}, 0}, {}); }),
             test::contains("takes no examples"));

  // Rows are gathered in any order, and an input without the batch dim is given whole.
  const Tensor two[] = {pixels, {"weights", DType::f32, 1, {{3, 0, -1}}, 0}};
  Dataset data;
  data.columns.push_back(column({6, 4}));
  data.columns.push_back(column({3}));
  const gradc::Function function = {"f", gradc::FunctionKind::step, two, 2, nullptr, 0, nullptr};
  Batches batches(model, function, data, 4);
  CHECK(batches.steps(6) == 2);
  const std::int64_t rows[] = {5, 0};
  batches.fill(rows, 2);
  CHECK(batches.dims()[0] == 2);
  const auto* x = static_cast<const float*>(batches.inputs()[0]);
  CHECK(std::vector<float>(x, x + 8) == std::vector<float>{20, 21, 22, 23, 0, 1, 2, 3});
  CHECK(static_cast<const float*>(batches.inputs()[1])[2] == 2);
  CHECK(reinterpret_cast<std::uintptr_t>(x) % 64 == 0);
}
