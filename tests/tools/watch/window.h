// The window: a server, refreshed in place, and keys that play the part of its clients.
#pragma once

#include <sys/types.h>

#include <string>

/// Shows the server until it has ended, or a key or a signal ends the window. With ONCE in the environment it prints
/// one snapshot. `title`: what the server is called.
void watch(pid_t pid, int port, const std::string& title);
