/* How well many recipients' codes fit the soft bits of many images: see codes.py.

   A code is keyed BLAKE2b (RFC 7693) of the image's id, with the personalisation
   "reue-code". Four recipients are hashed at a time, one in each lane of a vector. */

#include <stdint.h>
#include <string.h>

#define LANES 4
#define CHUNK 1024 /* recipients whose states fit the cache */
#define BLOCK 128
#define MOST_BYTES 64

typedef uint64_t lanes __attribute__((vector_size(8 * LANES)));
#define ALL(x) ((lanes){(x), (x), (x), (x)})

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FASTEST __attribute__((target_clones("avx2", "default")))
#else
#define FASTEST
#endif
#define WITHIN static inline __attribute__((always_inline))

static const uint64_t START[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu,
    0xa54ff53a5f1d36f1u, 0x510e527fade682d1u, 0x9b05688c2b3e6c1fu,
    0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};

static const uint8_t ORDER[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}};

WITHIN uint64_t word(const uint8_t *at)
{
    uint64_t made = 0;
    for (int byte = 7; byte >= 0; byte--)
        made = made << 8 | at[byte];
    return made;
}

#define TURNED(x, by) ((x) >> (by) | (x) << (64 - (by)))
#define MIX(a, b, c, d, x, y)          \
    do {                               \
        v[a] += v[b] + (x);            \
        v[d] = TURNED(v[d] ^ v[a], 32); \
        v[c] += v[d];                  \
        v[b] = TURNED(v[b] ^ v[c], 24); \
        v[a] += v[b] + (y);            \
        v[d] = TURNED(v[d] ^ v[a], 16); \
        v[c] += v[d];                  \
        v[b] = TURNED(v[b] ^ v[c], 63); \
    } while (0)

/* One block; `behind` bytes with it, `last` all ones for the last one. */
WITHIN void compress(lanes *state, const lanes *m, uint64_t behind, uint64_t last)
{
    lanes v[16];
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = ALL(START[i]);
    }
    v[12] ^= ALL(behind);
    v[14] ^= ALL(last);
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = ORDER[round];
        MIX(0, 4, 8, 12, m[s[0]], m[s[1]]);
        MIX(1, 5, 9, 13, m[s[2]], m[s[3]]);
        MIX(2, 6, 10, 14, m[s[4]], m[s[5]]);
        MIX(3, 7, 11, 15, m[s[6]], m[s[7]]);
        MIX(0, 5, 10, 15, m[s[8]], m[s[9]]);
        MIX(1, 6, 11, 12, m[s[10]], m[s[11]]);
        MIX(2, 7, 8, 13, m[s[12]], m[s[13]]);
        MIX(3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        state[i] ^= v[i] ^ v[i + 8];
}

/* States after the block with the key, for codes of so many bytes. */
WITHIN void begin(lanes *state, const uint8_t *keys, const uint8_t *sizes, int64_t count,
                  int bytes)
{
    static const uint8_t person[16] = "reue-code";
    lanes m[16] = {0};
    for (int i = 0; i < 8; i++)
        state[i] = ALL(START[i]);
    state[6] ^= ALL(word(person));
    state[7] ^= ALL(word(person + 8));
    for (int lane = 0; lane < LANES; lane++) {
        int64_t who = lane < count ? lane : count - 1;
        state[0][lane] ^= 0x01010000u ^ (uint64_t)sizes[who] << 8 ^ (uint64_t)bytes;
        for (int i = 0; i < 8; i++)
            m[i][lane] = word(keys + MOST_BYTES * who + 8 * i);
    }
    compress(state, m, BLOCK, 0);
}

/* What each value of each byte of a code adds. */
static void fill(double (*table)[256], const double *soft, int bytes)
{
    for (int byte = 0; byte < bytes; byte++)
        for (int value = 0; value < 256; value++) {
            double sum = 0;
            for (int bit = 0; bit < 8; bit++)
                sum += value >> (7 - bit) & 1 ? soft[8 * byte + bit]
                                              : -soft[8 * byte + bit];
            table[byte][value] = sum;
        }
}

/* Of n recipients, the sums over m images of code bits times soft bits, and the sums
   of these products' sizes, an image each.

   keys: n times 64 bytes, filled up with zeros; sizes: n, of the keys, 1 to 64.
   ids: m times 128 bytes, filled up with zeros; lengths: m, of the ids, 1 to 128.
   bytes: m, of the codes, 1 to 64, equal ones together.
   soft: one image's after the other's, 8 for each byte. totals, sized: n, are
   overwritten. */
FASTEST __attribute__((visibility("default")))
void rc_fits(const uint8_t *keys, const uint8_t *sizes, int64_t n, const uint8_t *ids,
             const uint8_t *lengths, const uint8_t *bytes, int64_t m,
             const double *soft, double *totals, double *sized)
{
    lanes begun[CHUNK / LANES][8], state[8], block[16];
    double table[MOST_BYTES][256];

    for (int64_t first = 0; first < n; first += CHUNK) {
        int64_t count = n - first < CHUNK ? n - first : CHUNK;
        const double *values = soft;
        memset(totals + first, 0, count * sizeof *totals);
        memset(sized + first, 0, count * sizeof *sized);
        for (int64_t image = 0; image < m; image++) {
            int wide = bytes[image];
            if (!image || wide != bytes[image - 1])
                for (int64_t at = 0; at < count; at += LANES)
                    begin(begun[at / LANES], keys + MOST_BYTES * (first + at),
                          sizes + first + at, count - at, wide);
            fill(table, values, wide);
            values += 8 * wide;
            for (int i = 0; i < 16; i++)
                block[i] = ALL(word(ids + BLOCK * image + 8 * i));
            for (int64_t at = 0; at < count; at += LANES) {
                memcpy(state, begun[at / LANES], sizeof state);
                compress(state, block, BLOCK + lengths[image], ~(uint64_t)0);
                for (int lane = 0; lane < LANES && at + lane < count; lane++) {
                    double sum = 0;
                    for (int byte = 0; byte < wide; byte++)
                        sum += table[byte][state[byte / 8][lane] >> 8 * (byte % 8) & 255];
                    totals[first + at + lane] += sum;
                    sized[first + at + lane] += sum < 0 ? -sum : sum;
                }
            }
        }
    }
}
