#include "tests/cases/case.h"

RunningServer& Subject::start(const std::vector<std::string>& more, const std::function<void()>& before_exec) {
    server_.reset();
    if (command_.empty()) {
        server_ = std::make_unique<RunningServer>(program_, more, before_exec);
    } else {
        server_ = std::make_unique<RunningServer>(command_, start_limit_, before_exec);
    }
    return *server_;
}

void expect(bool holds, const std::string& did, const std::string& expected, const std::string& got) {
    if (!holds) throw Failed{did, expected, got};
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (const auto& some : {echo_cases(), waiting_cases(), trouble_cases(), resource_cases(), stopping_cases(),
                             command_line_cases(), tool_cases()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}
