#include "tests/support/tally.h"

#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>

void Tally::add(Verdict verdict, std::chrono::duration<double> took, const std::string& words,
                const std::string& more) {
    constexpr std::array<const char*, 3> names{"ok      ", "FAILED  ", "skipped "};
    ++counts_.at(verdict);
    std::ostringstream line;
    line << names.at(verdict) << std::fixed << std::setprecision(1) << std::setw(4) << took.count() << " s  " << words
         << '\n'
         << more;
    std::cout << line.str() << std::flush;
}

int Tally::finish() const {
    if (const char* file = std::getenv("TALLY")) {
        std::ofstream(file) << counts_[ok] << ' ' << counts_[failed] << ' ' << counts_[skipped] << '\n';
    }
    return counts_[failed] == 0 ? 0 : 1;
}
