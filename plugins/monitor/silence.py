"""What follows from time alone: suspicion, probes, DOWN at the bound; protocol, section 4.  Pure.

A silence counts only once the monitor's own ping of that round, or of a later one, is back; for
DOWN, one that went out with the first probe, or later: a broker that stalls blames nobody.
"""

from __future__ import annotations

from msgspec.structs import replace

from orquestador.events import State

from . import lease
from .changes import Judged, changed, down
from .evidence import Effect, Probe, Tick
from .instances import derived
from .row import Row, Rules


def ticked(row: Row, seen: Tick, now: float, rules: Rules) -> Judged:
    effects: tuple[Effect, ...] = ()
    if row.next_greeting is not None and now >= row.next_greeting:
        effects = (Probe(row.service),)
        row = row.greeting_again(row.greetings - 1, now + rules.probe_every)
    if row.settles is not None and now >= row.settles:
        row = replace(row.settled(), settles=None)
        effects = (*effects, Probe(row.service))
    waited: tuple[Effect, ...] = ()
    if row.waited is not None and now - row.waited >= rules.bound:
        row, waited = derived(row, now, rules)
    row, asked = lease.due(row, now)
    row, judged = _silence(row, seen, now, rules)
    return row, (*effects, *waited, *asked, *judged)


def _silence(row: Row, seen: Tick, now: float, rules: Rules) -> Judged:
    since = row.silent_since
    if since is None or not row.clocked:
        return row, ()
    if seen.own < row.asked[0].sequence or now - since < rules.echo_within:
        return row, ()  # our own ping of that round is not back either, or there is time left
    if row.probed is None:
        return _suspected(row, now, rules)
    if now >= row.down_at(since, row.probed, rules) and seen.own_at >= row.probed:
        text = f"no echo for {now - since:.1f} s, nor to its probes"
        if row.last_echo is None:
            text = "never answered a ping"
        said = {"silent_for": round(now - since, 3), "unanswered": row.asked[0].ping}
        return down(row, "silent", text, "silence", now, said=said)
    if row.next_probe is not None and now >= row.next_probe:
        return replace(row, next_probe=now + rules.probe_every), (Probe(row.service),)
    return row, ()


def _suspected(row: Row, now: float, rules: Rules) -> Judged:
    """Probed at once; one that is only slow, or not yet known, is probed without a word."""
    row = replace(row, probed=now, next_probe=now + rules.probe_every)
    probe = (Probe(row.service),)
    if row.state is State.UNKNOWN or row.slow(rules):
        return row, probe
    text = f"no echo for {rules.echo_within:g} s"
    row, effects = changed(row, State.SUSPECT, "silent", text, "silence", now)
    return row, (*effects, *probe)
