// Runs every command of the READMEs and compares: `pages check EXEMPT PAGE...`; `pages write EXEMPT PAGE...` also puts
// what was shown into the blocks that make docs makes. EXEMPT is a file: a page, a beginning of a command, and the
// reason why it is not run, with | between them. `pages exempt EXEMPT REASON` runs the commands that are not run
// because of REASON, or of a reason that contains it, and no others.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <thread>

#include "tests/support/failed.h"
#include "tests/support/straced.h"
#include "tests/support/tally.h"
#include "tests/tools/trace/page.h"
#include "tests/tools/trace/shell.h"

namespace fs = std::filesystem;

namespace {

constexpr milliseconds longest_command{100000};
/// How long what is still missing may come late, on a busy machine; and on a page that has failed already.
constexpr milliseconds late{15000};
constexpr milliseconds late_in_vain{3000};

struct Exempt {
    std::string page;
    std::string command;
    std::string reason;
};

/// What is in the file EXEMPT, and which commands are run: all others, or those with this reason.
struct Choice {
    std::vector<Exempt> exempt;
    std::string reason;

    [[nodiscard]] bool runs(const Command& command, const Page& page) const {
        const auto names_it = [&](const Exempt& one) {
            return one.page == page.name && command.text.starts_with(one.command) &&
                   one.reason.find(reason) != std::string::npos;
        };
        return std::any_of(exempt.begin(), exempt.end(), names_it) != reason.empty();
    }
};

/// A command that showed something else than the page says.
struct Difference {
    const Command* command;
    bool made;
    std::vector<std::string> got;
};

std::vector<Exempt> read_exempt(const std::string& file) {
    std::ifstream lines(file);
    if (!lines) throw std::runtime_error(file + ": cannot be read");
    std::vector<Exempt> all;
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        const std::size_t first = line.find(" | ");
        const std::size_t second = line.find(" | ", first + 3);
        if (second == std::string::npos) throw std::runtime_error(file + ": a line without a reason: " + line);
        all.push_back({line.substr(0, first), line.substr(first + 3, second - first - 3), line.substr(second + 3)});
    }
    return all;
}

/// "README.md:12: $ ls"
std::string text_of(const Command& command, const Page& page) {
    return page.name + ":" + std::to_string(command.line + 1) + ": $ " + command.text;
}

/// Plays one page from top to bottom, in one shell; what the page calls the first terminal is another.
class Player {
  public:
    Player(const Page& page, const Choice& choice) : page_(page), choice_(choice), shell_(place_) {}

    std::vector<Difference> play();
    [[nodiscard]] std::size_t commands() const { return commands_; }

  private:
    void run(const Command& command, const Block& block);
    void start_terminal(const Command& command, const Block& block);
    void note(const Command& command, const Block& block, std::vector<std::string> got);

    const Page& page_;
    const Choice& choice_;
    Place place_;
    Shell shell_;
    std::vector<std::unique_ptr<Shell>> terminals_;
    std::vector<Difference> differences_;
    std::size_t commands_ = 0;
};

void Player::note(const Command& command, const Block& block, std::vector<std::string> got) {
    if (!same(command.expected, got, block.varies)) differences_.push_back({&command, block.made, std::move(got)});
}

void Player::run(const Command& command, const Block& block) {
    shell_.tell(command.text);
    std::vector<std::string> got;
    const auto until = std::chrono::steady_clock::now() + longest_command;
    bool done = false;
    while (!done && std::chrono::steady_clock::now() < until) {
        done = shell_.done(milliseconds(20));
        shell_.read(got, milliseconds(0), [] { return true; });
    }
    if (!done) throw std::runtime_error(text_of(command, page_) + " goes on and on");
    // What a command left in the background may be late.
    const milliseconds limit = differences_.empty() ? late : late_in_vain;
    shell_.read(got, limit, [&] { return same(command.expected, got, block.varies); });
    note(command, block, std::move(got));
}

/// A server that stays: the shell is not waited for.
void Player::start_terminal(const Command& command, const Block& block) {
    terminals_.push_back(std::make_unique<Shell>(place_));
    terminals_.back()->tell(command.text);
    std::vector<std::string> got;
    terminals_.back()->read(got, longest_command, [&] { return same(command.expected, got, block.varies); });
    note(command, block, std::move(got));
}

std::vector<Difference> Player::play() {
    for (const Block& block : page_.blocks) {
        for (const Command& command : block.commands) {
            if (!choice_.runs(command, page_)) continue;
            ++commands_;
            if (command.text.starts_with("make run ")) {
                start_terminal(command, block);
            } else {
                run(command, block);
            }
        }
    }
    return std::move(differences_);
}

/// What became of a page.
struct Result {
    Page page;
    std::vector<Difference> differences; // point into `page`
    std::size_t commands = 0;
    std::chrono::duration<double> took{};
    std::string trouble;
    int played = 0;

    [[nodiscard]] bool good() const { return trouble.empty() && differences.empty(); }
};

/// Whether a page has commands that need strace.
bool needs_strace(const Page& page, const Choice& choice) {
    static const std::regex by_strace(R"(\bstrace\b|\bmake (trace|timeline|claims|faults|docs)\b)");
    for (const Block& block : page.blocks) {
        for (const Command& command : block.commands) {
            if (choice.runs(command, page) && std::regex_search(command.text, by_strace)) return true;
        }
    }
    return false;
}

/// Only this time counts.
void play_page(Result& result, const Choice& choice) {
    const auto start = std::chrono::steady_clock::now();
    result.trouble.clear();
    result.differences.clear();
    ++result.played;
    try {
        Player player(result.page, choice);
        result.differences = player.play();
        result.commands = player.commands();
        if (!choice.reason.empty() && result.commands == 0) result.trouble = "EXEMPT names commands that are not there";
    } catch (const std::exception& error) {
        result.trouble = error.what();
    }
    result.took = std::chrono::steady_clock::now() - start;
}

std::string below(const std::string& label, const std::vector<std::string>& lines) {
    std::string all = "    " + label + "\n";
    for (const std::string& line : lines) all += "        " + line + "\n";
    return all;
}

void report(const Result& result, Tally& tally) {
    std::string why = result.trouble.empty() ? "" : "    " + result.trouble + "\n";
    for (const Difference& one : result.differences) {
        why += "  " + text_of(*one.command, result.page) + "\n" + below("the page says:", one.command->expected) +
               below("it showed:", one.got);
    }
    tally.add(result.good() ? Tally::ok : Tally::failed, result.took,
              text(result.page.name, ": what its ", result.commands, " commands show is what it says"),
              result.played > 1 ? text("played ", result.played, " times") : "", why);
}

/// The pages `number`, `number` + 1 ... share the players; most of the time the commands wait.
void play_all(std::vector<Result>& results, const Choice& choice) {
    constexpr std::size_t players = 3;
    std::mutex mutex;
    std::size_t next = 0;
    std::vector<std::thread> threads;
    const auto take = [&]() -> Result* {
        const std::lock_guard lock(mutex);
        return next < results.size() ? &results[next++] : nullptr;
    };
    for (std::size_t i = 0; i < players; ++i) {
        threads.emplace_back([&] {
            while (Result* result = take()) play_page(*result, choice);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

/// Puts what was shown into the blocks that make docs makes, from the bottom up, so that line numbers stay right.
void rewrite(Result& result) {
    auto& lines = result.page.lines;
    bool changed = false;
    for (auto it = result.differences.rbegin(); it != result.differences.rend(); ++it) {
        if (!it->made) continue;
        const auto first = lines.begin() + static_cast<std::ptrdiff_t>(it->command->line) + 1;
        const auto last = first + static_cast<std::ptrdiff_t>(it->command->expected.size());
        lines.insert(lines.erase(first, last), it->got.begin(), it->got.end());
        changed = true;
    }
    if (!changed) return;
    std::ofstream file(result.page.name);
    for (const std::string& line : lines) file << line << '\n';
    std::cout << "written  " << result.page.name << '\n';
}

int run(bool write, const Choice& choice, const std::vector<std::string>& names) {
    std::vector<Result> results;
    Tally tally;
    for (const std::string& name : names) {
        if (!asked_for(name + ": ")) continue;
        std::ifstream lines(name);
        if (!lines) throw std::runtime_error(name + ": cannot be read");
        Page page = read_page(name, lines);
        if (needs_strace(page, choice) && !why_no_strace().empty()) {
            tally.add(Tally::skipped, {}, name + ": what its commands show", "skipped: " + why_no_strace());
        } else {
            results.push_back({std::move(page), {}, 0, {}, "", 0});
        }
    }
    play_all(results, choice);
    const int tries = write ? 2 : 3; // what is to be written differs each time
    for (Result& result : results) {
        // A busy machine can make a command late for the next one; so again, alone.
        while (!result.good() && result.played < tries) play_page(result, choice);
        if (write) rewrite(result);
        std::erase_if(result.differences, [&](const Difference& one) { return write && one.made; });
        report(result, tally);
    }
    return tally.finish();
}

} // namespace

int main(int argc, char* argv[]) {
    std::vector<std::string> words(argv + 1, argv + argc);
    try {
        if (words.size() == 3 && words[0] == "exempt") {
            const Choice choice{read_exempt(words[1]), words[2]};
            std::set<std::string> names;
            for (const Exempt& one : choice.exempt) {
                if (one.reason.find(choice.reason) != std::string::npos) names.insert(one.page);
            }
            return run(false, choice, {names.begin(), names.end()});
        }
        if (words.size() >= 3 && (words[0] == "check" || words[0] == "write")) {
            return run(words[0] == "write", {read_exempt(words[1]), ""}, {words.begin() + 2, words.end()});
        }
        std::cerr << "usage: pages check|write EXEMPT PAGE..., or pages exempt EXEMPT REASON\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
