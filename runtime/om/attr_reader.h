// SPDX-License-Identifier: Apache-2.0
// Attributes of a ModelDef by their plain names. Internal to runtime/om.
//
// atc compresses by default: the names of op and tensor attributes become "\0" and an index into
// the model attribute attr_name_enum, in base 127, each digit stored plus one, least digit first;
// texts of attributes that attrs_use_string_value marks become indices into attr_value_enum. The
// model's own attributes stay plain.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/ge/ge_ir.pb.h"

namespace omserve::om {

using AttrMap = google::protobuf::Map<std::string, ge::AttrDef>;

// Thread-compatible. Keeps no reference to the model it was made from.
class AttrReader final {
 public:
  // kInvalidArgument when the compression is of a version not known here.
  static absl::StatusOr<AttrReader> Make(const ge::ModelDef& model);

  // Each is nullopt when the attribute is absent or of another type.
  std::optional<int64_t> Int(const AttrMap& attrs, std::string_view name) const;
  std::optional<std::vector<int64_t>> Ints(const AttrMap& attrs, std::string_view name) const;
  std::optional<std::string> Text(const AttrMap& attrs, std::string_view name) const;
  std::optional<std::vector<std::string>> Texts(const AttrMap& attrs, std::string_view name) const;
  std::optional<std::vector<std::vector<int64_t>>> IntLists(const AttrMap& attrs,
                                                            std::string_view name) const;

  // For readers of every attribute of an op or tensor: the plain name that `key` stands for, which
  // is `key` itself where nothing is compressed, and whether the attribute's numbers are indices of
  // texts, for TextOf.
  struct PlainKey {
    std::string name;
    bool texts_are_indices = false;
  };
  PlainKey PlainKeyOf(std::string_view key) const;
  // nullopt for an index that no text has.
  std::optional<std::string> TextOf(int64_t index) const;

 private:
  // An attribute, and whether its texts are indices.
  struct Found {
    const ge::AttrDef* attr = nullptr;
    bool texts_are_indices = false;
  };
  Found Find(const AttrMap& attrs, std::string_view name) const;

  std::vector<std::string> names_;   // attr_name_enum; empty without compression.
  std::vector<std::string> values_;  // attr_value_enum
  std::vector<bool> is_text_index_;  // attrs_use_string_value, by index of the name.
};

}  // namespace omserve::om
