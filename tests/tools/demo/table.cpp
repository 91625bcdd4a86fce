#include "tests/tools/demo/table.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "tests/support/failed.h"

namespace {

enum class Side { left, right };

/// Fills up with spaces to `width`.
std::string pad(const std::string& words, std::size_t width, Side side = Side::left) {
    const std::string spaces(width - std::min(width, words.size()), ' ');
    return side == Side::left ? words + spaces : spaces + words;
}

struct Painter {
    bool colour;

    [[nodiscard]] std::string paint(const std::string& words, Verdict verdict) const {
        if (!colour) return words;
        switch (verdict) {
        case Verdict::served:
            return "\033[32m" + words + "\033[0m"; // green
        case Verdict::late:
            return "\033[33m" + words + "\033[0m"; // yellow
        case Verdict::not_served:
            break;
        }
        return "\033[1;31m" + words + "\033[0m"; // bold red
    }

    /// "yes  0.3 ms", "LATE 801 ms", "NO"; filled up to `width`.
    [[nodiscard]] std::string cell(const Answer& answer, std::size_t width) const {
        std::string words = "NO";
        if (answer.verdict != Verdict::not_served) {
            words = pad(answer.verdict == Verdict::late ? "LATE" : "yes", 5) + duration(answer.after);
        }
        return paint(pad(words, width), answer.verdict);
    }

    /// "1,500 of 1,500  212 ms"; filled up to `width`.
    [[nodiscard]] std::string cell(const CrowdAnswers& crowd, std::size_t width) const {
        std::string words = pad(number_text(crowd.served), 5, Side::right) + " of " + number_text(crowd.clients);
        if (crowd.served > 0) words += "  " + duration(crowd.after);
        return paint(pad(words, width), crowd.served == crowd.clients ? Verdict::served : Verdict::not_served);
    }

    static std::string duration(Clock::duration after) { return pad(duration_text(after), 6, Side::right); }
};

/// Where the columns begin is in `heading` and `line`.
std::string heading(std::size_t crowd) {
    return "Is an ordinary client, which only wants its line back, served while ...\n\n" +
           std::string("                      ... another   ... another   ... three     ... ") + number_text(crowd) +
           " clients are connected:\n"
           "                      one is        one never     requests are  how many of them         is one more\n"
           "                      idle?         reads? [1]    slow? [2]     are served? [3]          served?\n";
}

std::string line(const Row& row, const Painter& painter) {
    const std::string name = pad(row.server, 22);
    if (!row.scene) return name + painter.paint("did not start", Verdict::not_served);
    const Scene& scene = *row.scene;
    return name + painter.cell(scene.beside_silent, 14) + painter.cell(scene.beside_never_reading, 14) +
           painter.cell(scene.behind_slow, 14) + painter.cell(scene.crowd, 25) + painter.cell(scene.crowd.one_more, 0);
}

std::string footnotes(const std::vector<Row>& rows) {
    std::size_t least = SIZE_MAX;
    std::size_t most = 0;
    for (const Row& row : rows) {
        if (!row.scene) continue;
        least = std::min(least, row.scene->never_reading_sent);
        most = std::max(most, row.scene->never_reading_sent);
    }
    std::ostringstream out;
    out << std::fixed << std::setprecision(1);
    out << "NO: the server was idle, so no answer would ever have come. (In the crowd: none came within "
        << duration_text(crowd_patience) << ".)\n";
    if (most > 0) {
        out << "[1] It had sent " << static_cast<double>(least) / 1e6 << " to " << static_cast<double>(most) / 1e6
            << " MB when the server took no more.\n";
    }
    out << "[2] Each request takes the server " << duration_text(think_time)
        << ", and the ordinary client's does too, so no answer can arrive sooner.\n"
        << "    LATE: the three others came first, which makes four times " << duration_text(think_time) << ".\n"
        << "[3] The time runs from the first connection to the last answer. All of them stay connected.\n";
    return out.str();
}

} // namespace

std::string duration_text(Clock::duration duration) {
    const double count = std::chrono::duration<double, std::milli>(duration).count();
    std::ostringstream out;
    out << std::fixed;
    if (count < 9.95) {
        out << std::setprecision(1) << count << " ms";
    } else if (count < 999.5) {
        out << std::setprecision(0) << count << " ms";
    } else {
        out << std::setprecision(1) << count / 1000 << " s";
    }
    return out.str();
}

std::string number_text(std::size_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, ",");
    return digits;
}

std::string table(const std::vector<Row>& rows, std::size_t crowd, bool colour) {
    const Painter painter{colour};
    const std::string rule(100, '-');
    std::ostringstream out;
    out << heading(crowd) << rule << '\n';
    for (const Row& row : rows) {
        out << line(row, painter) << '\n';
        if (row.scene && !row.reason.empty()) out << "    " << row.reason << '\n';
        for (const std::string& remark : row.remarks) out << "    " << remark << '\n';
        out << (&row == &rows.back() ? rule : "") << '\n';
    }
    return out.str() + footnotes(rows);
}
