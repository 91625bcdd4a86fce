#include "tests/tools/bench/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>

namespace {

/// What stands behind `name` in a file of lines "name: value".
std::string value_in(const std::string& path, const std::string& name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(':');
        if (!line.starts_with(name) || colon == std::string::npos) continue;
        return line.substr(line.find_first_not_of(" \t", colon + 1));
    }
    return "unknown";
}

} // namespace

std::string machine() {
    utsname system{};
    uname(&system);
    std::string load;
    std::getline(std::ifstream("/proc/loadavg"), load);
    const std::time_t now = std::time(nullptr);
    char date[32] = "";
    std::strftime(date, sizeof date, "%Y-%m-%d %H:%M", std::localtime(&now));

    std::ostringstream out;
    out << "machine   " << sysconf(_SC_NPROCESSORS_ONLN) << " cores, " << value_in("/proc/cpuinfo", "model name")
        << ", " << value_in("/proc/meminfo", "MemTotal") << " of memory\n"
        << "kernel    " << system.sysname << ' ' << system.release << ' ' << system.machine << '\n'
        << "compiler  " << __VERSION__ << '\n'
        << "when      " << date << ", load average before: " << load.substr(0, load.find('/')) << '\n';
    return out.str();
}
