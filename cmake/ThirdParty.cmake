# SPDX-License-Identifier: Apache-2.0
# Everything borrowed, found once. All of it is SYSTEM to our own warnings.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(LibArchive 3.6 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Catch2 2 REQUIRED)
find_package(benchmark QUIET)
if(NOT TARGET re2::re2)  # Debian's gRPC brings it.
  find_package(re2 REQUIRED)
endif()

# ONNX Runtime comes from npm by `./dev setup`; its library is opened at run time, never linked.
set(OMSERVE_ORT_ROOT ${CMAKE_SOURCE_DIR}/.deps/onnxruntime CACHE PATH
    "ONNX Runtime: include/ and lib/.")
if(NOT EXISTS ${OMSERVE_ORT_ROOT}/include/onnxruntime_c_api.h)
  message(FATAL_ERROR "ONNX Runtime is not at ${OMSERVE_ORT_ROOT}: run ./dev setup")
endif()
add_library(omserve_ort_headers INTERFACE)
target_include_directories(omserve_ort_headers SYSTEM INTERFACE ${OMSERVE_ORT_ROOT}/include)
target_compile_definitions(omserve_ort_headers INTERFACE ORT_API_MANUAL_INIT)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
file(CREATE_LINK ${OMSERVE_ORT_ROOT}/lib/libonnxruntime.so.1
     ${CMAKE_BINARY_DIR}/lib/libonnxruntime.so.1 SYMBOLIC)
