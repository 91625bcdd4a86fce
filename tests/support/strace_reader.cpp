#include "tests/support/strace_reader.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>

namespace {

/// Takes from the front of a line what it expects there.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    [[nodiscard]] std::string_view rest() const { return rest_; }

    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    void take_spaces() {
        while (take(" ")) {
        }
    }

    /// The longest beginning of which every character is wanted.
    template <typename Wanted>
    std::string_view take_while(Wanted wanted) {
        const auto end = std::find_if_not(rest_.begin(), rest_.end(), wanted);
        const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
        rest_.remove_prefix(taken.size());
        return taken;
    }

  private:
    std::string_view rest_;
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_time(char c) {
    return is_digit(c) || c == '.';
}

bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Where the string that begins at `at` ends: behind its closing quote. npos when it does not.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == '"') {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

/// Splits what stands between a call's parentheses; `rest` becomes what is behind them. Nothing when they don't close.
std::optional<std::vector<std::string>> split_arguments(std::string_view& rest) {
    std::vector<std::string> arguments;
    std::size_t depth = 0;
    std::size_t start = 0;
    const auto finish = [&](std::size_t end) {
        std::string_view one = rest.substr(start, end - start);
        while (one.starts_with(' ')) one.remove_prefix(1);
        while (one.ends_with(' ')) one.remove_suffix(1);
        if (!one.empty() || !arguments.empty()) arguments.emplace_back(one);
        start = end + 1;
    };
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const char c = rest[i];
        if (c == '"') {
            i = end_of_string(rest, i);
            if (i == std::string_view::npos) return std::nullopt;
            --i;
        } else if (c == '(' || c == '[' || c == '{') {
            ++depth;
        } else if (depth == 0 && c == ',') {
            finish(i);
        } else if (depth == 0 && c == ')') {
            finish(i);
            rest.remove_prefix(i + 1);
            return arguments;
        } else if (c == ')' || c == ']' || c == '}') {
            if (depth == 0) return std::nullopt;
            --depth;
        }
    }
    return std::nullopt;
}

/// The beginning of a call that others interrupted.
struct Begun {
    std::string text;
    std::size_t place; ///< among the events
};

class Reader {
  public:
    void read(const std::string& line);
    std::vector<TraceEvent> finish();

  private:
    struct Moment {
        pid_t thread;
        Seconds time;
    };

    static Moment read_moment(Scanner& scanner);
    void read_signal(const Moment& moment, std::string_view text);
    void read_exit(const Moment& moment, std::string_view text);
    void read_resumed(const Moment& moment, Scanner scanner);
    void begin_call(const Moment& moment, std::string_view text, const std::string& unfinished);
    void read_call(std::string_view text, TraceEvent& event);
    [[noreturn]] void refuse(const std::string& why) const;

    std::size_t number_ = 0;
    std::string line_;
    Seconds latest_ = 0;
    std::vector<TraceEvent> events_;
    std::map<pid_t, Begun> begun_;
    std::size_t finished_ = 0; // the event of the latest line that ends one: its stack follows
};

void Reader::refuse(const std::string& why) const {
    throw UnreadableTrace("line " + std::to_string(number_) + " of strace's record cannot be read (" + why +
                          "): " + line_);
}

/// "24304 1700000000.123456 ", or without the first, as strace traces one thread; or without the second.
Reader::Moment Reader::read_moment(Scanner& scanner) {
    Moment moment{0, 0};
    std::string first(scanner.take_while(is_time));
    if (first.find('.') == std::string::npos) {
        moment.thread = static_cast<pid_t>(std::atol(first.c_str()));
        scanner.take_spaces();
        first = scanner.take_while(is_time);
    }
    if (!first.empty()) moment.time = std::strtod(first.c_str(), nullptr);
    scanner.take_spaces();
    return moment;
}

void Reader::read(const std::string& line) {
    ++number_;
    line_ = line;
    if (line.empty() || line.starts_with("strace: ")) return; // "strace: Process 24305 attached"
    if (line.starts_with(" > ") && finished_ < events_.size()) return events_[finished_].stack.push_back(line);
    Scanner scanner(line);
    const Moment moment = read_moment(scanner);
    latest_ = std::max(latest_, moment.time);
    if (scanner.take("--- ")) return read_signal(moment, scanner.rest());
    if (scanner.take("+++ ")) return read_exit(moment, scanner.rest());
    if (scanner.take("<... ")) return read_resumed(moment, scanner);
    for (const char* cut : {" <unfinished ...>", " <detached ...>"}) {
        if (scanner.rest().ends_with(cut)) return begin_call(moment, scanner.rest(), cut);
    }
    finished_ = events_.size();
    events_.push_back({TraceEvent::Kind::call, moment.thread, moment.time, moment.time, "", {}, "", -1, ""});
    read_call(scanner.rest(), events_.back());
}

/// "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1} ---", "stopped by SIGSTOP ---"
void Reader::read_signal(const Moment& moment, std::string_view text) {
    if (!text.ends_with(" ---")) refuse("a signal's line ends with ---");
    text.remove_suffix(4);
    Scanner scanner(text);
    scanner.take("stopped by ");
    const std::string name(scanner.take_while(is_name));
    if (!name.starts_with("SIG")) refuse("no signal in it");
    scanner.take_spaces();
    const std::string about(scanner.rest());
    finished_ = events_.size();
    events_.push_back({TraceEvent::Kind::signal, moment.thread, moment.time, moment.time, name, {}, about, -1, ""});
}

/// "exited with 0 +++", "killed by SIGSEGV (core dumped) +++"
void Reader::read_exit(const Moment& moment, std::string_view text) {
    if (!text.ends_with(" +++")) refuse("an exit's line ends with +++");
    text.remove_suffix(4);
    if (const auto begun = begun_.find(moment.thread); begun != begun_.end()) { // what it was in never returned
        events_[begun->second.place].end = moment.time;
        begun_.erase(begun);
    }
    finished_ = events_.size();
    events_.push_back(
        {TraceEvent::Kind::exit, moment.thread, moment.time, moment.time, std::string(text), {}, "", -1, ""});
}

/// "read(4,  <unfinished ...>": the event keeps its place, for there the call began.
void Reader::begin_call(const Moment& moment, std::string_view text, const std::string& unfinished) {
    if (begun_.contains(moment.thread)) refuse("this thread is in another call");
    text.remove_suffix(unfinished.size());
    Scanner scanner(text);
    const std::string name(scanner.take_while(is_name));
    if (name.empty() || !scanner.take("(")) refuse("no call in it");
    TraceEvent event{TraceEvent::Kind::call, moment.thread, moment.time, moment.time, name, {}, "?", -1, ""};
    // What is known of its arguments by now, for the case that it never returns.
    std::string known = std::string(scanner.rest()) + ")";
    std::string_view rest = known;
    if (auto arguments = split_arguments(rest)) event.arguments = std::move(*arguments);
    begun_[moment.thread] = {std::string(text), events_.size()};
    events_.push_back(std::move(event));
}

/// "read resumed>"hello\n", 65536) = 6": the second half of a call. Older ones have a space behind the >.
void Reader::read_resumed(const Moment& moment, Scanner scanner) {
    const std::string name(scanner.take_while(is_name));
    if (!scanner.take(" resumed>")) refuse("no call that is resumed");
    const auto begun = begun_.find(moment.thread);
    if (begun == begun_.end()) refuse("this thread has begun no call");
    finished_ = begun->second.place;
    TraceEvent& event = events_[finished_];
    if (event.name != name) refuse("this thread is in " + event.name);
    if (scanner.rest().find("<unfinished ...>") != std::string_view::npos) { // ended in the middle of it
        event.end = moment.time;
        begun_.erase(begun);
        return;
    }
    const std::string whole = begun->second.text + std::string(scanner.rest());
    begun_.erase(begun);
    event.end = moment.time;
    read_call(whole, event);
}

/// "read(4, "hello\n", 65536) = 6 <0.000012>"
void Reader::read_call(std::string_view text, TraceEvent& event) {
    Scanner scanner(text);
    event.name = scanner.take_while(is_name);
    if (event.name.empty() || !scanner.take("(")) refuse("no call in it");
    std::string_view rest = scanner.rest();
    if (const std::size_t cut = rest.find(" <unfinished ...>) = ?"); cut != std::string_view::npos) {
        rest = rest.substr(cut + 17); // killed in the middle of it
    }
    auto arguments = split_arguments(rest);
    if (!arguments) refuse("the parenthesis does not close");
    event.arguments = std::move(*arguments);

    Scanner behind(rest);
    behind.take_spaces();
    if (!behind.take("= ")) refuse("no result");
    std::string_view result = behind.rest();
    if (result.ends_with('>')) {
        const std::size_t open = result.rfind('<');
        if (open == std::string_view::npos) refuse("no < before the >");
        const Seconds took = std::strtod(std::string(result.substr(open + 1)).c_str(), nullptr);
        event.end = event.begin + took;
        result = result.substr(0, open);
    }
    while (result.ends_with(' ')) result.remove_suffix(1);
    if (result.empty()) refuse("no result");
    event.result = result;
    if (result[0] != '?') {
        char* end = nullptr;
        event.value = std::strtol(event.result.c_str(), &end, 0);
        if (end == event.result.c_str()) refuse("the result is no number");
    }
    if (result.starts_with("-1 ") || result.starts_with("? ")) {
        Scanner error(result.substr(result.find(' ') + 1));
        event.error = error.take_while(is_name);
    }
}

std::vector<TraceEvent> Reader::finish() {
    for (const auto& [thread, begun] : begun_) events_[begun.place].end = latest_;
    return std::move(events_);
}

} // namespace

bool TraceEvent::is_one_of(std::initializer_list<const char*> calls) const {
    return std::any_of(calls.begin(), calls.end(), [&](const char* call) { return is(call); });
}

long TraceEvent::number(std::size_t which) const {
    if (which >= arguments.size()) return -1;
    char* behind = nullptr;
    const long found = std::strtol(arguments[which].c_str(), &behind, 0);
    return behind == arguments[which].c_str() ? -1 : found;
}

std::string TraceEvent::all_arguments() const {
    std::string all;
    for (const std::string& one : arguments) all += (all.empty() ? "" : ", ") + one;
    return all;
}

std::string TraceEvent::text() const {
    if (kind == Kind::signal) return "--- " + name + " ---";
    if (kind == Kind::exit) return "+++ " + name + " +++";
    return name + "(" + all_arguments() + ") = " + result;
}

std::vector<TraceEvent> read_strace(const std::string& record) {
    Reader reader;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = record.find('\n', begin)) != std::string::npos; begin = end + 1) {
        reader.read(record.substr(begin, end - begin));
    }
    return reader.finish();
}

CallCount counted_calls(const std::string& table, const std::string& call) {
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);) {
        // % time, seconds, microseconds a call, calls, errors (or nothing), name
        std::istringstream fields(line);
        const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
        if (words.size() < 5 || words.back() != call) continue;
        return {std::stol(words[3]), words.size() == 6 ? std::stol(words[4]) : 0};
    }
    return {};
}
