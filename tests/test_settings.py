"""Where the broker is: addresses, who may name them; no text of theirs shows the password."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orquestador.errors import ConfigurationError
from orquestador.settings import LOCAL, Address, parse, settle

RIGHT = f"; a right one looks like {LOCAL}"
UNREADABLE = (
    "--url: the address cannot be read: is the port a number below 65536,"
    " is / in the password written %2F, @ as %40, ? as %3F, # as %23?" + RIGHT
)


@pytest.mark.parametrize(
    ("url", "host", "port", "vhost", "user", "password"),
    [
        ("amqp://localhost", "localhost", 5672, "/", "guest", "guest"),
        ("amqp://localhost/", "localhost", 5672, "/", "guest", "guest"),
        ("amqp://ana:pw@rabbit:5673/prod", "rabbit", 5673, "prod", "ana", "pw"),
        ("amqps://ana:pw@rabbit/prod", "rabbit", 5671, "prod", "ana", "pw"),
        ("amqps://rabbit:5999", "rabbit", 5999, "/", "guest", "guest"),
        ("amqp://rabbit/%2F", "rabbit", 5672, "/", "guest", "guest"),
        ("amqp://rabbit/%2Fprod%2Fa", "rabbit", 5672, "/prod/a", "guest", "guest"),
        ("amqp://a%40b:p%2F%40%3A@rabbit", "rabbit", 5672, "/", "a@b", "p/@:"),
        ("amqp://ana:a@b@rabbit", "rabbit", 5672, "/", "ana", "a@b"),
        ("amqp://[::1]/v", "::1", 5672, "v", "guest", "guest"),
        ("amqp://ana:pw@[2001:db8::7]:5673", "2001:db8::7", 5673, "/", "ana", "pw"),
        ("amqp://127.0.0.1:5672", "127.0.0.1", 5672, "/", "guest", "guest"),
    ],
)
def test_an_address_is_a_rabbitmq_uri(
    url: str, host: str, port: int, vhost: str, user: str, password: str
) -> None:
    address = parse(url)

    assert (address.host, address.port, address.vhost) == (host, port, vhost)
    assert (address.user, address.password) == (user, password)
    assert address.tls == url.startswith("amqps:")


def test_tls_files_are_named_after_the_question_mark() -> None:
    address = parse("amqps://rabbit/v?cacertfile=/etc/ca.pem&certfile=c.pem&keyfile=k.pem")

    assert (address.cacertfile, address.certfile, address.keyfile) == (
        "/etc/ca.pem",
        "c.pem",
        "k.pem",
    )
    assert address.vhost == "v"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("amqp://ana:pw@rabbit:5673/prod", "amqp://ana:***@rabbit:5673/prod"),
        ("amqps://rabbit", "amqps://guest:***@rabbit:5671/"),
        ("amqp://[::1]/%2Fa", "amqp://guest:***@[::1]:5672/%2Fa"),
        ("amqp://a%40b:pw@rabbit", "amqp://a%40b:***@rabbit:5672/"),
    ],
)
def test_an_address_is_shown_whole_but_for_its_password(url: str, text: str) -> None:
    assert str(parse(url)) == text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("localhost:5672", "--url: the address does not begin with amqp:// or amqps://" + RIGHT),
        (
            "http://localhost",
            "--url: the address does not begin with amqp:// or amqps://" + RIGHT,
        ),
        (
            "AMQP://localhost",
            "--url: the address does not begin with amqp:// or amqps://,"
            " did you mean amqp://" + RIGHT,
        ),
        (
            "ampqs://localhost",
            "--url: the address does not begin with amqp:// or amqps://,"
            " did you mean amqps://" + RIGHT,
        ),
        ("amqp://", "--url: the address has no host" + RIGHT),
        ("amqp:///prod", "--url: the address has no host" + RIGHT),
        ("amqp://ana:pw@", "--url: the address has no host" + RIGHT),
        ("amqp://rabbit/a/b", "--url: the vhost holds a '/'; write it as %2F" + RIGHT),
        ("amqp://rabbit//", "--url: the vhost holds a '/'; write it as %2F" + RIGHT),
        ("amqp://rabbit:port", UNREADABLE),
        ("amqp://rabbit:65536", UNREADABLE),
        ("amqp://[::1/", UNREADABLE),
        ("amqp://ana:p/w@rabbit", UNREADABLE),
        ("amqp://ana:1/w@rabbit", UNREADABLE),
        ("amqp://ana:1?w@rabbit", UNREADABLE),
        ("amqp://ana:1#w@rabbit", UNREADABLE),
        (
            "amqp://rabbit?cacertfil=x",
            "--url: unknown parameter 'cacertfil' after the '?', did you mean 'cacertfile'" + RIGHT,
        ),
        (
            "amqp://rabbit?heartbeat=5",
            "--url: unknown parameter 'heartbeat' after the '?',"
            " known are cacertfile, certfile, keyfile" + RIGHT,
        ),
    ],
)
def test_a_bad_address_is_said_with_a_right_one(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(url)

    assert str(raised.value) == text


SOURCES = ["--url", "AMQP_URL", "CLOUDAMQP_URL", "RABBITMQ_URL"]


@pytest.mark.parametrize("first", range(4))
def test_the_first_source_that_is_set_wins(first: int) -> None:
    set_ones = {source: f"amqp://{source.strip('-').lower()}" for source in SOURCES[first:]}

    settled = settle(set_ones.pop("--url", None), set_ones)

    assert settled.source == SOURCES[first]
    assert settled.given
    assert str(settled.addresses[0]).startswith(
        f"amqp://guest:***@{SOURCES[first].strip('-').lower()}:"
    )


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_without_any_it_is_the_local_broker(empty: str | None) -> None:
    settled = settle(empty, {"AMQP_URL": "", "RABBITMQ_URL": " "})

    assert settled.source == "the default"
    assert not settled.given
    assert str(settled) == "amqp://guest:***@localhost:5672/"


def test_a_bad_address_is_said_with_its_source() -> None:
    with pytest.raises(ConfigurationError, match=r"^CLOUDAMQP_URL: the address has no host; "):
        settle(None, {"CLOUDAMQP_URL": "amqps://"})


def test_several_addresses_are_one_cluster() -> None:
    settled = settle(" amqp://a, amqp://b:5673/v ,,amqps://[::1],", {})

    assert str(settled) == (
        "amqp://guest:***@a:5672/, amqp://guest:***@b:5673/v, amqps://guest:***@[::1]:5671/"
    )


def test_commas_alone_are_no_address() -> None:
    with pytest.raises(ConfigurationError) as raised:
        settle(" , ", {})

    assert str(raised.value) == f"--url holds no address; such as {LOCAL}"


@pytest.mark.parametrize(
    "url", ["amqp://a,b:5672", "amqp://a/v,b:5672", "amqp://a,ampq://b", "amqp://a,,b,amqp://c"]
)
def test_each_of_several_addresses_is_whole(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settle(url, {})

    assert str(raised.value) == (
        "--url: each of several addresses begins with amqp:// or amqps://;"
        " in a vhost , is %2C" + RIGHT
    )


def test_a_comma_in_a_password_parts_nothing() -> None:
    settled = settle("amqp://ana:a,b,@rabbit,amqp://bob:c@stoat", {})

    assert [address.password for address in settled.addresses] == ["a,b,", "c"]


def test_a_topology_may_name_the_vhost() -> None:
    settled = settle("amqp://a/x,amqp://b", {})

    assert settled.in_vhost(None) is settled
    assert [address.vhost for address in settled.in_vhost("prod").addresses] == ["prod", "prod"]
    assert settled.in_vhost("prod").source == "--url"


# -- the password: a mark in it that nothing else holds, between whatever a person may type

MARK = "Zq9"
typed = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["12/", "12?", "12#", "@", "/", "?keyfile=", "[", "]", ":", "%", "%2", ",", "12,", "#", "\\"]
)


def texts_of(url: str) -> list[str]:
    try:
        settled = settle(url, {})
    except ConfigurationError as fault:
        return [str(fault), repr(fault), repr(fault.args), repr(fault.__cause__)]
    return [
        str(settled),
        repr(settled),
        *map(str, settled.addresses),
        *map(repr, settled.addresses),
    ]


@given(typed, typed, st.sampled_from(["host", "host:5672/v", "host/v?keyfile=k", "[::1]", ""]))
@example("12/", "", "host")
@example("12?", "", "host/")
@example("12#", "", "host:5672/v")
@example("12,", "", "host:5672/v")
@example("?", ",", "host")
def test_a_password_typed_as_it_is_never_shows(before: str, after: str, rest: str) -> None:
    url = f"amqp://ana:{before}{MARK}{after}@{rest}"

    assert not any(MARK.lower() in text.lower() for text in texts_of(url))


@given(typed, typed)
def test_a_password_written_as_it_should_be_is_read_whole_and_never_shows(
    before: str, after: str
) -> None:
    password = f"{before}{MARK}{after}"
    url = f"amqp://ana:{quote(password, safe='')}@host/v"

    assert parse(url) == Address("host", 5672, "v", "ana", password)
    assert not any(MARK in text for text in texts_of(url))
    assert not any(MARK in text for text in texts_of(url.replace("host", "host:none")))
    assert not any(MARK in text for text in texts_of(url.replace("amqp:", "amp:")))
