// SPDX-License-Identifier: Apache-2.0
// The one file that includes yaml-cpp, and so the one that catches: its parser throws.
// Its event interface is used rather than its Node, because a Node hides quoting, shares aliased
// values, and is built before anything could be counted.
#include "config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 100'000;
constexpr size_t kMaxTextBytes = size_t{16} << 20;

SourceMark ToMark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

struct Size {
  size_t nodes = 1;
  size_t text_bytes = 0;
};

Size SizeOf(const YamlNode& node) {
  Size size{.text_bytes = node.text.size()};
  for (const YamlNode::Key& key : node.keys) {
    size.text_bytes += key.text.size();
  }
  for (const YamlNode& item : node.items) {
    const Size inner = SizeOf(item);
    size.nodes += inner.nodes;
    size.text_bytes += inner.text_bytes;
  }
  return size;
}

// Builds the tree from events. After the first failure every event is ignored: the parser can only
// be left by an exception, which is not ours to throw.
class TreeBuilder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) {
      Fail(ToMark(mark), "a second document; one document per file is expected");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf({.kind = YamlNode::Kind::kNull, .mark = ToMark(mark)}, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    Leaf({.kind = YamlNode::Kind::kScalar, .mark = ToMark(mark), .text = value}, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end()) {
      Fail(ToMark(mark), "an alias inside the value that it refers to");
      return;
    }
    YamlNode copy = found->second;
    copy.mark = ToMark(mark);
    Leaf(std::move(copy), YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    Open({.kind = YamlNode::Kind::kSequence, .mark = ToMark(mark)}, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    Open({.kind = YamlNode::Kind::kMap, .mark = ToMark(mark)}, anchor);
  }
  void OnMapEnd() override { Close(); }

  const std::optional<std::pair<SourceMark, std::string>>& failure() const { return failure_; }
  YamlNode TakeRoot() { return std::move(root_); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
  };

  void Fail(SourceMark mark, std::string text) {
    if (!failure_) {
      failure_.emplace(mark, std::move(text));
    }
  }

  // Counts `node`; false when there is too much already.
  bool Charge(const YamlNode& node) {
    const Size size = SizeOf(node);
    nodes_ += size.nodes;
    text_bytes_ += size.text_bytes;
    if (nodes_ > kMaxNodes) {
      Fail(node.mark, fmt::format("more than {} values, aliases expanded", kMaxNodes));
    } else if (text_bytes_ > kMaxTextBytes) {
      Fail(node.mark, fmt::format("more than {} bytes of text, aliases expanded", kMaxTextBytes));
    }
    return !failure_;
  }

  void Leaf(YamlNode node, YAML::anchor_t anchor) {
    if (!failure_ && Charge(node)) {
      Finish({std::move(node), anchor});
    }
  }

  void Open(YamlNode node, YAML::anchor_t anchor) {
    if (!failure_ && stack_.size() >= kMaxDepth) {
      Fail(node.mark, fmt::format("nested deeper than {}", kMaxDepth));
    }
    if (!failure_ && Charge(node)) {
      stack_.push_back({std::move(node), anchor});
    }
  }

  void Close() {
    if (failure_) {
      return;
    }
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    if (frame.node.keys.size() > frame.node.items.size()) {
      Fail(frame.node.keys.back().mark, "a key without a value");
      return;
    }
    Finish(std::move(frame));
  }

  // A value is complete: remembers it for its aliases and puts it where it belongs.
  void Finish(Frame frame) {
    if (frame.anchor != YAML::NullAnchor) {
      if (!Charge(frame.node)) {  // The copy costs as much as the value.
        return;
      }
      anchored_[frame.anchor] = frame.node;
    }
    if (stack_.empty()) {
      root_ = std::move(frame.node);
      return;
    }
    YamlNode& parent = stack_.back().node;
    if (parent.kind != YamlNode::Kind::kMap || parent.keys.size() > parent.items.size()) {
      if (parent.kind == YamlNode::Kind::kMap && frame.node.kind == YamlNode::Kind::kNull) {
        // The parser places what is missing at the token after it, perhaps lines below.
        frame.node.mark = parent.keys.back().mark;
      }
      parent.items.push_back(std::move(frame.node));
    } else if (frame.node.kind == YamlNode::Kind::kScalar) {
      parent.keys.push_back({std::move(frame.node.text), frame.node.mark});
    } else {
      Fail(frame.node.mark, "a key that is not text");
    }
  }

  int documents_ = 0;
  size_t nodes_ = 0;
  size_t text_bytes_ = 0;
  YamlNode root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  std::optional<std::pair<SourceMark, std::string>> failure_;
};

}  // namespace

absl::StatusOr<YamlNode> ParseYaml(const std::string& text, const std::string& file) {
  const SourceMap place(file);
  TreeBuilder builder;
  try {
    // yaml-cpp takes a quote that is still open after the last line for a closed one. A comment at
    // the end changes nothing elsewhere, and inside a quote it is text that nothing follows.
    std::istringstream stream(text + "\n#");
    YAML::Parser parser(stream);
    while (!builder.failure() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    if (!builder.failure()) {
      const SourceMark mark = error.mark.is_null() ? SourceMark{} : ToMark(error.mark);
      return InvalidArgument("{}: not YAML: {}", place.Locate(mark), error.msg);
    }
  } catch (const std::exception& error) {
    return InvalidArgument("{}: not YAML: {}", file, error.what());
  }
  if (builder.failure()) {
    return InvalidArgument("{}: {}", place.Locate(builder.failure()->first),
                           builder.failure()->second);
  }
  return builder.TakeRoot();
}

}  // namespace omserve::config
