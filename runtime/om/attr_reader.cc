// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/attr_reader.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace omserve::om {
namespace {

constexpr uint64_t kBase = 127;

// The index that a compressed name stands for; nullopt for a plain name.
std::optional<uint64_t> CompressedIndex(std::string_view key) {
  constexpr size_t kMostDigits = 8;  // 127^8 exceeds any list; more would overflow.
  if (key.empty() || key.front() != '\0' || key.size() > 1 + kMostDigits) {
    return std::nullopt;
  }
  uint64_t index = 0;
  for (size_t i = key.size() - 1; i > 0; --i) {
    const auto stored = static_cast<unsigned char>(key[i]);
    if (stored < 1 || stored > kBase) {
      return std::nullopt;
    }
    index = index * kBase + (stored - 1U);
  }
  return index;
}

}  // namespace

absl::StatusOr<AttrReader> AttrReader::Make(const ge::ModelDef& model) {
  AttrReader reader;
  const int64_t version = reader.Int(model.attr(), "om_compress_version").value_or(0);
  if (version == 0) {
    return reader;
  }
  if (version != 1) {
    return InvalidArgument(
        "om_compress_version is {}, expected 0 or 1: compile with --enable_attr_compression=false",
        version);
  }
  // Read with the reader still empty: the model's own attributes are plain.
  std::vector<std::string> names =
      reader.Texts(model.attr(), "attr_name_enum").value_or(std::vector<std::string>());
  std::vector<std::string> values =
      reader.Texts(model.attr(), "attr_value_enum").value_or(std::vector<std::string>());
  std::vector<bool> is_text_index(names.size(), false);
  const auto flags = model.attr().find("attrs_use_string_value");
  if (flags != model.attr().end()) {
    const ge::AttrDef::ListValue& list = flags->second.list();
    for (size_t i = 0; i < is_text_index.size(); ++i) {
      const int at = static_cast<int>(i);
      is_text_index[i] =
          (at < list.b_size() && list.b(at)) || (at < list.i_size() && list.i(at) != 0);
    }
  }
  reader.names_ = std::move(names);
  reader.values_ = std::move(values);
  reader.is_text_index_ = std::move(is_text_index);
  return reader;
}

AttrReader::Found AttrReader::Find(const AttrMap& attrs, std::string_view name) const {
  const auto plain = attrs.find(std::string(name));
  if (plain != attrs.end()) {
    return Found{.attr = &plain->second, .texts_are_indices = false};
  }
  const auto row = std::ranges::find(names_, name);
  if (row == names_.end()) {
    return Found{};
  }
  const auto wanted = static_cast<size_t>(row - names_.begin());
  for (const auto& [key, attr] : attrs) {
    if (CompressedIndex(key) == wanted) {
      return Found{.attr = &attr, .texts_are_indices = is_text_index_[wanted]};
    }
  }
  return Found{};
}

AttrReader::PlainKey AttrReader::PlainKeyOf(std::string_view key) const {
  const std::optional<uint64_t> index = CompressedIndex(key);
  if (!index.has_value() || *index >= names_.size()) {
    return PlainKey{.name = std::string(key), .texts_are_indices = false};
  }
  const auto at = static_cast<size_t>(*index);
  return PlainKey{.name = names_[at], .texts_are_indices = is_text_index_[at]};
}

std::optional<std::string> AttrReader::TextOf(int64_t index) const {
  if (index < 0 || static_cast<uint64_t>(index) >= values_.size()) {
    return std::nullopt;
  }
  return values_[static_cast<size_t>(index)];
}

std::optional<int64_t> AttrReader::Int(const AttrMap& attrs, std::string_view name) const {
  const Found found = Find(attrs, name);
  if (found.attr == nullptr || found.attr->value_case() != ge::AttrDef::kI) {
    return std::nullopt;
  }
  return found.attr->i();
}

std::optional<std::vector<int64_t>> AttrReader::Ints(const AttrMap& attrs,
                                                     std::string_view name) const {
  const Found found = Find(attrs, name);
  if (found.attr == nullptr || found.attr->value_case() != ge::AttrDef::kList) {
    return std::nullopt;
  }
  const auto& ints = found.attr->list().i();
  return std::vector<int64_t>(ints.begin(), ints.end());
}

std::optional<std::string> AttrReader::Text(const AttrMap& attrs, std::string_view name) const {
  const Found found = Find(attrs, name);
  if (found.attr == nullptr) {
    return std::nullopt;
  }
  if (found.texts_are_indices && found.attr->value_case() == ge::AttrDef::kI) {
    return TextOf(found.attr->i());
  }
  if (found.attr->value_case() != ge::AttrDef::kS) {
    return std::nullopt;
  }
  return found.attr->s();
}

std::optional<std::vector<std::string>> AttrReader::Texts(const AttrMap& attrs,
                                                          std::string_view name) const {
  const Found found = Find(attrs, name);
  if (found.attr == nullptr || found.attr->value_case() != ge::AttrDef::kList) {
    return std::nullopt;
  }
  const ge::AttrDef::ListValue& list = found.attr->list();
  if (!found.texts_are_indices) {
    return std::vector<std::string>(list.s().begin(), list.s().end());
  }
  std::vector<std::string> texts;
  for (const int64_t index : list.i()) {
    std::optional<std::string> text = TextOf(index);
    if (!text.has_value()) {
      return std::nullopt;
    }
    texts.push_back(*std::move(text));
  }
  return texts;
}

std::optional<std::vector<std::vector<int64_t>>> AttrReader::IntLists(const AttrMap& attrs,
                                                                      std::string_view name) const {
  const Found found = Find(attrs, name);
  if (found.attr == nullptr || found.attr->value_case() != ge::AttrDef::kListListInt) {
    return std::nullopt;
  }
  std::vector<std::vector<int64_t>> lists;
  for (const ge::ListInt& list : found.attr->list_list_int().list()) {
    lists.emplace_back(list.i().begin(), list.i().end());
  }
  return lists;
}

}  // namespace omserve::om
