// The window: a server, refreshed in place, and keys that play the part of its clients.
#pragma once

#include <csignal>

#include "tests/tools/watch/screen.h"

/// Set by a key or a signal.
inline volatile std::sig_atomic_t told_to_end = 0;

/// Shows the server until told to end. False when the server has ended before.
bool show_window(pid_t pid, std::uint16_t port, const std::string& title);

void print(const Lines& lines);
