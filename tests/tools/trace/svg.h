// Draws a timeline as SVG: no scripts, no fonts of its own; colours for light and dark, patterns for black and white.
#pragma once

#include <string>
#include <vector>

#include "tests/tools/trace/timeline.h"

/// How long each part of the scene is on the picture. Pictures with the same lengths have the same time scale.
using Lengths = std::vector<Seconds>;

/// Room for each part of the timeline and for what is written in it, and at least `least`.
Lengths lengths_of(const Timeline& timeline, Lengths least);

/// What suits all six on a machine that is not busy, so that their pictures have one scale.
Lengths usual_lengths();

/// `chapter`: the folder's name, for the heading and for the ids in the picture.
std::string draw(const Timeline& timeline, const std::string& chapter, const Lengths& lengths);

/// Text for use in XML.
std::string escape(const std::string& text);
