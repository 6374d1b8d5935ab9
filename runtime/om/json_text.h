// SPDX-License-Identifier: Apache-2.0
// Writes JSON as it goes: a large model's graph is printed without a tree of it in memory. Internal
// to runtime/om.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace omserve::om {

// Two spaces of indentation a level; a list of plain values stands on one line. The caller keeps
// the order (a key before each value in an object) and closes what it opens. Thread-compatible.
class JsonText final {
 public:
  void BeginObject() { Begin('{', true); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('[', true); }
  void EndArray() { End(']'); }
  // A list whose values are all plain.
  void BeginLine() { Begin('[', false); }

  void Key(std::string_view key);
  void Number(int64_t value);
  void Unsigned(uint64_t value);
  // "NaN", "Infinity" and "-Infinity" as texts, as JSON has no numbers for them.
  void Real(float value);
  void Bool(bool value);
  // `text` as it is where it is UTF-8, else an object {"base64": "..."}.
  void Text(std::string_view text);
  void Base64(std::string_view bytes);

  // What was written so far, with a line feed at its end.
  std::string Take();

 private:
  struct Level {
    bool lines;  // One value a line.
    bool empty = true;
  };
  void Begin(char bracket, bool lines);
  void End(char bracket);
  void BeforeValue();
  void NewLine();
  void Quote(std::string_view text);

  std::string out_;
  std::vector<Level> levels_;
  bool after_key_ = false;
};

}  // namespace omserve::om
