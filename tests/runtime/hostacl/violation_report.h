// SPDX-License-Identifier: Apache-2.0
// What strict mode has said in one session.
#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {

struct Reported {
  std::string violation;
  std::string text;
};

// A file for the setting "strict_report", empty at first.
class ViolationReport final {
 public:
  ViolationReport() : path_(WriteTextFile("violations.jsonl", "")) {}

  // For AclSession; `more` are further members with a comma in front.
  std::string Settings(const std::string& more = "") const {
    return R"({"strict": "report", "strict_report": ")" + path_ + "\"" + more + "}";
  }
  std::vector<Reported> Read() const {
    std::vector<Reported> all;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      const boost::json::value value = boost::json::parse(line);
      all.push_back({boost::json::value_to<std::string>(value.at("violation")),
                     boost::json::value_to<std::string>(value.at("text"))});
    }
    return all;
  }

 private:
  const std::string path_;
};

}  // namespace omserve::hostacl
