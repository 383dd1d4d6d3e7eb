/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
#include "hmac.h"

#include "sha256.h"

static void begin(struct sluice_sha256 *sha256, const unsigned char key[SLUICE_SHA256_BLOCK],
                  unsigned char with)
{
	char block[SLUICE_SHA256_BLOCK];
	for (size_t i = 0; i < sizeof block; i++)
		block[i] = (char)(key[i] ^ with);
	sluice_sha256_init(sha256);
	sluice_sha256_add(sha256, (struct sluice_str){ block, sizeof block });
	explicit_bzero(block, sizeof block);
}

void hmac_sha256(struct sluice_str key, const struct sluice_str *parts, size_t count,
                 unsigned char code[HMAC_BYTES])
{
	struct sluice_sha256 sha256;
	unsigned char block[SLUICE_SHA256_BLOCK] = { 0 };
	if (key.len > sizeof block)
		sluice_sha256(key, block);
	else if (key.len > 0)
		memcpy(block, key.data, key.len);
	begin(&sha256, block, 0x36);
	for (size_t i = 0; i < count; i++)
		sluice_sha256_add(&sha256, parts[i]);
	sluice_sha256_end(&sha256, code);
	begin(&sha256, block, 0x5c);
	sluice_sha256_add(&sha256, (struct sluice_str){ (const char *)code, HMAC_BYTES });
	sluice_sha256_end(&sha256, code);
	explicit_bzero(block, sizeof block);
	explicit_bzero(&sha256, sizeof sha256);
}

bool hmac_equal(struct sluice_str a, struct sluice_str b)
{
	/* Volatile, or a compiler may end the loop at the first difference. */
	volatile unsigned char difference = 0;
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		difference = (unsigned char)(difference | (a.data[i] ^ b.data[i]));
	return difference == 0;
}
