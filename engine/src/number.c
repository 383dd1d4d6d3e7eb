/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "number.h"

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
