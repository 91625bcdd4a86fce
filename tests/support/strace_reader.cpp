#include "tests/support/strace_reader.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <string_view>

namespace {

// What these take is gone from the front of the text.

bool take(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word)) return false;
    text.remove_prefix(word.size());
    return true;
}

constexpr std::string_view spaces = " ";
constexpr std::string_view digits = "0123456789.";
constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/// The longest beginning that has only these characters.
std::string take_all(std::string_view& text, std::string_view characters) {
    const std::string taken(text.substr(0, text.find_first_not_of(characters)));
    text.remove_prefix(taken.size());
    return taken;
}

std::string trimmed(std::string_view text) {
    take_all(text, spaces);
    return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
}

/// Splits what is between a call's parentheses, the first of which has been taken. Nothing when they don't close.
std::optional<std::vector<std::string>> take_arguments(std::string_view& text) {
    const auto is_in = [](std::string_view some, char c) { return some.find(c) != std::string_view::npos; };
    std::vector<std::string> arguments;
    std::size_t depth = 0;
    std::size_t start = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted && c == '\\') ++i;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (is_in("([{", c)) {
            ++depth;
        } else if (depth == 0 && is_in(",)]}", c)) {
            const std::string one = trimmed(text.substr(start, i - start));
            if (!one.empty() || !arguments.empty()) arguments.push_back(one);
            start = i + 1;
            if (c == ',') continue;
            text.remove_prefix(start);
            return c == ')' ? std::optional(arguments) : std::nullopt;
        } else if (is_in(")]}", c)) {
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
    void read(const std::string& line) {
        ++number_;
        line_ = line;
        if (line.empty() || line.starts_with("strace: ")) return; // "strace: Process 24305 attached"
        if (line.starts_with(" > ") && finished_ < events_.size()) return events_[finished_].stack.push_back(line);
        std::string_view text = line_;
        take_thread_and_time(text);
        if (text.starts_with('?') || text.starts_with("<... ?")) return; // "???": the thread ended before strace looked
        if (take(text, "<... ")) return read_resumed(text);
        for (const std::string_view cut : {" <unfinished ...>", " <detached ...>"}) {
            if (text.ends_with(cut)) return begin_call(text.substr(0, text.size() - cut.size()));
        }
        finished_ = events_.size();
        if (take(text, "--- ")) return read_signal(text);
        if (take(text, "+++ ")) return read_exit(text);
        read_call(text, add(TraceEvent::Kind::call, ""));
    }

    std::vector<TraceEvent> finish() {
        for (const auto& [thread, begun] : begun_) events_[begun.place].end = latest_;
        return std::move(events_);
    }

  private:
    [[noreturn]] void refuse(const std::string& why) const {
        throw UnreadableTrace("line " + std::to_string(number_) + " of strace's record cannot be read (" + why +
                              "): " + line_);
    }

    TraceEvent& add(TraceEvent::Kind kind, const std::string& name, const std::string& result = "") {
        return events_.emplace_back(TraceEvent{kind, thread_, time_, time_, name, {}, result, -1, ""});
    }

    /// "24304 1700000000.123456 ", or without the first, as strace traces one thread; or without the second.
    void take_thread_and_time(std::string_view& text) {
        std::string first = take_all(text, digits);
        const bool is_thread = first.find('.') == std::string::npos;
        thread_ = is_thread ? static_cast<pid_t>(std::atol(first.c_str())) : 0;
        take_all(text, spaces);
        if (is_thread) first = take_all(text, digits);
        time_ = std::strtod(first.c_str(), nullptr);
        take_all(text, spaces);
        latest_ = std::max(latest_, time_);
    }

    /// "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1} ---", "stopped by SIGSTOP ---"
    void read_signal(std::string_view text) {
        if (!text.ends_with(" ---")) refuse("a signal's line ends with ---");
        text.remove_suffix(4);
        take(text, "stopped by ");
        const std::string name = take_all(text, letters);
        if (!name.starts_with("SIG")) refuse("no signal in it");
        add(TraceEvent::Kind::signal, name, trimmed(text));
    }

    /// "exited with 0 +++", "killed by SIGSEGV (core dumped) +++"
    void read_exit(std::string_view text) {
        if (!text.ends_with(" +++")) refuse("an exit's line ends with +++");
        text.remove_suffix(4);
        if (const auto begun = begun_.extract(thread_)) events_[begun.mapped().place].end = time_; // it never returned
        add(TraceEvent::Kind::exit, std::string(text));
    }

    /// "read(4, ": the event keeps its place, because the call began there.
    void begin_call(std::string_view text) {
        if (begun_.contains(thread_)) refuse("this thread is in another call");
        const std::string begun(text);
        const std::string name = take_all(text, letters);
        if (name.empty() || !take(text, "(")) refuse("no call in it");
        // What is known of its arguments by now, for the case that it never returns.
        const std::string known = std::string(text) + ")";
        std::string_view rest = known;
        begun_[thread_] = {begun, events_.size()};
        add(TraceEvent::Kind::call, name, "?").arguments = take_arguments(rest).value_or(std::vector<std::string>());
    }

    /// "read resumed>"hello\n", 65536) = 6": the second half of a call. Older ones have a space behind the >.
    void read_resumed(std::string_view text) {
        const std::string name = take_all(text, letters);
        if (!take(text, " resumed>")) refuse("no call that is resumed");
        const auto begun = begun_.extract(thread_);
        if (!begun) refuse("this thread has begun no call");
        finished_ = begun.mapped().place;
        TraceEvent& event = events_[finished_];
        if (event.name != name) refuse("this thread is in " + event.name);
        event.end = time_;
        const bool returns = text.find("<unfinished ...>") == std::string_view::npos; // or it ended in the middle of it
        if (returns) read_call(begun.mapped().text + std::string(text), event);
    }

    /// "read(4, "hello\n", 65536) = 6 <0.000012>"
    void read_call(std::string_view text, TraceEvent& event) const {
        event.name = take_all(text, letters);
        if (event.name.empty() || !take(text, "(")) refuse("no call in it");
        if (const std::size_t cut = text.find(" <unfinished ...>) = ?"); cut != std::string_view::npos) {
            text.remove_prefix(cut + 17); // killed in the middle of it
        }
        const auto arguments = take_arguments(text);
        if (!arguments) refuse("the parenthesis does not close");
        event.arguments = *arguments;

        take_all(text, spaces);
        if (!take(text, "= ")) refuse("no result");
        if (text.ends_with('>')) {
            const std::size_t open = text.rfind('<');
            if (open == std::string_view::npos) refuse("no < before the >");
            event.end = event.begin + std::strtod(std::string(text.substr(open + 1)).c_str(), nullptr);
            text = text.substr(0, open);
        }
        event.result = trimmed(text);
        if (event.result.empty()) refuse("no result");
        if (event.result[0] != '?') {
            char* end = nullptr;
            event.value = std::strtol(event.result.c_str(), &end, 0);
            if (end == event.result.c_str()) refuse("the result is no number");
        }
        if (take(text, "-1 ") || take(text, "? ")) event.error = take_all(text, letters);
    }

    std::size_t number_ = 0; // the line that is read, and what it begins with
    std::string line_;
    pid_t thread_ = 0;
    Seconds time_ = 0;
    Seconds latest_ = 0;
    std::vector<TraceEvent> events_;
    std::map<pid_t, Begun> begun_;
    std::size_t finished_ = 0; // the event of the latest line that ends one: its stack follows
};

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
