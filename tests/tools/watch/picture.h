// Screenshots for the pages: of a scene that is really played, and checked by playing it again.
#pragma once

#include <string>
#include <vector>

/// Draws 03-select-server/watch.svg for 03-select-server/server, unless it still shows what happens; `all`: in any
/// case.
void draw_pictures(const std::vector<std::string>& servers, bool all);

/// Whether each picture shows what happens when its scene is played. Gives the exit status.
int check_pictures(const std::vector<std::string>& servers);
