// convert.cpp: numbers of files become the values of inputs.
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "runtime/dataset.h"
#include "runtime/failure.h"

namespace gradc::driver {
namespace {

template <class Raw>
double raw_at(const Array& array, std::int64_t i) {
  Raw raw;
  std::memcpy(&raw, array.bytes.data() + array.start + static_cast<std::size_t>(i) * sizeof(Raw),
              sizeof(Raw));
  return static_cast<double>(raw);
}

[[noreturn]] void wrong_value(const Array& array, std::int64_t i, double value, const Tensor& input,
                              const std::string& why) {
  refuse("{}: the value {} of '{}' {}", array.place(i), value, input.name, why);
}

template <class Raw, class Value>
void convert_all(const Array& array, const Tensor& input, double scale, double shift,
                 bool allow_nan, Value* to) {
  const std::int64_t count = array.size();
  for (std::int64_t i = 0; i < count; ++i) {
    const double raw = raw_at<Raw>(array, i);
    const double value = raw * scale + shift;
    if constexpr (std::is_same_v<Value, float> || std::is_same_v<Value, double>) {
      // The test comes before the conversion, which is undefined for what does not fit.
      const bool finite =
          std::isfinite(raw) && std::abs(value) <= std::numeric_limits<Value>::max();
      if (!finite && !allow_nan)
        wrong_value(array, i, value, input,
                    std::isfinite(raw) ? "is too large for its type"
                                       : "is no number to learn from (--allow-nan lets it pass)");
      to[i] = finite || std::isnan(value) ? static_cast<Value>(value)
                                          : static_cast<Value>(std::copysign(HUGE_VAL, value));
    } else if constexpr (std::is_same_v<Value, std::int32_t>) {
      if (!(value >= -2147483648.0 && value <= 2147483647.0))
        wrong_value(array, i, value, input, "does not fit a 32-bit integer");
      if (value != std::floor(value)) wrong_value(array, i, value, input, "is not an integer");
      if (input.limit > 0 && !(value >= 0 && value < static_cast<double>(input.limit)))
        wrong_value(array, i, value, input,
                    fmt::format("is a position outside 0 … {}", input.limit - 1));
      to[i] = static_cast<std::int32_t>(value);
    } else {
      if (value != 0 && value != 1) wrong_value(array, i, value, input, "is neither 0 nor 1");
      to[i] = value == 1;
    }
  }
}

template <class Raw>
void convert_from(const Array& array, const Tensor& input, double scale, double shift,
                  bool allow_nan, unsigned char* to) {
  switch (input.dtype) {
    case DType::f32:
      return convert_all<Raw>(array, input, scale, shift, allow_nan, reinterpret_cast<float*>(to));
    case DType::f64:
      return convert_all<Raw>(array, input, scale, shift, allow_nan, reinterpret_cast<double*>(to));
    case DType::i32:
      return convert_all<Raw>(array, input, scale, shift, allow_nan,
                              reinterpret_cast<std::int32_t*>(to));
    case DType::boolean:
      return convert_all<Raw>(array, input, scale, shift, allow_nan, to);
  }
}

}  // namespace

Column convert(const Array& array, const Tensor& input, double scale, double shift,
               bool allow_nan) {
  Column column;
  column.name = input.name;
  column.path = array.path;
  column.dtype = input.dtype;
  column.shape = array.shape;
  std::int64_t bytes = 0;
  if (!multiply(array.size(), static_cast<std::int64_t>(size_of(input.dtype)), bytes))
    refuse("{}: too large", array.path);
  column.data = Buffer(static_cast<std::uint64_t>(bytes), array.path);
  unsigned char* to = column.data.data();
  switch (array.element) {
    case Element::u1:
      convert_from<std::uint8_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::b1:
      convert_from<std::uint8_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::i1:
      convert_from<std::int8_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::i2:
      convert_from<std::int16_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::i4:
      convert_from<std::int32_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::i8:
      convert_from<std::int64_t>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::f4:
      convert_from<float>(array, input, scale, shift, allow_nan, to);
      break;
    case Element::f8:
      convert_from<double>(array, input, scale, shift, allow_nan, to);
      break;
  }
  return column;
}

}  // namespace gradc::driver
