"""Frames, tables and properties: what goes in comes out, and nothing else gets through."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from plugins.broker.content import Incoming
from plugins.broker.errors import Malformed, Refused
from plugins.broker.message import Properties, parse_expiration
from plugins.broker.tables import Field, Table, decode_table, encode_table, identity
from plugins.broker.wire import (
    FrameReader,
    decode_method,
    encode_content,
    encode_method,
    frame,
)

_TEXT = st.text(max_size=20)
_SCALARS = st.one_of(
    st.builds(Field, st.just("longstr"), _TEXT),
    st.builds(Field, st.just("binary"), st.binary(max_size=20)),
    st.builds(Field, st.just("bool"), st.booleans()),
    st.builds(Field, st.just("byte"), st.integers(-128, 127)),
    st.builds(Field, st.just("signedint"), st.integers(-(2**31), 2**31 - 1)),
    st.builds(Field, st.just("long"), st.integers(-(2**63), 2**63 - 1)),
    st.builds(Field, st.just("double"), st.floats(allow_nan=False)),
    st.builds(Field, st.just("timestamp"), st.integers(0, 2**64 - 1)),
    st.builds(
        Field,
        st.just("decimal"),
        st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1)),
    ),
    st.just(Field("void", None)),
)
_KEYS = st.text(max_size=10)
_FIELDS = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.builds(Field, st.just("array"), st.lists(inner, max_size=4)),
        st.builds(Field, st.just("table"), st.dictionaries(_KEYS, inner, max_size=4)),
    ),
    max_leaves=8,
)
_TABLES = st.dictionaries(_KEYS, _FIELDS, max_size=5)


@given(_TABLES)
def test_a_table_comes_back_as_it_went(table: Table) -> None:
    data = encode_table(table)

    assert decode_table(data, 0) == (table, len(data))


@given(_TABLES)
def test_the_order_of_keys_does_not_make_another_table(table: Table) -> None:
    assert identity(table) == identity(dict(reversed(table.items())))


@given(_TABLES, st.data())
def test_a_table_that_is_cut_off_is_malformed(table: Table, data: Any) -> None:
    whole = encode_table(table)
    size = data.draw(st.integers(0, len(whole) - 1))

    with pytest.raises(Malformed):
        decode_table(whole[:size], 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        decode_table(data, 0)


def test_tables_nested_without_end_are_malformed() -> None:
    data = encode_table({})
    for _ in range(200):
        data = len(data + b"\1aF").to_bytes(4, "big") + b"\1aF" + data

    with pytest.raises(Malformed, match="deep"):
        decode_table(data, 0)


_FRAMES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 65535), st.binary(max_size=50)),
    max_size=6,
)


@given(_FRAMES, st.lists(st.integers(0, 300), max_size=8))
def test_frames_are_found_however_they_arrive(
    frames: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    data = b"".join(frame(*one) for one in frames)
    reader = FrameReader(0)
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})

    found = [one for start, end in pairwise(edges) for one in reader.feed(data[start:end])]

    assert found == frames


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_bytes_are_frames_or_malformed(pieces: list[bytes]) -> None:
    reader = FrameReader(1000)

    with contextlib.suppress(Malformed):
        for piece in pieces:
            for kind, _, payload in reader.feed(piece):
                read_anything(kind, payload)


@given(st.sampled_from(sorted(commands.INDEX_MAPPING)), st.binary(max_size=100))
def test_any_fields_are_a_method_or_malformed(index: int, fields: bytes) -> None:
    read_anything(1, index.to_bytes(4, "big") + fields)


def read_anything(kind: int, payload: bytes) -> None:
    """Read a frame in every way that its type allows; anything but a refusal is a fault of ours."""
    with contextlib.suppress(Malformed, Refused, KeyError):
        if kind == 1:
            decode_method(payload)
    incoming = Incoming(b"\0\x3c\0\x28\0\0\0\0\0")
    with contextlib.suppress(Malformed, Refused):
        incoming.add_header(payload)
        Properties.scan(incoming.properties).read_headers()
    with contextlib.suppress(Malformed, Refused):
        Incoming(payload)


def test_a_frame_above_the_limit_is_refused_before_it_is_here() -> None:
    reader = FrameReader(100)

    with pytest.raises(Malformed, match="frame_too_large,200,100"):
        list(reader.feed(b"\1\0\1" + (200).to_bytes(4, "big") + b"x"))


def test_methods_come_back_as_they_went() -> None:
    values = (0, "q", False, True, False, True, True, {"x": Field("byte", 3)})

    data = encode_method(3, commands.Queue.Declare, *values)
    [(kind, channel, payload)] = FrameReader(0).feed(data)

    assert (kind, channel) == (1, 3)
    read: list[object] = [value for _, value in decode_method(payload)]
    assert read == list(values)


@given(st.binary(max_size=300), st.sampled_from([0, 20, 64, 4096]))
def test_bodies_are_cut_to_the_agreed_size(body: bytes, largest: int) -> None:
    data = encode_content(1, b"method", b"\0\0", body, largest)

    frames = list(FrameReader(0).feed(data))

    assert b"".join(payload for kind, _, payload in frames if kind == 3) == body
    assert not largest or all(len(p) + 8 <= largest for kind, _, p in frames if kind == 3)


def properties(**given: Any) -> bytes:
    return commands.Basic.Properties(**given).marshal()


def test_properties_are_found_where_they_are() -> None:
    raw = properties(
        content_type="text/plain",
        headers={"a": 1},
        priority=3,
        expiration="60000",
        message_id="m",
        user_id="guest",
        app_id="app",
    )

    found = Properties.scan(raw)

    assert found.user_id == "guest"
    assert found.read_expiration() == "60000"
    assert found.read_headers() == {"a": Field("byte", 1)}


@given(st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_headers_change_and_all_else_stays(
    kind: bool, headers: bool, expires: bool, keep: bool
) -> None:
    given: dict[str, Any] = {"message_id": "m", "delivery_mode": 2}
    given |= {"content_type": "text/plain", "content_encoding": "utf-8"} if kind else {}
    given |= {"headers": {"old": 1}} if headers else {}
    given |= {"expiration": "5"} if expires else {}

    raw = Properties.scan(properties(**given)).with_headers(
        {"new": Field("longstr", "x")}, keep_expiration=keep
    )

    if not keep:
        given.pop("expiration", None)
    assert raw == properties(**given | {"headers": {"new": "x"}})


def test_properties_that_are_cut_off_are_malformed() -> None:
    whole = properties(content_type="text/plain", headers={"a": 1}, expiration="5")

    for size in range(2, len(whole)):
        with pytest.raises(Malformed):
            Properties.scan(whole[:size])


@pytest.mark.parametrize(
    ("text", "milliseconds"), [(None, None), ("0", 0), ("60000", 60000), ("+5", 5)]
)
def test_expirations(text: str | None, milliseconds: int | None) -> None:
    assert parse_expiration(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "no_integer"), ("-1", "value_negative"), ("5s", "leftover_string"), ("9" * 20, "large")],
)
def test_faulty_expirations(text: str, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        parse_expiration(text)
