/* Prints the CRC-32 table (polynomial 0xEDB88320, as in zip and Ethernet) as a C header. */
#include <stdio.h>

int main(void)
{
    puts("static const unsigned table[256] = {");
    for (unsigned byte = 0; byte < 256; byte++) {
        unsigned crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        printf("    0x%08x,\n", crc);
    }
    puts("};");
    return 0;
}
