// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/sealed/header.h"
#include "runtime/sealed/key_section.h"
#include "runtime/sealed/sealed_file.h"
#include "tools/omc/seal.h"
#include "tools/omc/text_table.h"

namespace omserve::omc {
namespace {

namespace json = boost::json;

struct Contents {
  sealed::Header header;
  std::vector<sealed::RecipientDescription> recipients;
  std::string damage;  // Empty: the file has the length that its header says.
};

absl::StatusOr<Contents> Read(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(sealed::Header header, sealed::Header::Parse(bytes));
  ASSIGN_OR_RETURN(std::vector<sealed::RecipientDescription> recipients,
                   sealed::DescribeKeySection(header.key_section));
  std::string damage(MessageOf(sealed::CheckFileSize(header, bytes.size())));
  return Contents{.header = std::move(header),
                  .recipients = std::move(recipients),
                  .damage = std::move(damage)};
}

}  // namespace

absl::StatusOr<std::string> InspectSealedText(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const Contents contents, Read(bytes));
  std::string text = fmt::format(
      "File\n"
      "  form       sealed (encrypted), version 1: AES-256-GCM\n"
      "  size       {} bytes, {} of them plain text\n"
      "  chunks     {} of {} bytes\n"
      "  checked    {}; the rest needs a key: omc open\n\nRecipients\n",
      bytes.size(), contents.header.plain_bytes, contents.header.chunk_count(),
      contents.header.chunk_bytes,
      contents.damage.empty() ? "the form and the length" : contents.damage);
  TextTable table({"kind", "key id"});
  for (const sealed::RecipientDescription& recipient : contents.recipients) {
    table.Add({std::string(ToText(recipient.kind)), recipient.key_id});
  }
  return text + table.Show();
}

absl::StatusOr<std::string> InspectSealedJson(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const Contents contents, Read(bytes));
  json::array recipients;
  for (const sealed::RecipientDescription& recipient : contents.recipients) {
    recipients.push_back(json::object{{"kind", std::string(ToText(recipient.kind)).c_str()},
                                      {"key_id", recipient.key_id.c_str()}});
  }
  json::object file{{"form", "sealed"},
                    {"bytes", bytes.size()},
                    {"plain_bytes", contents.header.plain_bytes},
                    {"chunk_bytes", contents.header.chunk_bytes},
                    {"chunks", contents.header.chunk_count()},
                    {"recipients", std::move(recipients)}};
  if (!contents.damage.empty()) {
    file["damage"] = contents.damage.c_str();
  }
  return json::serialize(json::object{{"sealed", std::move(file)}}) + "\n";
}

}  // namespace omserve::omc
