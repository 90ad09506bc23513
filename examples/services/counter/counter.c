// A counter that answers over HTTP: `counter serve PORT`, and who asks it: `counter ask PORT`.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    perror(what);
    return 1;
}

static int serve(int fd, struct sockaddr_in *at) {
    int yes = 1, count = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)at, sizeof *at) || listen(fd, 16)) return fail("listen");
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        int asker = accept(fd, NULL, NULL);
        char text[1024];
        // The request ends with the first packet; nobody asks more than a line.
        if (asker < 0 || read(asker, text, sizeof text) <= 0) {
            close(asker);
            continue;
        }
        int size = snprintf(text, sizeof text, "HTTP/1.0 200 OK\r\n\r\nasked %d times\n", ++count);
        if (write(asker, text, (size_t)size) < 0) perror("write");
        close(asker);
    }
}

static int ask(int fd, struct sockaddr_in *at) {
    const char question[] = "GET / HTTP/1.0\r\n\r\n";
    char text[1024];
    size_t size = 0;
    ssize_t more;
    if (connect(fd, (struct sockaddr *)at, sizeof *at)) return fail("connect");
    if (write(fd, question, sizeof question - 1) < 0) return fail("write");
    while ((more = read(fd, text + size, sizeof text - 1 - size)) > 0) size += (size_t)more;
    text[size] = 0;
    char *body = strstr(text, "\r\n\r\n");
    fputs(body ? body + 4 : "no answer\n", stdout);
    return body ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: counter serve|ask PORT\n");
        return 2;
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) return fail("socket");
    return strcmp(argv[1], "serve") ? ask(fd, &at) : serve(fd, &at);
}
