#include "tests/tools/trace/svg.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <numeric>
#include <sstream>

#include "tests/support/failed.h"
#include "tests/tools/trace/scene.h"

namespace {

// All in units of the picture, which is 830 wide: as wide as GitHub shows a README on a desktop. On a phone it is shown
// at less than half of that, so nothing is written smaller than 20.
constexpr double width = 830;
constexpr double gutter = 134; // for the lanes' names
constexpr double margin = 10;
constexpr double part_gap = 14;
constexpr double parts_top = 84;
constexpr double bar_height = 34;
constexpr double lane_height = 46;
constexpr double idle_height = 30; // of a worker that has nothing to do
constexpr double queue_height = 34;
constexpr double token_row = 26; // two requests that are in a queue at the same time
constexpr double inset = 16;     // from the edge of a part to its first moment
constexpr double round_height = 110;
constexpr double verdict_height = 62; // below B's lane
constexpr double legend_row = 35;

/// How wide a text is at most, in any usual font.
double text_width(const std::string& text, double size) {
    return static_cast<double>(text.size()) * size * 0.63;
}

constexpr const char* style = R"(
text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 22px; fill: #1f2328; }
.paper { fill: #ffffff; } .part { fill: #f3f5f8; }
.finding { font-size: 29px; font-weight: 700; } .name { font-weight: 600; } .small { font-size: 20px; fill: #57606a; }
.served { fill: #0b5cad; } .works { fill: #57606a; } .onserved { fill: #ffffff; font-weight: 700; }
.plate { fill: #ffffff; } .connected { fill: #ffffff; stroke: #57606a; stroke-width: 2; }
.edge { fill: none; stroke: #57606a; stroke-width: 1.5; } .stripe { stroke: #57606a; stroke-width: 4; }
.held { fill: none; stroke: #c2255c; stroke-width: 2.5; } .heldstripe { stroke: #d6336c; stroke-width: 5; }
.heldpaper { fill: #fff0f5; } .heldtext { fill: #a61e4d; font-weight: 700; } .heldhead { fill: #c2255c; }
.dots { stroke: #57606a; stroke-width: 5; stroke-dasharray: 0.1 9; stroke-linecap: round; fill: none; }
.late { fill: #a61e4d; } .asked { fill: #57606a; }
.axis { stroke: #8c959f; stroke-width: 1.5; } .path { stroke: #1f2328; stroke-width: 2; fill: none; }
.token { fill: #ffffff; stroke: #1f2328; stroke-width: 2; } .tokentext { font-size: 17px; font-weight: 700; } .head { fill: #1f2328; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .paper { fill: #0d1117; } .part { fill: #161c25; } .small { fill: #9aa4af; }
.served { fill: #58a6ff; } .works { fill: #9aa4af; } .onserved { fill: #0d1117; }
.plate { fill: #0d1117; } .connected { fill: #0d1117; stroke: #9aa4af; }
.edge { stroke: #9aa4af; } .stripe { stroke: #7d8590; }
.held { stroke: #ff7aa8; } .heldstripe { stroke: #d6457e; } .heldpaper { fill: #33141f; } .heldtext { fill: #ff9abf; } .heldhead { fill: #ff7aa8; }
.dots { stroke: #9aa4af; } .late { fill: #ff9abf; } .asked { fill: #9aa4af; } .axis { stroke: #7d8590; } .path { stroke: #e6edf3; } .token { fill: #0d1117; stroke: #e6edf3; } .head { fill: #e6edf3; }
}
)";

/// The call by the name that the code gives it.
std::string name_in_code(const std::string& call) {
    if (call == "accept4") return "accept";
    if (call == "pselect6" || call == "_newselect") return "select";
    return call;
}

double units_per_second(const Lengths& lengths) {
    const double all = std::accumulate(lengths.begin(), lengths.end(), 0.0);
    const auto parts = static_cast<double>(lengths.size());
    return (width - gutter - margin - part_gap * (parts - 1) - inset * parts) / all;
}

class Drawing {
  public:
    Drawing(const Timeline& timeline, const std::string& chapter, const Lengths& lengths)
        : timeline_(timeline), chapter_(chapter), lengths_(lengths), id_("t" + chapter.substr(0, 2)) {
        out_ << std::fixed << std::setprecision(1);
    }

    std::string draw();

  private:
    void place_lanes();
    void place_parts();
    void draw_head();
    void draw_parts();
    void draw_axis(std::size_t part);
    void draw_lane(std::size_t lane);
    void draw_span(const Span& span, const Lane& lane, double y);
    void draw_bar(const Span& span, const Lane& lane, double left, double right, double y);
    void draw_verdict(const Part& part);
    void draw_arrow(const Part& part);
    void place_hand_overs();
    [[nodiscard]] bool has_two_rows(std::size_t queue) const;
    void draw_ways();
    void draw_tokens();
    void draw_round();
    void draw_legend();
    [[nodiscard]] std::string waits_in() const;

    void write(double x, double y, const std::string& words, const char* style_class = "",
               const char* anchor = "start");
    void rectangle(double x, double y, double w, double h, const std::string& style_class, double radius = 3);
    void hatched(double x, double y, double w, double h, bool held);
    void line(double x1, double y1, double x2, double y2, const char* style_class);
    void plate(double middle, double y, const std::string& words, const char* style_class);

    /// Where a moment is; nothing when it lies between two parts.
    [[nodiscard]] double x(std::size_t part, Seconds time) const {
        return part_left_[part] + inset + (time - timeline_.parts[part].from) * scale_;
    }
    [[nodiscard]] double part_right(std::size_t part) const {
        return part_left_[part] + inset + lengths_[part] * scale_;
    }
    /// Whether this is B, waiting because of A.
    [[nodiscard]] bool is_held(const Span& span) const;
    /// Whether B waits because a thread of this lane is in this span.
    [[nodiscard]] bool holds(const Span& span, const Lane& lane) const;

    const Timeline& timeline_;
    const std::string& chapter_;
    const Lengths& lengths_;
    std::string id_;
    std::vector<double> lane_y_; // the middle
    std::vector<double> part_left_;
    /// A hand-over on the picture.
    struct Way {
        const HandOver* hand_over;
        double heard, token, taken;
        bool second_row; ///< the first one has a token at the same place
    };
    std::vector<Way> ways_;
    [[nodiscard]] double token_y(const Way& way) const;
    double scale_ = 0;
    double lanes_bottom_ = 0;
    double bottom_ = 0;
    std::ostringstream out_;
};

void Drawing::write(double x, double y, const std::string& words, const char* style_class, const char* anchor) {
    out_ << "<text x='" << x << "' y='" << y << "' class='" << style_class << "' text-anchor='" << anchor << "'>"
         << escape(words) << "</text>\n";
}

void Drawing::rectangle(double x, double y, double w, double h, const std::string& style_class, double radius) {
    out_ << "<rect x='" << x << "' y='" << y << "' width='" << w << "' height='" << h << "' rx='" << radius
         << "' class='" << style_class << "'/>\n";
}

void Drawing::hatched(double x, double y, double w, double h, bool held) {
    rectangle(x, y, w, h, held ? "heldpaper" : "plate");
    out_ << "<rect x='" << x << "' y='" << y << "' width='" << w << "' height='" << h << "' rx='3' fill='url(#" << id_
         << (held ? "h" : "w") << ")'/>\n";
    rectangle(x, y, w, h, held ? "held" : "edge");
}

void Drawing::line(double x1, double y1, double x2, double y2, const char* style_class) {
    out_ << "<path d='M" << x1 << " " << y1 << "L" << x2 << " " << y2 << "' class='" << style_class << "'/>\n";
}

/// Words on a bar, on a ground of their own so that they can be read.
void Drawing::plate(double middle, double y, const std::string& words, const char* style_class) {
    const double w = text_width(words, 22);
    rectangle(middle - w / 2, y - 13, w, 26, "plate", 4);
    write(middle, y + 8, words, style_class, "middle");
}

void Drawing::place_lanes() {
    double y = parts_top + 38;
    for (const Lane& lane : timeline_.lanes) {
        const bool idle = std::all_of(lane.spans.begin(), lane.spans.end(),
                                      [](const Span& span) { return span.state == State::waits_for_work; });
        double height = lane.kind == Lane::Kind::server && idle ? idle_height : lane_height;
        if (lane.kind == Lane::Kind::queue) {
            height = queue_height + (has_two_rows(lane_y_.size()) ? token_row : 0);
        }
        lane_y_.push_back(y + height / 2);
        y += height;
        if (lane.name == "A") y += 6; // for the arrow from B
        if (lane.name == "B") y += verdict_height;
    }
    lanes_bottom_ = y + 4;
}

void Drawing::place_parts() {
    scale_ = units_per_second(lengths_);
    double left = gutter;
    for (const Seconds length : lengths_) {
        part_left_.push_back(left);
        left += inset + length * scale_ + part_gap;
    }
}

void Drawing::draw_head() {
    rectangle(0, 0, width, bottom_, "paper", 0);
    write(margin, 36, finding(timeline_), "finding");
    write(margin, 66, chapter_ + ": " + timeline_.server, "small");
}

void Drawing::draw_axis(std::size_t part) {
    const double y = lanes_bottom_;
    line(part_left_[part], y, part_right(part), y, "axis");
    const int last = static_cast<int>(std::lround(lengths_[part] * 1000));
    for (int ms = 0; ms <= last; ms += 100) {
        const double at = part_left_[part] + inset + ms / 1000.0 * scale_;
        line(at, y, at, y + (ms % 200 == 0 ? 9 : 5), "axis");
        if (ms % 200 == 0 && ms + 60 < last) write(at, y + 28, std::to_string(ms), "small", "middle");
    }
}

void Drawing::draw_parts() {
    for (std::size_t i = 0; i < timeline_.parts.size(); ++i) {
        rectangle(part_left_[i], parts_top, part_right(i) - part_left_[i], lanes_bottom_ - parts_top, "part", 6);
        write(part_left_[i] + 8, parts_top + 26, timeline_.parts[i].name, "name");
        draw_axis(i);
    }
    write(gutter - 12, lanes_bottom_ + 28, "ms", "small", "end");
}

bool Drawing::is_held(const Span& span) const {
    return std::any_of(timeline_.parts.begin(), timeline_.parts.end(), [&](const Part& part) {
        return part.held && span.client == 'B' && span.from < part.held_to && span.to > part.held_from;
    });
}

bool Drawing::holds(const Span& span, const Lane& lane) const {
    return std::any_of(timeline_.parts.begin(), timeline_.parts.end(), [&](const Part& part) {
        const bool this_lane = &timeline_.lanes[part.holder] == &lane;
        return part.held && this_lane && span.from < part.held_to && span.to > part.held_from;
    });
}

void Drawing::draw_bar(const Span& span, const Lane& lane, double left, double right, double y) {
    const double w = right - left;
    const double top = y - bar_height / 2;
    const double middle = (left + right) / 2;
    const std::string who(1, span.client);
    const std::string call = span.calls.substr(0, span.calls.find('('));
    switch (span.state) {
    case State::connected:
        rectangle(left, y - 6, w, 12, "connected", 4);
        break;
    case State::served:
        rectangle(left, top, std::max(w, 3.0), bar_height, "served");
        if (lane.kind == Lane::Kind::server && w > 24) write(middle, y + 8, who, "onserved", "middle");
        break;
    case State::works:
        rectangle(left, top + 5, std::max(w, 2.0), bar_height - 10, "works", 1);
        break;
    case State::unserved: // this is seen only where it is another one's fault
        if (is_held(span)) {
            hatched(left, top, w, bar_height, true);
        } else {
            rectangle(left, y - 6, w, 12, "connected", 4);
        }
        break;
    case State::waits_for_one: {
        const bool held = holds(span, lane);
        hatched(left, top, w, bar_height, held);
        const std::string words = call + "(" + who + ")";
        if (w > text_width(words, 22) + 4) plate(middle, y, words, held ? "heldtext" : "name");
        break;
    }
    case State::waits_for_any:
    case State::waits_for_work:
        line(left, y, right, y, "dots");
        break;
    }
}

void Drawing::draw_span(const Span& span, const Lane& lane, double y) {
    for (std::size_t i = 0; i < timeline_.parts.size(); ++i) {
        const Part& part = timeline_.parts[i];
        const double left = std::max(x(i, span.from), x(i, part.from));
        const double right = std::min(x(i, span.to), x(i, part.to));
        const bool bar = span.state == State::served || span.state == State::works;
        if (right <= left || (!bar && right - left < 3)) continue;
        out_ << "<g>";
        if (!span.calls.empty()) out_ << "<title>" << escape(span.calls) << "</title>";
        draw_bar(span, lane, left, right, y);
        out_ << "</g>";
    }
}

void Drawing::draw_lane(std::size_t lane) {
    const Lane& one = timeline_.lanes[lane];
    write(margin, lane_y_[lane] + 8, one.name, one.kind == Lane::Kind::queue ? "small" : "name");
    if (one.kind == Lane::Kind::queue) {
        for (std::size_t i = 0; i < timeline_.parts.size(); ++i) {
            line(part_left_[i], lane_y_[lane], part_right(i), lane_y_[lane], "axis");
        }
    }
    // What is wide first, so that what is thin lies on top.
    for (const bool wide : {true, false}) {
        for (const Span& span : one.spans) {
            const bool thin = span.state == State::works || span.to - span.from < 0.01;
            if (wide != thin) draw_span(span, one, lane_y_[lane]);
        }
    }
}

void Drawing::draw_verdict(const Part& part) {
    const auto i = static_cast<std::size_t>(&part - timeline_.parts.data());
    const auto milliseconds = [](Seconds time) { return text(std::lround(time * 1000), " ms"); };
    const std::string served = "served " + milliseconds(part.served);
    const double left = std::max(part_left_[i] + 6, std::min(x(i, part.asked), part_right(i) - text_width(served, 22)));
    write(left, lane_y_[1] + 43, "waits " + milliseconds(part.answered - part.asked - part.served),
          part.held ? "late" : "");
    write(left, lane_y_[1] + 69, served);
}

/// From B's waiting up to A, for whom it waits.
void Drawing::draw_arrow(const Part& part) {
    if (!part.held) return;
    const auto i = static_cast<std::size_t>(&part - timeline_.parts.data());
    const double at = x(i, part.held_from + 0.18 * (part.held_to - part.held_from)) + 2;
    const double from = lane_y_[1] - bar_height / 2;
    const Seconds moment = part.held_from + 0.18 * (part.held_to - part.held_from);
    const std::vector<Span>& a = timeline_.lanes[0].spans;
    const bool thick = std::any_of(a.begin(), a.end(), [&](const Span& span) {
        return span.state == State::served && span.from < moment && span.to > moment;
    });
    const double to = lane_y_[0] + (thick ? bar_height / 2 + 2 : 8);
    line(at, from, at, to + 10, "held");
    out_ << "<path d='M" << at - 8 << " " << to + 13 << "L" << at << " " << to << "L" << at + 8 << " " << to + 13
         << "Z' class='heldhead'/>\n";
}

/// Where on the picture each request is handed over. Of two that come together, the second is in the second row.
void Drawing::place_hand_overs() {
    std::map<std::size_t, Way> last; // in each queue
    for (const HandOver& one : timeline_.hand_overs) {
        for (std::size_t i = 0; i < timeline_.parts.size(); ++i) {
            if (one.heard < timeline_.parts[i].from || one.heard > timeline_.parts[i].to) continue;
            const double heard = x(i, one.heard);
            const double taken = x(i, one.taken);
            const double token = (heard + taken) / 2;
            const auto before = last.find(one.queue);
            const bool close = before != last.end() && token < before->second.token + token_row;
            ways_.push_back({&one, heard, token, taken, close && !before->second.second_row});
            last[one.queue] = ways_.back();
        }
    }
}

bool Drawing::has_two_rows(std::size_t queue) const {
    return std::any_of(ways_.begin(), ways_.end(),
                       [&](const Way& way) { return way.hand_over->queue == queue && way.second_row; });
}

/// The middle of a request's place in its queue.
double Drawing::token_y(const Way& way) const {
    const std::size_t queue = way.hand_over->queue;
    const double first = lane_y_[queue] - (has_two_rows(queue) ? token_row / 2 : 0);
    return way.second_row ? first + token_row : first;
}

/// From main to the queue and on to the worker, behind everything else.
void Drawing::draw_ways() {
    for (const Way& way : ways_) {
        const double end = lane_y_[way.hand_over->to] - bar_height / 2;
        out_ << "<path d='M" << way.heard << " " << lane_y_[way.hand_over->from] << "L" << way.token << " "
             << token_y(way) << "L" << way.taken << " " << end << "' class='path'/>\n<path d='M" << way.taken - 6 << " "
             << end - 10 << "L" << way.taken << " " << end << "L" << way.taken + 6 << " " << end - 10
             << "Z' class='head'/>\n";
    }
}

void Drawing::draw_tokens() {
    for (const Way& way : ways_) {
        const HandOver& one = *way.hand_over;
        const double y = token_y(way);
        out_ << "<g><title>"
             << escape(text(one.client, ": through the ", timeline_.lanes[one.queue].name, " in ",
                            std::lround((one.taken - one.heard) * 1e6), " microseconds"))
             << "</title><circle cx='" << way.token << "' cy='" << y << "' r='12' class='token'/>\n";
        write(way.token, y + 6, std::string(1, one.client), "tokentext", "middle");
        out_ << "</g>\n";
    }
}

/// In which call the server waits for anyone.
std::string Drawing::waits_in() const {
    const auto lane = std::find_if(timeline_.lanes.begin(), timeline_.lanes.end(),
                                   [](const Lane& one) { return !one.waits_in.empty(); });
    return lane == timeline_.lanes.end() ? "" : name_in_code(lane->waits_in);
}

/// A mark for each descriptor that the server asks the kernel about in one round, and for each that is ready.
void Drawing::draw_round() {
    if (!timeline_.round) return;
    const Round& round = *timeline_.round;
    const double top = lanes_bottom_ + 44;
    write(margin, top + 22, text("One request beside ", timeline_idle, " idle clients, in ", round.call), "name");
    const double step = (width - gutter - margin) / (timeline_idle + 2); // and B, and the listener
    const auto row = [&](double y, const std::string& name, std::size_t number, const char* style_class) {
        write(margin, y + 7, text(name, number), "small");
        line(gutter, y + 13, width - margin, y + 13, "axis");
        for (std::size_t i = 0; i < number; ++i) {
            rectangle(gutter + static_cast<double>(i) * step, y - 12, number < 20 ? 7 : step - 1.2, 24, style_class, 0);
        }
    };
    row(top + 48, "asked: ", round.asked, "asked");
    row(top + 84, "ready: ", round.ready, "served");
}

void Drawing::draw_legend() {
    double y = lanes_bottom_ + 58 + (timeline_.round ? round_height : 0);
    double left = margin;
    const auto item = [&](const std::string& words, auto picture) {
        const double w = 44 + text_width(words, 20) + 8;
        if (left + w > width && left > margin) {
            left = margin;
            y += legend_row;
        }
        picture(left, y);
        write(left + 44, y + 7, words, "small");
        left += w;
    };
    const auto occurs = [&](auto wanted) {
        return std::any_of(timeline_.lanes.begin(), timeline_.lanes.end(), [&](const Lane& lane) {
            return std::any_of(lane.spans.begin(), lane.spans.end(),
                               [&](const Span& span) { return span.to - span.from > 0.01 && wanted(span, lane); });
        });
    };
    item(text("served (each request takes ", timeline_think.count(), " ms)"),
         [&](double at, double middle) { rectangle(at, middle - 11, 34, 22, "served"); });
    item("connected", [&](double at, double middle) { rectangle(at, middle - 6, 34, 12, "connected", 4); });
    if (occurs([&](const Span& span, const Lane& lane) {
            return span.state == State::waits_for_one && !holds(span, lane);
        })) {
        item("blocked by its own client", [&](double at, double middle) { hatched(at, middle - 11, 34, 22, false); });
    }
    if (std::any_of(timeline_.parts.begin(), timeline_.parts.end(), [](const Part& part) { return part.held; })) {
        item("waits because of A", [&](double at, double middle) {
            hatched(at, middle - 6, 34, 18, true);
            line(at + 17, middle - 6, at + 17, middle - 12, "held");
            out_ << "<path d='M" << at + 11 << " " << middle - 9 << "L" << at + 17 << " " << middle - 18 << "L"
                 << at + 23 << " " << middle - 9 << "Z' class='heldhead'/>\n";
        });
    }
    const bool workers = occurs([](const Span& span, const Lane&) { return span.state == State::waits_for_work; });
    item("the server's own work",
         [&](double at, double middle) { rectangle(at + 15, middle - 11, 3, 22, "works", 1); });
    item("waits for anyone (" + waits_in() + ")" + (workers ? " or for work" : ""),
         [&](double at, double middle) { line(at, middle, at + 34, middle, "dots"); });
    if (!timeline_.hand_overs.empty()) {
        item("an event on its way through a queue", [&](double at, double middle) {
            line(at + 17, middle - 20, at + 17, middle + 14, "path");
            out_ << "<circle cx='" << at + 17 << "' cy='" << middle - 3 << "' r='9' class='token'/>\n<path d='M"
                 << at + 11 << " " << middle + 10 << "L" << at + 17 << " " << middle + 19 << "L" << at + 23 << " "
                 << middle + 10 << "Z' class='head'/>\n";
        });
    }
    bottom_ = y + 26;
}

std::string Drawing::draw() {
    place_parts();
    place_hand_overs();
    place_lanes();
    draw_legend(); // says how high the picture is
    const std::string legend = out_.str();
    out_.str("");
    draw_head();
    draw_parts();
    draw_ways();
    for (std::size_t i = 0; i < timeline_.lanes.size(); ++i) draw_lane(i);
    for (const Part& part : timeline_.parts) {
        draw_verdict(part);
        draw_arrow(part);
    }
    draw_tokens();
    draw_round();
    std::ostringstream all;
    all << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << width << " " << bottom_ << "' width='" << width
        << "' height='" << bottom_ << "' role='img'>\n<title>" << escape(chapter_ + ": " + finding(timeline_))
        << "</title>\n<desc>" << escape(story(timeline_)) << "</desc>\n<style>" << style << "</style>\n<defs>\n";
    for (const auto& [name, stripe] : {std::pair("h", "heldstripe"), std::pair("w", "stripe")}) {
        all << "<pattern id='" << id_ << name << "' width='11' height='11' patternUnits='userSpaceOnUse' "
            << "patternTransform='rotate(45)'><path d='M0 0V11' class='" << stripe << "'/></pattern>\n";
    }
    all << "</defs>\n" << out_.str() << legend << "</svg>\n";
    return all.str();
}

} // namespace

std::string escape(const std::string& text) {
    static const std::map<char, std::string> entities{
        {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\'', "&#39;"}, {'"', "&quot;"}};
    std::string escaped;
    for (const char c : text) escaped += entities.contains(c) ? entities.at(c) : std::string(1, c);
    return escaped;
}

Lengths usual_lengths() {
    return {0.45, 0.62, 0.37};
}

Lengths lengths_of(const Timeline& timeline, Lengths least) {
    for (std::size_t i = 0; i < timeline.parts.size(); ++i) {
        if (i == least.size()) least.push_back(0);
        const Seconds needed = std::ceil((timeline.parts[i].to - timeline.parts[i].from) * 50) / 50;
        least[i] = std::max(least[i], needed);
    }
    // Where one part is very long, a short one still has room for its name and its times. Each round leaves less to do.
    constexpr double times = 172;
    for (int round = 0; round < 20; ++round) {
        for (std::size_t i = 0; i < timeline.parts.size(); ++i) {
            const double words = std::max(times, text_width(timeline.parts[i].name, 22) + 10);
            least[i] = std::max(least[i], (words - inset) / units_per_second(least));
        }
    }
    return least;
}

std::string draw(const Timeline& timeline, const std::string& chapter, const Lengths& lengths) {
    return Drawing(timeline, chapter, lengths).draw();
}
