/* Prints the CRC-32 of each file named on the command line, or of standard input. */
#include <stdio.h>
#include <string.h>

#include "table.h"

static int print_crc(FILE *file, const char *name)
{
    unsigned crc = ~0u;
    int byte;
    while ((byte = getc(file)) != EOF)
        crc = table[(crc ^ (unsigned)byte) & 255] ^ crc >> 8;
    if (ferror(file)) {
        perror(name);
        return 1;
    }
    printf("%08x  %s\n", ~crc, name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("crc32 " VERSION);
        return 0;
    }
    if (argc == 1)
        return print_crc(stdin, "-");
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            failed = 1;
            continue;
        }
        failed |= print_crc(file, argv[i]);
        fclose(file);
    }
    return failed;
}
