/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * How the members of events were spelled. Producers send event after event of the same shape, so
 * the way to a member's value is remembered as it stood, with the member that followed:
 *
 *	{"id":7,"site":{ "city":"b"},"on":true}
 *
 *	event ─inside→ [{"id":] ─next→ [,"site":] ─next→ [,"on":]
 *	                                   └─inside→ [{ "city":]
 *
 * Where a text goes on as one did, a key is a comparison of sixteen bytes or two, instead of being
 * measured, checked and looked up: what is equal to a checked key is checked, and its node in the
 * trie of paths is known. (Mison speculates likewise: Li et al., VLDB 2017.) A spelling is never
 * believed, only tried.
 *
 * Two are tried after each, so that two kinds of events each find their own. Then the table is
 * asked, in which a spelling stands by its key and the object's path, in one of eight places; where all are taken and another comes, one of them in turn is forgotten. (In one of two,
 * three members of an event fell together often, and pushed each other out with each event.) Those
 * of first members, which begin with a brace, have places of their own: no link leads from a `next`
 * to one of them, so none is taken for what follows a value.
 *
 * Cost: 16 KiB a scratch. A member that is not found is charged to a credit, of which each event
 * brings some; without any, the ordinary way is taken at once. So keys that are new each time cost
 * an event at most SLUICE_SPELLING_CREDIT, and in the long run SLUICE_SPELLING_INCOME, times about
 * three hundred instructions.
 *
 * All of it holds for one state of the trie: when a path came or went it is void, by a change of
 * epoch.
 */
#ifndef SLUICE_SPELLING_H
#define SLUICE_SPELLING_H

#include "lex_block.h"
#include "path.h"

enum {
	SLUICE_SPELLING_TEXT = 32,    /* the longest that is remembered */
	SLUICE_SPELLING_FIRSTS = 64,  /* places of first members, */
	SLUICE_SPELLING_OTHERS = 192, /* and behind them those of the others: */
	SLUICE_SPELLING_ROW = 8,      /* so many in which one may be */
	SLUICE_SPELLING_CREDIT = 64,
	SLUICE_SPELLING_INCOME = 8,
};

/* Those that are no member's: after which nothing is known, and the whole event. */
enum { SLUICE_SPELLING_NONE, SLUICE_SPELLING_EVENT, SLUICE_SPELLING_PLACES };

/* As long as a line of the cache. */
struct sluice_spelling {
	/* from behind the value before, or from the brace, to its own value; zeros behind */
	unsigned char text[SLUICE_SPELLING_TEXT];
	uint64_t tag;                  /* epoch and path of the object; 0: nothing is here */
	struct sluice_path_node *node; /* that the value stands at; NULL: no rule names it */
	uint8_t len, rest;             /* as lex_same takes them */
	uint16_t hash;                 /* some bits of its key's */
	/* what followed, and what the value, an object or an array of such, began with; the last
	 * one first */
	uint16_t next[2], inside[2];
};

struct sluice_spellings {
	struct sluice_spelling
	        all[SLUICE_SPELLING_PLACES + SLUICE_SPELLING_FIRSTS + SLUICE_SPELLING_OTHERS];
	uint64_t generation; /* of the trie that this is about (path.h) */
	uint32_t epoch;      /* in the tags of what still holds; zeroed memory has none yet */
	uint32_t turn;       /* of the places of a row, which is forgotten next */
	int credit;
};

/* Begins an event. */
void sluice_spellings_begin(struct sluice_spellings *spellings, uint64_t generation);

/* The tag of the members of an object at the node; NULL: one that no rule looks into. */
static inline uint64_t sluice_spelling_tag(const struct sluice_spellings *spellings,
                                           const struct sluice_path_node *parent)
{
	return (uint64_t)spellings->epoch << 32 | (parent ? parent->id : UINT32_MAX);
}

/* Whether the text at p, of which SLUICE_SPELLING_TEXT bytes can be read, begins so. */
static inline bool sluice_spelling_is(const struct sluice_spelling *spelling, uint64_t tag,
                                      const unsigned char *p)
{
	return spelling->tag == tag && lex_same(p, spelling->text, spelling->len, spelling->rest);
}

/*
 * Looks further for how the text at p begins, where the first link was not it, and makes it that.
 * NULL: it is not known, which is charged.
 */
struct sluice_spelling *sluice_spellings_find(struct sluice_spellings *spellings, uint16_t links[2],
                                              uint64_t tag, const unsigned char *p);

/* Remembers what stands from `text` to `end`; the caller tells its node. The one that is no member's:
 * it is too long. */
struct sluice_spelling *sluice_spellings_learn(struct sluice_spellings *spellings,
                                               uint16_t links[2], uint64_t tag,
                                               const unsigned char *text, const unsigned char *end);

#endif
