// SPDX-License-Identifier: Apache-2.0
// The bodies of generate: JSON objects whose members are tensors, without shapes and types. Pure.
//
// Source: Triton's generate extension.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/core/inference.h"
#include "server/core/model.h"

namespace omserve::server {

// The same request as a body of infer (ParseInferBody). Members of `body` and of its "parameters"
// that have the name of an input are that tensor: a value, or an array of values; "id" is the
// request's; the others are its parameters. The shape is the model's, with one row, and what is
// free in it is as long as the values make it. Errors: kInvalidArgument for what is no such object,
// and where values do not fill the shape or leave open which dims they fill.
absl::StatusOr<std::string> InferBodyOfGenerate(std::string_view body, const Model& model);

// {id, model_name, model_version, NAME: value, ...}: an array where a tensor has another number of
// elements than one. Requires result.status.ok(). Errors: kInvalidArgument for outputs that JSON
// cannot say.
absl::StatusOr<std::string> GenerateAnswer(std::string_view id, const InferResult& result);

}  // namespace omserve::server
