#!/bin/bash
# shellcheck disable=SC2154,SC2317 # hosts.sh, which runs this, has `scratch`; the experiments are called by name
# Three servers behind a proxy: what clients notice when one of them is killed, drained or hangs, and which proxies pass
# on that a client has closed its sending side.
# Usage: tests/tools/network/proxies.sh [EXPERIMENT...]    `make proxies` builds and installs what this needs
set -u
cd "$(dirname "$0")/../../.." || exit
experiments=(killed drained hung half_close one_port)
if [ -z "${HOSTS_INSIDE:-}" ]; then
    timeout 300 tests/tools/network/hosts.sh "$0" "$@" # what waits for an event that never comes ends here
    status=$?
    [ $status != 3 ] || { echo '0 passed, 0 failed, 1 skipped'; exit 0; }
    exit $status
fi

# --- the three servers, and HAProxy in front of them ------------------------------------------------------------------

# What runs in the background is started by ip(8) itself: a function would be one process more, between us and it.
declare -A server
start_server() { # NUMBER [OPTION...]
    ip netns exec server 05-epoll-server/server --port "746$1" "${@:2}" > "$scratch/out$1" 2> "$scratch/err$1" &
    server[$1]=$!
    until grep -qs listening "$scratch/out$1"; do sleep 0.02; done
}

stop_servers() {
    local number
    for number in "${!server[@]}"; do
        kill "${server[$number]}" && wait "${server[$number]}"
    done 2> /dev/null
    server=()
}

# A server is down after three checks that have failed, and up again after two that have not (HAProxy's defaults).
haproxy_config() { # CHECK...
    cat <<END
global
    stats socket $scratch/haproxy level admin
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout check 200ms
listen echo
    bind 192.0.2.2:7450
    balance roundrobin
    option redispatch
$(printf '    %s\n' "$@")
$(for i in 1 2 3; do echo "    server s$i 127.0.0.1:746$i check inter 200ms"; done)
END
}

start_haproxy() { # CHECK...
    haproxy_config "$@" > "$scratch/haproxy.cfg"
    ip netns exec server haproxy -db -f "$scratch/haproxy.cfg" > "$scratch/haproxy.log" 2>&1 &
    haproxy=$!
    for number in 1 2 3; do await_status "$number" UP; done
}

ask_haproxy() { echo "$1" | on_server socat - "UNIX-CONNECT:$scratch/haproxy" 2> /dev/null; }
status_of() { ask_haproxy 'show stat' | awk -F, -v name="s$1" '$2 == name {print $18}'; }
await_status() { # NUMBER STATUS; or after five seconds false
    local left=100
    until [[ $(status_of "$1") == "$2"* ]]; do
        ((left-- > 0)) || return
        sleep 0.05
    done
}
sessions_on() { on_server ss -Htn state established "sport = :746$1" | wc -l; }

start_clients() {
    mkfifo "$scratch/go"
    ip netns exec client tests/tools/network/sessions.py 192.0.2.2 7450 40 < "$scratch/go" > "$scratch/sessions" &
    clients=$!
    exec {go}> "$scratch/go"
    until grep -qs READY "$scratch/sessions"; do sleep 0.02; done
}

stop_clients() {
    echo >&"$go"
    wait "$clients"
    exec {go}>&-
    rm "$scratch/go"
    sed -i 1d "$scratch/sessions"
    sed 's/^/         /' "$scratch/sessions"
    lost=$(sed -n 's/.* whole .*, \([0-9]*\) lost.*/\1/p' "$scratch/sessions")
}

passed=0 failed=0
expect() { # WHAT COMMAND...: COMMAND must succeed
    if "${@:2}"; then
        echo "ok       $experiment: $1"
        ((++passed))
    else
        echo "FAILED   $experiment: $1"
        ((++failed))
    fi
}

# --- the experiments --------------------------------------------------------------------------------------------------

# One of three dies in the middle of it. Its sessions are lost, and no others; who comes later gets one of the two.
killed() {
    for i in 1 2 3; do start_server $i; done
    start_haproxy
    start_clients
    on_it=$(sessions_on 2)
    kill -KILL "${server[2]}"
    wait "${server[2]}" 2> /dev/null
    expect 'HAProxy takes the dead one out' await_status 2 DOWN
    start_server 2
    expect 'and puts it in again when it is back' await_status 2 UP
    stop_clients
    # One client may have been between two sessions when we counted.
    expect "of 40 clients only those on the killed server ($on_it) lose their session" [ "$lost" -le $((on_it + 2)) ]
    expect 'nobody is refused' [ -z "$(grep refused "$scratch/sessions")" ]
}

# The right order: the proxy sends nobody new, the last session ends, and only then comes SIGTERM.
drained() {
    for i in 1 2 3; do start_server $i; done
    start_haproxy
    start_clients
    ask_haproxy 'set server echo/s2 state drain' > /dev/null
    until [ "$(sessions_on 2)" = 0 ]; do sleep 0.05; done
    kill "${server[2]}"
    expect 'the drained server exits with 0' wait "${server[2]}"
    start_server 2
    ask_haproxy 'set server echo/s2 state ready' > /dev/null
    expect 'and is in again' await_status 2 UP
    stop_clients
    expect 'nobody loses anything' [ "$lost" = 0 ]
}

# A stopped process still accepts, because the kernel does that. So a check that only connects sees nothing.
hung() {
    for i in 1 2 3; do start_server $i; done
    start_haproxy
    kill -STOP "${server[2]}"
    sleep 2 # ten checks
    expect 'a check that connects still says UP' [ "$(status_of 2)" = UP ]
    kill $haproxy
    wait $haproxy 2> /dev/null
    kill -CONT "${server[2]}"
    start_haproxy 'option tcp-check' 'tcp-check send ping\r\n' 'tcp-check expect string ping'
    kill -STOP "${server[2]}"
    local before=$EPOCHREALTIME
    expect 'a check that wants an echo says DOWN' await_status 2 DOWN
    echo "         after $(awk "BEGIN {printf \"%.1f\", $EPOCHREALTIME - $before}") s"
    kill -CONT "${server[2]}"
    expect 'and UP when it goes on' await_status 2 UP
}

# A client sends, closes its sending side, and then the server thinks for a second. Does the answer arrive?
half_close() {
    start_server 1 --think 1000
    local tried proxies=()
    cat > "$scratch/nginx.conf" <<END
$([ -e /usr/lib/nginx/modules/ngx_stream_module.so ] && echo 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;')
daemon off; master_process off; pid $scratch/nginx.pid; error_log $scratch/nginx.log;
events {}
stream {
    server { listen 127.0.0.1:7453; proxy_pass 127.0.0.1:7461; }
    server { listen 127.0.0.1:7454; proxy_pass 127.0.0.1:7461; proxy_half_close on; }
}
END
    cat > "$scratch/stunnel.conf" <<END
foreground = yes
pid =
[in]
client = yes
accept = 127.0.0.1:7456
connect = 127.0.0.1:7455
[out]
accept = 127.0.0.1:7455
connect = 127.0.0.1:7461
cert = $scratch/both.pem
END
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$scratch/key" -out "$scratch/both.pem" 2> /dev/null
    cat "$scratch/key" >> "$scratch/both.pem"
    haproxy_config | sed "s/bind .*/bind 127.0.0.1:7450/; s/ check inter 200ms//" > "$scratch/haproxy.cfg"
    sed 's/7450/7451/; s/balance.*/option nolinger/; s/.*stats socket.*//' "$scratch/haproxy.cfg" > "$scratch/nolinger.cfg"
    ip netns exec server haproxy -db -f "$scratch/haproxy.cfg" 2> "$scratch/log" & proxies+=($!)
    ip netns exec server haproxy -db -f "$scratch/nolinger.cfg" 2> "$scratch/log" & proxies+=($!)
    ip netns exec server nginx -e "$scratch/nginx.log" -c "$scratch/nginx.conf" & proxies+=($!)
    ip netns exec server stunnel4 "$scratch/stunnel.conf" 2> "$scratch/log" & proxies+=($!)
    ip netns exec server systemd-socket-activate -l 127.0.0.1:7460 /lib/systemd/systemd-socket-proxyd 127.0.0.1:7461 \
        2> "$scratch/log" & proxies+=($!)
    for tried in 'HAProxy 7450 passes' 'HAProxy,_option_nolinger 7451 loses' 'nginx 7453 loses' \
        'nginx,_proxy_half_close_on 7454 passes' 'stunnel 7456 passes' 'systemd-socket-proxyd 7460 loses'; do
        read -r name port does <<< "$tried"
        if [ "$port" = 7460 ] && ! [ -x /lib/systemd/systemd-socket-proxyd ]; then
            echo "skipped  $experiment: no $name here"
            continue
        fi
        until on_server ss -Hltn "sport = :$port" | grep -q .; do sleep 0.05; done
        answer=$(printf 'hello' | on_server timeout 5 nc.openbsd -N 127.0.0.1 "$port")
        expect "${name//_/ } $does the answer" [ "$answer" = "$([ "$does" = loses ] || echo hello)" ]
    done
    kill "${proxies[@]}"
    wait "${proxies[@]}" 2> /dev/null
}

# Two of chapter 05's servers on one port, with SO_REUSEPORT: the kernel has a queue for each, and spreads the clients by a
# hash of their addresses. What becomes of those in the queue of a server that ends?
one_port() {
    cp -r common 05-epoll-server "$scratch"
    patch -s -d "$scratch" -p1 < tests/tools/network/reuseport.patch
    (cd "$scratch" && "${CXX:-g++}" -std=c++20 -O1 -pthread -I. -o reuseport 05-epoll-server/server.cpp) || return
    ulimit -n "$(ulimit -Hn)"
    two_on_one_port
    local spread
    spread=$(on_server tests/tools/network/queued.py 7461 1000 connect "${server[1]}" "${server[2]}")
    echo "         1,000 clients: $spread"
    expect 'each has between 400 and 600 of 1,000 clients' awk "BEGIN { split(\"$spread\", n, \" and \"); exit !(n[1] > 400 && n[1] < 600) }"
    stop_servers
    for migrate in 0 1; do
        on_server sysctl -qw net.ipv4.tcp_migrate_req=$migrate
        two_on_one_port
        kill -STOP "${server[2]}"
        answered=$(on_server tests/tools/network/queued.py 7461 200 end "${server[2]}")
        echo "         tcp_migrate_req=$migrate: $answered of 200 clients are answered, and one of two servers had ended"
        if [ $migrate = 0 ]; then
            expect 'the clients in its queue are lost' [ "$answered" -lt 200 ]
        else
            expect 'with tcp_migrate_req=1 the other server takes them over' [ "$answered" = 200 ]
        fi
        unset 'server[2]'
        stop_servers
    done
}

two_on_one_port() {
    local number
    for number in 1 2; do
        rm -f "$scratch/out$number"
        ip netns exec server "$scratch/reuseport" --port 7461 > "$scratch/out$number" &
        server[$number]=$!
        until grep -qs listening "$scratch/out$number"; do sleep 0.02; done
    done
}

[ $# -gt 0 ] || set -- "${experiments[@]}"
for experiment in "$@"; do
    "$experiment"
    stop_servers
    [ -z "${haproxy:-}" ] || { kill "$haproxy" && wait "$haproxy"; } 2> /dev/null
    haproxy=
done
echo
echo "$passed passed, $failed failed"
[ $failed = 0 ]
