"""A consumer and producer as Python programs write them, with pika; prints JSON.

    pika_client.py URL send QUEUE          sends one message of each kind, confirmed
    pika_client.py URL take QUEUE COUNT    consumes and acknowledges COUNT messages
    pika_client.py URL return QUEUE COUNT  gets one message COUNT times and gives it back each time
    pika_client.py URL dead QUEUE          reads the dead letters of QUEUE and leaves them there
"""

import datetime
import decimal
import json
import sys
import time

import pika


def text_of(body):
    try:
        return body.decode()
    except UnicodeDecodeError:
        return list(body)


def plain(value):
    """A header as JSON."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def send(channel, queue):
    def publish(body, **properties):
        properties = pika.BasicProperties(**properties)
        channel.basic_publish("", queue, body, properties, mandatory=True)

    publish(json.dumps({"from": "pika", "number": 1}))
    publish("only words", content_type="text/plain")
    publish(bytes([0, 255]))
    headers = {
        "when": datetime.datetime(2023, 11, 14, 22, 13, 20),
        "price": decimal.Decimal("19.99"),
        "big": 2**40,
        "nest": {"list": [1, "two", None, True]},
    }
    publish(
        json.dumps([1, 2]),
        content_type="application/json",
        message_id="from-pika",
        correlation_id="c-1",
        delivery_mode=2,
        timestamp=1_700_000_000,
        headers=headers,
    )


def take(channel, queue, count):
    found = []
    for method, properties, body in channel.consume(queue, inactivity_timeout=20):
        if method is None:
            break
        found.append(
            {
                "body": text_of(body),
                "content_type": properties.content_type,
                "message_id": properties.message_id,
                "correlation_id": properties.correlation_id,
                "delivery_mode": properties.delivery_mode,
                "timestamp": properties.timestamp,
                "headers": plain(properties.headers or {}),
                "redelivered": method.redelivered,
            }
        )
        channel.basic_ack(method.delivery_tag)
        if len(found) == count:
            break
    channel.cancel()
    return found


def give_back(channel, queue, count):
    """What a crash-looping consumer does; answers how often the broker had delivered it before, each time."""
    counts = []
    until = time.monotonic() + 20
    while len(counts) < count and time.monotonic() < until:
        # Empty for a moment, while the queue takes it back.
        method, properties, _body = channel.basic_get(queue)
        if method is None:
            time.sleep(0.01)
            continue
        counts.append((properties.headers or {}).get("x-delivery-count", 0))
        channel.basic_nack(method.delivery_tag, requeue=True)
    return counts


def dead(channel, queue):
    """An operator's look at the dead letters: why each of them is there."""
    found = []
    name = f"{queue}.dead"
    for _ in range(channel.queue_declare(name, passive=True).method.message_count):
        method, properties, body = channel.basic_get(name)
        headers = properties.headers or {}
        deaths = headers.get("x-death", [])
        found.append(
            {
                "message_id": properties.message_id,
                "body": text_of(body),
                "reason": headers.get("x-hub-dead-reason") or deaths[0]["reason"].replace("_", "-"),
                "detail": headers.get("x-hub-dead-detail"),
                "dead_at": headers.get("x-hub-dead-at") or deaths[0]["time"].timestamp() * 1000,
                "failures": json.loads(headers.get("x-hub-failures", "[]")),
                "own": {key: value for key, value in plain(headers).items() if not key.startswith("x-")},
            }
        )
    # They are given back when the channel is closed.
    return found


def main(url, command, queue, count="1"):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=10)
    if command == "send":
        answer = send(channel, queue)
    elif command == "take":
        answer = take(channel, queue, int(count))
    elif command == "return":
        answer = give_back(channel, queue, int(count))
    else:
        answer = dead(channel, queue)
    connection.close()
    print(json.dumps(answer))


main(*sys.argv[1:])
