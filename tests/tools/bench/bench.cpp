// make bench: the six servers and their peers, side by side, in interleaved rounds.
// Usage: bench ROUNDS SECONDS FOLDER   (seconds a measurement; the CSV files go into the folder)

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>

#include "common/descriptor_limit.h"
#include "tests/tools/bench/machine.h"
#include "tests/tools/bench/subject.h"

namespace {

struct Workload {
    std::string name;
    LoadOptions load;
};

std::vector<Workload> workloads() {
    return {
        {"ping-pong of 64 bytes, 1 client", {.connections = 1, .message = 64, .in_flight = 1}},
        {"ping-pong of 64 bytes, 100 clients", {.connections = 100, .message = 64, .in_flight = 1}},
        {"ping-pong of 64 bytes, 1,000 clients", {.connections = 1000, .message = 64, .in_flight = 1}},
        {"streaming, 16 clients, 8 messages of 4 KiB on their way",
         {.connections = 16, .message = 4096, .in_flight = 8}},
        {"streaming, 16 clients, 4 messages of 64 KiB on their way",
         {.connections = 16, .message = 65536, .in_flight = 4}},
    };
}

/// One server's figures in one workload, a value a round; -1 where the round has failed.
struct Series {
    std::vector<double> per_second;
    std::vector<double> cpu;
    std::map<double, std::vector<double>> latency; // microseconds, by percent
};

/// What does not depend on the rounds.
struct Costs {
    std::optional<double> system_calls;
    std::optional<double> instructions;
    std::optional<ConnectionMemory> memory;
};

constexpr double percents[] = {50, 90, 99, 99.9, 100};

class Bench {
  public:
    Bench(std::size_t rounds, double seconds, std::string folder)
        : rounds_(rounds), seconds_(seconds), folder_(std::move(folder)), subjects_(subjects(skipped_)) {}

    void run_rounds();
    void count_costs();
    void print() const;
    [[nodiscard]] bool failed() const { return !failures_.empty(); }

  private:
    std::size_t rounds_;
    double seconds_;
    std::string folder_;
    std::vector<std::string> skipped_;
    std::vector<Subject> subjects_;
    std::vector<Workload> workloads_ = workloads();
    std::map<std::string, std::map<std::string, Series>> series_; // by workload, by server
    std::map<std::string, Costs> costs_;                          // by server
    std::vector<std::string> failures_;
    Clock::time_point begin_ = Clock::now();

    void progress(const std::string& what) const;
    bool attempt(const Subject& subject, const std::string& what, const std::function<void()>& task);
    void count_costs_of(const Subject& subject, std::ostream& csv);
    [[nodiscard]] const Subject* best_peer(const std::map<std::string, Series>& all,
                                           const std::function<double(const Series&)>& value) const;
    void print_workload(const Workload& workload, const std::map<std::string, Series>& all) const;
    void print_costs() const;
};

/// One line that is written over by the next; a line each where nobody watches.
void Bench::progress(const std::string& what) const {
    const bool watched = isatty(STDERR_FILENO) == 1;
    std::ostringstream line;
    line << std::fixed << std::setprecision(0) << std::chrono::duration<double>(Clock::now() - begin_).count() << " s  "
         << what;
    if (watched) {
        std::cerr << '\r' << std::left << std::setw(100) << line.str() << std::flush;
    } else if (what.empty() || what.ends_with("...")) {
        std::cerr << line.str() << std::endl;
    }
}

/// Does the task; a server that fails it is named at the end, and the run with it.
bool Bench::attempt(const Subject& subject, const std::string& what, const std::function<void()>& task) {
    try {
        task();
        return true;
    } catch (const std::runtime_error& error) {
        if (!interrupted) failures_.push_back(text(subject.name, ", ", what, ": ", error.what()));
    }
    return false;
}

void Bench::run_rounds() {
    std::ofstream csv(folder_ + "/rounds.csv");
    csv << "workload,server,round,messages_per_second,cpu_us_per_message,p50_us,p90_us,p99_us,p99.9_us,max_us\n";
    for (std::size_t round = 0; round < rounds_; ++round) {
        progress(text("round ", round + 1, " of ", rounds_, " ..."));
        std::vector<Subject> in_turn = subjects_;
        if (round % 2 == 1) std::reverse(in_turn.begin(), in_turn.end()); // what ran just before leaves its traces
        for (const Workload& workload : workloads_) {
            for (const Subject& subject : in_turn) {
                if (interrupted) return;
                if (workload.load.connections > subject.most_clients) continue;
                progress(text("round ", round + 1, " of ", rounds_, ": ", workload.name, ": ", subject.name));
                Sample sample;
                if (!attempt(subject, workload.name, [&] { sample = measure(subject, workload.load, seconds_); })) {
                    continue;
                }
                if (interrupted) return;
                Series& series = series_[workload.name][subject.name];
                series.per_second.push_back(sample.load.per_second());
                series.cpu.push_back(sample.cpu);
                csv << '"' << workload.name << "\",\"" << subject.name << "\"," << round + 1 << ','
                    << sample.load.per_second() << ',' << sample.cpu;
                for (const double percent : percents) {
                    const double us = static_cast<double>(sample.load.latency.percentile(percent)) / 1000;
                    series.latency[percent].push_back(us);
                    csv << ',' << us;
                }
                csv << std::endl;
            }
        }
    }
}

void Bench::count_costs_of(const Subject& subject, std::ostream& csv) {
    const LoadOptions load{.connections = std::min<std::size_t>(100, subject.most_clients)};
    Costs& costs = costs_[subject.name];
    const auto count = [&](const std::string& what, const std::function<double()>& task, std::optional<double>& value) {
        if (interrupted) return;
        progress(text("counting ", what, ": ", subject.name));
        if (attempt(subject, what, [&] { value = task(); })) {
            csv << '"' << subject.name << "\"," << what << ',' << *value << std::endl;
        }
    };
    count(
        "system_calls_per_message", [&] { return system_calls_per_message(subject, load, 3000); }, costs.system_calls);
    if (subject.ends_in_valgrind) {
        count(
            "instructions_per_message", [&] { return instructions_per_message(subject, load, 1000); },
            costs.instructions);
    }
    if (interrupted || subject.most_clients == 1) return;

    const bool one_each = subject.name == "02 fork" || subject.name == "thread per client";
    const std::size_t many = std::min<std::size_t>(one_each ? 600 : 8000, subject.most_clients - 10);
    progress(text("memory of ", many, " idle connections: ", subject.name));
    attempt(subject, "memory", [&] { costs.memory = memory_per_connection(subject, many / 8, many); });
    if (!costs.memory) return;
    csv << '"' << subject.name << "\",user_bytes_per_idle_connection," << costs.memory->user << '\n'
        << '"' << subject.name << "\",kernel_bytes_per_idle_connection," << costs.memory->kernel << std::endl;
}

void Bench::count_costs() {
    std::ofstream csv(folder_ + "/costs.csv");
    csv << "server,figure,value\n";
    progress("counting system calls, instructions and memory ...");
    for (const Subject& subject : subjects_) {
        if (interrupted) return;
        count_costs_of(subject, csv);
    }
}

// --- the tables ---------------------------------------------------------------------------------------------------

/// With so many digits as say something, and spaces in front up to `width`.
std::string number(double value, int width) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(value < 10 ? 2 : value < 100 ? 1 : 0) << std::setw(width) << value;
    return out.str();
}

std::string with_spread(const std::vector<double>& values, int width) {
    const Summary summary = summarize(values);
    std::ostringstream out;
    out << number(summary.median, width) << " +-" << std::fixed << std::setprecision(0) << std::setw(2)
        << summary.spread() * 100 << '%';
    return out.str();
}

/// Of each round the ratio, and of those the median: what slows both down in a round falls out.
Summary ratios(const std::vector<double>& mine, const std::vector<double>& others) {
    std::vector<double> all;
    for (std::size_t i = 0; i < std::min(mine.size(), others.size()); ++i) {
        if (mine[i] > 0 && others[i] > 0) all.push_back(mine[i] / others[i]); // 0: no message was back in time
    }
    return summarize(all);
}

std::string ratio(const std::vector<double>& mine, const std::vector<double>& others) {
    return number(ratios(mine, others).median, 6);
}

/// The peer with the highest median of `value`.
const Subject* Bench::best_peer(const std::map<std::string, Series>& all,
                                const std::function<double(const Series&)>& value) const {
    const Subject* best = nullptr;
    for (const Subject& subject : subjects_) {
        if (subject.ours || subject.yardstick || !all.contains(subject.name)) continue;
        if (best == nullptr || value(all.at(subject.name)) > value(all.at(best->name))) best = &subject;
    }
    return best;
}

/// What those say who are closest to each other in what they do, and in brackets where half of the rounds lie.
void print_pair(const std::map<std::string, Series>& all, const char* one, const char* other) {
    if (!all.contains(one) || !all.contains(other)) return;
    const auto with_range = [](const Summary& of) {
        return text(number(of.median, 1), " (", number(of.low, 1), " to ", number(of.high, 1), ")");
    };
    std::cout << one << " to " << other << ": messages "
              << with_range(ratios(all.at(one).per_second, all.at(other).per_second)) << ", CPU "
              << with_range(ratios(all.at(one).cpu, all.at(other).cpu)) << '\n';
}

void Bench::print_workload(const Workload& workload, const std::map<std::string, Series>& all) const {
    const Subject* fastest = best_peer(all, [](const Series& one) { return summarize(one.per_second).median; });
    const Subject* cheapest = best_peer(all, [](const Series& one) { return -summarize(one.cpu).median; });
    std::cout << '\n'
              << workload.name << '\n'
              << "                        messages/s     to best   CPU us      to best      latency in microseconds\n"
              << "                                       peer     per message  peer        p50     p90     p99   p99.9 "
                 "    max\n";
    for (const Subject& subject : subjects_) {
        if (!all.contains(subject.name)) continue;
        const Series& series = all.at(subject.name);
        std::cout << std::left << std::setw(22) << subject.name << std::right << with_spread(series.per_second, 8)
                  << (fastest ? ratio(series.per_second, all.at(fastest->name).per_second) : "     -") << "  "
                  << with_spread(series.cpu, 7)
                  << (cheapest ? ratio(series.cpu, all.at(cheapest->name).cpu) : "     -");
        for (const double percent : percents) std::cout << number(summarize(series.latency.at(percent)).median, 8);
        std::cout << '\n';
    }
    if (fastest) std::cout << "best peers: " << fastest->name << " (messages), " << cheapest->name << " (CPU)\n";
    print_pair(all, "05 epoll", "bare epoll loop");
    print_pair(all, "06 threads", "Boost.Asio, 4 threads");
}

void Bench::print_costs() const {
    const auto cell = [](const std::optional<double>& value, int width) {
        return value ? number(*value, width) : std::string(static_cast<std::size_t>(width) - 1, ' ') + "-";
    };
    std::cout << "\ncounted with 100 clients, ping-pong of 64 bytes; memory: for one more idle connection\n"
              << "                        system calls   instructions   user bytes   kernel bytes\n"
              << "                         per message    per message\n";
    for (const Subject& subject : subjects_) {
        if (!costs_.contains(subject.name)) continue;
        const Costs& costs = costs_.at(subject.name);
        const auto& memory = costs.memory;
        std::cout << std::left << std::setw(22) << subject.name << std::right << cell(costs.system_calls, 14)
                  << cell(costs.instructions, 15) << cell(memory ? std::optional(memory->user) : std::nullopt, 13)
                  << cell(memory ? std::optional(memory->kernel) : std::nullopt, 15) << '\n';
    }
}

void Bench::print() const {
    std::cout << '\n'
              << machine() << "method    " << rounds_ << " rounds of all servers in turn, every second one backwards, "
              << seconds_ << " s each; loopback;\n"
              << "          one thread of clients, each waits for its answer;\n"
              << "          medians, +- half the way between the quartiles; ratios: the median of the rounds' ratios;\n"
              << "          CPU: of all the server's processes, from /proc; every byte that came back was checked\n";
    for (const Workload& workload : workloads_) {
        if (series_.contains(workload.name)) print_workload(workload, series_.at(workload.name));
    }
    if (!costs_.empty()) print_costs();
    std::cout << '\n';
    for (const Subject& subject : subjects_) {
        if (subject.remark != nullptr) std::cout << subject.name << ": " << subject.remark << '\n';
    }
    for (const std::string& one : skipped_) std::cout << "skipped  " << one << '\n';
    for (const std::string& one : failures_) std::cout << "FAILED   " << one << '\n';
    std::cout << "All values: " << folder_ << "/rounds.csv, " << folder_ << "/costs.csv\n";
    if (interrupted) std::cout << "Cut short: the medians are of fewer rounds.\n";
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const double rounds = argc == 4 ? std::atof(argv[1]) : 0;
        const double seconds = argc == 4 ? std::atof(argv[2]) : 0;
        if (rounds < 1 || seconds <= 0) {
            std::cerr << "usage: bench ROUNDS SECONDS FOLDER, as in: make bench ROUNDS=3 SECONDS=0.1\n";
            return 2;
        }
        std::signal(SIGINT, [](int) { interrupted = true; });
        limit_descriptors(RLIM_INFINITY);
        Bench bench(static_cast<std::size_t>(rounds), seconds, argv[3]);
        bench.run_rounds();
        bench.count_costs();
        bench.print();
        return bench.failed() ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
