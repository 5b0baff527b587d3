/* Entropy coding of one JPEG scan, to and from quantised coefficients; from a change of
 * pixels to whole offsets of coefficients, and to what decoders show of them; and what
 * follows from what is shown.
 *
 * The markers are read and written in Python: this does only what has to be fast. It
 * takes no memory, keeps no state, calls nothing, and touches only the buffers that it
 * is handed, so it runs without Python's lock and in any number of threads.
 *
 * Reading is strict: whatever a decoder would have to guess at is an error. Writing
 * makes the same choices as libjpeg where the standard leaves one.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(PLAIN)
#define SSE2
#include <emmintrin.h>
#endif

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define ALWAYS static inline __attribute__((always_inline))

/* A function that is compiled twice, for all processors and for those that most people
 * have; both give the same. `does` is return, or nothing. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PLAIN)
#define WIDER(type, name, does, body, declared, given)                                 \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt"))) static type name##_wide      \
        declared                                                                       \
    {                                                                                  \
        does body given;                                                               \
    }                                                                                  \
    EXPORT type name declared                                                          \
    {                                                                                  \
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))          \
            does name##_wide given;                                                    \
        else                                                                           \
            does body given;                                                           \
    }
#else
#define WIDER(type, name, does, body, declared, given)                                 \
    EXPORT type name declared                                                          \
    {                                                                                  \
        does body given;                                                               \
    }
#endif

enum {
    OK = 0,
    CUT_SHORT = -1,     /* the data ends, or a marker comes, within the scan */
    BAD_CODE = -2,      /* bits that no Huffman code begins with, or no such symbol */
    OUT_OF_RANGE = -3,  /* a coefficient that sixteen bits don't hold */
    TOO_MANY = -4,      /* more coefficients than a block has */
    BAD_RESTART = -5,   /* another marker than the restart marker that is due */
    FULL = -6,          /* the output doesn't hold what is written */
    NO_CODE = -7,       /* the tables have no code for a symbol that is needed */
    BAD_TABLE = -8,     /* lengths that no Huffman code can have */
    INCONSISTENT = -9,  /* a refinement of what wasn't sent as it should have been */
};

enum { LOOK = 10, MOST_BITS_KEPT = 1000, MOST_RUN = 0x7FFF };

typedef struct {
    int16_t *blocks;     /* 64 a block, in rows of `stride` blocks, natural order */
    int64_t stride;
    int64_t wide, high;  /* blocks that a scan of this component alone has */
    int32_t h, v;        /* blocks of an MCU of several components */
    const uint8_t *dc;   /* 16 counts and 256 symbols each */
    const uint8_t *ac;
} Component;

typedef struct {
    int32_t count;
    int32_t progressive;
    int32_t first, last, high_bit, low_bit;
    int32_t restart;     /* MCUs between restart markers, or 0 */
    int32_t reserved;
    int64_t wide, high;  /* MCUs, where there are several components */
    Component components[4];
} Scan;

static const uint8_t NATURAL[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

/* ---- Huffman tables ---- */

typedef struct {
    uint16_t look[1 << LOOK];  /* length above symbol; 0: a longer code, or none */
    int32_t last[17];          /* the largest code of each length, or -1 */
    int32_t shift[17];         /* from a code to its place among the symbols */
    uint8_t symbols[256];
} Reading;

typedef struct {
    uint16_t code[256];
    uint8_t length[256];
} Writing;

/* The codes of a table in order; returns how many, or BAD_TABLE. */
static int codes_of(const uint8_t *table, uint16_t codes[256], uint8_t lengths[256])
{
    int count = 0;
    uint32_t code = 0;
    for (int length = 1; length <= 16; length++) {
        int here = table[length - 1];
        /* No code may be all ones. */
        if (count + here > 256 || (here && code + (uint32_t)here >= (1u << length)))
            return BAD_TABLE;
        for (int i = 0; i < here; i++) {
            codes[count] = (uint16_t)code++;
            lengths[count++] = (uint8_t)length;
        }
        code <<= 1;
    }
    return count;
}

static int for_reading(const uint8_t *table, Reading *reading)
{
    uint16_t codes[256];
    uint8_t lengths[256];
    int count = codes_of(table, codes, lengths);
    if (count < 0)
        return count;
    memset(reading->look, 0, sizeof reading->look);
    memcpy(reading->symbols, table + 16, 256);
    for (int length = 0; length <= 16; length++)
        reading->last[length] = -1;
    for (int i = 0; i < count; i++) {
        int length = lengths[i];
        if (reading->last[length] < 0)
            reading->shift[length] = i - codes[i];
        reading->last[length] = codes[i];
        if (length <= LOOK) {
            int from = codes[i] << (LOOK - length);
            for (int j = 0; j < 1 << (LOOK - length); j++)
                reading->look[from + j] =
                    (uint16_t)(length << 8 | table[16 + i]);
        }
    }
    return OK;
}

static int for_writing(const uint8_t *table, Writing *writing)
{
    uint16_t codes[256];
    uint8_t lengths[256];
    int count = codes_of(table, codes, lengths);
    if (count < 0)
        return count;
    memset(writing, 0, sizeof *writing);
    for (int i = 0; i < count; i++) {
        writing->code[table[16 + i]] = codes[i];
        writing->length[table[16 + i]] = lengths[i];
    }
    return OK;
}

/* ---- bits in ---- */

typedef struct {
    const uint8_t *data;
    size_t at, size;
    uint64_t bits;  /* the next bit is the highest */
    int count;
} In;

static void fill(In *in)
{
    while (in->count <= 32 && in->at + 4 <= in->size) {
        const uint8_t *p = in->data + in->at;
        uint32_t word = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
                        (uint32_t)p[2] << 8 | p[3];
        if (word & 0x80808080u & ~(word + 0x01010101u))
            break;  /* there may be an 0xFF among them */
        in->bits |= (uint64_t)word << (32 - in->count);
        in->count += 32;
        in->at += 4;
    }
    while (in->count <= 56 && in->at < in->size) {
        uint8_t byte = in->data[in->at];
        if (byte == 0xFF) {
            if (in->at + 1 >= in->size || in->data[in->at + 1] != 0)
                return;  /* a marker */
            in->at++;
        }
        in->at++;
        in->bits |= (uint64_t)byte << (56 - in->count);
        in->count += 8;
    }
}

static inline int take(In *in, int count, uint32_t *value)
{
    if (!count) {
        *value = 0;
        return OK;
    }
    if (in->count < count) {
        fill(in);
        if (in->count < count)
            return CUT_SHORT;
    }
    *value = (uint32_t)(in->bits >> (64 - count));
    in->bits <<= count;
    in->count -= count;
    return OK;
}

static inline int take_symbol(In *in, const Reading *table)
{
    if (in->count < 16)
        fill(in);
    uint16_t found = table->look[in->bits >> (64 - LOOK)];
    int length = found >> 8, symbol = found & 0xFF;
    if (!length) {
        uint32_t next = (uint32_t)(in->bits >> 48);
        for (length = LOOK + 1; length <= 16; length++) {
            int32_t code = (int32_t)(next >> (16 - length));
            if (code <= table->last[length]) {
                symbol = table->symbols[(code + table->shift[length]) & 0xFF];
                break;
            }
        }
        if (length > 16)
            return in->count < 16 ? CUT_SHORT : BAD_CODE;
    }
    if (length > in->count)
        return CUT_SHORT;
    in->bits <<= length;
    in->count -= length;
    return symbol;
}

/* A value of so many bits, a negative one less one. */
static inline int take_value(In *in, int size, int32_t *value)
{
    uint32_t bits;
    int error = take(in, size, &bits);
    if (error)
        return error;
    *value = (int32_t)bits;
    if (size && !(bits >> (size - 1)))
        *value -= (1 << size) - 1;
    return OK;
}

/* What is left of the last byte, and where the next one is. */
static int close_in(In *in)
{
    int left = in->count & 7;
    int padding = left ? (int)(in->bits >> (64 - left)) : 0;
    for (int whole = in->count >> 3; whole > 0; whole--) {
        in->at--;
        if (in->at && in->data[in->at] == 0 && in->data[in->at - 1] == 0xFF)
            in->at--;
    }
    in->bits = 0;
    in->count = 0;
    /* Ones up to the byte's end, which are usual, as 0xFF whatever their number. */
    return padding == (1 << left) - 1 ? 0xFF : padding;
}

static int restart_in(In *in, int number)
{
    while (in->at + 2 < in->size && in->data[in->at] == 0xFF &&
           in->data[in->at + 1] == 0xFF)
        in->at++;  /* any marker may have more of them in front */
    if (in->at + 2 > in->size || in->data[in->at] != 0xFF ||
        in->data[in->at + 1] != 0xD0 + number)
        return BAD_RESTART;
    in->at += 2;
    return OK;
}

/* ---- blocks in ---- */

static inline int read_dc(In *in, const Reading *table, int32_t *before, int low,
                          int16_t *block)
{
    int size = take_symbol(in, table);
    int32_t step;
    if (size < 0)
        return size;
    if (size > 15)
        return BAD_CODE;
    int error = take_value(in, size, &step);
    if (error)
        return error;
    int32_t value = *before + step;
    int32_t shifted = value * (1 << low);
    if (value < -32768 || value > 32767 || shifted < -32768 || shifted > 32767)
        return OUT_OF_RANGE;
    *before = value;
    block[0] = (int16_t)shifted;
    return OK;
}

static int read_sequential(In *in, const Reading *dc, const Reading *ac,
                           int32_t *before, int16_t *block)
{
    int error = read_dc(in, dc, before, 0, block);
    if (error)
        return error;
    for (int k = 1; k < 64; k++) {
        int symbol = take_symbol(in, ac);
        if (symbol < 0)
            return symbol;
        int size = symbol & 15;
        if (!size) {
            if (symbol == 0)
                return OK;
            if (symbol != 0xF0)
                return BAD_CODE;
            k += 15;
            if (k > 63)
                return TOO_MANY;
            continue;
        }
        k += symbol >> 4;
        if (k > 63)
            return TOO_MANY;
        int32_t value;
        error = take_value(in, size, &value);
        if (error)
            return error;
        block[NATURAL[k]] = (int16_t)value;
    }
    return OK;
}

static int read_first(In *in, const Scan *scan, const Reading *ac, uint32_t *run,
                      int16_t *block)
{
    if (*run) {
        --*run;
        return OK;
    }
    for (int k = scan->first; k <= scan->last; k++) {
        int symbol = take_symbol(in, ac);
        if (symbol < 0)
            return symbol;
        int zeros = symbol >> 4, size = symbol & 15;
        if (!size) {
            if (zeros < 15) {
                uint32_t more;
                int error = take(in, zeros, &more);
                if (error)
                    return error;
                *run = (1u << zeros) + more - 1;
                return OK;
            }
            k += 15;
            if (k > scan->last)
                return TOO_MANY;
            continue;
        }
        k += zeros;
        if (k > scan->last)
            return TOO_MANY;
        int32_t value;
        int error = take_value(in, size, &value);
        if (error)
            return error;
        value *= 1 << scan->low_bit;
        if (value < -32768 || value > 32767)
            return OUT_OF_RANGE;
        block[NATURAL[k]] = (int16_t)value;
    }
    return OK;
}

/* One more bit of a coefficient that was sent before. */
static inline int refine(In *in, int low, int16_t *coefficient)
{
    uint32_t bit;
    int error = take(in, 1, &bit);
    if (error)
        return error;
    if (bit) {
        int32_t step = 1 << low;
        if (*coefficient & step)
            return INCONSISTENT;
        int32_t value = *coefficient + (*coefficient < 0 ? -step : step);
        if (value < -32768 || value > 32767)
            return OUT_OF_RANGE;
        *coefficient = (int16_t)value;
    }
    return OK;
}

static int read_refinement(In *in, const Scan *scan, const Reading *ac, uint32_t *run,
                           int16_t *block)
{
    int k = scan->first, error;
    if (!*run) {
        for (; k <= scan->last; k++) {
            int symbol = take_symbol(in, ac);
            if (symbol < 0)
                return symbol;
            int zeros = symbol >> 4, size = symbol & 15;
            int16_t fresh = 0;
            if (size) {
                uint32_t positive;
                if (size != 1)
                    return BAD_CODE;
                error = take(in, 1, &positive);
                if (error)
                    return error;
                fresh = (int16_t)((positive ? 1 : -1) * (1 << scan->low_bit));
            } else if (zeros < 15) {
                uint32_t more;
                error = take(in, zeros, &more);
                if (error)
                    return error;
                *run = (1u << zeros) + more;
                break;
            }
            for (; k <= scan->last; k++) {
                int16_t *one = block + NATURAL[k];
                if (*one) {
                    error = refine(in, scan->low_bit, one);
                    if (error)
                        return error;
                } else if (--zeros < 0) {
                    break;
                }
            }
            if (k > scan->last)
                return TOO_MANY;
            if (fresh)
                block[NATURAL[k]] = fresh;
        }
    }
    if (*run) {
        for (; k <= scan->last; k++) {
            int16_t *one = block + NATURAL[k];
            if (*one) {
                error = refine(in, scan->low_bit, one);
                if (error)
                    return error;
            }
        }
        --*run;
    }
    return OK;
}

/* ---- where a scan's blocks are ---- */

static int64_t units_of(const Scan *scan)
{
    if (scan->count == 1)
        return scan->components[0].wide * scan->components[0].high;
    return scan->wide * scan->high;
}

static inline int16_t *block_at(const Component *one, int64_t row, int64_t column)
{
    return one->blocks + 64 * (row * one->stride + column);
}

static void needed_tables(const Scan *scan, int *needs_dc, int *needs_ac)
{
    *needs_dc = !scan->progressive || (scan->first == 0 && !scan->high_bit);
    *needs_ac = !scan->progressive || scan->first > 0;
}

typedef struct {
    Reading dc[4], ac[4];
    In in;
    int32_t before[4];
    uint32_t run;
} Reader;

static inline int read_block(Reader *reader, const Scan *scan, int c, int16_t *block)
{
    if (!scan->progressive)
        return read_sequential(&reader->in, reader->dc + c, reader->ac + c,
                               reader->before + c, block);
    if (scan->first == 0) {
        if (!scan->high_bit)
            return read_dc(&reader->in, reader->dc + c, reader->before + c,
                           scan->low_bit, block);
        uint32_t bit;
        int error = take(&reader->in, 1, &bit);
        if (error)
            return error;
        if (bit)
            block[0] = (int16_t)(block[0] | (1 << scan->low_bit));
        return OK;
    }
    if (!scan->high_bit)
        return read_first(&reader->in, scan, reader->ac + c, &reader->run, block);
    return read_refinement(&reader->in, scan, reader->ac + c, &reader->run, block);
}

/* Read a scan's coefficients.
 *
 * `paddings` has a byte for each stretch between restart markers: 0xFF where the bits
 * that fill its last byte are ones. `end` is where the coded data ends. Returns OK or
 * what is wrong.
 */
EXPORT int jc_read(const uint8_t *data, size_t size, size_t at, const Scan *scan,
                   uint8_t *paddings, size_t *end)
{
    Reader reader;
    int needs_dc, needs_ac, error;
    needed_tables(scan, &needs_dc, &needs_ac);
    for (int c = 0; c < scan->count; c++) {
        if (needs_dc && (error = for_reading(scan->components[c].dc, reader.dc + c)))
            return error;
        if (needs_ac && (error = for_reading(scan->components[c].ac, reader.ac + c)))
            return error;
    }
    memset(reader.before, 0, sizeof reader.before);
    reader.run = 0;
    reader.in = (In){data, at, size, 0, 0};

    int64_t units = units_of(scan), row = 0, column = 0;
    int64_t across = scan->count == 1 ? scan->components[0].wide : scan->wide;
    int64_t until = scan->restart ? scan->restart : units;
    int next = 0;
    for (int64_t unit = 0; unit < units; unit++) {
        if (!until) {
            if (reader.run)
                return TOO_MANY;
            *paddings++ = (uint8_t)close_in(&reader.in);
            if ((error = restart_in(&reader.in, next)))
                return error;
            next = (next + 1) & 7;
            memset(reader.before, 0, sizeof reader.before);
            until = scan->restart;
        }
        until--;
        if (scan->count == 1) {
            error = read_block(&reader, scan, 0,
                               block_at(scan->components, row, column));
            if (error)
                return error;
        } else {
            for (int c = 0; c < scan->count; c++) {
                const Component *one = scan->components + c;
                for (int y = 0; y < one->v; y++)
                    for (int x = 0; x < one->h; x++) {
                        error = read_block(&reader, scan, c,
                                           block_at(one, row * one->v + y,
                                                    column * one->h + x));
                        if (error)
                            return error;
                    }
            }
        }
        if (++column == across) {
            column = 0;
            row++;
        }
    }
    if (reader.run)
        return TOO_MANY;
    *paddings = (uint8_t)close_in(&reader.in);
    *end = reader.in.at;
    return OK;
}

/* ---- bits out ---- */

typedef struct {
    uint8_t *data;  /* NULL: only count symbols */
    size_t at, size;
    uint64_t bits;  /* the lowest `count` are waiting */
    int count;
    int error;
} Out;

static inline void put_byte(Out *out, uint8_t byte)
{
    if (out->at + 2 > out->size) {
        out->error = FULL;
        return;
    }
    out->data[out->at++] = byte;
    if (byte == 0xFF)
        out->data[out->at++] = 0;
}

static inline void put(Out *out, uint32_t value, int count)
{
    out->bits = out->bits << count | value;
    out->count += count;
    if (out->count >= 32) {
        uint32_t word = (uint32_t)(out->bits >> (out->count - 32));
        out->count -= 32;
        if (!(word & 0x80808080u & ~(word + 0x01010101u)) &&
            out->at + 4 <= out->size) {
            uint8_t *p = out->data + out->at;
            p[0] = (uint8_t)(word >> 24);
            p[1] = (uint8_t)(word >> 16);
            p[2] = (uint8_t)(word >> 8);
            p[3] = (uint8_t)word;
            out->at += 4;
        } else {
            for (int shift = 24; shift >= 0; shift -= 8)
                put_byte(out, (uint8_t)(word >> shift));
        }
    }
}

static void close_out(Out *out, uint8_t padding)
{
    int left = -out->count & 7;
    if (left)
        put(out, padding & ((1u << left) - 1), left);
    while (out->count) {
        out->count -= 8;
        put_byte(out, (uint8_t)(out->bits >> out->count));
    }
    out->bits = 0;
}

/* ---- blocks out ---- */

typedef struct {
    Writing dc[4], ac[4];
    uint32_t *counts;  /* 256 each: dc and ac of each component of the scan in turn */
    Out out;
    int32_t before[4];
    uint32_t run;
    int run_of;        /* the component whose blocks end without more */
    int kept;
    uint8_t kept_bits[MOST_BITS_KEPT];
} Writer;

static inline int width_of(uint32_t value)
{
    return value ? 32 - __builtin_clz(value) : 0;
}

static inline void put_coded(Writer *writer, int c, int is_ac, int symbol,
                             uint32_t extra, int extra_count)
{
    if (writer->counts) {
        writer->counts[256 * (2 * c + is_ac) + symbol]++;
        return;
    }
    const Writing *table = is_ac ? writer->ac + c : writer->dc + c;
    int length = table->length[symbol];
    if (!length) {
        writer->out.error = NO_CODE;
        return;
    }
    put(&writer->out, (uint32_t)table->code[symbol] << extra_count | extra,
        length + extra_count);
}

/* The bits of a value, a negative one less one. */
static inline uint32_t value_bits(int32_t value, int size)
{
    return (uint32_t)(value < 0 ? value - 1 : value) & ((1u << size) - 1);
}

static inline void write_dc(Writer *writer, int c, int32_t value)
{
    int32_t step = value - writer->before[c];
    int size = width_of((uint32_t)(step < 0 ? -step : step));
    writer->before[c] = value;
    if (size > 15) {
        writer->out.error = OUT_OF_RANGE;
        return;
    }
    put_coded(writer, c, 0, size, value_bits(step, size), size);
}

/* Which of 64 bytes are 1 and not 0, a bit each. */
ALWAYS uint64_t bits_of(const uint8_t flags[64])
{
    uint64_t mask = 0;
#ifdef SSE2
    for (int k = 0; k < 64; k += 16) {
        __m128i some = _mm_loadu_si128((const __m128i *)(flags + k));
        some = _mm_cmpgt_epi8(some, _mm_setzero_si128());
        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(some) << k;
    }
#else
    for (int k = 0; k < 64; k += 8) {
        uint64_t eight = 0;
        for (int i = 0; i < 8; i++)
            eight |= (uint64_t)flags[k + i] << (8 * i);
        /* The lowest bits of eight bytes, side by side. */
        mask |= (eight * 0x0102040810204080u >> 56) << k;
    }
#endif
    return mask;
}

/* Which of 64 values aren't zero, a bit each. */
static inline uint64_t mask_of(const uint16_t values[64])
{
    uint8_t flags[64];
    for (int k = 0; k < 64; k++)
        flags[k] = values[k] != 0;
    return bits_of(flags);
}

/* A block in zigzag order, and its values without sign and lowest bits. */
static inline void spread(const int16_t *block, int low, int16_t values[64],
                          uint16_t sizes[64])
{
    for (int k = 0; k < 64; k++)
        values[k] = block[NATURAL[k]];
    for (int k = 0; k < 64; k++) {
        uint16_t sign = (uint16_t)(values[k] >> 15);
        sizes[k] = (uint16_t)((uint16_t)(((uint16_t)values[k] ^ sign) - sign) >> low);
    }
}

static inline uint64_t from_to(int first, int last)
{
    return (~(uint64_t)0 >> (63 - last)) & (~(uint64_t)0 << first);
}

static void write_sequential(Writer *writer, int c, const int16_t *block)
{
    int16_t values[64];
    uint16_t sizes[64];
    spread(block, 0, values, sizes);
    write_dc(writer, c, values[0]);
    int before = 0;
    for (uint64_t mask = mask_of(sizes) & ~(uint64_t)1; mask; mask &= mask - 1) {
        int k = __builtin_ctzll(mask), zeros = k - before - 1;
        for (; zeros > 15; zeros -= 16)
            put_coded(writer, c, 1, 0xF0, 0, 0);
        int size = width_of(sizes[k]);
        if (size > 15) {
            writer->out.error = OUT_OF_RANGE;
            return;
        }
        put_coded(writer, c, 1, zeros << 4 | size, value_bits(values[k], size), size);
        before = k;
    }
    if (before < 63)
        put_coded(writer, c, 1, 0, 0, 0);
}

static void put_kept(Writer *writer, const uint8_t *bits, int count)
{
    if (!writer->counts)
        for (int i = 0; i < count; i++)
            put(&writer->out, bits[i], 1);
}

static void put_run(Writer *writer)
{
    if (writer->run) {
        int size = width_of(writer->run) - 1;
        put_coded(writer, writer->run_of, 1, size << 4,
                  writer->run & ((1u << size) - 1), size);
        writer->run = 0;
        put_kept(writer, writer->kept_bits, writer->kept);
        writer->kept = 0;
    }
}

static void write_first(Writer *writer, const Scan *scan, int c, const int16_t *block)
{
    int16_t values[64];
    uint16_t sizes[64];
    spread(block, scan->low_bit, values, sizes);
    int before = scan->first - 1;
    uint64_t mask = mask_of(sizes) & from_to(scan->first, scan->last);
    for (; mask; mask &= mask - 1) {
        int k = __builtin_ctzll(mask), zeros = k - before - 1;
        put_run(writer);
        for (; zeros > 15; zeros -= 16)
            put_coded(writer, c, 1, 0xF0, 0, 0);
        int size = width_of(sizes[k]);
        if (size > 15) {
            writer->out.error = OUT_OF_RANGE;
            return;
        }
        int32_t value = values[k] < 0 ? -(int32_t)sizes[k] : sizes[k];
        put_coded(writer, c, 1, zeros << 4 | size, value_bits(value, size), size);
        before = k;
    }
    if (before < scan->last) {
        writer->run_of = c;
        if (++writer->run == MOST_RUN)
            put_run(writer);
    }
}

static void write_refinement(Writer *writer, const Scan *scan, int c,
                             const int16_t *block)
{
    int16_t values[64];
    uint16_t sizes[64];
    spread(block, scan->low_bit, values, sizes);
    uint64_t mask = mask_of(sizes) & from_to(scan->first, scan->last);
    int end = 0;
    for (uint64_t rest = mask; rest; rest &= rest - 1) {
        int k = __builtin_ctzll(rest);
        if (sizes[k] == 1)
            end = k;
    }
    int zeros = 0, count = 0, before = scan->first - 1;
    uint8_t *bits = writer->kept_bits + writer->kept;
    for (; mask; mask &= mask - 1) {
        int k = __builtin_ctzll(mask);
        zeros += k - before - 1;
        before = k;
        for (; zeros > 15 && k <= end; zeros -= 16) {
            put_run(writer);
            put_coded(writer, c, 1, 0xF0, 0, 0);
            put_kept(writer, bits, count);
            bits = writer->kept_bits;
            count = 0;
        }
        if (sizes[k] > 1) {
            bits[count++] = (uint8_t)(sizes[k] & 1);
            continue;
        }
        put_run(writer);
        put_coded(writer, c, 1, zeros << 4 | 1, values[k] < 0 ? 0 : 1, 1);
        put_kept(writer, bits, count);
        bits = writer->kept_bits;
        count = 0;
        zeros = 0;
    }
    zeros += scan->last - before;
    if (zeros || count) {
        writer->run_of = c;
        writer->run++;
        writer->kept += count;
        /* Room for a block's worth must stay. */
        if (writer->run == MOST_RUN || writer->kept > MOST_BITS_KEPT - 64 + 1)
            put_run(writer);
    }
}

static inline void write_block(Writer *writer, const Scan *scan, int c,
                               const int16_t *block)
{
    if (!scan->progressive)
        write_sequential(writer, c, block);
    else if (scan->first == 0 && !scan->high_bit)
        write_dc(writer, c, block[0] >> scan->low_bit);
    else if (scan->first == 0) {
        if (!writer->counts)
            put(&writer->out, (uint32_t)(block[0] >> scan->low_bit) & 1, 1);
    } else if (!scan->high_bit)
        write_first(writer, scan, c, block);
    else
        write_refinement(writer, scan, c, block);
}

/* Write a scan's coefficients, or count its symbols.
 *
 * With `counts`, eight times 256 zeros, the symbols of each component's DC and AC
 * table in turn are counted and nothing is written. `paddings` is as jc_read leaves
 * it, or NULL: ones. `end` is how much was written. Returns OK or what is wrong.
 */
EXPORT int jc_write(uint8_t *data, size_t size, const Scan *scan,
                    const uint8_t *paddings, uint32_t *counts, size_t *end)
{
    Writer writer;
    int needs_dc, needs_ac, error;
    needed_tables(scan, &needs_dc, &needs_ac);
    for (int c = 0; c < scan->count && !counts; c++) {
        if (needs_dc && (error = for_writing(scan->components[c].dc, writer.dc + c)))
            return error;
        if (needs_ac && (error = for_writing(scan->components[c].ac, writer.ac + c)))
            return error;
    }
    writer.counts = counts;
    writer.out = (Out){data, 0, size, 0, 0, OK};
    memset(writer.before, 0, sizeof writer.before);
    writer.run = 0;
    writer.run_of = 0;
    writer.kept = 0;

    int64_t units = units_of(scan), row = 0, column = 0;
    int64_t across = scan->count == 1 ? scan->components[0].wide : scan->wide;
    int64_t until = scan->restart ? scan->restart : units;
    int next = 0;
    for (int64_t unit = 0; unit < units && !writer.out.error; unit++) {
        if (!until) {
            put_run(&writer);
            if (!counts) {
                close_out(&writer.out, paddings ? *paddings++ : 0xFF);
                if (writer.out.at + 2 > size)
                    return FULL;
                data[writer.out.at++] = 0xFF;
                data[writer.out.at++] = (uint8_t)(0xD0 + next);
                next = (next + 1) & 7;
            }
            memset(writer.before, 0, sizeof writer.before);
            until = scan->restart;
        }
        until--;
        if (scan->count == 1) {
            write_block(&writer, scan, 0, block_at(scan->components, row, column));
        } else {
            for (int c = 0; c < scan->count; c++) {
                const Component *one = scan->components + c;
                for (int y = 0; y < one->v; y++)
                    for (int x = 0; x < one->h; x++)
                        write_block(&writer, scan, c,
                                    block_at(one, row * one->v + y,
                                             column * one->h + x));
            }
        }
        if (++column == across) {
            column = 0;
            row++;
        }
    }
    put_run(&writer);
    if (!counts)
        close_out(&writer.out, paddings ? *paddings : 0xFF);
    *end = writer.out.at;
    return writer.out.error;
}

/* ---- the best Huffman table ---- */

enum { LONGEST_MADE = 32, LONGEST = 16, RESERVED = 256 };

/* The least frequent symbol but one, the last of equal ones; -1 if there is none. */
static int rarest(const uint64_t counts[257], int but)
{
    int found = -1;
    for (int i = 0; i <= RESERVED; i++)
        if (counts[i] && i != but && (found < 0 || counts[i] <= counts[found]))
            found = i;
    return found;
}

/* The table that codes symbols in the fewest bits, as libjpeg makes it. Returns OK, or
 * BAD_TABLE where a code would be longer than libjpeg can shorten. */
EXPORT int jc_best(const uint64_t *given, uint8_t *table)
{
    uint64_t counts[257];
    int lengths[257] = {0}, following[257], codes[LONGEST_MADE + 1] = {0};
    for (int i = 0; i < RESERVED; i++)
        counts[i] = given[i];
    counts[RESERVED] = 1;  /* a code of all ones may not be used: this one gets it */
    for (int i = 0; i <= RESERVED; i++)
        following[i] = -1;
    for (;;) {
        int one = rarest(counts, -1), other = rarest(counts, one);
        if (other < 0)
            break;
        counts[one] += counts[other];
        counts[other] = 0;
        /* All of both branches get longer by a bit, and become one. */
        for (lengths[one]++; following[one] >= 0; lengths[one]++)
            one = following[one];
        following[one] = other;
        for (lengths[other]++; following[other] >= 0; lengths[other]++)
            other = following[other];
    }
    for (int i = 0; i <= RESERVED; i++) {
        if (lengths[i] > LONGEST_MADE)
            return BAD_TABLE;
        codes[lengths[i]]++;
    }
    codes[0] = 0;
    for (int length = LONGEST_MADE; length > LONGEST; length--)
        while (codes[length]) {
            int shorter = length - 2;
            while (!codes[shorter])
                shorter--;
            codes[length] -= 2;
            codes[length - 1]++;
            codes[shorter + 1] += 2;
            codes[shorter]--;
        }
    int longest = LONGEST;
    while (longest && !codes[longest])
        longest--;
    codes[longest]--;
    memset(table, 0, 16 + 256);
    for (int length = 1; length <= LONGEST; length++)
        table[length - 1] = (uint8_t)codes[length];
    uint8_t *symbols = table + 16;
    for (int length = 1; length <= LONGEST_MADE; length++)
        for (int i = 0; i < RESERVED; i++)
            if (lengths[i] == length)
                *symbols++ = (uint8_t)i;
    return OK;
}

/* ---- whole offsets for a wanted change ---- */

/* Everything here is integers, so that the same comes out everywhere. Coefficients
 * times steps are in parts of 64 and at most 2048, pixels in parts of 2^14 of a gray
 * level: whatever is added up of them stays below 2^31. */

enum { PART_BITS = 6, SHARE_BITS = 4, MOST_STEPS = 2047, NEARLY = 1 << 12 };

typedef struct {
    int32_t steps[64];
    float inverse[64];       /* of the steps */
    int32_t peaks[64];       /* of each coefficient's step the largest pixel */
    int32_t pixels[64 * 64]; /* 64 of a step of each coefficient */
    int32_t turned[64 * 64]; /* the same, of each pixel 64 coefficients */
    int32_t most[64];        /* steps of each that alone keep the limit */
    int32_t limit;           /* that they are for */
} Steps;

typedef struct {
    const Steps *steps;
    const int32_t *wanted;
    int32_t sizes[64];  /* of what is wanted */
    int64_t gains[64];  /* what a step of each coefficient gives */
    int64_t all;        /* what is wanted altogether, in parts of 64 of a gain */
    int32_t limit;
} Fit;

/* What one way has made of a block. */
typedef struct {
    int32_t offsets[64];  /* without sign */
    uint64_t open;        /* those that aren't 0, at first */
    int64_t got;
} Made;

/* Whole steps in numbers of less than 2^16. A product with the inverse is off by less
 * than the half that is added, so it is never rounded to another whole number. */
ALWAYS void divide(const int32_t numbers[64], const float inverse[64], int32_t out[64])
{
    for (int i = 0; i < 64; i++)
        out[i] = (int32_t)(((float)numbers[i] + 0.5f) * inverse[i]);
}

/* What is got and which offsets aren't 0. */
ALWAYS void fit_note(const Fit *fit, Made *made)
{
    uint8_t flags[64];
    for (int i = 0; i < 64; i++)
        flags[i] = made->offsets[i] != 0;
    made->open = bits_of(flags);
    made->got = 0;
    for (uint64_t rest = made->open; rest; rest &= rest - 1) {
        int i = __builtin_ctzll(rest);
        made->got += made->offsets[i] * fit->gains[i];
    }
}

/* How much the pixels change. */
ALWAYS void fit_pixels(const Fit *fit, const int32_t offsets[64], uint64_t open,
                       int32_t pixels[64])
{
    int first = 1;
    for (uint64_t rest = open; rest; rest &= rest - 1) {
        int i = __builtin_ctzll(rest);
        int32_t offset = fit->wanted[i] < 0 ? -offsets[i] : offsets[i];
        const int32_t *step = fit->steps->pixels + 64 * i;
        if (first)
            for (int p = 0; p < 64; p++)
                pixels[p] = offset * step[p];
        else
            for (int p = 0; p < 64; p++)
                pixels[p] += offset * step[p];
        first = 0;
    }
}

/* Take single steps away until no pixel changes by more than the limit, of the
 * coefficient that adds most to the worst pixel, or that adds most of what it is wanted
 * for. Each turn makes the offsets smaller, so it ends; once there is no more of what
 * is wanted than another way has given, it may end as well. Returns how many turns it
 * took. */
ALWAYS int fit_limit(const Fit *fit, const int32_t begun[64], int by_worth,
                     int64_t least, Made *made)
{
    int32_t pixels[64], sizes[64], largest = 0;
    int places[64], count = 0, turns = 0;
    int64_t worth[64];
    for (int p = 0; p < 64; p++) {
        pixels[p] = begun[p];
        sizes[p] = begun[p] < 0 ? -begun[p] : begun[p];
        largest = sizes[p] > largest ? sizes[p] : largest;
    }
    for (uint64_t rest = made->open; rest; rest &= rest - 1) {
        int i = __builtin_ctzll(rest);
        places[count] = i;
        worth[count] = 1;
        if (by_worth) {
            worth[count] = fit->gains[i] >> PART_BITS;
            worth[count] = worth[count] < 1 ? 1 : worth[count];
        }
        count++;
    }
    for (; largest > fit->limit && made->got > least; turns++) {
        uint8_t flags[64];
        for (int p = 0; p < 64; p++)
            flags[p] = sizes[p] == largest;
        int worst = __builtin_ctzll(bits_of(flags));
        const int32_t *reach = fit->steps->turned + 64 * worst;
        int32_t side = pixels[worst] >> 31;
        int found = -1;
        int64_t most = 0, cost = 1;
        for (int at = 0; at < count; at++) {
            int i = places[at];
            int32_t turn = side ^ (fit->wanted[i] >> 31);
            int64_t adds = made->offsets[i] * ((reach[i] ^ turn) - turn);
            if (adds > 0 && adds * cost > most * worth[at]) {
                found = at;
                most = adds;
                cost = worth[at];
            }
        }
        if (found < 0)
            return turns;  /* which cannot be: something adds to the worst pixel */
        int i = places[found];
        const int32_t *step = fit->steps->pixels + 64 * i;
        int32_t turn = fit->wanted[i] >> 31;
        largest = 0;
        for (int p = 0; p < 64; p++) {
            int32_t one = pixels[p] - ((step[p] ^ turn) - turn);
            pixels[p] = one;
            one = one < 0 ? -one : one;
            sizes[p] = one;
            largest = one > largest ? one : largest;
        }
        made->got -= fit->gains[i];
        if (!--made->offsets[i]) {
            count--;
            for (int at = found; at < count; at++) {
                places[at] = places[at + 1];
                worth[at] = worth[at + 1];
            }
        }
    }
    return turns;
}

/* A share, in parts of 16, of what is wanted, to the nearest step. */
ALWAYS void fit_nearest(const Fit *fit, int share, Made *made)
{
    int32_t numbers[64];
    for (int i = 0; i < 64; i++)
        numbers[i] = (fit->sizes[i] * share +
                      (fit->steps->steps[i] << (PART_BITS + SHARE_BITS - 1))) >>
                     (PART_BITS + SHARE_BITS);
    divide(numbers, fit->steps->inverse, made->offsets);
    fit_note(fit, made);
}

/* Which coefficient has most of a step left, the first of equal ones. Parts of it are
 * about right, and less than 0 where they don't count; what is nearly the largest is
 * compared exactly. */
ALWAYS int nearest_whole(const int32_t parts[64], const int32_t lefts[64],
                         const int32_t steps[64])
{
    int32_t largest = 0;
    uint8_t flags[64];
    for (int i = 0; i < 64; i++)
        largest = parts[i] > largest ? parts[i] : largest;
    largest = largest > NEARLY ? largest - NEARLY : 0;
    for (int i = 0; i < 64; i++)
        flags[i] = parts[i] >= largest;
    uint64_t rest = bits_of(flags);
    int best = __builtin_ctzll(rest);
    for (rest &= rest - 1; rest; rest &= rest - 1) {
        int i = __builtin_ctzll(rest);
        if ((int64_t)lefts[i] * steps[best] > (int64_t)lefts[best] * steps[i])
            best = i;
    }
    return best;
}

/* Whole steps, and one more of those that are nearest to it, until together they are
 * as much as is wanted. */
ALWAYS void fit_spent(const Fit *fit, Made *made)
{
    const Steps *steps = fit->steps;
    int32_t numbers[64], lefts[64], parts[64];
    for (int i = 0; i < 64; i++)
        numbers[i] = fit->sizes[i] >> PART_BITS;
    divide(numbers, steps->inverse, made->offsets);
    uint8_t flags[64];
    for (int i = 0; i < 64; i++) {
        lefts[i] = fit->sizes[i] - (made->offsets[i] * steps->steps[i] << PART_BITS);
        flags[i] = (fit->sizes[i] != 0) & (steps->peaks[i] <= fit->limit);
    }
    fit_note(fit, made);
    int64_t missing = fit->all - made->got * 64, smallest = INT64_MAX;
    uint64_t open = bits_of(flags);
    for (uint64_t rest = open; rest; rest &= rest - 1) {
        int64_t gain = fit->gains[__builtin_ctzll(rest)] * 64;
        smallest = gain < smallest ? gain : smallest;
    }
    for (int i = 0; i < 64; i++)
        parts[i] = (int32_t)((float)lefts[i] * steps->inverse[i] * (1 << 24));
    for (int i = 0; i < 64; i++)
        parts[i] = flags[i] ? parts[i] : -1;
    while (open && missing > 0 && smallest / 2 <= missing) {
        int i = nearest_whole(parts, lefts, steps->steps);
        parts[i] = -1;
        open &= ~((uint64_t)1 << i);
        int64_t gain = fit->gains[i] * 64;
        if (gain / 2 > missing)
            continue;
        made->offsets[i]++;
        made->open |= (uint64_t)1 << i;
        made->got += fit->gains[i];
        missing -= gain;
    }
}

/* The one coefficient of which most can be had, if that is more than `least`; it keeps
 * the limit. */
ALWAYS void fit_single(const Fit *fit, int64_t least, Made *made)
{
    int found = -1;
    int64_t best = least, steps = 0, all = fit->all / 64;
    for (int i = 0; i < 64; i++) {
        int64_t worth = fit->gains[i], most = fit->steps->most[i];
        if (most * worth <= best)
            continue;
        if (most * worth > all + worth / 2) {
            int64_t enough = (all + worth / 2) / worth;
            most = most < enough ? most : enough;
        }
        if (most * worth > best) {
            found = i;
            best = most * worth;
            steps = most;
        }
    }
    memset(made->offsets, 0, sizeof made->offsets);
    made->got = 0;
    if (found >= 0) {
        made->offsets[found] = (int32_t)steps;
        made->got = best;
    }
}

/* Of each coefficient how many steps alone keep a limit. */
ALWAYS void limit_steps(Steps *steps, int32_t limit)
{
    steps->limit = limit;
    for (int i = 0; i < 64; i++) {
        int32_t most = limit / steps->peaks[i];
        steps->most[i] = most < MOST_STEPS ? most : MOST_STEPS;
    }
}

/* The best that was found so far, in the unit of `all`. */
typedef struct {
    int64_t got;
    int enough;
    int16_t *out;
} Best;

ALWAYS void fit_take(const Fit *fit, const Made *made, Best *best)
{
    int64_t got = made->got * 64;
    if (got > fit->all)
        got = fit->all - (got - fit->all);  /* more than is wanted is no better */
    if (got <= best->got)
        return;
    best->got = got;
    best->enough = got >= fit->all - fit->all / 16;
    for (int i = 0; i < 64; i++)
        best->out[i] =
            (int16_t)(fit->wanted[i] < 0 ? -made->offsets[i] : made->offsets[i]);
}

/* Several ways are tried until one gives enough. One that can't give more than another
 * one before any limit isn't gone on with: limits only take away. */
ALWAYS void fit_block(const Fit *fit, int16_t out[64])
{
    static const int SHARES[] = {16, 13, 10};
    int32_t before[64], pixels[64];
    Best best = {0, 0, out};
    Made start, made;
    memset(out, 0, 64 * sizeof *out);
    for (int at = 0; at < 3; at++) {
        fit_nearest(fit, SHARES[at], &start);
        int32_t other = 0;
        for (int i = 0; i < 64; i++) {
            other |= at ? before[i] ^ start.offsets[i] : 1;
            before[i] = start.offsets[i];
        }
        if (!other || start.got * 64 <= best.got)
            continue;
        fit_pixels(fit, start.offsets, start.open, pixels);
        made = start;
        int turns = fit_limit(fit, pixels, 1, best.got / 64, &made);
        fit_take(fit, &made, &best);
        if (best.enough)
            return;
        if (!turns || SHARES[at] == 10)
            continue;
        made = start;
        fit_limit(fit, pixels, 0, best.got / 64, &made);
        fit_take(fit, &made, &best);
        if (best.enough)
            return;
    }
    fit_spent(fit, &made);
    if (made.got * 64 > best.got) {
        fit_pixels(fit, made.offsets, made.open, pixels);
        fit_limit(fit, pixels, 1, best.got / 64, &made);
        fit_take(fit, &made, &best);
        if (best.enough)
            return;
    }
    fit_single(fit, best.got / 64, &made);
    fit_take(fit, &made, &best);
}

ALWAYS void fit_blocks(const int32_t *wanted, const int32_t *given,
                       const int32_t *basis, const int32_t *limits, int64_t count,
                       int16_t *offsets)
{
    Steps steps;
    for (int i = 0; i < 64; i++) {
        steps.steps[i] = given[i];
        steps.inverse[i] = 1.0f / (float)given[i];
        steps.peaks[i] = 0;
        for (int p = 0; p < 64; p++) {
            int32_t one = given[i] * basis[64 * i + p];
            steps.pixels[64 * i + p] = steps.turned[64 * p + i] = one;
            one = one < 0 ? -one : one;
            steps.peaks[i] = one > steps.peaks[i] ? one : steps.peaks[i];
        }
    }
    limit_steps(&steps, 0);
    for (int64_t block = 0; block < count; block++) {
        Fit fit;
        fit.steps = &steps;
        fit.wanted = wanted + 64 * block;
        fit.all = 0;
        fit.limit = limits[block];
        for (int i = 0; i < 64; i++) {
            int32_t one = fit.wanted[i];
            fit.sizes[i] = one < 0 ? -one : one;
            fit.gains[i] = (int64_t)fit.sizes[i] * steps.steps[i];
            fit.all += (int64_t)one * one;
        }
        if (fit.limit != steps.limit)
            limit_steps(&steps, fit.limit);
        if (fit.all && fit.limit)
            fit_block(&fit, offsets + 64 * block);
        else
            memset(offsets + 64 * block, 0, 64 * sizeof *offsets);
    }
}

/* Offsets of `count` blocks that have as much of what is wanted as there can be while
 * no pixel of a block changes by more than its limit. Several ways are tried. */
WIDER(void, jc_fit, , fit_blocks,
      (const int32_t *wanted, const int32_t *steps, const int32_t *basis,
       const int32_t *limits, int64_t count, int16_t *offsets),
      (wanted, steps, basis, limits, count, offsets))

/* ---- what a change of pixels is in coefficients ---- */

#if FLT_EVAL_METHOD
#error "sums must be those of 64-bit floating-point numbers"
#endif

/* 4096 times the cosines of the transform, of each coefficient half a line: the other
 * half is the same, backwards, and the other way round for odd ones. */
static const double LINES[8][4] = {
    {1448, 1448, 1448, 1448}, {2009, 1703, 1138, 400}, {1892, 784, -784, -1892},
    {1703, -400, -2009, -1138}, {1448, -1448, -1448, 1448}, {1138, -2009, 400, 1703},
    {784, -1892, 1892, -784}, {400, -1138, 1703, -2009},
};

typedef struct {
    const void *values;     /* in rows, without gaps */
    int64_t height, width;
    int64_t size;           /* bytes of a value: 1, 2 or 4 */
    int64_t down, across;   /* values that one of the component is of */
    int64_t rows, columns;  /* the component's blocks */
    int64_t share;          /* of the values' sum to one of the component */
} Plane;

ALWAYS int32_t value_at(const Plane *plane, int64_t row, int64_t column)
{
    row = row < plane->height ? row : plane->height - 1;
    column = column < plane->width ? column : plane->width - 1;
    int64_t at = row * plane->width + column;
    if (plane->size == 1)
        return ((const int8_t *)plane->values)[at];
    if (plane->size == 2)
        return ((const int16_t *)plane->values)[at];
    return ((const int32_t *)plane->values)[at];
}

/* A block's sums; beyond the plane it goes on as its edge does. */
ALWAYS void sums_of(const Plane *plane, int64_t row, int64_t column, double sums[64])
{
    int64_t top = 8 * plane->down * row, left = 8 * plane->across * column;
    int64_t high = 8 * plane->down, wide = 8 * plane->across;
    int whole = top + high <= plane->height && left + wide <= plane->width;
    if (whole && high == 8 && wide == 8 && plane->size == 1) {
        const int8_t *values = (const int8_t *)plane->values + top * plane->width + left;
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++)
                sums[8 * y + x] = values[y * plane->width + x];
        return;
    }
    int32_t whole_sums[64] = {0};
    for (int64_t y = 0; y < high; y++)
        for (int64_t x = 0; x < wide; x++)
            whole_sums[8 * (y / plane->down) + x / plane->across] +=
                value_at(plane, top + y, left + x);
    for (int i = 0; i < 64; i++)
        sums[i] = whole_sums[i];
}

/* The transform of eight lines at once: of what is in each line's place `i` at 8 i. */
ALWAYS void forward_lines(const double in[64], double out[64])
{
    double even[4][8], odd[4][8];
    for (int i = 0; i < 4; i++)
        for (int line = 0; line < 8; line++) {
            even[i][line] = in[8 * i + line] + in[8 * (7 - i) + line];
            odd[i][line] = in[8 * i + line] - in[8 * (7 - i) + line];
        }
    for (int k = 0; k < 8; k++) {
        double (*from)[8] = k & 1 ? odd : even;
        for (int line = 0; line < 8; line++)
            out[8 * k + line] =
                from[0][line] * LINES[k][0] + from[1][line] * LINES[k][1] +
                from[2][line] * LINES[k][2] + from[3][line] * LINES[k][3];
    }
}

/* Sums of products of integers, which stay below 2^51, so that nothing is rounded but
 * at the end. */
ALWAYS void wanted_blocks(const Plane *plane, int32_t *out)
{
    /* To the nearest whole number, of two the even one. */
    const double round = 6755399441055744.0;
    int exact = !(plane->share & (plane->share - 1));
    double share = (double)plane->share, factor = 64.0 / (1 << 24) / share;
    for (int64_t row = 0; row < plane->rows; row++)
        for (int64_t column = 0; column < plane->columns; column++, out += 64) {
            double sums[64], turned[64], lines[64], most = 0;
            sums_of(plane, row, column, sums);
            for (int i = 0; i < 64; i++)
                most += sums[i] * sums[i];
            if (most == 0) {
                memset(out, 0, 64 * sizeof *out);
                continue;
            }
            forward_lines(sums, lines);
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 8; x++)
                    turned[8 * x + y] = lines[8 * y + x];
            forward_lines(turned, lines);
            if (exact)
                for (int i = 0; i < 64; i++)
                    turned[i] = lines[i] * factor + round - round;
            else
                for (int i = 0; i < 64; i++)
                    turned[i] = lines[i] / (1 << 24) / share * 64.0 + round - round;
            for (int y = 0; y < 8; y++)
                for (int x = 0; x < 8; x++)
                    out[8 * y + x] = (int32_t)turned[8 * x + y];
        }
}

/* Of each block of a component the coefficients of a change, times steps, in parts of
 * 64. */
WIDER(void, jc_wanted, , wanted_blocks, (const Plane *plane, int32_t *out), (plane, out))

/* ---- what a decoder shows ---- */

enum { CONSTANT_BITS = 13, FIRST_BITS = 2, MOST_SURE = 16383, MOST_SHOWN = 511 };

/* The inverse transform of eight lines at once, as Loeffler, Ligtenberg and Moschytz
 * have it (ICASSP 1989), in the whole numbers that JPEG decoders agree on. */
ALWAYS void inverse_lines(const int32_t in[64], int bits, int32_t out[64])
{
    for (int line = 0; line < 8; line++) {
        const int32_t *v = in + line;
        int32_t both = (v[16] + v[48]) * 4433;
        int32_t two = both - v[48] * 15137, three = both + v[16] * 6270;
        int32_t sum = (v[0] + v[32]) * (1 << CONSTANT_BITS);
        int32_t less = (v[0] - v[32]) * (1 << CONSTANT_BITS);
        int32_t half = 1 << (bits - 1);
        int32_t even0 = sum + three + half, even3 = sum - three + half;
        int32_t even1 = less + two + half, even2 = less - two + half;
        int32_t a = (v[56] + v[8]) * -7373, b = (v[40] + v[24]) * -20995;
        int32_t c = v[56] + v[24], d = v[40] + v[8];
        int32_t e = (c + d) * 9633;
        c = c * -16069 + e;
        d = d * -3196 + e;
        int32_t odd0 = v[8] * 12299 + a + d, odd1 = v[24] * 25172 + b + c;
        int32_t odd2 = v[40] * 16819 + b + d, odd3 = v[56] * 2446 + a + c;
        out[line] = (even0 + odd0) >> bits;
        out[56 + line] = (even0 - odd0) >> bits;
        out[8 + line] = (even1 + odd1) >> bits;
        out[48 + line] = (even1 - odd1) >> bits;
        out[16 + line] = (even2 + odd2) >> bits;
        out[40 + line] = (even2 - odd2) >> bits;
        out[24 + line] = (even3 + odd3) >> bits;
        out[32 + line] = (even3 - odd3) >> bits;
    }
}

/* Whether all are at most so large. */
ALWAYS int within(const int32_t values[64], int32_t most)
{
    int32_t beyond = 0;
    for (int i = 0; i < 64; i++)
        beyond |= (values[i] > most) | (values[i] < -most);
    return !beyond;
}

/* A block's pixels, less 128 and not yet cut off at black and white, column by column.
 * Returns whether they are sure: decoders differ where numbers get very large. */
ALWAYS int inverse_block(const int32_t values[64], int32_t pixels[64])
{
    int32_t first[64], turned[64];
    if (!within(values, MOST_SURE))
        return 0;
    inverse_lines(values, CONSTANT_BITS - FIRST_BITS, first);
    if (!within(first, MOST_SURE))
        return 0;
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++)
            turned[8 * x + y] = first[8 * y + x];
    inverse_lines(turned, CONSTANT_BITS + FIRST_BITS + 3, pixels);
    return within(pixels, MOST_SHOWN);
}

ALWAYS int32_t shown(int32_t pixel)
{
    pixel = pixel < -128 ? -128 : pixel;
    return pixel > 127 ? 127 : pixel;
}

ALWAYS int64_t shown_blocks(const int16_t *blocks, const int32_t *steps, int64_t count,
                            uint8_t *out)
{
    int64_t unsure = 0;
    for (int64_t block = 0; block < count; block++) {
        int32_t values[64], pixels[64] = {0};
        for (int i = 0; i < 64; i++)
            values[i] = blocks[64 * block + i] * steps[i];
        unsure += !inverse_block(values, pixels);
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++)
                out[64 * block + 8 * y + x] =
                    (uint8_t)(shown(pixels[8 * x + y]) + 128);
    }
    return unsure;
}

/* What a usual decoder shows of a component's blocks, 64 pixels each. Returns of how
 * many that isn't sure. */
WIDER(int64_t, jc_shown, return, shown_blocks,
      (const int16_t *blocks, const int32_t *steps, int64_t count, uint8_t *out),
      (blocks, steps, count, out))

typedef struct {
    const int16_t *blocks;  /* in rows of `stride` blocks */
    int64_t stride, rows, columns;
    const int16_t *base;    /* in the same rows, what is changed; NULL: the blocks */
    int16_t *offsets;       /* without gaps */
    const int32_t *steps;
    const uint8_t *looked;  /* which blocks matter, or NULL: all */
} Change;

/* What a block is before the offsets are added. */
ALWAYS const int16_t *begun(const Change *change, int64_t row, int64_t column)
{
    const int16_t *from = change->base ? change->base : change->blocks;
    return from + 64 * (row * change->stride + column);
}

ALWAYS void stop_blocks(const Change *change, uint8_t *stopped)
{
    int16_t *offsets = change->offsets;
    for (int64_t row = 0; row < change->rows; row++)
        for (int64_t column = 0; column < change->columns; column++, offsets += 64) {
            const int16_t *before = begun(change, row, column);
            int32_t beyond = 0;
            *stopped = 0;
            if (change->looked && !change->looked[row * change->columns + column]) {
                stopped++;
                continue;
            }
            for (int i = 0; i < 64; i++) {
                int32_t least = i ? -1023 : -1024, after = before[i] + offsets[i];
                int32_t out = (before[i] < least) | (before[i] > 1023) |
                              (after < least) | (after > 1023);
                beyond |= offsets[i] ? out : 0;
            }
            *stopped++ = (uint8_t)beyond;
            if (beyond)
                memset(offsets, 0, 64 * sizeof *offsets);
        }
}

/* Take the offsets away of blocks where they would lead a coefficient out of the range
 * that there are codes for, or change one that is out of it already; `stopped` says
 * which. */
WIDER(void, jc_stop, , stop_blocks, (const Change *change, uint8_t *stopped),
      (change, stopped))

/* What a decoder shows of the original, in whose luma blocks change. */
typedef struct {
    const uint8_t *samples;
    int64_t height, width, channels;
    int32_t epsilon;
} Seen;

enum { NEAR = 0, FAR = 1, CUT_OFF = 2 };

/* Whether a sample of a pixel whose luma changes by so much changes by more than
 * epsilon. What one that is black or white already hides isn't known. */
ALWAYS int how_far(const uint8_t *pixel, int64_t channels, int32_t change,
                   int32_t epsilon)
{
    int how = NEAR;
    for (int64_t channel = 0; channel < channels; channel++) {
        int32_t before = pixel[channel], after = before + change;
        if (change > 0 ? before == 0 : before == 255) {
            how = CUT_OFF;
            continue;
        }
        after = after < 0 ? 0 : after > 255 ? 255 : after;
        if ((after > before ? after - before : before - after) > epsilon)
            return FAR;
    }
    return how;
}

ALWAYS int block_far(const Seen *seen, int64_t row, int64_t column,
                     const int32_t pixels[64], const int32_t changed[64])
{
    int worst = NEAR;
    for (int x = 0; x < 8 && 8 * column + x < seen->width; x++)
        for (int y = 0; y < 8 && 8 * row + y < seen->height; y++) {
            int32_t change = shown(changed[8 * x + y]) - shown(pixels[8 * x + y]);
            if ((change < 0 ? -change : change) <= seen->epsilon)
                continue;
            if (seen->channels == 1)
                return FAR;
            int64_t at = (8 * row + y) * seen->width + 8 * column + x;
            int how = how_far(seen->samples + seen->channels * at, seen->channels,
                              change, seen->epsilon);
            if (how == FAR)
                return FAR;
            worst = how == CUT_OFF ? CUT_OFF : worst;
        }
    return worst;
}

ALWAYS int64_t changed_blocks(const Change *change, const Seen *seen, uint8_t *found)
{
    int64_t unsure = 0, at = 0;
    for (int64_t row = 0; row < change->rows; row++)
        for (int64_t column = 0; column < change->columns; column++, at++) {
            const int16_t *block =
                change->blocks + 64 * (row * change->stride + column);
            int32_t old[64], new[64], pixels[64], changed[64], most = 0, other = 0;
            found[at] = NEAR;
            if (change->looked && !change->looked[at])
                continue;
            const int16_t *before = begun(change, row, column);
            for (int i = 0; i < 64; i++) {
                new[i] = before[i] + change->offsets[64 * at + i];
                other |= new[i] ^ block[i];
            }
            if (!other)
                continue;
            int sure = within(new, INT16_MAX);
            for (int i = 0; i < 64 && sure; i++) {
                old[i] = block[i] * change->steps[i];
                new[i] *= change->steps[i];
            }
            if (!sure || !inverse_block(old, pixels) || !inverse_block(new, changed)) {
                unsure++;
                continue;
            }
            for (int p = 0; p < 64; p++) {
                int32_t one = shown(pixels[p]) - shown(changed[p]);
                one = one < 0 ? -one : one;
                most = one > most ? one : most;
            }
            if (most > seen->epsilon)
                found[at] = (uint8_t)block_far(seen, row, column, pixels, changed);
        }
    return unsure;
}

/* Where a usual decoder shows a sample changed by more than epsilon, if the offsets are
 * added to the luma that there is already: of each block NEAR, FAR, or CUT_OFF where that depends
 * on colours that aren't known. Returns of how many blocks it isn't sure. */
WIDER(int64_t, jc_changed, return, changed_blocks,
      (const Change *change, const Seen *seen, uint8_t *found), (change, seen, found))

ALWAYS int add_blocks(const Change *change, int16_t *blocks, int sign)
{
    const int16_t *offsets = change->offsets;
    int32_t beyond = 0;
    for (int64_t row = 0; row < change->rows; row++) {
        int16_t *out = blocks + 64 * row * change->stride;
        for (int64_t i = 0; i < 64 * change->columns; i++) {
            int32_t sum = out[i] + sign * offsets[i];
            out[i] = (int16_t)sum;
            beyond |= sum ^ out[i];
        }
        offsets += 64 * change->columns;
    }
    return beyond != 0;
}

/* Add offsets to blocks, or with a sign of -1 take them away. Returns whether a sum
 * isn't of sixteen bits. */
WIDER(int, jc_add, return, add_blocks,
      (const Change *change, int16_t *blocks, int sign), (change, blocks, sign))

ALWAYS void projected(const int32_t *wanted, const int16_t *offsets,
                      const int32_t *steps, int64_t count, int64_t sums[2])
{
    sums[0] = sums[1] = 0;
    for (int64_t block = 0; block < count; block++, wanted += 64, offsets += 64)
        for (int i = 0; i < 64; i++) {
            sums[0] += (int64_t)wanted[i] * (offsets[i] * steps[i]);
            sums[1] += (int64_t)wanted[i] * wanted[i];
        }
}

/* Sums of products: of what is wanted with what is there, and with itself. */
WIDER(void, jc_projected, , projected,
      (const int32_t *wanted, const int16_t *offsets, const int32_t *steps,
       int64_t count, int64_t sums[2]),
      (wanted, offsets, steps, count, sums))

/* ---- offsets as bytes ---- */

enum { TOGETHER = 64 };

ALWAYS void spread_offsets(const int16_t *offsets, int64_t count, uint8_t *low,
                           uint8_t *high)
{
    for (int64_t from = 0; from < count; from += TOGETHER) {
        int64_t until = count - from < TOGETHER ? count : from + TOGETHER;
        for (int i = 0; i < 64; i++)
            for (int64_t block = from; block < until; block++) {
                int16_t one = offsets[64 * block + i];
                uint16_t folded = (uint16_t)(((uint16_t)one << 1) ^ (one >> 15));
                low[count * i + block] = (uint8_t)folded;
                high[count * i + block] = (uint8_t)(folded >> 8);
            }
    }
}

/* Of each coefficient all blocks, one after the other; 0, -1, 1, -2 ... as 0, 1, 2, 3
 * ..., low bytes apart from high ones. */
WIDER(void, jc_spread, , spread_offsets,
      (const int16_t *offsets, int64_t count, uint8_t *low, uint8_t *high),
      (offsets, count, low, high))

ALWAYS void gather_offsets(const uint8_t *low, const uint8_t *high, int64_t count,
                           int16_t *offsets)
{
    for (int64_t from = 0; from < count; from += TOGETHER) {
        int64_t until = count - from < TOGETHER ? count : from + TOGETHER;
        for (int i = 0; i < 64; i++)
            for (int64_t block = from; block < until; block++) {
                uint16_t folded =
                    (uint16_t)(high[count * i + block] << 8 | low[count * i + block]);
                offsets[64 * block + i] = (int16_t)((folded >> 1) ^ -(folded & 1));
            }
    }
}

/* Undo jc_spread. */
WIDER(void, jc_gather, , gather_offsets,
      (const uint8_t *low, const uint8_t *high, int64_t count, int16_t *offsets),
      (low, high, count, offsets))

/* ---- numbers that are mostly the largest, or near it ---- */

enum { SEEN_MOST = 1 << 14 };

/* Of a bit's place how often it was clear and set so far. */
typedef struct {
    uint32_t seen[2];
} Seldom;

/* An arithmetic coder's interval, both ends within it. Writing, `at` counts on when
 * `size` is full; reading, zeros follow the end. */
typedef struct {
    uint32_t low, high, code;
    uint8_t *out;
    const uint8_t *in;
    size_t size, at;
} Interval;

ALWAYS uint32_t take_byte(Interval *interval)
{
    return interval->at < interval->size ? interval->in[interval->at++] : 0;
}

ALWAYS void lay_byte(Interval *interval, uint32_t byte)
{
    if (interval->at < interval->size)
        interval->out[interval->at] = (uint8_t)byte;
    interval->at++;
}

/* Narrow the interval by a bit, which is written, or read where there is no `out`. */
ALWAYS int narrow(Interval *interval, Seldom *place, int bit)
{
    uint32_t *seen = place->seen, range = interval->high - interval->low;
    uint64_t share = ((uint64_t)(2 * seen[1] + 1) << 16) / (2 * (seen[0] + seen[1] + 1));
    uint32_t middle = interval->low + (uint32_t)(((uint64_t)range * share) >> 16);
    if (!interval->out)
        bit = interval->code <= middle;
    if (bit)
        interval->high = middle;
    else
        interval->low = middle + 1;
    while (!((interval->low ^ interval->high) >> 24)) {
        if (interval->out)
            lay_byte(interval, interval->high >> 24);
        else
            interval->code = interval->code << 8 | take_byte(interval);
        interval->low <<= 8;
        interval->high = interval->high << 8 | 255;
    }
    if (++seen[bit] + seen[!bit] == SEEN_MOST) {
        seen[0] /= 2;
        seen[1] /= 2;
    }
    return bit;
}

/* Each number as how far it is below `top`: a set bit for each step, then a clear one,
 * unless it is at 0. Returns the bytes that it takes, which may be more than `size`. */
EXPORT size_t jc_lower(const uint8_t *numbers, int64_t count, uint8_t top, uint8_t *out,
                       size_t size)
{
    Seldom places[255] = {0};
    Interval interval = {0, UINT32_MAX, 0, out, 0, size, 0};
    for (int64_t i = 0; i < count; i++)
        for (int step = 0; step < top; step++)
            if (!narrow(&interval, &places[step], numbers[i] < top - step))
                break;
    /* The fewest bytes that lie in the interval with zeros behind them. */
    for (int bits = 32; bits >= 0; bits -= 8) {
        uint64_t unit = (uint64_t)1 << bits;
        uint64_t end = (interval.low + unit - 1) / unit * unit;
        if (end <= interval.high) {
            for (int shift = 24; shift >= bits; shift -= 8)
                lay_byte(&interval, (uint32_t)(end >> shift));
            break;
        }
    }
    return interval.at;
}

/* Undo jc_lower, of any bytes. */
EXPORT void jc_raise(const uint8_t *data, size_t size, uint8_t top, int64_t count,
                     uint8_t *numbers)
{
    Seldom places[255] = {0};
    Interval interval = {0, UINT32_MAX, 0, 0, data, size, 0};
    for (int i = 0; i < 4; i++)
        interval.code = interval.code << 8 | take_byte(&interval);
    for (int64_t i = 0; i < count; i++) {
        int step = 0;
        while (step < top && narrow(&interval, &places[step], 0))
            step++;
        numbers[i] = (uint8_t)(top - step);
    }
}

/* ---- a change that follows from what is in a picture ---- */

enum { AT_ONCE = 32 };

/* Values of a line at once, the last of them together with some of those before. */
ALWAYS int64_t next_of(int64_t from, int64_t width)
{
    return from < width - AT_ONCE ? from : width - AT_ONCE;
}

ALWAYS void filter_down(const int32_t *values, int64_t height, int64_t width,
                        const int32_t *taps, int64_t reach, int64_t row, double *out)
{
    for (int64_t at = 0; at < width; at += AT_ONCE) {
        int64_t from = next_of(at, width);
        const int32_t *column = values + from;
        int32_t sums[AT_ONCE];
        for (int x = 0; x < AT_ONCE; x++)
            sums[x] = taps[0] * column[row * width + x];
        for (int64_t by = 1; by <= reach; by++) {
            int64_t up = row - by < 0 ? by - row : row - by;
            int64_t low = row + by < height ? row + by : 2 * (height - 1) - row - by;
            const int32_t *above = column + up * width, *below = column + low * width;
            int32_t tap = taps[by];
            for (int x = 0; x < AT_ONCE; x++)
                sums[x] += tap * (above[x] + below[x]);
        }
        for (int x = 0; x < AT_ONCE; x++)
            out[from + x] = sums[x];
    }
}

ALWAYS void filter_across(const double *line, int64_t width, const int32_t *taps,
                          int64_t reach, int64_t *out)
{
    for (int64_t at = 0; at < width; at += AT_ONCE) {
        int64_t from = next_of(at, width);
        double sums[AT_ONCE];
        for (int x = 0; x < AT_ONCE; x++)
            sums[x] = taps[0] * line[from + x];
        for (int64_t by = 1; by <= reach; by++) {
            const double *left = line + from - by, *right = line + from + by;
            double tap = taps[by];
            for (int x = 0; x < AT_ONCE; x++)
                sums[x] += tap * (left[x] + right[x]);
        }
        for (int x = 0; x < AT_ONCE; x++)
            out[from + x] = (int64_t)sums[x];
    }
}

/* What goes into the second pass must be of 32 bits, and what comes out below 2^53, as
 * it is where values are of 14 bits and a filter's sizes add up to 2^15. */
ALWAYS void filter_lines(const int32_t *values, int64_t height, int64_t width,
                         const int32_t *down, const int32_t *across, int64_t reach,
                         double *room, int64_t *out)
{
    double *line = room + reach;
    for (int64_t row = 0; row < height; row++) {
        filter_down(values, height, width, down, reach, row, line);
        for (int64_t by = 1; by <= reach; by++) {
            line[-by] = line[by];
            line[width - 1 + by] = line[width - 1 - by];
        }
        filter_across(line, width, across, reach, out + row * width);
    }
}

/* A symmetric filter, down and across, exactly; borders are mirrored about the last
 * value. Filters are given from the middle on; there is room for a line and twice the
 * reach, which is less than either side, and lines have AT_ONCE values at least. */
WIDER(void, jc_filter, , filter_lines,
      (const int32_t *values, int64_t height, int64_t width, const int32_t *down,
       const int32_t *across, int64_t reach, double *room, int64_t *out),
      (values, height, width, down, across, reach, room, out))

typedef struct {
    const int16_t *values;   /* of cells, in rows without gaps */
    int64_t rows, columns;
    int64_t cell;            /* pixels a side, a power of two */
    int64_t height, width;   /* of the pixels */
    int32_t most, bits;      /* the largest change, in so many binary places */
    int64_t field, number;   /* a chessboard's field, and the colour that is filled */
    int16_t *lines[2];       /* room for cell + 4 lines of all cells' pixels, each */
} Cells;

/* Twice as many lines, and twice as many values in each, interpolated; `rows` and
 * `columns` are of what there is. */
ALWAYS void doubled(const int16_t *in, int64_t rows, int64_t columns, int16_t *out)
{
    for (int64_t row = 0; row < 2 * rows; row++) {
        int64_t one = row / 2, other = row & 1 ? one + 1 : one - 1;
        other = other < 0 ? 0 : other < rows ? other : rows - 1;
        const int16_t *near = in + one * columns, *far = in + other * columns;
        int16_t *made = out + row * 2 * columns;
        int32_t left = (3 * near[0] + far[0] + 2) >> 2, here = left;
        for (int64_t x = 0; x < columns; x++) {
            int64_t next = x + 1 < columns ? x + 1 : x;
            int32_t right = (3 * near[next] + far[next] + 2) >> 2;
            made[2 * x] = (int16_t)((3 * here + left + 2) >> 2);
            made[2 * x + 1] = (int16_t)((3 * here + right + 2) >> 2);
            left = here;
            here = right;
        }
    }
}

/* A row of cells as lines of pixels: its neighbours come along, of which each doubling
 * leaves one line on either side. */
ALWAYS const int16_t *enlarged(const Cells *cells, int64_t row)
{
    int16_t *from = cells->lines[0], *to = cells->lines[1];
    int64_t rows = 3, columns = cells->columns;
    for (int64_t place = 0; place < 3; place++) {
        int64_t which = row - 1 + place;
        which = which < 0 ? 0 : which < cells->rows ? which : cells->rows - 1;
        memcpy(from + place * columns, cells->values + which * columns,
               (size_t)columns * sizeof *from);
    }
    for (int64_t cell = 1; cell < cells->cell; cell *= 2) {
        doubled(from, rows, columns, to);
        rows = 2 * rows - 2;
        columns *= 2;
        memmove(from, to + columns, (size_t)(rows * columns) * sizeof *from);
    }
    return from + columns;
}

ALWAYS void change_fields(const Cells *cells, int8_t *out)
{
    int32_t half = 1 << (cells->bits - 1);
    int64_t wide = cells->columns * cells->cell;
    for (int64_t row = 0; row < cells->rows; row++) {
        const int16_t *lines = enlarged(cells, row);
        for (int64_t line = 0; line < cells->cell; line++) {
            int64_t y = row * cells->cell + line;
            if (y >= cells->height)
                return;
            const int16_t *from = lines + line * wide;
            int8_t *to = out + y * cells->width;
            memset(to, 0, (size_t)cells->width);
            int64_t first = ((y / cells->field) & 1) ^ cells->number;
            for (int64_t left = first * cells->field; left < cells->width;
                 left += 2 * cells->field) {
                int64_t right = left + cells->field;
                right = right < cells->width ? right : cells->width;
                for (int64_t x = left; x < right; x++) {
                    int32_t one = from[x];
                    one = one < -cells->most ? -cells->most : one;
                    one = one > cells->most ? cells->most : one;
                    to[x] = (int8_t)((one + half) >> cells->bits);
                }
            }
        }
    }
}

/* What is known of cells, interpolated to pixels in the fields of one colour of a
 * chessboard, and 0 in the others. */
WIDER(void, jc_fields, , change_fields, (const Cells *cells, int8_t *out), (cells, out))

ALWAYS void share_of(const uint8_t *seen, int64_t channels, const int8_t *change,
                     int64_t height, int64_t width, int64_t sums[2])
{
    sums[0] = sums[1] = 0;
    for (int64_t top = 0; top < height; top += 8)
        for (int64_t left = 0; left < width; left += 8) {
            int32_t there = 0, added = 0, both = 0, twice = 0;
            for (int64_t y = top; y < top + 8; y++)
                for (int64_t x = left; x < left + 8; x++) {
                    int32_t one = change[y * width + x], sum = 0;
                    for (int64_t c = 0; c < channels; c++)
                        sum += seen[channels * (y * width + x) + c];
                    there += sum;
                    added += one;
                    both += sum * one;
                    twice += one * one;
                }
            sums[0] += 64 * (64 * (int64_t)both - (int64_t)there * added);
            sums[1] += 64 * (64 * (int64_t)twice - (int64_t)added * added);
        }
}

/* Sums of products over blocks of 8 x 8, each less its mean: of a change with what is
 * seen, all channels together, and with itself; in parts of 64 x 64. */
WIDER(void, jc_share, , share_of,
      (const uint8_t *seen, int64_t channels, const int8_t *change, int64_t height,
       int64_t width, int64_t sums[2]),
      (seen, channels, change, height, width, sums))
