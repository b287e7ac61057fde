/*
 * CRC-32C (Castagnoli), the checksum of every record we write to disk. Uses
 * the processor's instruction where there is one.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of DATA, continued from CRC: start with 0. So
 * crc32c(crc32c(0, a, n), b, m) is the checksum of a followed by b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

/* CRC after N further zero bytes, so that the checksum of a followed by b, of
 * N bytes, is crc32c_shift(checksum of a, N) ^ checksum of b: if a is
 * replaced, b need not be read again. */
uint32_t crc32c_shift(uint32_t crc, uint64_t n);

#endif
