/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* By which of its pieces a wildcard is found. */
#include "index_key.h"

static void consider(const struct sluice_entries *entries, struct sluice_piece *best, uint64_t hash,
                     enum sluice_affix affix, size_t length)
{
	const struct sluice_bucket *bucket = sluice_bucket_find(entries, hash);
	double cost = bucket ? bucket->count + 1 : 1;

	for (size_t i = 0; i < length && i < 8; i++)
		cost /= 3;
	/* an inner piece may stand anywhere, so more strings have it */
	if (affix == SLUICE_AFFIX_WILD_INNER)
		cost *= 4;
	if (best->affix == SLUICE_AFFIX_NONE || cost < best->cost)
		*best = (struct sluice_piece){ hash, affix, (uint32_t)length, cost };
}

struct sluice_piece sluice_piece_choose(const struct sluice_entries *entries,
                                        const struct sluice_entry *entry)
{
	enum { MAX_LOOKED_AT = 64 };
	const struct sluice_wildcard *wildcard = &sluice_entry_whole(entry)->wildcard;
	const struct sluice_path_node *node = entry->node;
	struct sluice_str first = wildcard->pieces[0];
	struct sluice_str last = wildcard->pieces[wildcard->piece_count - 1];
	struct sluice_piece best = { .affix = SLUICE_AFFIX_NONE };
	size_t looked_at = 0;

	if (first.len && first.len <= UINT16_MAX) {
		struct sluice_walk walk = { node->seed, 0 };
		unsigned kind = sluice_key_piece_kind(SLUICE_AFFIX_WILD_PREFIX);
		consider(entries, &best, sluice_key_beginning(&walk, first, first.len, kind),
		         SLUICE_AFFIX_WILD_PREFIX, first.len);
	}
	if (wildcard->piece_count > 1 && last.len && last.len <= UINT16_MAX) {
		struct sluice_walk walk = { node->seed, 0 };
		unsigned kind = sluice_key_piece_kind(SLUICE_AFFIX_WILD_SUFFIX);
		consider(entries, &best, sluice_key_end(&walk, last, last.len, kind),
		         SLUICE_AFFIX_WILD_SUFFIX, last.len);
	}
	for (size_t i = 1; i + 1 < wildcard->piece_count; i++) {
		struct sluice_str piece = wildcard->pieces[i];
		size_t length = piece.len < SLUICE_INNER_BYTES ? piece.len : SLUICE_INNER_BYTES;
		for (size_t at = 0; length && at + length <= piece.len; at++)
			if (looked_at++ < MAX_LOOKED_AT)
				consider(entries, &best,
				         sluice_key_inner(node, piece.data + at, length),
				         SLUICE_AFFIX_WILD_INNER, length);
	}
	return best;
}
