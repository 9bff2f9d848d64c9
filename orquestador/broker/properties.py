"""pika's deliveries and properties <-> ours (`message.py`)."""

from __future__ import annotations

from typing import Any

from pika import BasicProperties

from orquestador.broker.message import Delivery, Outgoing


def delivery(method: Any, properties: BasicProperties, body: bytes) -> Delivery:
    return Delivery(
        method.delivery_tag,
        method.exchange,
        method.routing_key,
        body,
        method.redelivered,
        properties.message_id,
        properties.type,
        properties.app_id,
        properties.correlation_id,
        properties.user_id,
        properties.content_type,
        properties.headers,
    )


def properties(message: Outgoing) -> BasicProperties:
    return BasicProperties(  # type: ignore[no-untyped-call]
        content_type=message.content_type,
        headers=dict(message.headers) if message.headers else None,
        delivery_mode=2 if message.persistent else 1,
        correlation_id=message.correlation_id,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.type,
        user_id=message.user_id,
        app_id=message.app_id,
    )
