// The main function of the unit tests: Catch2's, with a line a test while it runs.
#define CATCH_CONFIG_RUNNER
#include "tests/catch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <regex>

#include "tests/support/tally.h"

namespace {

std::string name_now;
std::chrono::steady_clock::time_point start;
Tally tally;

#if CATCH_VERSION == 3
using Listener = Catch::EventListenerBase;
#else
using Listener = Catch::TestEventListenerBase;
#endif

class LineATest : public Listener {
  public:
    using Listener::Listener;

    void testCaseStarting(const Catch::TestCaseInfo& info) override {
        name_now = info.name;
        start = std::chrono::steady_clock::now();
    }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        const bool ok = stats.totals.assertions.failed == 0 && stats.totals.testCases.failed == 0;
        tally.add(ok ? Tally::ok : Tally::failed, std::chrono::steady_clock::now() - start, name_now);
    }
};

CATCH_REGISTER_LISTENER(LineATest)

} // namespace

/// A name in Catch2's language for choosing tests, in which a comma means "or".
static std::string escaped(const std::string& name) {
    return std::regex_replace(name, std::regex(R"([\\,\["])"), R"(\$&)");
}

int main(int argc, char* argv[]) {
    Catch::Session session;
    if (const int wrong = session.applyCommandLine(argc, argv); wrong != 0) return wrong;
    if (const char* only = std::getenv("ONLY"); only != nullptr && *only != '\0') {
        const std::string name = escaped(only);
        const bool in_full = name.find(": ") != std::string::npos; // as in asked_for
        session.configData().testsOrTags = {in_full ? name : name + ": *"};
#if CATCH_VERSION == 3
        session.configData().allowZeroTests = true; // one of the programs has the test, and the others play none
#endif
    }
    const int result = session.run();
    return std::max(result, tally.finish());
}
