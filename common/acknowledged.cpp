#include "common/acknowledged.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

void wait_until_acknowledged(int client) {
    // No event tells that the last byte was acknowledged, so look every few milliseconds. Asked for nothing, poll(2)
    // reports only a broken connection.
    constexpr int look_again_ms = 5;
    pollfd broken{client, 0, 0};
    int unacknowledged = 0;
    while (ioctl(client, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0) {
        if (poll(&broken, 1, look_again_ms) > 0) return;
    }
}
