// SPDX-License-Identifier: Apache-2.0
// What the suite prints: the list of its rows, and the result of a run.
#pragma once

#include <string>
#include <vector>

#include "tests/runtime/hostacl/contract/suite.h"

namespace omserve::hostacl {

enum class ReportForm { kText, kMarkdown, kJson };

// Every row with what its cases check. Ends with a line feed, like all of these.
std::string ListReport(const std::vector<ContractCase>& cases, ReportForm form);

// Rows and cases counted, failures, skips with their reasons, functions that the library lacks.
std::string ResultReport(const LibraryFacts& facts, const std::vector<CaseResult>& results,
                         ReportForm form);

// How the models that the suite asks for are made by atc and by omc.
std::string ModelReport();

}  // namespace omserve::hostacl
