/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* A source at work: what its inlet brings becomes publishes. inlet.h says what an inlet may ask of it. */
#ifndef BRIDGE_SOURCE_H
#define BRIDGE_SOURCE_H

#include "bridge.h"
#include "credentials.h"
#include "inlet.h"
#include "sluice/transform.h"

struct source {
	struct source *next;
	struct bridge *bridge;
	char name[SLUICE_NAME_MAX + 1];          /* the definition\'s */
	struct sluice_bridge_source *definition; /* owned */
	struct credentials *credentials;         /* owned; NULL = none */
	const struct inlet_kind *kind;
	struct inlet *inlet; /* NULL: it can't be opened, see trouble */
	struct sluice_topic_template *topic;
	struct publishing *publishing; /* under way */
	size_t under_way;
	bool wants_room; /* it was told no */
	uv_timer_t timer;
	struct sluice_buffer buffer;
	uint64_t published;
	char trouble[256]; /* "" = none */
};

/* As target_create, target_begin, target_close. */
struct source *source_create(struct bridge *bridge, struct sluice_bridge_source *definition,
                             struct credentials *credentials);
void source_begin(struct source *source);
void source_close(struct source *source);

/* The connection to the broker came, or went. */
void source_connected(struct source *source, bool is);

/* A message of the broker's that no queue sent: for those who have subscribed to something. */
void source_message(struct source *source, const struct link_message *message);

const char *source_name(const struct source *source);

#endif
