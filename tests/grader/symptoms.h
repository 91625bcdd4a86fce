// What a failing server looks like from outside, and what that points to.
#pragma once

#include <optional>
#include <string>

#include "tests/cases/case.h"

/// From now on, a failure of a check has a look at this server: at its queue, its connections and its processes.
void look_for_symptoms(Subject& subject);

/// Where to look in the server's code, from what was seen when the check failed. Empty when that says nothing special.
/// `ended`: how the server has ended, if it has. `first_steps`: at level 00.
std::string hint_by_symptom(const Failed& failed, const std::optional<Ended>& ended, bool first_steps);

/// The call in which the server waited when the client got nothing, for the end of the story. Empty when it has several
/// threads or processes.
std::string where_it_waits(const Failed& failed);
