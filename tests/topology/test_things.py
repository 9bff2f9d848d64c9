"""Loading what provisioning needs: bindings of exchanges, tombstones, limits, publishers, lines."""

from dataclasses import replace

from orquestador.topology.model import Absent, Binding, Exchange, Limits
from orquestador.topology.things import Kind, link
from tests.topology.conftest import Loading

EVERYTHING = """\
version: 1
prefix: dev.
known_arguments: [x-message-deduplication]
defaults:
  queues: {on_remove: retain}
exchanges:
  orders: {type: topic}
  audit:
    type: fanout
    internal: true
    bindings:
      - {exchange: orders, key: "order.#"}
      - {exchange: amq.headers, arguments: {x-match: any, eu: 1}}
  theirs: {type: topic, owned: false}
  later: {type: x-delayed-message, arguments: {x-delayed-type: topic}}
queues:
  work:
    arguments: {x-message-deduplication: true, x-queue-version: 2}
    bindings:
      - {exchange: later, key: soon, arguments: {x: 1}}
  scratch: {on_remove: delete}
roles:
  shop:
    publishes: [orders, amq.topic]
    queues:
      sold.{service}: {bindings: [{exchange: audit}]}
      seen.{unique}: {exclusive: true, bindings: [{exchange: orders, key: "#"}]}
services:
  madrid: {role: shop}
  lima: {role: shop, publishes: [theirs, orders, ""]}
absent:
  exchanges: [old.orders]
  queues: [old.work]
  bindings:
    - {exchange: orders, queue: work, key: "order.*"}
    - {exchange: amq.headers, to_exchange: audit, arguments: {x-match: all, us: 1}}
    - {exchange: gone, to_exchange: amq.fanout}
limits:
  queues: 100
  messages_per_month: 1000000
"""


def test_an_exchange_holds_its_bindings_as_a_queue_does(topology_of: Loading) -> None:
    topology = topology_of(EVERYTHING)

    assert topology.exchanges["audit"] == Exchange(
        "dev.audit",
        type="fanout",
        internal=True,
        bindings=(
            Binding("dev.orders", "order.#"),
            Binding("amq.headers", "", {"x-match": "any", "eu": 1}),
        ),
    )
    assert [str(each) for each in topology.links] == [
        "dev.orders -> exchange dev.audit (order.#)",
        'amq.headers -> exchange dev.audit (no key {"eu": 1, "x-match": "any"})',
        'dev.later -> dev.work (soon {"x": 1})',
        "dev.audit -> dev.sold.madrid (no key)",
        "dev.audit -> dev.sold.lima (no key)",
    ]


def test_bindings_may_go_round_in_a_circle(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
exchanges:
  a: {alternate: b, bindings: [{exchange: b}]}
  b: {alternate: a, bindings: [{exchange: a}]}
""")

    assert len(topology.links) == 2


def test_what_is_absent_has_its_names_on_the_broker(topology_of: Loading) -> None:
    assert topology_of(EVERYTHING).absent == Absent(
        exchanges=("dev.old.orders",),
        queues=("dev.old.work",),
        links=(
            link("dev.orders", Kind.QUEUE, "dev.work", "order.*", {}),
            link("amq.headers", Kind.EXCHANGE, "dev.audit", "", {"us": 1, "x-match": "all"}),
            link("dev.gone", Kind.EXCHANGE, "amq.fanout", "", {}),
        ),
    )


def test_limits_know_their_lines(topology_of: Loading) -> None:
    limits = topology_of(EVERYTHING).limits

    assert limits == Limits(queues=100, messages_per_month=1_000_000)
    assert [line_of(limits.lines[key]) for key in limits.lines] == [
        "  queues: 100",
        "  messages_per_month: 1000000",
    ]


def test_a_service_publishes_to_what_its_role_says_and_it_says_itself(
    topology_of: Loading,
) -> None:
    services = topology_of(EVERYTHING).services

    assert services["madrid"].publishes == ("dev.orders", "amq.topic")
    assert services["lima"].publishes == ("dev.orders", "amq.topic", "dev.theirs", "")
    assert services["lima"].options == {}


def test_a_queue_that_is_to_stay_says_so_and_the_default_gives_way(topology_of: Loading) -> None:
    queues = topology_of(EVERYTHING).queues

    assert [name for name, queue in queues.items() if queue.retain] == [
        "work", "sold.madrid", "sold.lima", "seen.{unique}",
    ]  # fmt: skip


def test_things_know_their_lines(topology_of: Loading) -> None:
    topology = topology_of(EVERYTHING)

    assert line_of(topology.exchanges["orders"].line) == "  orders: {type: topic}"
    assert line_of(topology.queues["work"].line) == "  work:"
    assert line_of(topology.queues["sold.lima"].line).startswith("      sold.{service}:")
    # Where a thing stands is not what it is.
    assert replace(topology.queues["work"], line=0) == topology.queues["work"]


def line_of(number: int) -> str:
    return EVERYTHING.splitlines()[number - 1]


def test_types_and_arguments_of_plugins_are_taken_as_they_are(topology_of: Loading) -> None:
    topology = topology_of(EVERYTHING)

    assert topology.exchanges["later"].type == "x-delayed-message"
    assert topology.exchanges["later"].arguments == {"x-delayed-type": "topic"}
    assert topology.queues["work"].arguments == {
        "x-message-deduplication": True,
        "x-queue-version": 2,
    }
    assert topology.queues["work"].type == "classic"


def test_at_least_once_with_all_it_needs_is_no_fault(topology_of: Loading) -> None:
    topology = topology_of("""\
version: 1
defaults: {queues: {overflow: reject-publish, dead_letter: {exchange: amq.fanout}}}
queues:
  work: {type: quorum, arguments: {x-dead-letter-strategy: at-least-once}}
  log: {type: stream, arguments: {x-max-age: 7D}}
""")

    assert topology.queues["work"].arguments["x-dead-letter-strategy"] == "at-least-once"
    assert topology.queues["log"].arguments == {"x-queue-type": "stream", "x-max-age": "7D"}
