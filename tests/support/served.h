// Whether a client is served: found out without looking at the clock. A client that has got no answer when the server
// rests, and does not think (--think), will not get one, unless somebody sends something.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "tests/support/client.h"

/// Sends the line and waits until the server's kernel has it.
void send_line(Client& client, const std::string& line);

/// Whether anything comes for the client before the server comes to rest.
bool hears(Client& client, pid_t server);

/// Sends a line: whether it comes back before the server comes to rest.
bool is_served(Client& client, pid_t server);

/// Sends and never reads, until the server has come to rest, leaves input unread and there is no room to send more.
/// Gives how many bytes went.
std::size_t send_and_never_read(Client& client, pid_t server);
