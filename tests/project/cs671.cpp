// cs671.cpp: a deep-learning exam answered by running specs. Every number on the right of a check
// was worked out on paper; the working stands beside it.
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>

#include "catch.h"
#include "project/tree.h"

using namespace test;

namespace {

const fs::path exam = source_root() / "examples/cs671";
constexpr std::chrono::seconds patience{900};
constexpr double inf = std::numeric_limits<double>::infinity();

Finished run(const std::vector<std::string>& command, const fs::path& folder, int code = 0) {
  Finished finished = run_program(command, {folder, {}, patience});
  std::string line;
  for (const std::string& word : command) line += word + " ";
  INFO(line << "\n" << finished.out << finished.err);
  REQUIRE(finished.exit_code == code);
  return finished;
}

std::string spec(const std::string& name) {
  return (exam / (name + ".nn")).string();
}

std::string gradc(std::vector<std::string> words) {
  words.insert(words.begin(), GRADC_TOOL);
  return run(words, ".").out;
}

// What the program of a spec prints.
std::string program(const std::string& name, const fs::path& folder) {
  run({GRADC_TOOL, "build", "--binary", spec(name), "-o", "program"}, folder);
  return run({"./program"}, folder).out;
}

// The numbers a `show` printed, by output: "  y [2, 2]" and the lines of numbers below it.
std::map<std::string, std::vector<double>> shown(const std::string& output,
                                                 const std::string& show) {
  std::map<std::string, std::vector<double>> values;
  INFO(output);
  const std::size_t at = output.find("show " + show + " ");
  REQUIRE(at != std::string::npos);
  std::istringstream lines(output.substr(output.find('\n', at) + 1));
  std::string line, name;
  while (std::getline(lines, line) && line.starts_with("  ")) {
    std::istringstream words(line);
    std::string word;
    if (!line.starts_with("    ")) {
      words >> name;
      values[name];
      continue;
    }
    while (words >> word) values[name].push_back(std::strtod(word.c_str(), nullptr));
  }
  return values;
}

// To the seven digits that are printed of a float.
void check(const std::vector<double>& actual, const std::vector<double>& by_hand) {
  REQUIRE(actual.size() == by_hand.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    INFO("number " << i);
    if (std::isinf(by_hand[i]))
      CHECK(actual[i] == by_hand[i]);
    else
      CHECK(actual[i] == Approx(by_hand[i]).epsilon(1e-6).margin(1e-7));
  }
}

// What a line of reports calls `name`: in the line that starts with `start`, the `nth` such line.
double reported(const std::string& output, const std::string& start, const std::string& name,
                int nth = 1) {
  INFO(output);
  std::istringstream lines(output);
  std::string line;
  while (std::getline(lines, line)) {
    if (!line.starts_with(start) || --nth > 0) continue;
    const std::size_t at = line.find(" " + name + " ");
    REQUIRE(at != std::string::npos);
    return std::strtod(line.c_str() + at + name.size() + 2, nullptr);
  }
  FAIL("no line starts with '" << start << "'");
  return 0;
}

double sigma(double z) {
  return 1 / (1 + std::exp(-z));
}

// A picture in grey of this size, by the header of the file.
void check_picture(const fs::path& path, std::uint32_t width, std::uint32_t height) {
  const std::string bytes = read_text(path);
  REQUIRE(bytes.size() > 33);
  CHECK(bytes.substr(0, 8) == "\x89PNG\r\n\x1a\n");
  const auto number = [&](std::size_t at) {
    std::uint32_t n = 0;
    for (std::size_t k = 0; k < 4; ++k) n = n << 8 | static_cast<unsigned char>(bytes[at + k]);
    return n;
  };
  CHECK(number(16) == width);
  CHECK(number(20) == height);
}

}  // namespace

TEST_CASE("cs671: cross-entropy, and a divergence without overlap") {
  const TemporaryFolder folder;
  const std::string output = program("entropy", folder.path());
  CHECK_THAT(output, contains("0.356675"));  // -ln 0.7
  check(shown(output, "cross")["h"], {-std::log(0.7)});
  auto divergence = shown(output, "divergence");
  // The first pair: 1/2 ln(1/2 / 0) is infinite, and 0 ln 0 counts 0. The second:
  // 2 · 1/2 ln(1/2 / 1/4) = ln 2.
  check(divergence["d"], {inf, std::log(2.0)});
  // d/dp = ln(p/q) + 1 where p > 0, and 0 where p is; d/dq = -p/q.
  const double two = std::log(2.0) + 1;
  check(divergence["dp"], {inf, inf, 0, 0, two, two, 0, 0});
  check(divergence["dq"], {-inf, -inf, 0, 0, -2, -2, 0, 0});
}

TEST_CASE("cs671: the emitted loop is gradient descent and says so") {
  const TemporaryFolder folder;
  run({GRADC_TOOL, "build", "--main", spec("straight"), "-o", "."}, folder.path());
  const std::string main = read_text(folder.path() / "straight_main.cpp");
  std::size_t at = main.find("How it trains");
  for (const std::string step : {"initialise:  straight::init", "forward, loss, backward and update:  straight::train", "repeat:"}) {
    INFO(main);
    at = main.find(step, at);
    REQUIRE(at != std::string::npos);
  }
  const std::string source = read_text(folder.path() / "straight.cpp");
  at = source.find("train_result train(");
  const std::size_t end = source.find("return result;", at);
  for (const std::string part : {"// forward\n", "// loss\n", "// backward and update\n"}) {
    at = source.find(part, at);
    INFO(part << source.substr(0, end));
    REQUIRE(at < end);
    CHECK(source.find(part, at + 1) > end);  // once
  }
}

TEST_CASE("cs671: a convolution and pooling by hand") {
  CHECK_THAT(gradc({"explain", spec("convolution"), "filter.W"}), contains("f32[7, 7]"));
  const TemporaryFolder folder;
  const std::string output = program("convolution", folder.path());
  // A single 1 in the middle: Y(x, y) = W(x - 3, y - 3), the whole kernel.
  std::vector<double> kernel;
  for (int i = 1; i <= 7; ++i)
    for (int j = 1; j <= 7; ++j) kernel.push_back(10 * i + j);
  check(shown(output, "filter")["Y"], kernel);
  auto worked = shown(output, "worked");
  // y(i, j) = x(i, j) - x(i+1, j) + 2 x(i+1, j+1):
  //   1-0+2  2-1+6  0-3+4     3  7  1
  //   0-2+0  1-0+2  3-1+2  = -2  3  4
  //   2-1+2  0-1+0  1-0+4     3 -1  5
  check(worked["y"], {3, 7, 1, -2, 3, 4, 3, -1, 5});
  // max(3 7 -2 3), max(7 1 3 4), max(-2 3 3 -1), max(3 4 -1 5), and their means
  check(worked["largest"], {7, 7, 3, 5});
  check(worked["average"], {11.0 / 4, 15.0 / 4, 3.0 / 4, 11.0 / 4});
  // 7 wins twice, 1 + 2; of the two 3s of the third window the first, y(1, 1), gets its 3; 5 gets 4.
  check(worked["dy"], {0, 3, 0, 0, 3, 0, 0, 0, 4});
  // dx(a, b) = Σ dy(i, j) K(a-i, b-j): each of 3, 3 and 4 lays the kernel 1 0 / -1 2 at its place.
  //   3 at (0, 1):  3 0     3 at (1, 1):  3 0      4 at (2, 2):  4 0
  //                -3 6                  -3 6                   -4 8
  check(worked["dx"], {0, 3, 0, 0,             //
                       0, -3 + 3, 6 + 0, 0,    //
                       0, -3, 6 + 4, 0,        //
                       0, 0, -4, 8});
  // dK(u, v) = 3 x(u, 1+v) + 3 x(1+u, 1+v) + 4 x(2+u, 2+v)
  check(worked["dK"], {3 * 2 + 3 * 1 + 4 * 1, 3 * 0 + 3 * 3 + 4 * 1,  //
                       3 * 1 + 3 * 0 + 4 * 0, 3 * 3 + 3 * 1 + 4 * 2});
}

TEST_CASE("cs671: sizes and operations counted") {
  std::map<std::string, std::string> rows;  // of the tables, by their first word
  std::string all;
  for (const std::string name : {"sizes", "project", "classify"}) {
    std::istringstream lines(gradc({"stats", spec(name)}));
    std::string line;
    while (std::getline(lines, line)) {
      rows.emplace(line.substr(0, line.find(' ')), line);
      all += line + "\n";
    }
  }
  INFO(all);
  const auto check_row = [&](const std::string& row, std::initializer_list<std::string> parts) {
    for (const std::string& part : parts) CHECK_THAT(rows[row], contains(part));
  };
  check_row("keep.conv2d1", {"f32[B, 1, 9, 9]", "k = 5", "pad = same", "p = 2"});
  // 32 · (3 · 3 · 128 + 1) and 32 · (128 + 1)
  check_row("wide.conv2d1", {"f32[B, 32, 7, 7]", " 36,896 "});
  check_row("narrow.conv2d1", {"f32[B, 32, 7, 7]", " 4,128 "});
  // 64 · (128 multiplications + 127 additions); 64 · 128 multiply-adds; twice that
  check_row("project.dense1", {" 16,320 ", " 8,192 "});
  CHECK_THAT(all, contains("2 * MACs = 16,384"));
  CHECK_THAT(all, contains("FLOPs: every addition, multiplication"));
  // 300 · 512 + 512, 512 · 256 + 256, 256 · 5 + 5
  check_row("classify.dense1", {" 154,112 "});
  check_row("classify.dense2", {" 131,328 "});
  check_row("classify.dense3", {" 1,285 "});
  CHECK_THAT(gradc({"check", spec("classify")}), contains("286725 parameters"));
}

TEST_CASE("cs671: an MLP by hand") {
  const TemporaryFolder folder;
  auto mlp = shown(program("mlp", folder.path()), "mlp");
  const double s = sigma(1);  // e / (e + 1), and σ(-1) = 1 - s
  // z1 = 1-1+1, 2-2-1, 2-2+0, -1+2-1 = 1 -1 0 0
  check(mlp["h1"], {s, 1 - s, 0.5, 0.5});
  // z2 = s + (1-s), 2s + 2(1-s) - 2/2 - 4/2 = 1 -1
  check(mlp["h2"], {s, 1 - s});
  // Both rows of W3 are equal, so z3 = 1 2 0 -1 4 + 0 -2 0 1 -2 = 1 0 0 0 2
  check(mlp["y"], {s, 0.5, 0.5, 0.5, sigma(2)});
  CHECK_THAT(gradc({"check", spec("mlp")}), contains("39 parameters"));  // 12 + 4 + 8 + 10 + 5
}

TEST_CASE("cs671: an autoencoder on four examples by hand") {
  const TemporaryFolder folder;
  auto judged = shown(program("autoencoder", folder.path()), "judge");
  // h = relu(x1 - x2) = 1 0 0 1;  y = relu(2h, 1 - h)
  check(judged["y"], {2, 0, 0, 1, 0, 1, 2, 0});
  // Y - Y' = (1 0) (0 0) (-1 0) (0 -1): three squares of 1, over 8 numbers
  check(judged["squares"], {3});
  check(judged["mean_square"], {3.0 / 8});
  check(judged["dy"], {2 * 1, 0, 0, 0, 2 * -1, 0, 0, 2 * -1});
  CHECK_THAT(gradc({"explain", spec("autoencoder"), "squares", "--wrt", "y"}),
             contains("= 2 * (y[b, i] - x[b, i])\n"));
}

TEST_CASE("cs671: a VAE by hand") {
  const TemporaryFolder folder;
  auto vae = shown(program("vae_by_hand", folder.path()), "vae");
  check(vae["mu"], {1 - 2, 2 - 1});
  check(vae["sigma"], {1, 2});
  check(vae["z"], {-1 + 1 * 2, 1 + 2 * 0.5});
  // h = relu(1 + 2, -1 + 2) = 3 1;  y = 3 - 1, 2 · 1 - 1
  check(vae["y"], {2, 1});
  check(vae["error"], {(1.0 + 1.0) / 2});
  // (μ² + σ² - 1) / 2 - ln σ: (1 + 1 - 1)/2 - 0 and (1 + 4 - 1)/2 - ln 2
  const double kl = 0.5 + 2 - std::log(2.0);
  check(vae["kl"], {kl});
  check(vae["loss"], {1 + kl});
  check(vae["dmu"], {-1, 1});            // μ
  check(vae["dsigma"], {1 - 1, 2 - 0.5});  // σ - 1/σ
}

TEST_CASE("cs671: a GAN by hand") {
  const TemporaryFolder folder;
  auto play = shown(program("gan_by_hand", folder.path()), "play");
  // u = (1 0 1) (0 1 -1) (1 1 0) (2 -1 3), of which ReLU keeps what is positive
  check(play["fake"], {1, 1, 0, 1,     // row 1 + row 3 of W2
                       0, 1, 0, -1,    // row 2
                       1, 1, 1, -1,    // row 1 + row 2
                       2, 3, -1, 3});  // 2 row 1 + 3 row 3
  // s = x1 - x2 + x3 + x4 - 1
  const std::vector<double> r = {1, 1, 0, 1}, f = {0, -3, -1, 0};
  std::vector<double> on_real, on_fake, d_real, d_fake, g_fake;
  double d_loss = 0, g_loss = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    on_real.push_back(sigma(r[i]));
    on_fake.push_back(sigma(f[i]));
    d_real.push_back((sigma(r[i]) - 1) / 4);  // σ(s) - y, y = 1
    d_fake.push_back(sigma(f[i]) / 4);        // y = 0
    g_fake.push_back((sigma(f[i]) - 1) / 4);  // the generator wants y = 1
    d_loss += std::log1p(std::exp(-r[i])) / 4 + std::log1p(std::exp(f[i])) / 4;
    g_loss += std::log1p(std::exp(-f[i])) / 4;
  }
  check(play["on_real"], on_real);
  check(play["on_fake"], on_fake);
  check(play["d_loss"], {d_loss});
  check(play["g_loss"], {g_loss});
  check(play["d_real"], d_real);
  check(play["d_fake"], d_fake);
  check(play["g_fake"], g_fake);
}

TEST_CASE("cs671: gradients come out in the form of the book") {
  const auto explain = [](const std::string& value, const std::string& wrt) {
    return gradc({"explain", spec("forms"), value, "--wrt", wrt});
  };
  CHECK_THAT(explain("divergence.kl", "mu"), contains("dmu[i] = mu[i]\n"));
  CHECK_THAT(explain("divergence.kl", "sigma"), contains("= sigma[i] - 1 / sigma[i]\n"));
  CHECK_THAT(explain("classes.loss", "z"), contains("= p[i] - select(label == i, 1, 0)\n"));
  CHECK_THAT(explain("yes_or_no.loss", "z"), contains("= logistic(z[i]) - y[i]\n"));
  CHECK_THAT(explain("distance.loss", "y"), contains("= 2 * (y[b] - t[b]) / B\n"));
  // And the numbers, of the program: μ = 3, -2; σ = 1/2, 4; z = 0, ln 2, ln 5 and ln 2, 0; y - t = 1, -2.
  const TemporaryFolder folder;
  const std::string output = program("forms", folder.path());
  auto numbers = shown(output, "forms");
  check(numbers["dmu"], {3, -2});
  check(numbers["dsigma"], {0.5 - 2, 4 - 0.25});
  check(numbers["dz"], {1.0 / 8, 2.0 / 8, 5.0 / 8 - 1});  // p - y for label 2
  check(numbers["ds"], {2.0 / 3 - 1, 1.0 / 2});           // σ(ln 2) - 1, σ(0) - 0
  check(numbers["dy"], {2 * 1.0 / 2, 2 * -2.0 / 2});
}

TEST_CASE("cs671: 10,000 samples in batches of 125 are 80 updates") {
  const TemporaryFolder folder;
  const std::string output = program("updates", folder.path());
  CHECK_THAT(output, contains("10000 examples, batch 125, 80 steps per epoch, 1 epoch\n"));
  check(shown(output, "count")["updates"], {80});
}

TEST_CASE("cs671: what can't be learnt is refused, and taught by another way") {
  const std::string refused = run({GRADC_TOOL, "check", spec("blocked")}, ".", 1).err;
  for (const std::string part : {"parameter 'f.dense1.W'", "choice[b] = argmax[c] p[b, c]", "path"})
    CHECK_THAT(refused, contains(part));
  // Two numbers that are 1 for one class of three each: guessing their means gives 2/9 at best.
  const TemporaryFolder folder;
  const std::string straight = program("straight", folder.path());
  CHECK(reported(straight, "test ", "loss", 1) > 0.2);
  CHECK(reported(straight, "test ", "loss", 2) < 0.02);
  // Here chance has a say until the end, where two inputs are nearly the largest.
  const std::string gumbel = program("gumbel", folder.path());
  CHECK(reported(gumbel, "test ", "loss", 1) > 0.2);
  CHECK(reported(gumbel, "test ", "loss", 2) < 0.1);
}

TEST_CASE("cs671: an autoencoder becomes a classifier") {
  const TemporaryFolder folder;
  const std::string output = program("stages", folder.path());
  CHECK(reported(output, "test ", "loss", 1) < 0.02);      // of pictures whose variance is 0.14
  CHECK(reported(output, "test ", "accuracy", 2) < 0.3);   // a head that has learnt nothing
  const double head = reported(output, "test ", "accuracy", 3);
  const double tuned = reported(output, "test ", "accuracy", 4);
  CHECK(head > 0.75);
  CHECK(tuned > 0.93);
  CHECK(tuned > head);
  // The score measures the same net on the same digits.
  CHECK(reported(output, "score", "accuracy") == Approx(tuned).epsilon(1e-3));
}

TEST_CASE("cs671: reconstructions by four losses") {
  const TemporaryFolder folder;
  const std::string output = program("reconstruction", folder.path());
  const auto measure = [&](const std::string& name) { return reported(output, "test ", name); };
  // Each is good at what it was taught, and none is bad.
  for (const std::string loss : {"mse", "mae", "huber", "ssim"}) {
    CHECK(measure("mse_of_" + loss) < 0.03);
    CHECK(measure("ssim_of_" + loss) > 0.85);
  }
  for (const std::string loss : {"mse", "mae", "huber"})
    CHECK(measure("ssim_of_ssim") > measure("ssim_of_" + loss));
  CHECK(measure("mse_of_mse") < measure("mse_of_ssim"));
  CHECK(measure("mae_of_mae") < measure("mae_of_ssim"));
  check_picture(folder.path() / "reconstructions.png", 16 * 50 + 2, 5 * 50 + 2);
}

TEST_CASE("cs671: a VAE makes up digits") {
  const TemporaryFolder folder;
  const std::string output = program("vae", folder.path());
  CHECK(reported(output, "test ", "error") < 0.025);
  CHECK(reported(output, "test ", "kl") > 5);   // it says something about its digits
  CHECK(reported(output, "test ", "kl") < 20);
  check_picture(folder.path() / "samples.png", 8 * 50 + 2, 8 * 50 + 2);
  check_picture(folder.path() / "reconstructed.png", 16 * 50 + 2, 2 * 50 + 2);
}

TEST_CASE("cs671: a GAN converges") {
  const TemporaryFolder folder;
  const std::string output = program("gan", folder.path());
  // On points it has never seen, and over the last epoch of training.
  for (const std::string line : {"test ", "epoch 60/60 "}) {
    CHECK(std::abs(reported(output, line, "on_real") - 0.5) < 0.05);
    CHECK(std::abs(reported(output, line, "on_fake") - 0.5) < 0.05);
  }
  // Not because the discriminator gave up: what is made lies by the plane, as wide as it should.
  CHECK(reported(output, "test ", "off_plane") < 0.15);
  CHECK(std::abs(reported(output, "test ", "width") - 1) < 0.2);
}
