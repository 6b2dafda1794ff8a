// train.cpp: runs a program's actions: fits, tests, shows, scores and saves.
#include <algorithm>
#include <cstring>

#include "runtime/checkpoint.h"
#include "runtime/file.h"
#include "runtime/permutation.h"
#include "runtime/session.h"
#include "runtime/stand_ins.h"

namespace gradc::driver {
namespace {

// Bounds what is computed from counts of steps, which may come from a file.
constexpr std::int64_t max_epochs = 1'000'000'000;

std::uint64_t default_seed(const Program& program) {
  for (std::int32_t i = 0; i < program.action_count; ++i)
    if (program.actions[i].kind == ActionKind::fit) return program.actions[i].seed;
  return 0;
}

// A fit's own seed orders its examples, unless the user asks for another seed than the program's.
std::uint64_t order_seed(const Program& program, std::uint64_t seed, std::int64_t action) {
  if (seed == default_seed(program)) return program.actions[action].seed;
  return derived_seed(seed, static_cast<std::uint32_t>(action), ~std::uint64_t{0});
}

std::int64_t scalar_count(const Model& model) {
  std::int64_t count = 0;
  for (std::int32_t i = 0; i < model.parameter_count; ++i)
    count += element_count(model.parameters[i], {});
  return count;
}

void save(Session& session, const std::string& path, const Position& position) {
  session.runner.from_device(session.parameters, session.state);
  save_checkpoint(path, session.model, session.parameters.data(), session.state.data(), position);
}

// One fit, from where `position` stands.
class Fit {
 public:
  Fit(Session& session, std::int64_t index, Position& position, std::int64_t& steps_left)
      : session_(session),
        action_(session.program.actions[index]),
        function_(find_function(session.model, action_.function, FunctionKind::step)),
        position_(position),
        steps_left_(steps_left),
        data_(find_data(session, action_.data, function_)),
        batches_(session.model, function_, data_, wanted_batch()),
        reports_(function_),
        rows_(part_rows(session.program, action_.data, action_.part, batches_.rows())),
        epochs_(position.epochs_option >= 0 ? position.epochs_option : action_.epochs),
        steps_(batches_.steps(static_cast<std::int64_t>(rows_.size()))),
        order_seed_(order_seed(session.program, position.seed, index)) {
    const auto count = static_cast<std::int64_t>(rows_.size());
    if (epochs_ > max_epochs || position.epoch > max_epochs)
      fail(Exit::usage, "{} epochs; the limit is {}", epochs_, max_epochs);
    if (position.step > 0) {
      if (position.batch != batches_.batch() || position.rows != count)
        refuse(
            "{}: was saved within an epoch of {} examples in batches of {}; now there are {} in "
            "batches of {}",
            session.options.checkpoint, position.rows, position.batch, count, batches_.batch());
      if (position.step >= steps_ || position.sums.size() != reports_.size() ||
          position.examples != position.step * position.batch)
        refuse("{}: its place in training does not exist", session.options.checkpoint);
    }
    position.batch = batches_.batch();
    position.rows = count;
    if (position.step == 0) begin_epoch_sums();
  }

  Exit run() {
    if (position_.epoch < epochs_)
      print_line(session_,
                 fmt::format("fit {} on {}: {} examples, batch {}, {} step{} per epoch, {} epoch{}",
                             function_.name, data_name(action_.data, action_.part), rows_.size(),
                             batches_.batch(), steps_, steps_ == 1 ? "" : "s", epochs_,
                             epochs_ == 1 ? "" : "s"));
    while (position_.epoch < epochs_)
      if (const Exit exit = epoch(); stopped_) return exit;
    return Exit::ok;
  }
  bool stopped() const { return stopped_; }

 private:
  std::int64_t wanted_batch() const {
    return position_.batch_option > 0 ? position_.batch_option : action_.batch;
  }

  void begin_epoch_sums() {
    position_.examples = 0;
    position_.sums.assign(reports_.size(), 0.0);
  }

  Exit epoch() {
    std::vector<std::int64_t> order = rows_;
    if (action_.shuffle) permute(order, order_seed_, static_cast<std::uint32_t>(position_.epoch));
    const double started = now_seconds();
    const std::int64_t examples_before = position_.examples;
    session_.progress.start(fmt::format("epoch {}/{}", position_.epoch + 1, epochs_), steps_,
                            position_.step);
    while (position_.step < steps_) {
      step(order);
      if (session_.progress.due())
        session_.progress.draw(
            position_.step, reports_text(averages(function_, position_.sums, position_.examples)));
      if (position_.step == steps_) break;  // the end of the epoch saves
      const bool stop = interrupted() || steps_left_ == 0;
      const std::int64_t every = session_.options.save_every;
      if (!session_.options.checkpoint.empty() &&
          (stop || (every > 0 && position_.step % every == 0)))
        save(session_, session_.options.checkpoint, position_);
      if (stop) return stop_here();
    }
    end_epoch(now_seconds() - started, position_.examples - examples_before);
    if (!session_.options.checkpoint.empty())
      save(session_, session_.options.checkpoint, position_);
    return interrupted() || steps_left_ == 0 ? stop_here() : Exit::ok;
  }

  void step(const std::vector<std::int64_t>& order) {
    const std::int64_t first = position_.step * batches_.batch();
    const std::int64_t count =
        std::min(batches_.batch(), static_cast<std::int64_t>(order.size()) - first);
    batches_.fill(order.data() + first, count);
    Call call = {};
    call.parameters = session_.parameters.data();
    call.state = session_.state.data();
    call.workspace = session_.workspace.data();
    call.dims = batches_.dims().data();
    call.inputs = batches_.inputs();
    call.outputs = reports_.outputs();
    call.seed = derived_seed(position_.seed, static_cast<std::uint32_t>(position_.action),
                             static_cast<std::uint64_t>(position_.epoch * steps_ + position_.step));
    session_.runner.run(function_, call);
    for (std::size_t i = 0; i < reports_.size(); ++i)
      position_.sums[i] += reports_.value(i) * static_cast<double>(count);
    position_.examples += count;
    ++position_.step;
    if (steps_left_ > 0) --steps_left_;
  }

  void end_epoch(double seconds, std::int64_t examples_now) {
    const Reports reports = averages(function_, position_.sums, position_.examples);
    print_line(session_,
               fmt::format("epoch {}/{} {} ({:.2f} s, {:.0f} examples/s)", position_.epoch + 1,
                           epochs_, reports_text(reports), seconds,
                           seconds > 0 ? static_cast<double>(examples_now) / seconds : 0.0));
    session_.metrics.epoch({function_.name, data_name(action_.data, action_.part),
                            position_.epoch + 1, epochs_, steps_, position_.examples, seconds,
                            reports});
    ++position_.epoch;
    position_.step = 0;
    begin_epoch_sums();
  }

  Exit stop_here() {
    stopped_ = true;
    const std::string& checkpoint = session_.options.checkpoint;
    const std::string place =
        position_.step == 0 ? fmt::format("after epoch {}/{}", position_.epoch, epochs_)
                            : fmt::format("in epoch {}/{} after {} of {} steps",
                                          position_.epoch + 1, epochs_, position_.step, steps_);
    print_line(session_, fmt::format("stopped {}; {}", place,
                                     checkpoint.empty()
                                         ? "nothing is saved without --checkpoint"
                                         : "--checkpoint " + checkpoint + " --resume continues"));
    return interrupted() ? Exit::interrupted : Exit::ok;
  }

  Session& session_;
  const Action& action_;
  const Function& function_;
  Position& position_;
  std::int64_t& steps_left_;  // negative: no limit
  const Dataset& data_;
  Batches batches_;
  ReportBuffer reports_;
  std::vector<std::int64_t> rows_;
  std::int64_t epochs_, steps_;
  std::uint64_t order_seed_;
  bool stopped_ = false;
};

void load(Session& session, const std::string& path, const std::vector<Mapping>& mappings) {
  session.runner.from_device(session.parameters, session.state);
  const PartialLoad done =
      load_parts(path, session.model, session.parameters.data(), mappings);
  session.runner.to_device(session.parameters, session.state);
  print_line(session, load_text(path, mappings, done));
}

std::vector<Mapping> mappings_of(const Action& action) {
  std::vector<Mapping> mappings;
  for (std::int32_t i = 0; i < action.mapping_count; ++i)
    mappings.push_back({action.mappings[2 * i], action.mappings[2 * i + 1]});
  return mappings;
}

// Where to start: at the beginning, or where the checkpoint stands.
Position starting_position(Session& session) {
  const Options& options = session.options;
  Position position;
  position.seed = options.seed.value_or(default_seed(session.program));
  if (options.resume) {
    std::string warning;
    position = load_checkpoint(options.checkpoint, session.model, session.parameters.data(),
                               session.state.data(), Purpose::resume, warning);
    session.runner.to_device(session.parameters, session.state);
    if (options.seed && *options.seed != position.seed)
      fail(Exit::usage, "--seed {}: {} was trained with seed {}", *options.seed, options.checkpoint,
           position.seed);
    if (position.action >= std::max(session.program.action_count, 1))
      refuse("{}: its place in training does not exist", options.checkpoint);
  } else {
    session.runner.init(session.parameters, session.state, position.seed);
  }
  if (options.epochs) position.epochs_option = *options.epochs;
  if (options.batch) position.batch_option = *options.batch;
  return position;
}

}  // namespace

Exit train(Session& session) {
  const Program& program = session.program;
  if (program.action_count == 0)
    fail(Exit::usage, "the spec has no program, so there is nothing to do");
  const Options& options = session.options;
  if (!options.checkpoint.empty()) check_writable(options.checkpoint);
  for (std::int32_t i = 0; i < program.action_count; ++i)
    if (program.actions[i].path != nullptr && program.actions[i].kind != ActionKind::load)
      check_writable(program.actions[i].path);
  Position position = starting_position(session);
  if (!options.metrics.empty()) session.metrics = Metrics(options.metrics, options.resume);
  const std::int64_t scalars = scalar_count(session.model);
  session.metrics.run({session.model.name, session.model.spec_hash, "train", position.seed,
                       options.resume, scalars});
  print_line(session,
             fmt::format("{}: {} parameters, seed {}", session.model.name, scalars, position.seed));
  if (!options.load.empty()) load(session, options.load, options.map);
  if (options.resume)
    print_line(session, fmt::format("resumed from {} after {} epochs and {} steps",
                                    options.checkpoint, position.epoch, position.step));

  std::int64_t steps_left = options.max_steps > 0 ? options.max_steps : -1;
  for (std::int64_t i = position.action; i < program.action_count; ++i) {
    const Action& action = program.actions[i];
    switch (action.kind) {
      case ActionKind::fit: {
        if (i != position.action) {
          position.action = i;
          position.epoch = position.step = 0;
        }
        Fit fit(session, i, position, steps_left);
        const Exit exit = fit.run();
        if (fit.stopped()) return exit;
        break;
      }
      case ActionKind::test:
        if (run_test(session, action, action.data, action.part) == Exit::interrupted)
          return Exit::interrupted;
        break;
      case ActionKind::show:
        if (run_show(session, action) == Exit::interrupted) return Exit::interrupted;
        break;
      case ActionKind::score:
        if (run_score(session, action, action.data, action.part) == Exit::interrupted)
          return Exit::interrupted;
        break;
      case ActionKind::load:
        load(session, action.path, mappings_of(action));
        break;
      case ActionKind::save: {
        const StandIns with(session, action);
        save(session, action.path, position);
        print_line(session, fmt::format("saved {}", action.path));
        break;
      }
    }
  }
  return Exit::ok;
}

}  // namespace gradc::driver
