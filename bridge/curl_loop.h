/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * libcurl's transfers on the loop: one multi handle for all outlets, so that connections are kept and
 * shared. On the loop's thread.
 */
#ifndef BRIDGE_CURL_LOOP_H
#define BRIDGE_CURL_LOOP_H

#include <stdbool.h>

#include <curl/curl.h>
#include <uv.h>

struct curl_loop;

/* The transfer has ended; the easy handle is the caller's again, to be reused or cleaned up. */
typedef void (*curl_done_fn)(void *arg, CURL *easy, CURLcode result);

/* NULL when out of memory. curl_global_init was called. */
struct curl_loop *curl_loop_create(uv_loop_t *loop);

/*
 * Begins a transfer. CURLOPT_PRIVATE is taken by this. `done` is called once, from the loop, never
 * from within this call.
 *
 * Returns false when out of memory: nothing was begun.
 */
bool curl_loop_start(struct curl_loop *curl, CURL *easy, curl_done_fn done, void *arg);

/* Ends a transfer that is under way; its `done` is not called. */
void curl_loop_cancel(struct curl_loop *curl, CURL *easy);

/* No transfer is under way. Frees it once its handles are closed, in the loop's next turns. NULL is
 * allowed. */
void curl_loop_close(struct curl_loop *curl);

#endif
