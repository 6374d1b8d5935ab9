// SPDX-License-Identifier: Apache-2.0
// Reads what numpy.save writes, as far as the tests need it: little-endian float32 matrices.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve {

struct Matrix {
  size_t rows = 0;
  size_t columns = 0;
  std::vector<float> values;  // [rows, columns]

  const float* Row(size_t row) const { return values.data() + row * columns; }
};

// Fails the test for anything but a '<f4' matrix in C order, format version 1.
inline Matrix ReadNpy(const std::string& path) {
  const std::string file = VALUE(ReadFile(path));
  REQUIRE(file.substr(0, 8) == std::string("\x93NUMPY\x01\x00", 8));
  const size_t header_bytes =
      static_cast<uint8_t>(file.at(8)) + 256U * static_cast<uint8_t>(file.at(9));
  const std::string header = file.substr(10, header_bytes);
  REQUIRE(header.find("'descr': '<f4', 'fortran_order': False") != std::string::npos);
  Matrix matrix;
  const std::string key = "'shape': (";
  const std::string shape = header.substr(header.find(key) + key.size());
  REQUIRE(std::sscanf(shape.c_str(), "%zu, %zu)", &matrix.rows, &matrix.columns) == 2);
  matrix.values.resize(matrix.rows * matrix.columns);
  REQUIRE(file.size() == 10 + header_bytes + matrix.values.size() * sizeof(float));
  std::memcpy(matrix.values.data(), file.data() + 10 + header_bytes,
              matrix.values.size() * sizeof(float));
  return matrix;
}

}  // namespace omserve
