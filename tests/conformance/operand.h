/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/* Operands of operators which mostly match a given text. */
#ifndef OPERAND_H
#define OPERAND_H

#include "maker.h"

/* Its beginning, or its end. */
struct oracle_text operand_part(struct maker *maker, struct oracle_text chars, bool from_start);

/* The same letters, some in another case. */
struct oracle_text operand_recased(struct maker *maker, struct oracle_text chars);

/* A wildcard that matches the characters: runs of them become stars. */
struct oracle_text operand_wildcard(struct maker *maker, struct oracle_text chars);

/* A filter that matches the characters, if they are a topic: levels become '+' or '#'. */
struct oracle_text operand_filter(struct maker *maker, struct oracle_text chars);

/* A block that holds the address, if they are one. */
struct oracle_text operand_block(struct maker *maker, struct oracle_text address);

#endif
