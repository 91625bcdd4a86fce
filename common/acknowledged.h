// Closing without losing what is on its way. Introduced by chapter 01.
#pragma once

/// Waits until the client's kernel has acknowledged all that was written to `client`, or the connection is broken.
/// Asks by SIOCOUTQ: "not sent + not acked", says linux/sockios.h (tcp(7) names the first part only). For a stop, where
/// a connection is closed that the client may still be sending on: a close(2) with unread input makes the kernel send a
/// reset and drop what is still in its send buffer. The alarm of `stop_on_signals` bounds the wait.
void wait_until_acknowledged(int client);
