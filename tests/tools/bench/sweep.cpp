// make bench-full: how the figures change when one thing does. A CSV file for each question, in the folder given.
// Usage: sweep ROUNDS SECONDS FOLDER [LETTER]...   (seconds a measurement; the letters of some of the sweeps, or all)

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <map>
#include <thread>

#include "common/descriptor_limit.h"
#include "tests/tools/bench/machine.h"
#include "tests/tools/bench/subject.h"

namespace {

/// A point of a curve: a server at an x, and what the rounds have given.
struct Point {
    std::string x;
    Subject subject;
    LoadOptions load;
    std::vector<double> per_second{}, cpu{}, p50{}, p99{};
};

class Sweeps {
  public:
    Sweeps(std::size_t rounds, double seconds, std::string folder)
        : rounds_(rounds), seconds_(seconds), folder_(std::move(folder)) {
        for (Subject& one : subjects(skipped_)) subjects_.emplace(one.name, one);
    }

    void idle_connections();
    void active_clients();
    void memory();
    void slow_requests();
    void connections_a_second();
    [[nodiscard]] bool failed() const { return failed_; }

  private:
    std::size_t rounds_;
    double seconds_;
    std::string folder_;
    std::vector<std::string> skipped_;
    std::map<std::string, Subject> subjects_;
    bool failed_ = false;

    [[nodiscard]] std::vector<Subject> those(const std::vector<std::string>& names) const;
    void measure_all(const std::string& file, const std::string& x, std::vector<Point> points);
    void measure_once(Point& point);
};

/// Those of them that are there.
std::vector<Subject> Sweeps::those(const std::vector<std::string>& names) const {
    std::vector<Subject> found;
    for (const std::string& name : names) {
        if (subjects_.contains(name)) found.push_back(subjects_.at(name));
    }
    return found;
}

void Sweeps::measure_once(Point& point) {
    std::cerr << point.x << "  " << point.subject.name << std::endl;
    try {
        const Sample sample = measure(point.subject, point.load, seconds_);
        if (interrupted) return;
        point.per_second.push_back(sample.load.per_second());
        point.cpu.push_back(sample.cpu);
        point.p50.push_back(static_cast<double>(sample.load.latency.percentile(50)) / 1000);
        point.p99.push_back(static_cast<double>(sample.load.latency.percentile(99)) / 1000);
    } catch (const Failed& failed) {
        if (interrupted) return;
        failed_ = true;
        std::cerr << "FAILED  " << point.subject.name << ": " << failed.what() << std::endl;
    }
}

/// Measures all of them in turn, round by round, so that what slows the machine down for a while meets each; and writes
/// the medians, a line a point.
void Sweeps::measure_all(const std::string& file, const std::string& x, std::vector<Point> points) {
    std::erase_if(points,
                  [](const Point& one) { return one.load.connections + one.load.idle > one.subject.most_clients; });
    for (std::size_t round = 0; round < rounds_; ++round) {
        std::cerr << file << ", round " << round + 1 << " of " << rounds_ << std::endl;
        for (Point& one : points) {
            if (!interrupted) measure_once(one);
        }
    }
    std::ofstream csv(folder_ + "/" + file);
    csv << x << ",server,messages_per_second,cpu_us_per_message,p50_us,p99_us\n";
    for (const Point& one : points) {
        if (one.per_second.empty()) continue;
        csv << one.x << ",\"" << one.subject.name << "\"," << summarize(one.per_second).median << ','
            << summarize(one.cpu).median << ',' << summarize(one.p50).median << ',' << summarize(one.p99).median
            << '\n';
    }
}

/// a. What a message costs beside so many connections that say nothing.
void Sweeps::idle_connections() {
    std::vector<Point> points;
    for (const std::size_t idle : std::initializer_list<std::size_t>{10, 100, 300, 600, 900, 3000, 10000, 19000}) {
        for (const Subject& subject : those({"03 select", "04 non-blocking", "05 epoll", "06 threads", "libevent",
                                             "libuv", "Boost.Asio", "bare epoll loop"})) {
            points.push_back({text(idle), subject, {.connections = 10, .idle = idle}});
        }
    }
    measure_all("a-idle.csv", "idle", points);
}

/// b. Messages a second, and the slowest of a hundred, for so many clients that all talk.
void Sweeps::active_clients() {
    std::vector<Point> points;
    for (const std::size_t clients : std::initializer_list<std::size_t>{1, 3, 10, 30, 100, 300, 1000, 3000, 10000}) {
        for (const auto& [name, subject] : subjects_) {
            // So many processes or threads are not a measurement but an accident.
            if (clients > 1000 && (name == "02 fork" || name == "thread per client")) continue;
            points.push_back({text(clients), subject, {.connections = clients}});
        }
    }
    measure_all("b-clients.csv", "clients", points);
}

/// c. Memory for one more idle connection.
void Sweeps::memory() {
    std::ofstream csv(folder_ + "/c-memory.csv");
    csv << "server,user_bytes,kernel_bytes\n";
    for (const auto& [name, subject] : subjects_) {
        if (interrupted || subject.most_clients == 1) continue;
        std::cerr << "memory  " << name << std::endl;
        const bool one_each = name == "02 fork" || name == "thread per client";
        const std::size_t many = std::min<std::size_t>(one_each ? 1000 : 16000, subject.most_clients - 10);
        const ConnectionMemory memory = memory_per_connection(subject, many / 8, many);
        csv << '"' << name << "\"," << memory.user << ',' << memory.kernel << std::endl;
        std::this_thread::sleep_for(
            std::chrono::seconds(2)); // the kernel frees some memory later than the server's end
    }
}

/// d. A request that takes a millisecond, 64 clients.
void Sweeps::slow_requests() {
    std::vector<Point> points;
    const LoadOptions load{.connections = 64};
    if (subjects_.contains("05 epoll")) {
        Subject one = subjects_.at("05 epoll");
        one.options = {"--think", "1"};
        points.push_back({"1", one, load});
    }
    for (const char* workers : {"1", "2", "4", "8", "16", "32"}) {
        if (!subjects_.contains("06 threads")) break;
        Subject many = subjects_.at("06 threads");
        many.options = {"--think", "1", "--read-workers", workers};
        points.push_back({workers, many, load});
    }
    measure_all("d-think.csv", "workers", points);
}

/// f. Clients that connect, say one thing, and leave.
void Sweeps::connections_a_second() {
    std::vector<Point> points;
    for (const auto& [name, subject] : subjects_) {
        const std::size_t clients = std::min<std::size_t>(20, subject.most_clients);
        points.push_back({text(clients), subject, {.connections = clients, .churn = true}});
    }
    measure_all("f-connections.csv", "clients", points);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const double rounds = argc >= 4 ? std::atof(argv[1]) : 0;
        const double seconds = argc >= 4 ? std::atof(argv[2]) : 0;
        if (rounds < 1 || seconds <= 0) {
            std::cerr << "usage: sweep ROUNDS SECONDS FOLDER [LETTER]..., as in: make bench-full SWEEPS='a d'\n";
            return 2;
        }
        const std::vector<std::string> letters(argv + 4, argv + argc);
        const auto wanted = [&](const char* letter) {
            return letters.empty() || std::find(letters.begin(), letters.end(), letter) != letters.end();
        };
        std::signal(SIGINT, [](int) { interrupted = true; });
        limit_descriptors(RLIM_INFINITY);
        const std::string folder = argv[3];
        std::ofstream(folder + "/machine.txt")
            << machine() << "method    each point the median of " << rounds << " rounds of " << seconds << " s\n";
        Sweeps sweeps(static_cast<std::size_t>(rounds), seconds, folder);
        if (wanted("a")) sweeps.idle_connections();
        if (wanted("b")) sweeps.active_clients();
        if (wanted("c")) sweeps.memory();
        if (wanted("d")) sweeps.slow_requests();
        if (wanted("f")) sweeps.connections_a_second();
        return sweeps.failed() ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
