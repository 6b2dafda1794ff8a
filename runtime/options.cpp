// options.cpp: the command line of a standalone binary. The one file that sees CLI11.
#include "runtime/options.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstring>
#include <iterator>
#include <vector>

#include "runtime/failure.h"

namespace gradc::driver {
namespace {

// Numbers from `least` on.
CLI::Validator whole_number(std::int64_t least) {
  const auto check = [least](std::string& text) -> std::string {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data(), end, number);
    if (failed == std::errc{} && stop == end && number >= least) return "";
    return fmt::format("must be a whole number from {} on, not '{}'", least, text);
  };
  return {check, ""};
}

// And up to `most`.
CLI::Validator at_most(std::int64_t most) {
  const auto check = [most](std::string& text) -> std::string {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number <= most ? "" : fmt::format("must be {} at most, not '{}'", most, text);
  };
  return {check, ""};
}

// The names under which --data takes files, in the order of the program.
std::vector<std::string> file_keys(const Program& program) {
  std::vector<std::string> keys;
  for (std::int32_t s = 0; s < program.data_count; ++s) {
    const DataSource& source = program.data[s];
    if (source.format == DataFormat::values || source.format == DataFormat::random) continue;
    if (source.format == DataFormat::csv) {
      keys.push_back(source.name);
      continue;
    }
    for (std::int32_t f = 0; f < source.field_count; ++f)
      keys.push_back(std::string(source.name) + "." + source.fields[f].name);
  }
  return keys;
}

bool is_directory(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

void add_data(const std::string& argument, const std::vector<std::string>& keys, DataPaths& data) {
  const std::size_t equals = argument.find('=');
  if (equals == argument.npos) {
    data.directory = argument;
    return;
  }
  const std::string name = argument.substr(0, equals);
  for (const std::string& key : keys)
    if (key == name || key.substr(key.find('.') + 1) == name) {
      data.files[name] = argument.substr(equals + 1);
      return;
    }
  if (is_directory(argument)) {
    data.directory = argument;
    return;
  }
  fail(Exit::usage, "--data {}: no data is named '{}'; there is {}", argument, name,
       fmt::join(keys, ", "));
}

// "from=to"
Mapping mapping(const std::string& argument) {
  const std::size_t equals = argument.find('=');
  if (equals == argument.npos || equals == 0 || equals + 1 == argument.size())
    fail(Exit::usage, "--map {}: wanted is NAME-IN-FILE=NAME, as in --map encode=features", argument);
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

std::string description(const Model& model, Verb verb) {
  switch (verb) {
    case Verb::train:
      return fmt::format(
          "{} trains the network of {}.nn.\n\nVerbs: train (this one, the default), eval, predict; "
          "each has its --help.",
          model.name, model.name);
    case Verb::eval:
      return "Prints what the spec's tests report for the parameters in a checkpoint.";
    case Verb::predict:
      return "Runs a net on data and writes its outputs.";
  }
  return "";
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, const Model& model,
                                     const Program& program, const char* spec_directory,
                                     std::FILE* out, const std::vector<std::string>& devices) {
  Options options;
  static constexpr const char* verbs[] = {"train", "eval", "predict"};
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  std::string name = argc > 0 ? argv[0] : model.name;
  for (int i = 0; i < 3; ++i)
    if (!arguments.empty() && arguments[0] == verbs[i]) {
      options.verb = static_cast<Verb>(i);
      arguments.erase(arguments.begin());
      name += std::string(" ") + verbs[i];
      break;
    }
  const bool train = options.verb == Verb::train;

  CLI::App app(description(model, options.verb), name);
  std::vector<std::string> data, files, maps;
  const std::vector<std::string> keys = file_keys(program);
  std::string progress = "auto";
  if (!keys.empty())
    app.add_option(
        "FILES", files,
        fmt::format("Data files, in the order of the spec ({}), or the folder they are in",
                    fmt::join(keys, ", ")));
  app.add_option("--data", data, "Folder of the data, or NAME=FILE for one file; may be repeated")
      ->type_name("DIR|NAME=FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--checkpoint", options.checkpoint,
                 train ? "Save parameters and state here after every epoch"
                       : "Parameters to use; by default what the spec saves")
      ->type_name("FILE");
  app.add_option("--batch", options.batch, "Examples per batch")
      ->check(whole_number(1))
      ->type_name("COUNT");
  app.add_option("--threads", options.threads,
                 "Threads, if there is work for several; by default one. Results do not depend on it")
      ->check(whole_number(1))
      ->check(at_most(1024))
      ->type_name("COUNT");
  app.add_option("--progress", progress, "What is shown on stderr while it runs")
      ->type_name("auto|bar|plain|none");
  if (devices.size() > 1)
    app.add_option("--device", options.device, fmt::format("Where to compute: {}", fmt::join(devices, " or ")))
        ->check(CLI::IsMember(devices))
        ->type_name("NAME")
        ->default_str(devices[0]);
  app.add_flag("--allow-nan", options.allow_nan, "Let NaN and infinities in data pass");
  if (options.verb != Verb::predict)
    app.add_option("--metrics", options.metrics, "Write one JSON object per epoch and test here")
        ->type_name("FILE");
  if (train) {
    app.add_option("--epochs", options.epochs, "Epochs of every fit")
        ->check(whole_number(0))->type_name("COUNT");
    app.add_option("--seed", options.seed,
                   "Seed of initialisation, random numbers and orders of examples");
    app.add_flag("--resume", options.resume, "Continue from --checkpoint, bit for bit");
    app.add_option("--load", options.load,
                   "Begin with the parameters in this checkpoint, which may be of another spec")
        ->type_name("FILE");
    app.add_option("--map", maps,
                   "Of --load, only what lies under FROM, as TO: --map encode=features; may be repeated")
        ->type_name("FROM=TO")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--save-every", options.save_every,
                   "Save the checkpoint every so many steps, too")
        ->check(whole_number(1))
        ->type_name("STEPS");
    app.add_option("--max-steps", options.max_steps,
                   "Stop after so many steps of this run, as an interrupt would")
        ->check(whole_number(1))
        ->type_name("STEPS");
  } else {
    app.add_option("--on", options.on,
                   options.verb == Verb::eval
                       ? "Data to test on, instead of what the spec names"
                       : "Data to run on; by default all of the first data of the spec")
        ->type_name("DATA[.PART]");
  }
  if (options.verb == Verb::predict) {
    app.add_option("--net", options.net, "The net to run, if the spec has several");
    app.add_option("--output", options.output,
                   "Where to write: .npy, .csv, or .png for a picture; by default CSV to stdout")
        ->type_name("FILE");
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), out);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    fail(Exit::usage, "{} (see {} --help)", error.what(), name);
  }

  static constexpr const char* modes[] = {"auto", "bar", "plain", "none"};  // as in ProgressMode
  const auto mode = std::find(std::begin(modes), std::end(modes), progress);
  if (mode == std::end(modes))
    fail(Exit::usage, "--progress {}: there is auto, bar, plain and none", progress);
  options.progress = static_cast<ProgressMode>(mode - std::begin(modes));

  options.data.directory = spec_directory ? spec_directory : "";
  for (const std::string& argument : data) add_data(argument, keys, options.data);
  if (files.size() == 1 && is_directory(files[0])) {
    options.data.directory = files[0];
    files.clear();
  }
  if (files.size() > keys.size())
    fail(Exit::usage, "{} files are given; the spec reads {} ({})", files.size(), keys.size(),
         fmt::join(keys, ", "));
  for (std::size_t i = 0; i < files.size(); ++i) options.data.files[keys[i]] = files[i];

  for (const std::string& argument : maps) options.map.push_back(mapping(argument));
  if (!maps.empty() && options.load.empty()) fail(Exit::usage, "--map needs --load FILE");
  if (options.resume && !options.load.empty())
    fail(Exit::usage, "--resume goes on with the parameters of --checkpoint, so --load has no use");
  if (train && options.checkpoint.empty() && (options.resume || options.save_every > 0))
    fail(Exit::usage, "{} needs --checkpoint FILE", options.resume ? "--resume" : "--save-every");
  return options;
}

}  // namespace gradc::driver
