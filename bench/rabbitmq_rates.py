"""Sends and takes messages with pika as one line of standard input after the other asks, and answers messages/s.

usage: rabbitmq_rates.py amqp://user:password@host:port; a line is "KIND QUEUE MESSAGES PAYLOAD" with these kinds:
blocking  BlockingConnection, which waits for the confirm of each message
select    SelectConnection with confirms that come later, at most WINDOW outstanding
consume   SelectConnection with manual acks
"""

import json
import sys
import time
import uuid

import pika

WINDOW = 1000
PREFETCH = 200
parameters = pika.URLParameters(sys.argv[1])


def properties():
    return pika.BasicProperties(
        content_type="application/json",
        delivery_mode=2,
        message_id=str(uuid.uuid4()),
        timestamp=int(time.time()),
    )


def blocking(queue, messages, payload):
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()
    start = time.perf_counter()
    for _ in range(messages):
        channel.basic_publish("", queue, json.dumps(payload), properties(), mandatory=True)
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def loop(work):
    """Runs `work(channel, end)` in pika's own event loop and returns the seconds from its start to `end()`."""
    times = []

    def end():
        times.append(time.perf_counter())
        connection.close()

    def start(channel):
        times.append(time.perf_counter())
        work(channel, end)

    connection = pika.SelectConnection(
        parameters,
        on_open_callback=lambda opened: opened.channel(on_open_callback=start),
        on_close_callback=lambda closed, _reason: closed.ioloop.stop(),
    )
    connection.ioloop.start()
    return times[1] - times[0]


def select(queue, messages, payload):
    def work(channel, end):
        sent = 0
        lowest = 1
        unconfirmed = set()

        def fill():
            nonlocal sent
            while sent < messages and len(unconfirmed) < WINDOW:
                channel.basic_publish("", queue, json.dumps(payload), properties(), mandatory=True)
                sent += 1
                unconfirmed.add(sent)

        def on_confirm(frame):
            nonlocal lowest
            method = frame.method
            if method.multiple:
                unconfirmed.difference_update(range(lowest, method.delivery_tag + 1))
                lowest = method.delivery_tag + 1
            else:
                unconfirmed.discard(method.delivery_tag)
            fill()
            if not unconfirmed:
                end()

        channel.confirm_delivery(on_confirm, callback=lambda _ok: fill())

    return loop(work)


def consume(queue, messages, _payload):
    def work(channel, end):
        taken = 0

        def on_message(channel, method, _properties, body):
            nonlocal taken
            json.loads(body)
            channel.basic_ack(method.delivery_tag)
            taken += 1
            if taken == messages:
                end()

        channel.basic_qos(prefetch_count=PREFETCH, callback=lambda _ok: channel.basic_consume(queue, on_message))

    return loop(work)


kinds = {"blocking": blocking, "select": select, "consume": consume}
for line in sys.stdin:
    kind, queue, messages, payload = line.split(" ", 3)
    print(int(messages) / kinds[kind](queue, int(messages), json.loads(payload)), flush=True)
