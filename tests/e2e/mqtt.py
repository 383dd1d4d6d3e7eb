# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""paho-mqtt, made synchronous."""
import itertools
import json
import os
import queue
import socket
import threading
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from environment import PATIENCE


class Message:
    """What a client received."""

    def __init__(self, received):
        self.topic = received.topic
        self.payload = received.payload
        self.qos = received.qos
        self.retain = bool(received.retain)
        self.dup = bool(getattr(received, "dup", False))
        self.time = time.monotonic()
        properties = getattr(received, "properties", None)
        self.properties = properties
        self.user_properties = list(getattr(properties, "UserProperty", []) or [])
        self.content_type = getattr(properties, "ContentType", None)
        self.response_topic = getattr(properties, "ResponseTopic", None)
        self.correlation_data = getattr(properties, "CorrelationData", None)
        self.payload_format = getattr(properties, "PayloadFormatIndicator", None)
        self.expiry = getattr(properties, "MessageExpiryInterval", None)

    @property
    def text(self):
        return self.payload.decode()

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        payload = self.payload if len(self.payload) <= 80 else self.payload[:77] + b"..."
        return f"<{self.topic} {payload!r} qos {self.qos}{' retained' if self.retain else ''}>"


def publish_properties(user=(), content_type=None, response_topic=None, correlation_data=None, payload_format=None,
                       expiry=None):
    """Properties of an MQTT 5 publish."""
    properties = Properties(PacketTypes.PUBLISH)
    if user:
        properties.UserProperty = list(user)
    if content_type is not None:
        properties.ContentType = content_type
    if response_topic is not None:
        properties.ResponseTopic = response_topic
    if correlation_data is not None:
        properties.CorrelationData = correlation_data
    if payload_format is not None:
        properties.PayloadFormatIndicator = payload_format
    if expiry is not None:
        properties.MessageExpiryInterval = expiry
    return properties


class Refused(Exception):
    """The broker's CONNACK was not a welcome; code is its reason."""

    def __init__(self, code):
        super().__init__(f"connection refused: {code}")
        self.code = code


class Client:
    """Synchronous: connect, subscribe and publish return when the broker has answered.
    Every message received is in .messages, in order."""

    numbers = itertools.count()

    def __init__(self, broker, client_id=None, version=4, username=None, password=None, clean=True, session_expiry=None,
                 listener="default", tls=None, will=None, inflight=100):
        self.broker = broker
        self.client_id = client_id if client_id is not None else f"client-{next(self.numbers)}-{os.getpid()}"
        self.version = version
        self.clean = clean
        self.session_expiry = session_expiry
        self.listener = listener
        self.messages = []
        self.arrived = threading.Condition()
        self.answers = queue.Queue()
        self.disconnected = threading.Event()
        self.disconnect_code = None
        self.puback_codes = {}
        five = version == 5
        self.paho = paho.Client(self.client_id, protocol=paho.MQTTv5 if five else paho.MQTTv311,
                                clean_session=None if five else clean,
                                transport="websockets" if listener.startswith("websockets") else "tcp")
        self.paho.max_inflight_messages_set(inflight)
        if username is not None:
            self.paho.username_pw_set(username, password)
        if tls:
            self.paho.tls_set(**tls)
        if will:
            self.paho.will_set(*will)
        self.paho.on_connect = self._on_connect
        self.paho.on_disconnect = self._on_disconnect
        self.paho.on_message = self._on_message
        self.paho.on_subscribe = lambda *answer: self.answers.put(("subscribe", answer[2], answer[3]))
        self.paho.on_unsubscribe = lambda *answer: self.answers.put(("unsubscribe", answer[2], None))

    def _on_connect(self, _client, _data, _flags, code, _properties=None):
        self.answers.put(("connect", None, code))

    def _on_disconnect(self, _client, _data, code, _properties=None):
        self.disconnect_code = code
        self.disconnected.set()

    def _on_message(self, _client, _data, received):
        with self.arrived:
            self.messages.append(Message(received))
            self.arrived.notify_all()

    def _answer(self, kind, number, timeout=15):
        """The broker's answer to the packet of this number; others that come before it are nobody's."""
        deadline = time.monotonic() + timeout * PATIENCE
        while True:
            try:
                found = self.answers.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{self.client_id}: no answer to {kind} within {timeout * PATIENCE:g} s") from None
            if found[0] == kind and (number is None or found[1] == number):
                return found[2]

    def connect(self):
        options = {}
        if self.version == 5:
            options["clean_start"] = self.clean
            if self.session_expiry is not None:
                options["properties"] = Properties(PacketTypes.CONNECT)
                options["properties"].SessionExpiryInterval = self.session_expiry
        self.disconnected.clear()
        self.paho.connect("127.0.0.1", self.broker.ports[self.listener], keepalive=600, **options)
        self.paho.loop_start()
        code = self._answer("connect", None)
        code = getattr(code, "value", code)
        if code != 0:
            self.close()
            raise Refused(code)
        return self

    def close(self):
        """DISCONNECT, as a client says it that means to go. May be called twice."""
        self.paho.disconnect()
        self.paho.loop_stop()

    def kill(self):
        """The connection ends without a DISCONNECT."""
        sock = self.paho.socket()
        self.paho.reconnect_delay_set(3600, 3600)
        if sock:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.paho._thread_terminate = True
        self.paho.loop_stop()

    def subscribe(self, *filters, qos=0, **options):
        """Returns the granted QoS (or MQTT 5 reason) of each filter."""
        if self.version == 5:
            wanted = [(text, paho.SubscribeOptions(qos=qos, **options)) for text in filters]
        else:
            wanted = [(text, qos) for text in filters]
        _, number = self.paho.subscribe(wanted)
        return [getattr(code, "value", code) for code in self._answer("subscribe", number)]

    def unsubscribe(self, *filters):
        _, number = self.paho.unsubscribe(list(filters))
        self._answer("unsubscribe", number)

    def publish(self, topic, payload=b"", qos=1, retain=False, properties=None, wait=True, timeout=15):
        """With QoS 1 and 2 returns when the broker has acknowledged it."""
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        information = self.paho.publish(topic, payload, qos, retain, properties)
        if wait and qos > 0:
            information.wait_for_publish(timeout * PATIENCE)
            assert information.is_published(), f"{topic}: not acknowledged within {timeout * PATIENCE:g} s"
        return information

    def wait_for(self, wanted, timeout=10):
        """Waits for a number of messages, or for one that the function takes; returns all messages."""
        deadline = time.monotonic() + timeout * PATIENCE
        with self.arrived:
            while not (len(self.messages) >= wanted if isinstance(wanted, int) else any(map(wanted, self.messages))):
                left = deadline - time.monotonic()
                assert left > 0, (f"{self.client_id}: waited {timeout * PATIENCE:g} s for {wanted}, "
                                  f"got {len(self.messages)}: {self.messages[:10]}")
                self.arrived.wait(left)
            return list(self.messages)

    def barrier(self):
        """Returns when all that the broker had to deliver to this client is here. What a plugin publishes goes out
        in the next turn of the broker's loop: hence two round trips."""
        for turn in range(2):
            topic = f"$barrier/{self.client_id}/{turn}/{next(self.numbers)}"
            self.subscribe(topic)
            self.publish(topic, "", qos=1)
            self.wait_for(lambda message: message.topic == topic)
            self.unsubscribe(topic)
            with self.arrived:
                self.messages = [message for message in self.messages if message.topic != topic]
        return self

    def take(self):
        """All messages that the broker has for this client; forgets them."""
        self.barrier()
        with self.arrived:
            messages, self.messages = self.messages, []
        return messages

    def topics(self):
        return [message.topic for message in self.messages]

    def command(self, *commands, topic="$CONTROL/sluice/v1", timeout=15):
        """Sends control commands; returns the answers to them, one each."""
        correlation = f"{self.client_id}-{next(self.numbers)}"
        sent = [{**command, "correlationData": f"{correlation}-{number}"} for number, command in enumerate(commands)]
        expected = [command["correlationData"] for command in sent]
        self.publish(topic, json.dumps({"commands": sent}), qos=1)
        answers = {}

        def answered(message):
            if message.topic == topic + "/response":
                for answer in message.json["responses"]:
                    answers[answer.get("correlationData")] = answer
            return all(one in answers for one in expected)

        self.wait_for(answered, timeout)
        with self.arrived:
            self.messages = [message for message in self.messages if message.topic != topic + "/response"]
        return [answers[one] for one in expected]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
