// emitted.cpp: see emitted.h.
#include "tool/emitted.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "codegen/signatures.h"
#include "dsl/check.h"
#include "tool/host_compiler.h"
#include "tool/write_files.h"

// The runtime's tables live in a namespace of the same name as the compiler's types; here, where
// both are needed, the runtime's gets another.
#define gradc gradc_runtime
#include "runtime/gradc/model.h"
#undef gradc

namespace gradc {
namespace {

namespace rt = gradc_runtime;

// 64-byte aligned bytes, zeroed.
struct Memory {
  struct Free {
    void operator()(unsigned char* p) const { std::free(p); }
  };
  std::unique_ptr<unsigned char, Free> bytes;
  explicit Memory(std::size_t size) {
    const std::size_t rounded = (std::max<std::size_t>(size, 1) + 63) / 64 * 64;
    bytes.reset(static_cast<unsigned char*>(std::aligned_alloc(64, rounded)));
    if (!bytes) throw std::bad_alloc();
    std::memset(bytes.get(), 0, rounded);
  }
};

template <class T>
double element(const unsigned char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}
template <class T>
void store(unsigned char* at, double number) {
  const T value = static_cast<T>(number);
  std::memcpy(at, &value, sizeof value);
}

Array to_array(const unsigned char* bytes, rt::DType type, std::vector<std::int64_t> shape) {
  Array array{std::move(shape), {}};
  std::int64_t count = 1;
  for (const std::int64_t extent : array.shape) count *= extent;
  for (std::int64_t k = 0; k < count; ++k) {
    const unsigned char* at = bytes + static_cast<std::size_t>(k) * rt::size_of(type);
    switch (type) {
      case rt::DType::f32:
        array.data.push_back(element<float>(at));
        break;
      case rt::DType::f64:
        array.data.push_back(element<double>(at));
        break;
      case rt::DType::i32:
        array.data.push_back(element<std::int32_t>(at));
        break;
      case rt::DType::boolean:
        array.data.push_back(element<unsigned char>(at));
        break;
    }
  }
  return array;
}

void from_array(unsigned char* bytes, rt::DType type, const Array& array) {
  for (std::size_t k = 0; k < array.data.size(); ++k) {
    unsigned char* at = bytes + k * rt::size_of(type);
    switch (type) {
      case rt::DType::f32:
        store<float>(at, array.data[k]);
        break;
      case rt::DType::f64:
        store<double>(at, array.data[k]);
        break;
      case rt::DType::i32:
        store<std::int32_t>(at, array.data[k]);
        break;
      case rt::DType::boolean:
        store<unsigned char>(at, array.data[k]);
        break;
    }
  }
}

std::vector<std::int64_t> shape_of(const rt::Tensor& tensor,
                                   const std::vector<std::int64_t>& dims) {
  std::vector<std::int64_t> shape;
  for (std::int32_t k = 0; k < tensor.rank; ++k) {
    const rt::Extent& extent = tensor.shape[k];
    shape.push_back(
        extent.offset +
        (extent.dim < 0 ? 0 : extent.scale * dims[static_cast<std::size_t>(extent.dim)]));
  }
  return shape;
}

std::size_t bytes_of(const rt::Tensor& tensor, const std::vector<std::int64_t>& dims) {
  std::size_t size = rt::size_of(tensor.dtype);
  for (const std::int64_t extent : shape_of(tensor, dims)) size *= static_cast<std::size_t>(extent);
  return size;
}

}  // namespace

struct Emitted::Program {
  void* handle;
  const rt::Model* model;
  Memory parameters, state, workspace;
  Program(void* h, const rt::Model* m)
      : handle(h),
        model(m),
        parameters(m->parameters_size),
        state(m->state_size),
        workspace(m->workspace_size) {}
  ~Program() { ::dlclose(handle); }
};

Emitted::Emitted(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Emitted::Emitted(Emitted&&) noexcept = default;
Emitted::~Emitted() = default;

std::optional<Emitted> Emitted::load(Session& session, const Compiled& compiled, int& code) {
  std::string error;
  const std::optional<RuntimeFiles> runtime = find_runtime(error);
  const TemporaryDirectory directory;
  if (runtime && directory.path().empty()) error = "cannot make a temporary directory";
  const std::string& name = compiled.module.name;
  if (error.empty())
    error = write_files(directory.path(),
                        {{name + ".hpp", compiled.header}, {name + ".cpp", compiled.source}})
                .value_or("");
  if (!error.empty()) {
    code = fail(session, exit_io, error);
    return std::nullopt;
  }
  const std::string object = directory.path() + "/emitted.so";
  std::vector<std::string> command = host_compiler();
  for (const std::string& flag : host_flags()) command.push_back(flag);
  command.insert(command.end(), {"-shared", "-fPIC", "-I", runtime->include, "-I", directory.path(),
                                 "-o", object, directory.path() + "/" + name + ".cpp"});
  const HostResult result = run_program(command);
  if (result.status != 0) {
    std::fwrite(result.output.data(), 1, result.output.size(), stderr);
    code = fail(
        session, exit_host,
        fmt::format("the host compiler '{}' failed with status {}", command[0], result.status));
    return std::nullopt;
  }
  void* handle = ::dlopen(object.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    code = fail(session, exit_host, fmt::format("cannot load the compiled code: {}", ::dlerror()));
    return std::nullopt;
  }
  void* symbol = ::dlsym(handle, signatures(compiled.module).c_model.c_str());
  GRADC_CHECK(symbol != nullptr, "the emitted code has a model");
  const void* (*model)() = nullptr;
  std::memcpy(&model, &symbol, sizeof model);
  return Emitted(std::make_unique<Program>(handle, static_cast<const rt::Model*>(model())));
}

void Emitted::init(std::uint64_t seed) {
  program_->model->init(program_->parameters.bytes.get(), program_->state.bytes.get(), seed);
}

namespace {

std::map<std::string, Array> all_of(const rt::Tensor* tensors, std::int32_t count,
                                    const unsigned char* bytes) {
  std::map<std::string, Array> result;
  for (std::int32_t k = 0; k < count; ++k)
    result.emplace(tensors[k].name,
                   to_array(bytes + tensors[k].offset, tensors[k].dtype, shape_of(tensors[k], {})));
  return result;
}

}  // namespace

std::map<std::string, Array> Emitted::parameters() const {
  const rt::Model& model = *program_->model;
  return all_of(model.parameters, model.parameter_count, program_->parameters.bytes.get());
}

std::map<std::string, Array> Emitted::state() const {
  const rt::Model& model = *program_->model;
  return all_of(model.state, model.state_count, program_->state.bytes.get());
}

void Emitted::set(const std::string& name, const Array& value) {
  const rt::Model& model = *program_->model;
  for (std::int32_t k = 0; k < model.parameter_count; ++k)
    if (name == model.parameters[k].name)
      return from_array(program_->parameters.bytes.get() + model.parameters[k].offset,
                        model.parameters[k].dtype, value);
  for (std::int32_t k = 0; k < model.state_count; ++k)
    if (name == model.state[k].name)
      return from_array(program_->state.bytes.get() + model.state[k].offset, model.state[k].dtype,
                        value);
  GRADC_UNREACHABLE(fmt::format("the emitted code has no '{}'", name));
}

EmittedResult Emitted::call(const std::string& function, EmittedKind kind,
                            const std::map<std::string, std::int64_t>& dims,
                            const std::vector<Array>& inputs, std::uint64_t seed) {
  const rt::Model& model = *program_->model;
  static constexpr rt::FunctionKind kinds[] = {rt::FunctionKind::forward,
                                               rt::FunctionKind::backward, rt::FunctionKind::step,
                                               rt::FunctionKind::evaluate};
  const rt::Function* found = nullptr;
  for (std::int32_t k = 0; k < model.function_count; ++k)
    if (function == model.functions[k].name &&
        model.functions[k].kind == kinds[static_cast<std::size_t>(kind)])
      found = &model.functions[k];
  GRADC_CHECK(found != nullptr,
              fmt::format("the emitted code has no function '{}' of that kind", function));
  GRADC_CHECK(inputs.size() == static_cast<std::size_t>(found->input_count),
              "a value for every input");

  std::vector<std::int64_t> sizes;
  for (std::int32_t k = 0; k < model.dim_count; ++k) {
    const auto size = dims.find(model.dims[k].name);
    sizes.push_back(size == dims.end() ? model.dims[k].bound : size->second);
  }
  std::vector<Memory> memory;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (std::int32_t k = 0; k < found->input_count; ++k) {
    memory.emplace_back(bytes_of(found->inputs[k], sizes));
    from_array(memory.back().bytes.get(), found->inputs[k].dtype,
               inputs[static_cast<std::size_t>(k)]);
    in.push_back(memory.back().bytes.get());
  }
  for (std::int32_t k = 0; k < found->output_count; ++k) {
    memory.emplace_back(bytes_of(found->outputs[k], sizes));
    out.push_back(memory.back().bytes.get());
  }
  const Memory gradients(model.parameters_size);
  const rt::Call call{program_->parameters.bytes.get(),
                      program_->state.bytes.get(),
                      program_->workspace.bytes.get(),
                      gradients.bytes.get(),
                      sizes.data(),
                      in.data(),
                      out.data(),
                      seed,
                      nullptr,
                      nullptr};
  found->run(call);

  EmittedResult result;
  for (std::int32_t k = 0; k < found->output_count; ++k) {
    result.names.emplace_back(found->outputs[k].name);
    result.outputs.push_back(to_array(static_cast<unsigned char*>(out[static_cast<std::size_t>(k)]),
                                      found->outputs[k].dtype, shape_of(found->outputs[k], sizes)));
  }
  if (kind == EmittedKind::backward)
    result.gradients = all_of(model.parameters, model.parameter_count, gradients.bytes.get());
  return result;
}

}  // namespace gradc
