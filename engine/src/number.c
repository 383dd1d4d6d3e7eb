/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "number.h"

#include <math.h>

#include "lex.h"

enum { HEAD_DIGITS = 19 }; /* as many as always fit into 64 bits */

/* Past this a written exponent is no longer told apart; no text is long enough to bring it back. */
#define EXPONENT_CAP (INT64_C(4) * SLUICE_NUMBER_MAX_EXPONENT)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The exponent at text, which is behind its 'e'. */
static int64_t read_exponent(const char *at, const char *end)
{
	bool negative = at < end && *at == '-';
	if (at < end && (*at == '-' || *at == '+'))
		at++;
	int64_t value = 0;
	for (; at < end; at++) {
		if (value > (EXPONENT_CAP - 9) / 10) {
			value = EXPONENT_CAP;
			break;
		}
		value = value * 10 + (*at - '0');
	}
	return negative ? -value : value;
}

void sluice_number_read(struct sluice_str text, struct sluice_number *number)
{
	const char *at = text.data;
	const char *end = text.data + text.len;
	bool negative = at < end && *at == '-';
	if (negative)
		at++;

	*number = (struct sluice_number){ 0 };
	int64_t point = 0; /* digits before the decimal point, from the first that is not 0 … */
	bool fraction = false;   /* … or, negative, zeros behind it before that one */
	size_t digits = 0;       /* significant ones so far */
	const char *tail = NULL; /* the 20th */
	const char *tail_end = NULL;
	for (; at < end && (is_digit(*at) || *at == '.'); at++) {
		if (*at == '.') {
			fraction = true;
			continue;
		}
		bool significant = digits > 0 || *at != '0';
		if (significant && !fraction)
			point++;
		else if (!significant && fraction)
			point--;
		if (!significant)
			continue;
		digits++;
		if (digits <= HEAD_DIGITS) {
			number->head = number->head * 10 + (uint64_t)(*at - '0');
		} else {
			if (!tail)
				tail = at;
			if (*at != '0')
				tail_end = at + 1;
		}
	}
	if (digits == 0)
		return;

	for (size_t i = digits; i < HEAD_DIGITS; i++)
		number->head *= 10;
	if (tail_end)
		number->tail = (struct sluice_str){ tail, (size_t)(tail_end - tail) };
	number->sign = negative ? -1 : 1;
	number->exponent = point;
	if (at < end)
		number->exponent += read_exponent(at + 1, end);
	if (number->exponent > SLUICE_NUMBER_MAX_EXPONENT)
		number->exponent = SLUICE_NUMBER_MAX_EXPONENT;
	if (number->exponent < -SLUICE_NUMBER_MAX_EXPONENT)
		number->exponent = -SLUICE_NUMBER_MAX_EXPONENT;
}

static const uint64_t powers[HEAD_DIGITS + 1] = {
	UINT64_C(1),
	UINT64_C(10),
	UINT64_C(100),
	UINT64_C(1000),
	UINT64_C(10000),
	UINT64_C(100000),
	UINT64_C(1000000),
	UINT64_C(10000000),
	UINT64_C(100000000),
	UINT64_C(1000000000),
	UINT64_C(10000000000),
	UINT64_C(100000000000),
	UINT64_C(1000000000000),
	UINT64_C(10000000000000),
	UINT64_C(100000000000000),
	UINT64_C(1000000000000000),
	UINT64_C(10000000000000000),
	UINT64_C(100000000000000000),
	UINT64_C(1000000000000000000),
	UINT64_C(10000000000000000000),
};

/* How many digits a number has that is not 0. */
static unsigned count_digits(uint64_t value)
{
	/* 1233 / 4096 is log10(2), exact enough for 64 bits */
	unsigned guess = (64 - (unsigned)__builtin_clzll(value)) * 1233 >> 12;

	return guess + (value >= powers[guess]);
}

/*
 * The value of the last `count` (1 to 8) of the eight digits at p: pairs are joined, then pairs of
 * pairs, then those. What stands before them is no matter.
 */
static uint64_t eight_digits(const unsigned char *p, size_t count)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	/* masked before it is subtracted: what stands before could borrow */
	uint64_t kept = ~UINT64_C(0) << (8 - count) * 8;
	word = (word & kept) - (UINT64_C(0x3030303030303030) & kept);
	word = word * 10 + (word >> 8);
	return ((word & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
	        (word >> 16 & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >>
	       32;
}

/* The value of at most 19 digits, before the first of which at least seven bytes can be read. */
static uint64_t read_digits(const unsigned char *digits, size_t count)
{
	uint64_t value = 0;
	size_t first = count % 8;

	if (first)
		value = eight_digits(digits + first - 8, first);
	for (size_t at = first; at < count; at += 8)
		value = value * powers[8] + eight_digits(digits + at, 8);
	return value;
}

void sluice_number_read_lexed(struct sluice_str text, const struct lex_number *lexed,
                              const unsigned char *begin, struct sluice_number *number)
{
	size_t written = lexed->integer + lexed->fraction;

	if (lexed->exponent || written > HEAD_DIGITS || lexed->digits - begin < 8) {
		sluice_number_read(text, number);
		return;
	}
	uint64_t value = read_digits(lexed->digits, lexed->integer);
	if (lexed->fraction)
		value = value * powers[lexed->fraction] +
		        read_digits(lexed->digits + lexed->integer + 1, lexed->fraction);
	*number = (struct sluice_number){ 0 };
	if (value == 0)
		return;
	unsigned digits = count_digits(value);
	number->sign = *text.data == '-' ? -1 : 1;
	number->exponent = (int64_t)digits - (int64_t)lexed->fraction;
	number->head = value * powers[HEAD_DIGITS - digits];
}

/* The digit at *at of a tail, or -1 at its end; *at is moved behind it. */
static int next_digit(struct sluice_str tail, size_t *at)
{
	if (*at < tail.len && tail.data[*at] == '.')
		(*at)++;
	return *at < tail.len ? tail.data[(*at)++] - '0' : -1;
}

static int compare_tails(struct sluice_str a, struct sluice_str b)
{
	size_t at_a = 0;
	size_t at_b = 0;
	for (;;) {
		int digit_a = next_digit(a, &at_a);
		int digit_b = next_digit(b, &at_b);
		/* A tail ends in a digit that is not 0, so the shorter of two is the smaller. */
		if (digit_a != digit_b)
			return digit_a < digit_b ? -1 : 1;
		if (digit_a < 0)
			return 0;
	}
}

int sluice_number_compare(const struct sluice_number *a, const struct sluice_number *b)
{
	if (a->sign != b->sign)
		return a->sign < b->sign ? -1 : 1;
	if (a->exponent != b->exponent)
		return a->exponent < b->exponent ? -a->sign : a->sign;
	if (a->head != b->head)
		return a->head < b->head ? -a->sign : a->sign;
	return a->sign * compare_tails(a->tail, b->tail);
}

int64_t sluice_number_key(const struct sluice_number *number)
{
	enum { EXPONENT_BITS = 10, DIGIT_BITS = 53, EXPONENT_BIAS = 1 << (EXPONENT_BITS - 1) };
	int64_t exponent = number->exponent;

	if (number->sign == 0)
		return 0;
	uint64_t digits = (number->head - powers[HEAD_DIGITS - 1]) >> (63 - DIGIT_BITS);
	if (exponent < -EXPONENT_BIAS + 1) {
		exponent = -EXPONENT_BIAS + 1;
		digits = 0;
	} else if (exponent > EXPONENT_BIAS - 1) {
		exponent = EXPONENT_BIAS - 1;
		digits = (UINT64_C(1) << DIGIT_BITS) - 1;
	}
	int64_t key = (int64_t)((uint64_t)(exponent + EXPONENT_BIAS) << DIGIT_BITS | digits);
	return number->sign < 0 ? -key : key;
}

double sluice_number_near(const struct sluice_number *number)
{
	int64_t shift = number->exponent - HEAD_DIGITS;
	double near = (double)number->head;

	if (shift < -2 * HEAD_DIGITS || shift > HEAD_DIGITS)
		return NAN;
	if (shift > 0)
		near *= (double)powers[shift];
	else if (shift >= -HEAD_DIGITS)
		near /= (double)powers[-shift];
	else
		near = near / (double)powers[HEAD_DIGITS] / (double)powers[-shift - HEAD_DIGITS];
	return number->sign < 0 ? -near : near;
}

/* MurmurHash3's finalizer: every bit of the result depends on every bit of the value. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 33) * UINT64_C(0xff51afd7ed558ccd);
	value = (value ^ value >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ value >> 33;
}

uint64_t sluice_number_hash(const struct sluice_number *number)
{
	uint64_t hash = mix((uint64_t)number->exponent * 4 + (uint64_t)(number->sign + 1));
	hash = mix(hash ^ number->head);
	size_t at = 0;
	for (int digit; (digit = next_digit(number->tail, &at)) >= 0;)
		hash = hash * 31 + (uint64_t)digit + 1;
	return number->tail.len > 0 ? mix(hash) : hash;
}
