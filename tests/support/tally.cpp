#include "tests/support/tally.h"

#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

bool asked_for(const std::string& test) {
    const char* only = std::getenv("ONLY");
    return only == nullptr || *only == '\0' || test == only || test.starts_with(std::string(only) + ": ");
}

void Tally::add(Verdict verdict, std::chrono::duration<double> took, const std::string& name, const std::string& remark,
                const std::string& more) {
    constexpr std::array<const char*, 3> names{"ok      ", "FAILED  ", "skipped "};
    ++counts_.at(verdict);
    std::ostringstream line;
    line << names.at(verdict) << std::fixed << std::setprecision(1) << std::setw(4) << took.count() << " s  " << name
         << (remark.empty() ? "" : " (" + remark + ")") << '\n'
         << more;
    std::cout << line.str() << std::flush;
}

int Tally::finish() const {
    if (const char* file = std::getenv("TALLY")) {
        std::ofstream(file) << counts_[ok] << ' ' << counts_[failed] << ' ' << counts_[skipped] << '\n';
    }
    return counts_[failed] == 0 ? 0 : 1;
}
