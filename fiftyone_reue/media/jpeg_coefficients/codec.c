/* Entropy coding of one JPEG scan, to and from quantised coefficients.
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

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
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

/* Which of 64 values aren't zero, a bit each. */
static inline uint64_t mask_of(const uint16_t values[64])
{
    uint8_t flags[64];
    uint64_t mask = 0;
    for (int k = 0; k < 64; k++)
        flags[k] = values[k] != 0;
    for (int k = 0; k < 64; k += 8) {
        uint64_t eight = 0;
        for (int i = 0; i < 8; i++)
            eight |= (uint64_t)flags[k + i] << (8 * i);
        /* The lowest bits of eight bytes, side by side. */
        mask |= (eight * 0x0102040810204080u >> 56) << k;
    }
    return mask;
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

/* ---- whole offsets for a wanted change ---- */

/* Everything here is integers, so that the same comes out everywhere. Coefficients
 * times steps are in parts of 64 and at most 2048, pixels in parts of 2^14 of a gray
 * level: whatever is added up of them stays below 2^31. */

typedef struct {
    const int32_t *wanted;  /* 64 */
    const int32_t *steps;   /* 64 */
    const int32_t *peaks;   /* of each coefficient's step the largest pixel */
    const int32_t *pixels;  /* 64 of a step of each coefficient */
    const int32_t *turned;  /* the same, of each pixel 64 coefficients */
    int32_t limit;
} Fit;

static inline int64_t size_of(int64_t value)
{
    return value < 0 ? -value : value;
}

/* Take single steps away until no pixel changes by more than the limit, of the
 * coefficient that adds most to the worst pixel, or that adds most of what it is wanted
 * for. Each turn makes the offsets smaller, so it ends. */
static void fit_limit(const Fit *fit, int32_t offsets[64], int by_worth)
{
    int32_t pixels[64] = {0}, sizes[64];
    int64_t worth[64];
    uint64_t open = 0;
    for (int i = 0; i < 64; i++) {
        if (!offsets[i])
            continue;
        open |= (uint64_t)1 << i;
        for (int p = 0; p < 64; p++)
            pixels[p] += offsets[i] * fit->pixels[64 * i + p];
        worth[i] = 1;
        if (by_worth) {
            worth[i] = size_of(fit->wanted[i]) * fit->steps[i] >> 6;
            worth[i] = worth[i] < 1 ? 1 : worth[i];
        }
    }
    while (open) {
        int32_t largest = 0;
        for (int p = 0; p < 64; p++)
            sizes[p] = pixels[p] < 0 ? -pixels[p] : pixels[p];
        for (int p = 0; p < 64; p++)
            largest = sizes[p] > largest ? sizes[p] : largest;
        if (largest <= fit->limit)
            return;
        int worst = 0;
        while (sizes[worst] != largest)
            worst++;
        const int32_t *reach = fit->turned + 64 * worst;
        int found = -1;
        int64_t most = 0, cost = 1;
        for (uint64_t rest = open; rest; rest &= rest - 1) {
            int i = __builtin_ctzll(rest);
            int64_t adds = offsets[i] * reach[i];
            if (pixels[worst] < 0)
                adds = -adds;
            if (adds > 0 && adds * cost > most * worth[i]) {
                found = i;
                most = adds;
                cost = worth[i];
            }
        }
        if (found < 0)
            return;  /* which cannot be: something adds to the worst pixel */
        const int32_t *step = fit->pixels + 64 * found;
        if (offsets[found] < 0) {
            offsets[found]++;
            for (int p = 0; p < 64; p++)
                pixels[p] += step[p];
        } else {
            offsets[found]--;
            for (int p = 0; p < 64; p++)
                pixels[p] -= step[p];
        }
        if (!offsets[found])
            open &= ~((uint64_t)1 << found);
    }
}

/* What is got of what is wanted. */
static int64_t fit_got(const Fit *fit, const int32_t offsets[64])
{
    int64_t got = 0;
    for (int i = 0; i < 64; i++)
        got += (int64_t)offsets[i] * fit->steps[i] * fit->wanted[i];
    return got;
}

/* A share, in parts of 16, of what is wanted, to the nearest step. */
static void fit_nearest(const Fit *fit, int share, int32_t offsets[64])
{
    for (int i = 0; i < 64; i++) {
        int64_t whole = (int64_t)fit->steps[i] * 64 * 16;
        int64_t size = size_of(fit->wanted[i]) * share;
        int32_t steps = (int32_t)((size + whole / 2) / whole);
        offsets[i] = fit->wanted[i] < 0 ? -steps : steps;
    }
}

/* Whole steps, and one more of those that are nearest to it, until together they are
 * as much as is wanted. */
static void fit_spent(const Fit *fit, int64_t all, int32_t offsets[64])
{
    uint64_t open = 0;
    for (int i = 0; i < 64; i++) {
        int64_t whole = (int64_t)fit->steps[i] * 64;
        int32_t steps = (int32_t)(size_of(fit->wanted[i]) / whole);
        offsets[i] = fit->wanted[i] < 0 ? -steps : steps;
        if (fit->wanted[i] && fit->peaks[i] <= fit->limit)
            open |= (uint64_t)1 << i;
    }
    int64_t missing = all - fit_got(fit, offsets) * 64;
    while (open && missing > 0) {
        int best = -1;
        int64_t part = 0, whole = 1;
        for (uint64_t rest = open; rest; rest &= rest - 1) {
            int i = __builtin_ctzll(rest);
            int64_t unit = (int64_t)fit->steps[i] * 64;
            int64_t left = size_of(fit->wanted[i]) % unit;
            if (best < 0 || left * whole > part * unit) {
                best = i;
                part = left;
                whole = unit;
            }
        }
        open &= ~((uint64_t)1 << best);
        int64_t gain = size_of(fit->wanted[best]) * fit->steps[best] * 64;
        if (gain / 2 > missing)
            continue;
        offsets[best] += fit->wanted[best] < 0 ? -1 : 1;
        missing -= gain;
    }
}

/* The one coefficient of which most can be had. */
static void fit_single(const Fit *fit, int64_t all, int32_t offsets[64])
{
    int found = -1;
    int64_t best = 0, steps = 0;
    memset(offsets, 0, 64 * sizeof *offsets);
    for (int i = 0; i < 64; i++) {
        int64_t worth = size_of(fit->wanted[i]) * fit->steps[i];
        if (!worth)
            continue;
        int64_t most = fit->limit / fit->peaks[i];
        int64_t enough = (all / 64 + worth / 2) / worth;
        most = most < enough ? most : enough;
        most = most < 2047 ? most : 2047;
        if (most * worth > best) {
            found = i;
            best = most * worth;
            steps = most;
        }
    }
    if (found >= 0)
        offsets[found] = (int32_t)(fit->wanted[found] < 0 ? -steps : steps);
}

/* Offsets of `count` blocks that have as much of what is wanted as there can be while
 * no pixel of a block changes by more than its limit. Several ways are tried. */
EXPORT void jc_fit(const int32_t *wanted, const int32_t *steps, const int32_t *basis,
                   const int32_t *limits, int64_t count, int16_t *offsets)
{
    static const struct { int share, by_worth; } WAYS[] = {
        {16, 1}, {16, 0}, {13, 1}, {13, 0}, {10, 1},
    };
    int32_t peaks[64], pixels[64 * 64], turned[64 * 64];
    for (int i = 0; i < 64; i++) {
        peaks[i] = 0;
        for (int p = 0; p < 64; p++) {
            int32_t one = steps[i] * basis[64 * i + p];
            pixels[64 * i + p] = turned[64 * p + i] = one;
            one = one < 0 ? -one : one;
            peaks[i] = one > peaks[i] ? one : peaks[i];
        }
    }
    for (int64_t block = 0; block < count; block++) {
        Fit fit = {wanted + 64 * block, steps, peaks, pixels, turned, limits[block]};
        int16_t *out = offsets + 64 * block;
        int64_t all = 0, best = 0;
        for (int i = 0; i < 64; i++)
            all += (int64_t)fit.wanted[i] * fit.wanted[i];
        memset(out, 0, 64 * sizeof *out);
        for (int way = 0; all && way < 7; way++) {
            int32_t made[64];
            int by_worth = 1;
            if (way < 5) {
                by_worth = WAYS[way].by_worth;
                fit_nearest(&fit, WAYS[way].share, made);
            } else if (way == 5)
                fit_spent(&fit, all, made);
            else
                fit_single(&fit, all, made);
            fit_limit(&fit, made, by_worth);
            int64_t got = fit_got(&fit, made) * 64;
            if (got > all)
                got = all - (got - all);  /* more than is wanted is no better */
            if (got > best) {
                best = got;
                for (int i = 0; i < 64; i++)
                    out[i] = (int16_t)made[i];
            }
            if (best >= all - all / 16)
                break;
        }
    }
}
