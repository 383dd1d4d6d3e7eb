// SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
// Lambda, SQS, SNS, Kinesis and EventBridge, as far as the target kind aws calls them: each request's
// signature is made anew by AWS's own signer, its limits are checked, and it is answered as the service
// does. What is to fail is said by PUT /test/rules; GET /test/calls tells what came; DELETE /test/calls
// forgets both.
//
// A rule: { "match": "poison", "code": "…", "sender": true, "times": 1 } fails entries whose payload
// holds the text; with "status", "headers" and "body" it is the whole call that gets this answer.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const { SignatureV4 } = require("@smithy/signature-v4");
const { Sha256 } = require("@aws-crypto/sha256-js");

const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const KIB256 = 262144;
let rules = [];
let calls = [];

class Refusal extends Error {
	constructor(code, message, status = 400) {
		super(message);
		this.code = code;
		this.status = status;
	}
}

function readAuthorization(header) {
	const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(header || "");
	if (!match)
		throw new Refusal("MissingAuthenticationToken", `no signature: ${header}`, 403);
	const [, key, date, region, service, signed, signature] = match;
	return { key, date, region, service, signed: signed.split(";"), signature };
}

async function checkSignature(request, body, claim) {
	const now = request.headers["x-amz-date"];
	if (claim.key !== credentials.accessKeyId)
		throw new Refusal("UnrecognizedClientException", "The security token included in the request is invalid.", 403);
	// What a service wants signed: the host, and all that it reads.
	for (const name of Object.keys(request.headers))
		if ((name === "host" || name === "content-type" || name.startsWith("x-amz-")) && !claim.signed.includes(name))
			throw new Refusal("InvalidSignatureException", `the header ${name} is not signed`, 403);
	const url = new URL(request.url, "http://x");
	const [path] = request.url.split("?");
	const signer = new SignatureV4({ service: claim.service, region: claim.region, credentials, sha256: Sha256, applyChecksum: false });
	const headers = Object.fromEntries(claim.signed.filter((name) => name !== "x-amz-date").map((name) => [name, request.headers[name]]));
	const date = new Date(now.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
	const again = await signer.sign({ method: request.method, protocol: "http:", hostname: "x", path, query: Object.fromEntries(url.searchParams), headers, body },
		{ signingDate: date });
	const expected = readAuthorization(again.headers.authorization);
	if (expected.signature !== claim.signature || expected.signed.join() !== claim.signed.join())
		throw new Refusal("InvalidSignatureException", `The request signature we calculated does not match the signature you provided.\n\n` +
			`The Canonical String for this request should have been\n'${request.headers["x-amz-security-token"]}'`, 403);
	if (Math.abs(Date.now() - date) > 300000)
		throw new Refusal("RequestExpired", "Signature expired", 403);
}

// The rule that an entry's payload meets; it is used up by that.
function meets(payload) {
	const rule = rules.find((candidate) => !candidate.status && candidate.times !== 0 && payload.includes(candidate.match));
	if (rule && rule.times)
		rule.times--;
	return rule;
}

function batch(entries, sizes, most) {
	if (!Array.isArray(entries) || entries.length === 0)
		throw new Refusal("EmptyBatchRequest", "There should be at least one entry");
	if (entries.length > 10)
		throw new Refusal("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.");
	if (sizes.reduce((sum, size) => sum + size, 0) > most)
		throw new Refusal("BatchRequestTooLong", "Batch requests cannot be longer than 262144 bytes.");
}

const text = (value) => Buffer.byteLength(value);

function checkText(value) {
	// eslint-disable-next-line no-control-regex
	if (/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(value) || value.includes("\ufffd"))
		throw new Refusal("InvalidMessageContents", "Invalid characters found");
	if (value === "")
		throw new Refusal("MissingParameter", "The request must contain the parameter MessageBody.");
}

function checkMessages(messages, fifo) {
	batch(messages, messages.map((message) => text(message.body) +
		Object.entries(message.attributes).reduce((sum, [name, value]) => sum + text(name) + 6 + text(value), 0)), KIB256);
	for (const message of messages) {
		checkText(message.body);
		if (Object.keys(message.attributes).length > 10)
			throw new Refusal("InvalidParameterValue", "Number of message attributes [11] exceeds the allowed maximum [10].");
		if (fifo && (!message.group || !message.key))
			throw new Refusal("MissingParameter", "The request must contain the parameter MessageGroupId.");
		if (!fifo && message.key)
			throw new Refusal("InvalidParameterValue", "MessageDeduplicationId is for FIFO queues");
	}
	if (new Set(messages.map((message) => message.id)).size !== messages.length)
		throw new Refusal("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.");
}

function sqs(body) {
	const { QueueUrl, Entries } = JSON.parse(body);
	const messages = (Entries || []).map((entry) => ({
		id: entry.Id, body: entry.MessageBody, group: entry.MessageGroupId, key: entry.MessageDeduplicationId,
		attributes: Object.fromEntries(Object.entries(entry.MessageAttributes).map(([name, value]) => {
			if (value.DataType !== "String" || value.StringValue === "")
				throw new Refusal("InvalidParameterValue", `attribute ${name}`);
			return [name, value.StringValue];
		})),
	}));
	if (!QueueUrl.includes("/queues/"))
		throw new Refusal("com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.");
	checkMessages(messages, QueueUrl.endsWith(".fifo"));
	const answer = { Successful: [], Failed: [] };
	for (const message of messages) {
		const rule = meets(message.body);
		message.failed = !!rule;
		if (rule)
			answer.Failed.push({ Id: message.id, Code: rule.code, SenderFault: !!rule.sender, Message: rule.message });
		else
			answer.Successful.push({ Id: message.id, MessageId: crypto.randomUUID(), MD5OfMessageBody: crypto.createHash("md5").update(message.body).digest("hex") });
	}
	return { entries: messages, type: "application/x-amz-json-1.0", text: JSON.stringify(answer) };
}

const escape = (value) => String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;");

function sns(body) {
	const form = new URLSearchParams(body);
	const messages = [];
	if (form.get("Action") !== "PublishBatch" || form.get("Version") !== "2010-03-31")
		throw new Refusal("InvalidAction", "The action is not valid for this endpoint.");
	for (let n = 1; form.has(`PublishBatchRequestEntries.member.${n}.Id`); n++) {
		const field = (name) => form.get(`PublishBatchRequestEntries.member.${n}.${name}`);
		const attributes = {};
		for (let m = 1; field(`MessageAttributes.entry.${m}.Name`); m++)
			attributes[field(`MessageAttributes.entry.${m}.Name`)] = field(`MessageAttributes.entry.${m}.Value.StringValue`);
		messages.push({ id: field("Id"), body: field("Message"), attributes, subject: field("Subject"),
			group: field("MessageGroupId") ?? undefined, key: field("MessageDeduplicationId") ?? undefined });
	}
	checkMessages(messages, form.get("TopicArn").endsWith(".fifo"));
	const member = (inside) => `<member>${inside}</member>`;
	let done = "", failed = "";
	for (const message of messages) {
		const rule = meets(message.body);
		message.failed = !!rule;
		if (rule)
			failed += member(`<Id>${message.id}</Id><Code>${rule.code}</Code><SenderFault>${!!rule.sender}</SenderFault><Message>${escape(rule.message)}</Message>`);
		else
			done += member(`<MessageId>${crypto.randomUUID()}</MessageId><Id>${message.id}</Id>`);
	}
	const list = (name, inside) => (inside ? `<${name}>\n${inside}</${name}>` : `<${name}/>`);
	return { entries: messages, type: "text/xml",
		text: `<PublishBatchResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">\n<PublishBatchResult>${list("Failed", failed)}${list("Successful", done)}` +
			`</PublishBatchResult>\n<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></PublishBatchResponse>` };
}

function results(entries, name, counter, done) {
	const list = entries.map((entry) => {
		const rule = meets(entry.body);
		entry.failed = !!rule;
		return rule ? { ErrorCode: rule.code, ErrorMessage: rule.message } : done();
	});
	return { entries, type: "application/x-amz-json-1.1",
		text: JSON.stringify({ [counter]: entries.filter((entry) => entry.failed).length, [name]: list }) };
}

function kinesis(body) {
	const { StreamName, StreamARN, Records } = JSON.parse(body);
	if ((StreamName || StreamARN || "") === "")
		throw new Refusal("ValidationException", "StreamName");
	const entries = Records.map((record) => ({ body: Buffer.from(record.Data, "base64").toString(), key: record.PartitionKey }));
	if (entries.length > 500 || entries.some((entry) => [...entry.key].length > 256 || entry.key === ""))
		throw new Refusal("ValidationException", "1 validation error detected");
	return results(entries, "Records", "FailedRecordCount", () => ({ SequenceNumber: "1", ShardId: "shardId-000000000000" }));
}

function events(body) {
	const { Entries } = JSON.parse(body);
	const entries = Entries.map((entry) => ({ body: entry.Detail, source: entry.Source, type: entry.DetailType, bus: entry.EventBusName, time: entry.Time }));
	if (entries.length > 10)
		throw new Refusal("ValidationException", "Entries: at most 10");
	if (entries.reduce((sum, entry) => sum + 14 + text(entry.source) + text(entry.type) + text(entry.body), 0) > KIB256)
		throw new Refusal("ValidationException", "Total size of the entries in the request is over the limit.");
	for (const entry of entries)
		if (Object.prototype.toString.call(JSON.parse(entry.body)) !== "[object Object]")
			throw new Refusal("MalformedDetail", "Detail is malformed.");
	return results(entries, "Entries", "FailedEntryCount", () => ({ EventId: crypto.randomUUID() }));
}

function lambda(body, request) {
	const kind = request.headers["x-amz-invocation-type"];
	const name = decodeURIComponent(/^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url)[1]);
	try {
		JSON.parse(body);
	} catch (error) {
		throw new Refusal("InvalidRequestContentException", `Could not parse request body into json: ${error.message}`);
	}
	const entry = { body, name, kind };
	if (kind === "Event")
		return { entries: [entry], status: 202, text: "" };
	const rule = meets(body);
	entry.failed = !!rule;
	return { entries: [entry], status: 200, type: "application/json", headers: rule ? { "X-Amz-Function-Error": "Unhandled" } : {},
		text: rule ? JSON.stringify({ errorMessage: rule.message, errorType: rule.code }) : '"done"' };
}

const services = {
	lambda: [lambda, undefined, "application/json"],
	sqs: [sqs, "AmazonSQS.SendMessageBatch", "application/x-amz-json-1.0"],
	sns: [sns, undefined, "application/x-www-form-urlencoded; charset=utf-8"],
	kinesis: [kinesis, "Kinesis_20131202.PutRecords", "application/x-amz-json-1.1"],
	events: [events, "AWSEvents.PutEvents", "application/x-amz-json-1.1"],
};

function refuse(service, error) {
	if (service === "sns")
		return { status: error.status, type: "text/xml", text: `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>` +
			`<Code>${error.code}</Code><Message>${escape(error.message)}</Message></Error><RequestId>x</RequestId></ErrorResponse>` };
	if (service === "lambda")
		return { status: error.status, type: "application/json", headers: { "x-amzn-ErrorType": `${error.code}:http://internal.amazon.com/` },
			text: JSON.stringify({ Type: "User", message: error.message }) };
	return { status: error.status, type: "application/x-amz-json-1.1", text: JSON.stringify({ __type: error.code, message: error.message }) };
}

async function answer(request, bytes, body, call) {
	const claim = readAuthorization(request.headers.authorization);
	Object.assign(call, { service: claim.service, region: claim.region, url: request.url, token: request.headers["x-amz-security-token"] });
	await checkSignature(request, bytes, claim);
	call.signed = true;
	const [serve, target, type] = services[claim.service];
	if (request.headers["x-amz-target"] !== target || request.headers["content-type"] !== type)
		throw new Refusal("UnknownOperationException", `${request.headers["x-amz-target"]} ${request.headers["content-type"]}`);
	const rule = rules.find((candidate) => candidate.status && candidate.times !== 0 && body.includes(candidate.match || ""));
	if (rule) {
		if (rule.times)
			rule.times--;
		if (rule.code)
			throw new Refusal(rule.code, rule.message, rule.status);
		return { status: rule.status, type: "text/html", headers: rule.headers, text: rule.body || "" };
	}
	const made = serve(body, request);
	call.entries = made.entries;
	return made;
}

function control(request, body) {
	if (request.method === "PUT")
		rules = JSON.parse(body);
	if (request.method === "DELETE")
		rules = calls = [];
	return { type: "application/json", text: JSON.stringify(calls) };
}

const server = http.createServer(async (request, response) => {
	const chunks = [];
	for await (const chunk of request)
		chunks.push(chunk);
	const bytes = Buffer.concat(chunks);
	const body = bytes.toString();
	const call = { signed: false };
	let made;
	if (request.url.startsWith("/test/")) {
		made = control(request, body);
	} else {
		calls = [...calls, call];
		try {
			made = await answer(request, bytes, body, call);
		} catch (error) {
			call.refused = error.code || `${error.stack}`;
			made = refuse(call.service, error.code ? error : new Refusal("InternalFailure", `${error}`, 500));
		}
	}
	response.writeHead(made.status || 200, { ...(made.type ? { "Content-Type": made.type } : {}), ...made.headers });
	response.end(made.text);
});

server.listen(Number(process.argv[2] || 0), "127.0.0.1", () => console.log(server.address().port));
// Ends with whoever started it.
process.stdin.on("end", () => process.exit(0)).resume();
