# What tmux has captured of the window, with its colours, as an SVG picture. Set `title`. The window shows no & and no <.
BEGIN {
    class[1] = "strong"; class[31] = "waits"; class[33] = "works" # the codes of terminals
}
{
    count = split($0, parts, "\033\\[") # each begins with a code, such as 31m
    for (i = 1; i <= count; i++) {
        code = parts[i] + 0
        if (i > 1 && code != 49) now = class[code] # 49 is about the background
        if (i > 1) sub(/^[0-9;]*m/, "", parts[i])
        if (style[NR] == "" && parts[i] ~ /[^ ]/) style[NR] = now
        line[NR] = line[NR] parts[i]
    }
    sub(/ +$/, "", line[NR])
    if (line[NR] != "") last = NR
}
END {
    print "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 700 " last * 18 + 16 "' role='img'>"
    print "<title>" title "</title>\n<desc>"
    for (i = 1; i <= last; i++) print line[i]
    print "</desc>\n<style>"
    print "text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; white-space: pre; fill: #1f2328; }"
    print ".paper { fill: #f6f8fa; } .strong { font-weight: 700; }"
    print ".waits { fill: #a61e4d; font-weight: 700; } .works { fill: #7d4e00; }"
    print "@media (prefers-color-scheme: dark) {"
    print "text { fill: #e6edf3; } .paper { fill: #161b22; } .waits { fill: #ff9abf; } .works { fill: #e3b341; }"
    print "}\n</style>\n<rect width='100%' height='100%' rx='6' class='paper'/>"
    for (i = 1; i <= last; i++) { # the length is given, because fonts differ in their width
        if (line[i] == "") continue
        print "<text x='8' y='" i * 18 + 6 "' textLength='" int(length(line[i]) * 8.5) "' xml:space='preserve' class='" style[i] "'>" line[i] "</text>"
    }
    print "</svg>"
}
