// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/omctl/bench/axis.h"

namespace omserve::bench {
namespace {

constexpr double kWidth = 1240;
constexpr double kHeight = 424;
constexpr double kTop = 96;       // Of the panels,
constexpr double kPlot = 270;     // and their height.
constexpr size_t kMostNames = 8;  // Loads that are named below a panel.

constexpr char kInk[] = "#1f2933";
constexpr char kSoft[] = "#66717d";
constexpr char kGrid[] = "#e4e8ec";

// Lighter for what most requests see, darker for the tail.
constexpr std::array<const char*, 4> kPercentileColors = {"#8fc1e3", "#4a90c2", "#1f5f99",
                                                          "#0b2f57"};

struct Layer {
  const char* name;
  const char* color;
};
// From the bottom of a bar to its top. Told apart by people who see few colours, too.
constexpr std::array<Layer, 6> kLayers = {{{"compute", "#0072b2"},
                                           {"input", "#56b4e9"},
                                           {"output", "#009e73"},
                                           {"queue", "#e69f00"},
                                           {"overhead", "#cc79a7"},
                                           {"network + client", "#c3c9d0"}}};

double Ms(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:  // Control characters have no place in XML.
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

class Svg final {
 public:
  void Line(double x1, double y1, double x2, double y2, const char* color, double width = 1) {
    body_ += fmt::format(
        R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}" stroke-width="{}"/>)"
        "\n",
        x1, y1, x2, y2, color, width);
  }
  void Box(double x, double y, double width, double height, const char* color) {
    if (height >= 0.05) {
      body_ +=
          fmt::format(R"(<rect x="{:.1f}" y="{:.2f}" width="{:.1f}" height="{:.2f}" fill="{}"/>)"
                      "\n",
                      x, y, width, height, color);
    }
  }
  void Dot(double x, double y, const char* color) {
    body_ += fmt::format(
        R"(<circle cx="{:.1f}" cy="{:.1f}" r="3.5" fill="{}" stroke="#ffffff" stroke-width="1"/>)"
        "\n",
        x, y, color);
  }
  void Path(const std::vector<std::pair<double, double>>& points, const char* color) {
    std::string text;
    for (const auto& [x, y] : points) {
      text += fmt::format("{}{:.1f},{:.1f}", text.empty() ? "" : " ", x, y);
    }
    body_ += fmt::format(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="2" )"
                         R"(stroke-linejoin="round"/>)"
                         "\n",
                         text, color);
  }
  // `anchor`: start, middle or end.
  void Text(double x, double y, std::string_view text, const char* anchor, double size,
            const char* color, bool bold = false) {
    body_ += fmt::format(
        R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" font-size="{}" fill="{}"{}>{}</text>)"
        "\n",
        x, y, anchor, size, color, bold ? R"( font-weight="600")" : "", Escaped(text));
  }
  std::string Take() const {
    return fmt::format(
        R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" )"
        R"(font-family="Inter, Helvetica, Arial, sans-serif">)"
        "\n"
        R"(<rect width="{0}" height="{1}" fill="#ffffff"/>)"
        "\n{2}</svg>\n",
        kWidth, kHeight, body_);
  }

 private:
  std::string body_;
};

// One panel: its frame, the loads below it, and where a load stands.
class Panel final {
 public:
  Panel(Svg& svg, double left, double width, std::string_view title,
        std::span<const PointResult> results)
      : svg_(svg), left_(left), width_(width), count_(results.size()) {
    svg_.Text(left, kTop - 18, title, "start", 13, kInk, /*bold=*/true);
    const size_t step = (count_ + kMostNames - 1) / kMostNames;
    for (size_t i = 0; i < count_; i += step) {
      const LoadPoint& load = results[i].load;
      svg_.Text(X(i), kTop + kPlot + 18, MarkText(load.open() ? load.rate : load.concurrency),
                "middle", 11, kSoft);
    }
    svg_.Text(left + width / 2, kTop + kPlot + 38,
              results.front().load.open() ? "requests due per second" : "requests in flight",
              "middle", 11, kSoft);
  }

  void Grid(const Axis& axis) const {
    for (const double mark : axis.marks()) {
      const double y = Y(axis, mark);
      svg_.Line(left_, y, left_ + width_, y, kGrid);
      svg_.Text(left_ - 8, y + 4, MarkText(mark), "end", 11, kSoft);
    }
    svg_.Line(left_, kTop + kPlot, left_ + width_, kTop + kPlot, kSoft);
  }

  double X(size_t i) const {
    return left_ + width_ * (static_cast<double>(i) + 0.5) / static_cast<double>(count_);
  }
  double Y(const Axis& axis, double value) const { return kTop + kPlot - axis.At(value); }
  double BarWidth() const { return std::min(46.0, 0.62 * width_ / static_cast<double>(count_)); }

 private:
  Svg& svg_;
  const double left_;
  const double width_;
  const size_t count_;
};

void DrawLatency(Svg& svg, double left, double width, std::span<const PointResult> results) {
  const Panel panel(svg, left, width, "Latency, ms", results);
  double least = 1e12;
  double most = 0;
  for (const PointResult& result : results) {
    for (const double percent : kPercentiles) {
      const double ms = Ms(result.measured.corrected.Percentile(percent));
      least = ms > 0 ? std::min(least, ms) : least;
      most = std::max(most, ms);
    }
  }
  const Axis axis = Axis::Log(std::min(least, most > 0 ? most : 1), most > 0 ? most : 1, kPlot);
  panel.Grid(axis);
  double legend = left + width;
  for (size_t p = std::size(kPercentiles); p > 0; --p) {
    std::vector<std::pair<double, double>> points;
    for (size_t i = 0; i < results.size(); ++i) {
      const double ms = Ms(results[i].measured.corrected.Percentile(kPercentiles[p - 1]));
      points.emplace_back(panel.X(i), panel.Y(axis, ms));
    }
    svg.Path(points, kPercentileColors[p - 1]);
    for (const auto& [x, y] : points) {
      svg.Dot(x, y, kPercentileColors[p - 1]);
    }
    const std::string name = fmt::format("p{}", kPercentiles[p - 1]);
    svg.Text(legend, kTop - 18, name, "end", 11, kInk);
    legend -= 8.0 + 6.2 * static_cast<double>(name.size());
    svg.Line(legend - 12, kTop - 22, legend + 4, kTop - 22, kPercentileColors[p - 1], 3);
    legend -= 24;
  }
}

void DrawThroughput(Svg& svg, double left, double width, bool has_deadline,
                    std::span<const PointResult> results) {
  const Panel panel(svg, left, width, "Requests/s", results);
  const bool open = results.front().load.open();
  svg.Text(left + width, kTop - 18,
           open && has_deadline ? "line: due, dark: in time"
           : open               ? "line: due"
           : has_deadline       ? "dark: in time"
                                : "",
           "end", 11, kSoft);
  double most = 1;
  for (const PointResult& result : results) {
    most = std::max({most, result.measured.PerSecond(result.measured.ok()), result.load.rate});
  }
  const Axis axis = Axis::Linear(most, kPlot);
  panel.Grid(axis);
  const double bar = panel.BarWidth();
  const auto draw = [&](size_t i, double value, const char* color) {
    const double y = panel.Y(axis, value);
    svg.Box(panel.X(i) - bar / 2, y, bar, kTop + kPlot - y, color);
  };
  for (size_t i = 0; i < results.size(); ++i) {
    const Window& window = results[i].measured;
    draw(i, window.PerSecond(window.ok()), has_deadline ? "#b9d7ea" : "#4a90c2");
    if (has_deadline) {
      draw(i, window.PerSecond(window.good), "#1f5f99");
    }
    if (open) {  // What was asked for.
      const double y = panel.Y(axis, results[i].load.rate);
      svg.Line(panel.X(i) - bar / 2 - 3, y, panel.X(i) + bar / 2 + 3, y, kInk, 1.5);
    }
  }
}

// In the order of kLayers, milliseconds.
std::array<double, kLayers.size()> LayersOf(const Window& window) {
  const ServerStages& server = window.server;
  const auto mean_ms = [&server](uint64_t ns) {
    return server.requests == 0
               ? 0
               : static_cast<double>(ns) / static_cast<double>(server.requests) / 1e6;
  };
  return {mean_ms(server.compute_ns),
          mean_ms(server.input_ns),
          mean_ms(server.output_ns),
          mean_ms(server.queue_ns),
          mean_ms(server.overhead_ns),
          std::max(0.0, Ms(window.service.mean()) - mean_ms(server.total_ns))};
}

void DrawStages(Svg& svg, double left, double width, std::span<const PointResult> results) {
  const Panel panel(svg, left, width, "Where the mean time went, ms", results);
  double most = 1e-6;
  for (const PointResult& result : results) {
    double sum = 0;
    for (const double ms : LayersOf(result.measured)) {
      sum += ms;
    }
    most = std::max(most, sum);
  }
  const Axis axis = Axis::Linear(most, kPlot);
  panel.Grid(axis);
  const double bar = panel.BarWidth();
  for (size_t i = 0; i < results.size(); ++i) {
    double below = 0;
    const auto layers = LayersOf(results[i].measured);
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      const double y = panel.Y(axis, below + layers[layer]);
      svg.Box(panel.X(i) - bar / 2, y, bar, panel.Y(axis, below) - y, kLayers[layer].color);
      below += layers[layer];
    }
  }
  for (size_t layer = 0; layer < kLayers.size(); ++layer) {
    const double y = kTop + 6 + 20.0 * static_cast<double>(kLayers.size() - 1 - layer);
    svg.Box(left + width + 16, y, 11, 11, kLayers[layer].color);
    svg.Text(left + width + 33, y + 9.5, kLayers[layer].name, "start", 11, kInk);
  }
}

}  // namespace

std::string ToSvg(const Subject& subject, std::span<const PointResult> results) {
  Svg svg;
  svg.Text(24, 34, subject.model, "start", 18, kInk, /*bold=*/true);
  const LoadPoint& load = results.front().load;
  svg.Text(24, 54,
           fmt::format("{}, {}, {} row{} a request, {}", subject.server, subject.protocol,
                       subject.batch, subject.batch == 1 ? "" : "s",
                       !load.open()                          ? "closed loop"
                       : load.arrivals == Arrivals::kPoisson ? "open loop, Poisson arrivals"
                                                             : "open loop, constant arrivals"),
           "start", 12, kSoft);
  DrawLatency(svg, 66, 420, results);
  DrawThroughput(svg, 560, 230, subject.deadline > Clock::duration::zero(), results);
  DrawStages(svg, 860, 230, results);
  return svg.Take();
}

}  // namespace omserve::bench
