// Where a case is played: in a child process, together with everything that the server starts. Whatever happens,
// nothing of it is left behind.
#pragma once

#include <chrono>
#include <functional>
#include <string>

/// Has to be called once, first: signals that end the grader end what it has started as well. So does the end of the
/// make that has started it.
void prepare_to_clean_up();

/// Calls `play` in a child and gives what it has written to `out`. When `limit` is over, the child and all that it has
/// started are killed; then the result may be incomplete. Where the kernel allows it, the child is the first
/// process of a PID namespace, and the kernel itself ends all processes in there when that one ends, whatever ends it.
/// Elsewhere the child gets the orphans of what it starts, and the grader gets them from the child.
std::string in_sandbox(const std::function<void(int out)>& play, std::chrono::milliseconds limit);
