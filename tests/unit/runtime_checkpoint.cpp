// runtime_checkpoint.cpp: checkpoints: exchange with other programs, what doesn't fit, damage,
// death while saving.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <random>
#include <thread>

#include "runtime/checkpoint.h"
#include "runtime/safetensors.h"
#include "runtime_support.h"
#include "tests/catch.h"

namespace {

using namespace gradc::driver;
using test::Folder;
using test::refusal;
using test::line::model;
using test::line::Parameters;
using test::line::State;

std::string data_file(const std::string& name) {
  return GRADC_SOURCE_DIR "/tests/data/runtime/" + name;
}

struct Loaded {
  Parameters p = {};
  State s = {};
  Position position;
  std::string warning, refusal;
};

Loaded load(const std::string& path, Purpose purpose = Purpose::use) {
  Loaded loaded;
  loaded.refusal = refusal([&] {
    loaded.position = load_checkpoint(path, model, &loaded.p, &loaded.s, purpose, loaded.warning);
  });
  return loaded;
}

Position sample_position() {
  Position position;
  position.action = 1;
  position.epoch = 12;
  position.step = 3;
  position.seed = ~std::uint64_t{0};
  position.batch = 4;
  position.rows = 23;
  position.epochs_option = -1;
  position.batch_option = 7;
  position.examples = 12;
  position.sums = {0.1, -INFINITY, 1e-310};
  return position;
}

void save_sample(const std::string& path) {
  Parameters p = {{1.5f, -0.0f, 1e-42f}, {3}};
  State s = {};
  s.momentum[1] = 2.25f;
  s.steps[0] = -7;
  s.best[1][0] = 0.1;
  s.started[0] = 1;
  save_checkpoint(path, model, &p, &s, sample_position());
}

// Changes one byte in place; rewriting whole files is slow on some file systems.
void poke(const std::string& path, std::size_t at, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

std::string header_refusal(const std::string& json, std::uint64_t data_bytes) {
  return refusal([&] { parse_safetensors_header(json, data_bytes, "t.st"); });
}

}  // namespace

TEST_CASE("a checkpoint gives back every bit", "[checkpoint]") {
  Folder folder;
  save_sample(folder / "c.st");
  const Loaded loaded = load(folder / "c.st", Purpose::resume);
  REQUIRE(loaded.refusal.empty());
  CHECK(loaded.p.w[0] == 1.5f);
  CHECK(std::signbit(loaded.p.w[1]));
  CHECK(loaded.p.w[2] == 1e-42f);
  CHECK(loaded.p.b[0] == 3);
  CHECK(loaded.s.momentum[1] == 2.25f);
  CHECK(loaded.s.steps[0] == -7);
  CHECK(loaded.s.best[1][0] == 0.1);
  CHECK(loaded.s.started[0] == 1);
  const Position expected = sample_position();
  CHECK(loaded.position.action == expected.action);
  CHECK(loaded.position.epoch == expected.epoch);
  CHECK(loaded.position.step == expected.step);
  CHECK(loaded.position.seed == expected.seed);
  CHECK(loaded.position.batch == expected.batch);
  CHECK(loaded.position.rows == expected.rows);
  CHECK(loaded.position.epochs_option == -1);
  CHECK(loaded.position.batch_option == 7);
  CHECK(loaded.position.examples == 12);
  CHECK(loaded.position.sums == expected.sums);
  // No temporary file stays, and the data starts at a multiple of 8.
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  CHECK(static_cast<unsigned char>(test::read(folder / "c.st")[0]) % 8 == 0);
}

TEST_CASE("weights that Python wrote are used, but not resumed from", "[checkpoint]") {
  const Loaded loaded = load(data_file("weights.st"));
  REQUIRE(loaded.refusal.empty());
  CHECK(loaded.p.w[0] == 1);
  CHECK(loaded.p.w[2] == 3);
  CHECK(loaded.p.b[0] == -4);
  CHECK_THAT(loaded.warning, test::contains("another version of the spec"));
  CHECK_THAT(load(data_file("weights.st"), Purpose::resume).refusal,
             test::contains("tensor 'state/train.best' [2, 1] is missing"));
}

TEST_CASE("what does not fit is refused with the tensor and both shapes", "[checkpoint]") {
  CHECK_THAT(load(data_file("shape.st")).refusal,
             test::contains("tensor 'fit.w' is [1, 3] in the file, but [3] in the spec"));
  CHECK_THAT(load(data_file("dtype.st")).refusal,
             test::contains("tensor 'fit.w' [3] is of type F64 in the file, but F32 in the spec"));
  CHECK_THAT(load(data_file("missing.st")).refusal,
             test::contains("tensor 'fit.b' [1] is missing"));
  CHECK_THAT(load(data_file("extra.st")).refusal,
             test::contains("tensor 'fit.c' [0, 2] is not in the spec"));
  Folder folder;
  gradc::Model other = model;
  other.spec_hash = "ffff";
  Parameters p = {};
  State s = {};
  save_checkpoint(folder / "c.st", other, &p, &s, {});
  CHECK_THAT(load(folder / "c.st", Purpose::resume).refusal,
             test::contains("another version of the spec"));
  CHECK_THAT(load(folder / "c.st").warning, test::contains("another version of the spec"));
}

TEST_CASE("a checkpoint cut off anywhere is refused", "[checkpoint]") {
  Folder folder;
  save_sample(folder / "c.st");
  const std::string whole = test::read(folder / "c.st");
  test::write(folder / "cut.st", whole);
  for (std::size_t length = whole.size(); length-- > 0;) {
    std::filesystem::resize_file(folder / "cut.st", length);
    REQUIRE_THAT(load(folder / "cut.st", Purpose::resume).refusal, test::contains("cut.st"));
  }
  test::write(folder / "cut.st", whole + '\0');
  CHECK_THAT(load(folder / "cut.st").refusal, test::contains("after its header"));
}

TEST_CASE("any flipped bit of a checkpoint is refused or changes nothing", "[checkpoint]") {
  Folder folder;
  save_sample(folder / "c.st");
  const Loaded sound = load(folder / "c.st", Purpose::resume);
  const std::string whole = test::read(folder / "c.st");
  int accepted = 0;
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      poke(folder / "c.st", at, static_cast<char>(whole[at] ^ (1 << bit)));
      const Loaded loaded = load(folder / "c.st", Purpose::resume);
      poke(folder / "c.st", at, whole[at]);
      if (!loaded.refusal.empty()) continue;
      ++accepted;
      INFO("byte " << at << " bit " << bit);
      const auto same = [](const auto& a, const auto& b) {
        return std::memcmp(&a, &b, sizeof a) == 0;
      };
      REQUIRE(same(loaded.p.w, sound.p.w));
      REQUIRE(same(loaded.p.b, sound.p.b));
      REQUIRE(same(loaded.s.momentum, sound.s.momentum));
      REQUIRE(same(loaded.s.steps, sound.s.steps));
      REQUIRE(same(loaded.s.best, sound.s.best));
      REQUIRE(same(loaded.s.started, sound.s.started));
      REQUIRE(loaded.position.step == sound.position.step);
      REQUIRE(loaded.position.seed == sound.position.seed);
      REQUIRE(loaded.position.sums == sound.position.sums);
    }
  // Only the name of the checksum itself can change unnoticed: its 11 letters.
  CHECK(accepted <= 11 * 8);
}

TEST_CASE("flips in a file without a checksum never crash", "[checkpoint]") {
  Folder folder;
  const std::string whole = test::read(data_file("weights.st"));
  test::write(folder / "flipped.st", whole);
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int flip = 1; flip < 256; flip += 7) {
      poke(folder / "flipped.st", at, static_cast<char>(whole[at] ^ flip));
      const std::string message = load(folder / "flipped.st").refusal;
      poke(folder / "flipped.st", at, whole[at]);
      REQUIRE((message.empty() || message.find("flipped.st") == folder.path.string().size() + 1));
    }
}

TEST_CASE("hostile headers are refused", "[checkpoint]") {
  CHECK(header_refusal("{}", 0).empty());
  CHECK(header_refusal(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )", 4).empty());
  CHECK(header_refusal(R"({"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]}})", 0).empty());
  const auto entry = [](const std::string& inside) { return "{\"a\":{" + inside + "}}"; };
  const std::string f32 = R"("dtype":"F32","shape":[1],)";
  CHECK_THAT(header_refusal("", 0), test::contains("byte 8: the header does not start with '{'"));
  CHECK_THAT(header_refusal(" {}", 0), test::contains("does not start with '{'"));
  CHECK_THAT(header_refusal("{}x", 0), test::contains("not JSON"));
  CHECK_THAT(header_refusal("{\"a\"", 0),
             test::contains("near byte 12: broken safetensors header: not JSON"));
  CHECK_THAT(header_refusal("{\"a\xff\":1}", 0), test::contains("not JSON"));
  CHECK_THAT(header_refusal("{\"a\":1}", 0), test::contains("a number where none belongs"));
  CHECK_THAT(header_refusal("{\"a\":null}", 0), test::contains("null"));
  CHECK_THAT(header_refusal(entry(f32), 0), test::contains("not JSON"));
  CHECK_THAT(header_refusal(entry(R"("dtype":"F32","shape":[1])"), 0),
             test::contains("lacks dtype, shape or data_offsets"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,4],"x":1)"), 4),
             test::contains("'x' of tensor 'a' is unknown"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,4],"dtype":"F32")"), 4),
             test::contains("stands there twice"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[4,0])"), 4),
             test::contains("are not a range"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,4,8])"), 4),
             test::contains("are not a range"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,-4])"), 4),
             test::contains("a negative number"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,4.0])"), 4),
             test::contains("no integer"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,18446744073709551616])"), 4),
             test::contains("no integer"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,18446744073709551615])"), 4),
             test::contains("too large"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[[0,4]])"), 4),
             test::contains("a list where none belongs"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,8])"), 8),
             test::contains("needs 4 bytes, but its data_offsets hold 8"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[4,8])"), 8),
             test::contains("starts at byte 4 of the data; the one before it ends at 0"));
  CHECK_THAT(header_refusal(entry(f32 + R"("data_offsets":[0,4])"), 8),
             test::contains("take 4 bytes, but the file holds 8"));
  CHECK_THAT(header_refusal(entry(R"("dtype":"Q9","shape":[],"data_offsets":[0,4])"), 4),
             test::contains("dtype 'Q9' of tensor 'a' is unknown"));
  CHECK_THAT(header_refusal(
                 entry(R"("dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0])"), 0),
             test::contains("overflows"));
  const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  CHECK_THAT(header_refusal("{" + a + "," + a + "}", 2), test::contains("'a' stands there twice"));
  CHECK_THAT(
      header_refusal("{" + a + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3),
      test::contains("tensor 'b' starts at byte 1"));
  CHECK_THAT(header_refusal(R"({"__metadata__":{"k":"v","k":"w"}})", 0),
             test::contains("metadata 'k' stands there twice"));
  CHECK_THAT(header_refusal(R"({"__metadata__":{"k":1}})", 0),
             test::contains("a number where none belongs"));
  CHECK_THAT(header_refusal(R"({"__metadata__":{"k":{}}})", 0),
             test::contains("nested too deeply"));
  CHECK_THAT(header_refusal("{\"a\":" + std::string(100'000, '['), 0),
             test::contains("a list where none belongs"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  CHECK_THAT(header_refusal(deep, 0), test::contains("near byte 17: broken safetensors header"));
  // Lengths that lie, before anything is allocated.
  Folder folder;
  test::write(folder / "t.st", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
  CHECK_THAT(load(folder / "t.st").refusal,
             test::contains("byte 0: a header of 9223372036854775807 bytes; the limit"));
  test::write(folder / "t.st", std::string("\x05\0\0\0\0\0\0\0{}", 10));
  CHECK_THAT(load(folder / "t.st").refusal,
             test::contains("byte 0: a header of 5 bytes, but only 2 follow"));
}

TEST_CASE("a place in training that cannot be is refused", "[checkpoint]") {
  Folder folder;
  test::write(folder / "points.csv", test::line::csv());
  const auto resume_from = [&](auto change) {
    Parameters p = {};
    State s = {};
    Position position;
    position.seed = 1;
    position.sums = {0, 0};
    change(position);
    save_checkpoint(folder / "c.st", model, &p, &s, position);
    return test::drive(model, test::line::program, folder.path.string(),
                       {"--checkpoint", folder / "c.st", "--resume"});
  };
  CHECK(resume_from([](Position&) {}).code == 0);
  const auto mid = [](Position& p) { p.step = 2, p.batch = 4, p.rows = 23, p.examples = 8; };
  CHECK(resume_from([&](Position& p) { mid(p); }).code == 0);
  CHECK(resume_from([&](Position& p) { mid(p), p.step = 6; }).code == 1);
  CHECK(resume_from([&](Position& p) { mid(p), p.step = INT64_MAX; }).code == 1);
  CHECK(resume_from([&](Position& p) { mid(p), p.examples = 9; }).code == 1);
  CHECK(resume_from([&](Position& p) { mid(p), p.sums = {}; }).code == 1);
  CHECK(resume_from([&](Position& p) { mid(p), p.rows = 22; }).code == 1);
  CHECK(resume_from([&](Position& p) { p.action = 3; }).code == 1);
  CHECK(resume_from([&](Position& p) { p.epoch = INT64_MAX; }).code == 2);
  CHECK(resume_from([&](Position& p) { p.epoch = 1, p.epochs_option = INT64_MAX; }).code == 2);
  CHECK(resume_from([&](Position& p) { p.batch_option = 1000; }).code == 2);
}

namespace {

// A checkpoint of some size, all of whose numbers are the same.
struct Big {
  static constexpr std::int64_t size = 1 << 18;
  alignas(64) float w[size];
};
const gradc::Tensor big_tensor = {"w", gradc::DType::f32, 1, {{Big::size, 0, -1}}, 0};
const gradc::Model big = {"big",   GRADC_RUNTIME_VERSION,
                          "h",     nullptr,
                          0,       &big_tensor,
                          1,       sizeof(Big),
                          nullptr, 0,
                          0,       0,
                          nullptr, 0,
                          nullptr};

void save_forever(const std::string& path, std::int64_t round) {
  const auto values = std::make_unique<Big>();
  for (;; ++round) {
    std::fill(values->w, values->w + Big::size, static_cast<float>(round));
    Position position;
    position.epoch = round;
    save_checkpoint(path, big, values.get(), nullptr, position);
  }
}

// The round a file holds; fails if it is not whole.
std::int64_t round_of(const std::string& path) {
  const auto values = std::make_unique<Big>();
  std::string warning;
  const Position position =
      load_checkpoint(path, big, values.get(), nullptr, Purpose::resume, warning);
  for (const float value : values->w)
    if (value != static_cast<float>(position.epoch)) return -1;
  return position.epoch;
}

}  // namespace

TEST_CASE("killed at any moment, a save leaves the old file or the new one", "[checkpoint]") {
  Folder folder;
  const std::string path = folder / "c.st";
  std::mt19937 random(1);
  std::int64_t last = 0, changed = 0;
  for (int attempt = 0; attempt < 60; ++attempt) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      save_forever(path, last + 1);
      _exit(1);
    }
    // Long enough for one save now and then, or there would be nothing to find.
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 40'000));
    if (attempt == 0)
      while (!std::filesystem::exists(path))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    REQUIRE(round_of(path) >= 1);  // while it is being replaced
    REQUIRE(kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    const std::int64_t round = round_of(path);
    REQUIRE(round >= 1);
    changed += round != last;
    last = round;
  }
  CHECK(changed > 5);
}

TEST_CASE("a full disk leaves the old file and no other", "[checkpoint]") {
  Folder folder;
  const std::string path = folder / "c.st";
  const auto values = std::make_unique<Big>();
  Position position;
  std::fill(values->w, values->w + Big::size, 0.0f);
  save_checkpoint(path, big, values.get(), nullptr, position);
  for (const rlim_t limit : {0ul, 4ul, 100ul, 4096ul, 1'000'000ul}) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit size = {limit, limit};
      setrlimit(RLIMIT_FSIZE, &size);
      const std::string message =
          refusal([&] { save_checkpoint(path, big, values.get(), nullptr, position); });
      _exit(message.find("cannot write") != message.npos ? 0 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(round_of(path) == 0);
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  }
}

TEST_CASE("a link at the place of a checkpoint is replaced, not followed", "[checkpoint]") {
  Folder folder;
  test::write(folder / "precious", "precious");
  std::filesystem::create_symlink(folder / "precious", folder / "c.st");
  save_sample(folder / "c.st");
  CHECK(test::read(folder / "precious") == "precious");
  CHECK(load(folder / "c.st", Purpose::resume).refusal.empty());
}

namespace {

using gradc::driver::load_parts;
using gradc::driver::load_text;
using gradc::driver::Mapping;
using gradc::driver::PartialLoad;

struct Stored {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

void store(const std::string& path, const std::vector<Stored>& tensors) {
  std::vector<TensorToStore> out;
  for (const Stored& t : tensors)
    out.push_back({t.name, "F32", t.shape, t.values.data(), t.values.size() * sizeof(float)});
  write_safetensors(path, std::move(out), {});
}

// What became of w = (1, 2, 3) and b = 4, and what was said.
struct Parts {
  Parameters p = {{1, 2, 3}, {4}};
  std::string said;
};

Parts parts(const std::string& path, const std::vector<Mapping>& mappings) {
  Parts out;
  out.said = refusal([&] {
    out.said = load_text("f", mappings, load_parts(path, model, &out.p, mappings));
    throw Failure{Exit::ok, out.said};
  });
  return out;
}

bool untouched(const Parts& x) {
  return x.p.w[0] == 1 && x.p.w[1] == 2 && x.p.w[2] == 3 && x.p.b[0] == 4;
}

}  // namespace

TEST_CASE("parts of another model's checkpoint are loaded by name, with a mapping or without") {
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  store(path, {{"old.w", {3}, {5, 6, 7}}, {"old.b", {1}, {8}}, {"other.x", {2}, {0, 0}}});

  const Parts all = parts(path, {{"old", "fit"}});
  CHECK(all.p.w[2] == 7);
  CHECK(all.p.b[0] == 8);
  CHECK(all.said == "loaded f with old -> fit: fit.b, fit.w; not used of the file: other.x");
  const Parts one = parts(path, {{"old.w", "fit.w"}});
  CHECK(one.p.w[0] == 5);
  CHECK(one.p.b[0] == 4);
  CHECK(one.said ==
        "loaded f with old.w -> fit.w: fit.w; not used of the file: old.b, other.x; as they were: fit.b");

  SECTION("names that are the same need no mapping") {
    store(path, {{"fit.b", {1}, {9}}, {"more", {1}, {0}}});
    const Parts same = parts(path, {});
    CHECK(same.p.b[0] == 9);
    CHECK(same.said == "loaded f: fit.b; not used of the file: more; as they were: fit.w");
  }
  SECTION("what does not fit changes nothing") {
    const std::pair<std::vector<Mapping>, std::string> wrong[] = {
        {{}, "holds no parameter of the spec"},
        {{{"missing", "fit"}}, "holds nothing under 'missing'"},
        {{{"old", "fi"}}, "tensor 'old.w' [3] would become 'fi.w', which the spec does not have"},
        {{{"other.x", "fit.w"}}, "tensor 'other.x' is [2] in the file, but 'fit.w' is [3] in the spec"},
        {{{"old.w", "fit.w"}, {"other.x", "fit.b"}}, "tensor 'other.x' is [2]"},
        {{{"old.w", "fit"}}, "tensor 'old.w' [3] would become 'fit'"}};
    for (const auto& [mappings, why] : wrong) {
      const Parts refused = parts(path, mappings);
      CHECK_THAT(refused.said, test::contains(why));
      CHECK(untouched(refused));
    }
    store(path, {{"old.w", {3}, {5, 6, 7}}, {"fit.w", {3}, {1, 1, 1}}});
    const Parts refused = parts(path, {{"old", "fit"}});
    CHECK_THAT(refused.said, test::contains("holds nothing under 'old' for 'fit.b' [1]"));
    CHECK(untouched(refused));
    const Parts twice = parts(path, {{"old.w", "fit.w"}, {"fit.w", "fit.w"}});
    CHECK_THAT(twice.said, test::contains("would both become 'fit.w'"));
    CHECK(untouched(twice));
  }
  SECTION("a damaged file changes nothing") {
    poke(path, std::filesystem::file_size(path) - 1, 1);
    const Parts refused = parts(path, {{"old.w", "fit.w"}});
    CHECK_THAT(refused.said, test::contains("checksum"));
    CHECK(untouched(refused));
  }
}
