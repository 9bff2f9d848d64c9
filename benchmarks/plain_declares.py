"""The plainest way to declare many queues: one blocking connection, one channel, one at a time.

`python -m benchmarks.plain_declares URL N`: what `benchmarks/provision.py` compares with.
"""

import sys

import pika

EXCHANGE, LIMIT = "work", 1000


def main(url: str, queues: int) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "direct", durable=True)
    for number in range(queues):
        name = f"q{number:04}"
        channel.queue_declare(name, durable=True, arguments={"x-max-length": LIMIT})
        channel.queue_bind(name, EXCHANGE, name)
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
