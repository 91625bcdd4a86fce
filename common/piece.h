// How much is read at once. Introduced by chapter 01.
#pragma once

#include <cstddef>

/// One read(2) takes at most this many bytes, and no connection is read from while bytes of it wait to be sent. So this
/// is also the most that the server ever holds for one connection.
constexpr std::size_t piece_size = 64 * 1024;
