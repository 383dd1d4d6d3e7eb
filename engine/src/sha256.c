/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "sha256.h"

enum { BLOCK = SLUICE_SHA256_BLOCK, ROUNDS = 64 };

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t constants[ROUNDS] = {
	0x428a2f98U, 0x71374491U, 0xb5c0fbcfU, 0xe9b5dba5U, 0x3956c25bU, 0x59f111f1U, 0x923f82a4U,
	0xab1c5ed5U, 0xd807aa98U, 0x12835b01U, 0x243185beU, 0x550c7dc3U, 0x72be5d74U, 0x80deb1feU,
	0x9bdc06a7U, 0xc19bf174U, 0xe49b69c1U, 0xefbe4786U, 0x0fc19dc6U, 0x240ca1ccU, 0x2de92c6fU,
	0x4a7484aaU, 0x5cb0a9dcU, 0x76f988daU, 0x983e5152U, 0xa831c66dU, 0xb00327c8U, 0xbf597fc7U,
	0xc6e00bf3U, 0xd5a79147U, 0x06ca6351U, 0x14292967U, 0x27b70a85U, 0x2e1b2138U, 0x4d2c6dfcU,
	0x53380d13U, 0x650a7354U, 0x766a0abbU, 0x81c2c92eU, 0x92722c85U, 0xa2bfe8a1U, 0xa81a664bU,
	0xc24b8b70U, 0xc76c51a3U, 0xd192e819U, 0xd6990624U, 0xf40e3585U, 0x106aa070U, 0x19a4c116U,
	0x1e376c08U, 0x2748774cU, 0x34b0bcb5U, 0x391c0cb3U, 0x4ed8aa4aU, 0x5b9cca4fU, 0x682e6ff3U,
	0x748f82eeU, 0x78a5636fU, 0x84c87814U, 0x8cc70208U, 0x90befffaU, 0xa4506cebU, 0xbef9a3f7U,
	0xc67178f2U
};

static uint32_t rotate(uint32_t word, unsigned bits)
{
	return word >> bits | word << (32 - bits);
}

static void expand(const unsigned char block[BLOCK], uint32_t words[ROUNDS])
{
	for (int i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < ROUNDS; i++) {
		uint32_t early = words[i - 15], late = words[i - 2];

		words[i] = words[i - 16] + words[i - 7] +
		           (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) +
		           (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10);
	}
}

static void take_block(uint32_t state[8], const unsigned char block[BLOCK])
{
	uint32_t words[ROUNDS], s[8];

	expand(block, words);
	memcpy(s, state, sizeof(s));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t chosen = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
		uint32_t first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
		                 chosen + constants[i] + words[i];
		uint32_t second =
		        (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;

		memmove(s + 1, s, 7 * sizeof(s[0]));
		s[4] += first;
		s[0] = first + second;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

void sluice_sha256_init(struct sluice_sha256 *sha256)
{
	/* The same of the square roots of the first eight. */
	*sha256 = (struct sluice_sha256){
		.state = { 0x6a09e667U, 0xbb67ae85U, 0x3c6ef372U, 0xa54ff53aU, 0x510e527fU,
		           0x9b05688cU, 0x1f83d9abU, 0x5be0cd19U },
	};
}

void sluice_sha256_add(struct sluice_sha256 *sha256, struct sluice_str piece)
{
	const unsigned char *bytes = (const unsigned char *)piece.data;
	size_t held = sha256->len % BLOCK, left = piece.len;

	sha256->len += piece.len;
	if (held > 0) {
		size_t taken = left < BLOCK - held ? left : BLOCK - held;

		if (taken > 0)
			memcpy(sha256->block + held, bytes, taken);
		if (held + taken < BLOCK)
			return;
		take_block(sha256->state, sha256->block);
		bytes += taken;
		left -= taken;
	}
	for (; left >= BLOCK; bytes += BLOCK, left -= BLOCK)
		take_block(sha256->state, bytes);
	if (left > 0)
		memcpy(sha256->block, bytes, left);
}

void sluice_sha256_end(struct sluice_sha256 *sha256, unsigned char hash[SLUICE_SHA256_BYTES])
{
	unsigned char last[2 * BLOCK] = { 0 };
	size_t rest = sha256->len % BLOCK;
	size_t padded = rest + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

	memcpy(last, sha256->block, rest);
	last[rest] = 0x80;
	for (size_t i = 0; i < 8; i++)
		last[padded - 1 - i] = (unsigned char)(sha256->len << 3 >> 8 * i);
	for (size_t at = 0; at < padded; at += BLOCK)
		take_block(sha256->state, last + at);
	for (size_t i = 0; i < SLUICE_SHA256_BYTES; i++)
		hash[i] = (unsigned char)(sha256->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sluice_sha256(struct sluice_str text, unsigned char hash[SLUICE_SHA256_BYTES])
{
	struct sluice_sha256 sha256;

	sluice_sha256_init(&sha256);
	sluice_sha256_add(&sha256, text);
	sluice_sha256_end(&sha256, hash);
}
