// Catch2 as Debian has it: version 2 is one header, version 3 a library.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#define CATCH_VERSION 3
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
#define CATCH_VERSION 2
inline auto ContainsSubstring(const std::string& part) {
    return Catch::Matchers::Contains(part);
}
#endif
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
