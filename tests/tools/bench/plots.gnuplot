# make plots: draws the CSV files of the folder it runs in. No background, and grey that is read on white and on black.
set terminal svg size 860,480 font 'sans-serif,14' noenhanced dynamic
set datafile separator ','
grey = '#888888'
set border 3 lc rgb grey
set tics nomirror tc rgb grey
set key outside right top tc rgb grey
set grid lc rgb grey lw 0.3
set xlabel tc rgb grey
set ylabel tc rgb grey
set title tc rgb grey

# A colour for each server, the same in every picture. Ours are thick.
ours = "'01 blocking' '02 fork' '03 select' '04 non-blocking' '05 epoll' '06 threads'"
peers = "'thread per client' 'libevent' 'libuv' 'Boost.Asio' 'Boost.Asio, 4 threads' 'io_uring' 'bare epoll loop'"
all = ours . ' ' . peers
colours = '#999999 #8c564b #d62728 #ff7f0e #2ca02c #1f77b4 #c49c94 #e377c2 #bcbd22 #17becf #3ba3b8 #9467bd #7f7f7f'
colour(i) = word(colours, i)
width(i) = i <= words(ours) ? 3 : 1.5
rows(file, i) = sprintf("< grep '\"%s\"' %s", word(all, i), file)
is_in(file, i) = system(sprintf("grep -c '\"%s\"' %s || true", word(all, i), file)) > 0
# The numbers of the servers that are in a file.
in_idle = ''
in_clients = ''
do for [i=1:words(all)] {
    if (is_in('a-idle.csv', i)) { in_idle = in_idle . sprintf(' %d', i) }
    if (is_in('b-clients.csv', i)) { in_clients = in_clients . sprintf(' %d', i) }
}

set format '%.0s%c' # 100k, 1M

set logscale x
set yrange [0:30]
set output 'a-idle.svg'
set title 'CPU time of a message beside clients that say nothing (10 clients talk)'
set xlabel 'idle connections'
set ylabel 'microseconds a message'
plot for [n in in_idle] rows('a-idle.csv', int(n)) using 1:4 \
    with linespoints lw width(int(n)) lc rgb colour(int(n)) title word(all, int(n))

set logscale xy
set yrange [*:*]
set output 'b-clients.svg'
set title 'Messages a second, of 64 bytes, for so many clients that all talk'
set xlabel 'clients'
set ylabel 'messages a second'
plot for [n in in_clients] rows('b-clients.csv', int(n)) using 1:3 \
    with linespoints lw width(int(n)) lc rgb colour(int(n)) title word(all, int(n))

set output 'b-latency.svg'
set title 'The slowest of a hundred messages, for so many clients that all talk'
set ylabel 'p99, microseconds'
set format y '%.0f'
plot for [n in in_clients] rows('b-clients.csv', int(n)) using 1:6 \
    with linespoints lw width(int(n)) lc rgb colour(int(n)) title word(all, int(n))

set format y '%.0s%c'
set output 'd-think.svg'
set title 'A request that takes a millisecond, 64 clients'
set xlabel 'worker threads'
set ylabel 'messages a second'
set logscale x 2
plot rows('d-think.csv', 6) using 1:3 with linespoints lw 3 lc rgb colour(6) title '06 threads', \
     rows('d-think.csv', 5) using 1:3 with points pt 7 ps 1.5 lc rgb colour(5) title '05 epoll'

unset logscale x
set style fill solid 0.8 noborder
set style data histograms
set style histogram clustered gap 1
set boxwidth 0.9
set xtics rotate by 35 right
set xlabel ''

set output 'c-memory.svg'
set title 'Memory of one more idle connection'
set ylabel 'bytes'
set yrange [10:*]
plot 'c-memory.csv' using 2:xtic(1) skip 1 lc rgb colour(5) title 'user', \
     'c-memory.csv' using 3 skip 1 lc rgb colour(6) title 'kernel, both ends'

set output 'f-connections.svg'
set title 'Clients that connect, say one thing, and leave'
set ylabel 'connections a second'
unset logscale y
set yrange [0:*]
plot 'f-connections.csv' using 3:xtic(2) skip 1 lc rgb colour(5) notitle
