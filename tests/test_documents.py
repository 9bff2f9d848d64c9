"""Documents: every value knows its line, variables are replaced, nothing is read silently wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orquestador import documents
from orquestador.errors import ConfigurationError
from orquestador.nodes import Source


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        documents.parse(text, "some.yaml", {})
    return str(caught.value)


def faults(text: str, **environ: str) -> list[str]:
    return [str(fault) for fault in documents.parse(text, "some.yaml", environ).faults]


def test_every_key_and_item_knows_its_line() -> None:
    document = documents.parse("a: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "some.yaml")

    assert document.data == {"a": 1, "b": ["x", {"c": 2, "d": 3}]}
    assert document.line(("b",)) == 2
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "c")) == 4
    assert document.line(("b", 1, "d")) == 5


def test_what_has_no_line_has_that_of_what_is_around_it() -> None:
    document = documents.parse("a: 1\nb: {c: 2}\n", "some.yaml")

    assert document.line(("b", "missing", 3)) == 2
    assert document.line(("nowhere",)) == 1


def test_a_place_reads_as_in_faults() -> None:
    assert documents.dotted(("queues", "ping.x", "bindings", 0, "key")) == (
        "queues.ping.x.bindings[0].key"
    )
    assert documents.dotted(("a\nb", "")) == "a\\nb.''"


def test_a_value_tells_how_it_was_written() -> None:
    document = documents.parse("a: 1.0\nb: '1.0'\nc: #x\n", "some.yaml")

    assert document.sources["a",] == Source("1.0", plain=True)
    assert document.sources["b",] == Source("1.0", plain=False)
    assert document.sources["c",].comment == "#x"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: ${HOST}", "example.org"),
        ("a: amqp://${HOST}/${NONE:-x}", "amqp://example.org/x"),
        ("a: ${NONE:-}", None),
        ("a: ${EMPTY}", None),
        ("a: '${EMPTY}'", ""),
        ("a: ${EMPTY:-filled}", "filled"),
        ("a: ${NONE:-5}", 5),
        ("a: '${NONE:-5}'", "5"),
        ("a: ${TRICK}", "x: y"),
        ("a: $${HOST}", "${HOST}"),
        ("a: $HOST", "$HOST"),
    ],
)
def test_variables_are_replaced_within_their_value_only(text: str, value: object) -> None:
    environ = {"HOST": "example.org", "EMPTY": "", "TRICK": "x: y"}

    assert documents.parse(text, "some.yaml", environ).data == {"a": value}


def test_variables_that_are_not_set_are_all_reported() -> None:
    assert faults("a: ${ONE}\nb: ${TWO}\nc: ${THREE}", TWO="2") == [
        "some.yaml:1: a: the environment has no ONE; set it, or write ${ONE:-a default}",
        "some.yaml:3: c: the environment has no THREE; set it, or write ${THREE:-a default}",
    ]


def test_the_first_of_duplicate_keys_counts_and_the_others_are_faults() -> None:
    document = documents.parse("a: 1\na: 2\nb: {c: 1, c: 2}\n", "some.yaml")

    assert document.data == {"a": 1, "b": {"c": 1}}
    assert [str(fault) for fault in document.faults] == [
        "some.yaml:2: a: duplicate key; it stands on line 1 already",
        "some.yaml:3: b.c: duplicate key; it stands on line 3 already",
    ]


def test_keys_are_strings() -> None:
    assert faults("on: 1\n7: 2\n~: 3\n[a]: 4\n") == [
        'some.yaml:1: on: a key is a string; write it in quotes: "on"',
        'some.yaml:2: 7: a key is a string; write it in quotes: "7"',
        'some.yaml:3: ~: a key is a string; write it in quotes: "~"',
        'some.yaml:4: ?: a key is a string; write it in quotes: "?"',
    ]


def test_aliases_and_merges_keep_the_lines_of_what_they_stand_for() -> None:
    document = documents.parse("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\nc: *a\n", "some.yaml")

    assert document.data == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}
    assert document.line(("b", "x")) == 1
    assert document.line(("b", "y")) == 4
    assert document.line(("c",)) == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a:\n\tb: 1\n", "some.yaml:2: a tab; YAML indents with spaces"),
        ("a: 'x\n", "some.yaml:1: the quote that opens here is never closed"),
        ("a: @x\n", "some.yaml:1: a value that begins with @ is quoted"),
        ("a: *.x\n", 'some.yaml:1: a value that begins with * is quoted: "*.x"'),
        ('a: "\\d"\n', r"some.yaml:1: \d is no escape in double quotes; use single quotes"),
        ("a: 1\nbc\nd: 2\n", "some.yaml:2: a key without a ':' after it"),
        (
            "a: {b: ${C}}\n",
            'some.yaml:1: between { } or [ ] a value that contains { is quoted: "{service}"',
        ),
        (
            "a: b: c\n",
            "some.yaml:1: a ': ' where none fits; quote a value with one, or check the indentation",
        ),
        ("a: \x00\n", "some.yaml:1: the character '\\x00' can't stand in a YAML file"),
        ("[" * 100_000, "some.yaml:1: is nested more than 30 deep"),
        ("a: 1\n---\nb: 2\n", "some.yaml:2: a second document begins here; one file holds one"),
        ("", "some.yaml:1: the file is empty; a topology begins with version: 1"),
    ],
)
def test_what_is_no_yaml_is_one_plain_sentence(text: str, complaint: str) -> None:
    assert refusal(text) == complaint


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20)
    )

    assert "the aliases make more than 500000 values" in refusal(bomb)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: &a [*a]\n", 'some.yaml:1: a[0]: *a names no anchor above it; a string is "*a"'),
        ("a: !x 1\n", "some.yaml:1: a: the tag !x is not used here; remove it"),
        ("a: !!set {x}\n", "some.yaml:1: a: the tag !!set is not used here; remove it"),
        (
            "a: 2024-13-45\n",
            "some.yaml:1: a: 2024-13-45 without quotes is read as a date, but is no usable one; "
            'a string is "2024-13-45"',
        ),
        (
            "a: .nan\n",
            "some.yaml:1: a: .nan without quotes is read as a number, but is no usable one; "
            'a string is ".nan"',
        ),
        (
            'a: "\\ud800"\n',
            "some.yaml:1: a: holds half of a surrogate pair, which is no character",
        ),
    ],
)
def test_a_value_that_cannot_be_used_does_not_end_the_reading(text: str, complaint: str) -> None:
    assert faults(text + "b: ${NONE}\n")[0] == complaint
    assert len(faults(text + "b: ${NONE}\n")) == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "1: there is no such file (looked for from "),
        (b"a: 1\nb: \xff\n", "2: the byte 0xff is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "some.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        documents.read(path)

    assert str(caught.value).startswith(f"{path}:{complaint}")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder; name the YAML file in it"):
        documents.read(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes("\ufeffa: 1\r\nb: {c: ñ}\r\n".encode())

    document = documents.read(path)

    assert document.data == {"a": 1, "b": {"c": "ñ"}}
    assert document.line(("b", "c")) == 2


@given(st.text() | st.text(alphabet="ab{}[]:,-?&*!|>'\"#%@ \t\n~$<=0.1e"))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        document = documents.parse(text, "some.yaml", {})
    except ConfigurationError as refused:
        assert refused.faults
    else:
        assert all("\n" not in str(fault) for fault in document.faults)
