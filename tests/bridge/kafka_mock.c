/* SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause */
/*
 * librdkafka's own mock cluster, for other processes. Prints its bootstrap servers; then it takes
 * commands, a line each, and answers each with "ok", or what it says below:
 *
 *	topic NAME PARTITIONS
 *	down | up			the broker
 *	fail API ERROR COUNT		the next COUNT requests of the kind API (0 is Produce)
 *	produce TOPIC FIRST COUNT	{"n":…} with the header "from: test" and the key "k<n % 3>"
 *	read TOPIC			all records from the beginning on: a line of JSON each, then "ok"
 *	committed GROUP TOPIC		the sum of the offsets that the group has committed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { PARTITIONS_MAX = 16, WAIT_MS = 5000 };

static rd_kafka_mock_cluster_t *cluster;
static char bootstraps[256];

static rd_kafka_t *create(rd_kafka_type_t type, const char *group)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set(conf, "bootstrap.servers", bootstraps, NULL, 0);
	if (type == RD_KAFKA_CONSUMER) {
		rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
		rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
		rd_kafka_conf_set(conf, "group.id", group, NULL, 0);
	}
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof(why));
	if (!rk) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return rk;
}

static int partitions_of(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
	int count = 0;
	if (rd_kafka_metadata(rk, 0, handle, &metadata, WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		count = metadata->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(handle);
	return count;
}

static rd_kafka_topic_partition_list_t *all_partitions(rd_kafka_t *rk, const char *topic,
                                                       int64_t offset)
{
	int count = partitions_of(rk, topic);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
	for (int i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = offset;
	return list;
}

static void produce(const char *topic, int first, int count)
{
	rd_kafka_t *rk = create(RD_KAFKA_PRODUCER, "none");
	for (int n = first; n < first + count; n++) {
		char payload[32], key[16];
		snprintf(payload, sizeof(payload), "{\"n\":%d}", n);
		snprintf(key, sizeof(key), "k%d", n % 3);
		rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
		                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		                  RD_KAFKA_V_VALUE(payload, strlen(payload)),
		                  RD_KAFKA_V_KEY(key, strlen(key)),
		                  RD_KAFKA_V_HEADER("from", "test", 4), RD_KAFKA_V_END);
	}
	rd_kafka_flush(rk, WAIT_MS);
	rd_kafka_destroy(rk);
}

static void print_record(const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers;
	const char *name;
	const void *value;
	size_t size;
	printf("{\"partition\":%d,\"key\":\"%.*s\",\"headers\":[", (int)message->partition,
	       (int)message->key_len, (const char *)message->key);
	if (!rd_kafka_message_headers(message, &headers)) {
		for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &size); i++)
			printf("%s[\"%s\",\"%.*s\"]", i ? "," : "", name, (int)size,
			       (const char *)value);
	}
	printf("],\"value\":%.*s}\n", (int)message->len, (const char *)message->payload);
}

static void read_all(const char *topic)
{
	rd_kafka_t *rk = create(RD_KAFKA_CONSUMER, "reader");
	rd_kafka_topic_partition_list_t *list =
	        all_partitions(rk, topic, RD_KAFKA_OFFSET_BEGINNING);
	int left = list->cnt;
	rd_kafka_assign(rk, list);
	while (left > 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
		if (!message)
			break;
		if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			left--;
		else if (!message->err)
			print_record(message);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

static void print_committed(const char *group, const char *topic)
{
	rd_kafka_t *rk = create(RD_KAFKA_CONSUMER, group);
	rd_kafka_topic_partition_list_t *list = all_partitions(rk, topic, RD_KAFKA_OFFSET_INVALID);
	long long sum = 0;
	rd_kafka_committed(rk, list, WAIT_MS);
	for (int i = 0; i < list->cnt; i++)
		sum += list->elems[i].offset > 0 ? list->elems[i].offset : 0;
	printf("%lld\n", sum);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
}

static void carry_out(const char *line)
{
	char a[256] = "", b[256] = "";
	int x = 0, y = 0, z = 0;
	if (sscanf(line, "topic %255s %d", a, &x) == 2) {
		rd_kafka_mock_topic_create(cluster, a, x, 1);
	} else if (strncmp(line, "down", 4) == 0) {
		rd_kafka_mock_broker_set_down(cluster, 1);
	} else if (strncmp(line, "up", 2) == 0) {
		rd_kafka_mock_broker_set_up(cluster, 1);
	} else if (sscanf(line, "fail %d %d %d", &x, &y, &z) == 3) {
		for (int i = 0; i < z; i++)
			rd_kafka_mock_push_request_errors(cluster, (int16_t)x, 1,
			                                  (rd_kafka_resp_err_t)y);
	} else if (sscanf(line, "produce %255s %d %d", a, &x, &y) == 3) {
		produce(a, x, y);
	} else if (sscanf(line, "read %255s", a) == 1) {
		read_all(a);
	} else if (sscanf(line, "committed %255s %255s", a, b) == 2) {
		print_committed(a, b);
		return;
	} else {
		printf("what? ");
	}
	printf("ok\n");
}

int main(void)
{
	char why[256], line[1024];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!rk || !(cluster = rd_kafka_mock_cluster_new(rk, 1))) {
		fprintf(stderr, "no cluster\n");
		return 1;
	}
	snprintf(bootstraps, sizeof(bootstraps), "%s", rd_kafka_mock_cluster_bootstraps(cluster));
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s\n", bootstraps);
	while (fgets(line, sizeof(line), stdin))
		carry_out(line);
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
