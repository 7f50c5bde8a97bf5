/* The floor of a recorder: receive and write, nothing else.
 *
 * usage: receive PERIOD_MS FOLDER FD...
 *
 * Every FD is a connected socket on which video comes. What it gives is written to FOLDER/receive-<FD>, unparsed, until
 * the process is killed. PERIOD_MS 0 reads on every arrival (epoll), as most servers do; otherwise every socket is read
 * once a period, as the relaxed pace of the recorder does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4 << 20, EVENTS = 64, SLOTS = 20 };

static char buffer[BUFFER_BYTES];

static void take(int from, int to) {
    ssize_t got = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        fprintf(stderr, "receive: connection %d is closed\n", from);
        exit(1);
    }
    for (ssize_t done = 0; done < got;) {
        ssize_t count = write(to, buffer + done, (size_t)(got - done));
        if (count < 0) {
            perror("receive: write");
            exit(1);
        }
        done += count;
    }
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: receive PERIOD_MS FOLDER FD...\n");
        return 2;
    }
    long period_ms = strtol(argv[1], NULL, 10);
    int count = argc - 3;
    int *sockets = calloc((size_t)count, sizeof *sockets), *files = calloc((size_t)count, sizeof *files);
    if (sockets == NULL || files == NULL) return 1;
    int poll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        char path[4096];
        sockets[i] = atoi(argv[3 + i]);
        snprintf(path, sizeof path, "%s/receive-%d", argv[2], sockets[i]);
        files[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};
        if (files[i] < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event) < 0) {
            perror("receive");
            return 1;
        }
    }
    puts("ready");
    fflush(stdout);
    if (period_ms == 0) {
        struct epoll_event events[EVENTS];
        for (;;) {
            int ready = epoll_wait(poll, events, EVENTS, -1);
            for (int i = 0; i < ready; i++) take(sockets[events[i].data.u32], files[events[i].data.u32]);
        }
    }
    struct timespec slot = {.tv_sec = 0, .tv_nsec = period_ms * 1000000L / SLOTS};
    for (int turn = 0;; turn = (turn + 1) % SLOTS) {
        for (int i = turn; i < count; i += SLOTS) take(sockets[i], files[i]);
        nanosleep(&slot, NULL);
    }
}
