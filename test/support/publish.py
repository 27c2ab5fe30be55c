"""Publishes to readings.new as any program may, with pika instead of our own client.

publish.py AMQP_URL QUEUE: one message for each line of JSON on stdin; ends with 0 once the broker has confirmed all.
"""

import sys

import pika

url, queue = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
persistent = pika.BasicProperties(content_type="application/json", delivery_mode=2)
for line in sys.stdin:
    # Raises where the broker refuses it, or no queue takes it.
    channel.basic_publish("", queue, line.strip().encode("utf-8"), persistent, mandatory=True)
connection.close()
