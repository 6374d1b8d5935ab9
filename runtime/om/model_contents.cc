// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_contents.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"
#include "runtime/om/model_def.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

// As many as om_info_list and its like have; a longer list is data, not a fact to show.
constexpr int kMostShownNumbers = 16;

std::optional<std::variant<int64_t, std::string>> ValueOf(const ge::AttrDef& attr) {
  switch (attr.value_case()) {
    case ge::AttrDef::kI:
      return attr.i();
    case ge::AttrDef::kB:
      return attr.b() ? "true" : "false";
    case ge::AttrDef::kF:
      return fmt::format("{}", attr.f());
    case ge::AttrDef::kS:
      return ToUtf8(attr.s());
    case ge::AttrDef::kList: {
      const auto& numbers = attr.list().i();
      if (numbers.empty() || numbers.size() > kMostShownNumbers) {
        return std::nullopt;
      }
      return DimsToString(std::vector<int64_t>(numbers.begin(), numbers.end()));
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

const ModelAttr* ModelContents::Find(std::string_view name) const {
  const auto found = std::ranges::find(attrs, name, &ModelAttr::name);
  return found == attrs.end() ? nullptr : &*found;
}

absl::StatusOr<ModelContents> ReadModelContents(const OmFile& file, size_t model) {
  if (model >= file.model_count()) {
    return InvalidArgument("model {} of a file that has {}", model, file.model_count());
  }
  ASSIGN_OR_RETURN(const ge::ModelDef parsed, ParseModelDef(file, model));
  ModelContents contents;
  for (const ge::GraphDef& graph : parsed.graph()) {
    contents.graphs.push_back(GraphSummary{.name = ToUtf8(graph.name()),
                                           .op_count = static_cast<size_t>(graph.op_size())});
  }
  for (const auto& [name, attr] : parsed.attr()) {
    auto value = ValueOf(attr);
    if (value.has_value() && name != "attrs_use_string_value") {
      contents.attrs.push_back(ModelAttr{.name = ToUtf8(name), .value = *std::move(value)});
    }
  }
  std::ranges::sort(contents.attrs, {}, &ModelAttr::name);
  return contents;
}

}  // namespace omserve::om
