"""Reads the outcomes that the sidecar reports, strictly: what does not fit is refused, what is long is cut."""

import math
import re
from datetime import datetime, timezone
from functools import lru_cache
from uuid import UUID

STATUSES = ("success", "degraded", "failed")
EVENT_KINDS = ("transition", "flapping", "steady")
EVENTS_MAX = 10_000
TALLIES_MAX = 1_000
COUNT_MAX = 2_147_483_647
SUM_MAX = 1e15
DAY = re.compile(r"20\d\d-[01]\d-[0-3]\d\Z")
OUTCOMES_MAX = 10_000
MILLISECONDS_MAX = 3_600_000
CONNECTIONS_MAX = 2_147_483_647
TEXT_LENGTHS = {
    "server_version": 128,
    "failure_kind": 64,
    "failure_message": 1_000,
    "failure_advice": 1_000,
}
EXPLANATIONS_MAX = 20
VALUES_MAX = 10
VALUE_LENGTH = 400
PARTS = ("database", "rest", "auth", "web")
# What a probe may have learned, and how long a text of it may be.
FACT_NUMBERS = ("reserved_connections", "database_bytes", "http_status", "body_bytes", "tools", "databases")
FACT_TEXTS = ("tls_version", "server_name", "protocol", "odoo_version")
FACT_LENGTH = 200
FACT_NUMBER_MAX = 2**62
PHASES_MAX = 16
PHASE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
FAILURE_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# As the sidecar writes it; there are thousands in a minute.
UUID_SHAPE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
SECOND_FRACTION = re.compile(r"\.\d+")


class OutcomeInvalid(ValueError):
    """An outcome that no sidecar of this version sends. Names the key, never the value."""


def read_reports(results):
    """Return the newest outcome of each endpoint, as values of its columns; all events; and the sums of days.

    :raise OutcomeInvalid: when one of them does not fit
    """
    if not isinstance(results, list):
        raise OutcomeInvalid("results")
    if len(results) > OUTCOMES_MAX:
        raise OutcomeInvalid("results: too many")
    newest, events, tallies = {}, {}, {}
    for index, result in enumerate(results):
        try:
            outcome = _read_outcome(result)
            for event in _list(result, "events", EVENTS_MAX):
                event = _event(event, outcome)
                events[event["uuid"]] = event
            for tally in _list(result, "tallies", TALLIES_MAX):
                tally = _tally(tally, outcome)
                day = (tally["endpoint_id"], tally["day"])
                tallies[day] = _add(tallies[day], tally) if day in tallies else tally
        except OutcomeInvalid as error:
            raise OutcomeInvalid(f"results[{index}].{error}") from None
        known = newest.get(outcome["id"])
        if known is None or known["last_probe_id"] < outcome["last_probe_id"]:
            newest[outcome["id"]] = outcome
    return list(newest.values()), list(events.values()), list(tallies.values())


def read_answer(result):
    """Return what is told of one endpoint when a click's wait is over, cleaned as what is stored.

    :raise OutcomeInvalid: when it does not fit
    """
    answer = {
        "id": _integer(result, "id", 0, CONNECTIONS_MAX),
        "probe": _uuid(result, "probe"),
        "state": result.get("state"),
    }
    if answer["state"] == "testing" and result.get("status") is None:
        return answer
    if answer["state"] != "done" or result.get("status") not in STATUSES:
        raise OutcomeInvalid("state")
    return {
        **answer,
        "status": result["status"],
        "latency_ms": _milliseconds(result.get("latency_ms"), "latency_ms"),
        "server_version": _text(result, "server_version"),
        "failure_kind": _failure_kind(result),
        "failure_message": _text(result, "failure_message"),
        "failure_advice": _text(result, "failure_advice"),
        "explanations": _explanations(result.get("explanations")),
    }


def _read_outcome(result):
    if not isinstance(result, dict):
        raise OutcomeInvalid("not an object")
    status = result.get("status")
    if status not in STATUSES:
        raise OutcomeInvalid("status")
    # One that answers again is still shown as failed, until it has done so often enough.
    if status == "failed" and not (result.get("failure_kind") or result.get("unconfirmed")):
        raise OutcomeInvalid("failure_kind")
    return {
        "id": _integer(result, "id", 1, CONNECTIONS_MAX),
        "uuid": _uuid(result, "record"),
        "revision": _integer(result, "revision", 0, CONNECTIONS_MAX),
        "last_probe_id": _uuid(result, "probe"),
        "status": status,
        "latency_ms": _milliseconds(result.get("latency_ms"), "latency_ms"),
        "phases": _phases(result.get("phases")),
        "server_version": _text(result, "server_version"),
        "active_connections": _integer(result, "active_connections", 0, CONNECTIONS_MAX, optional=True),
        "max_connections": _integer(result, "max_connections", 0, CONNECTIONS_MAX, optional=True),
        "failure_kind": _failure_kind(result),
        "failure_text": _text(result, "failure_message"),
        "failure_hint": _text(result, "failure_advice"),
        "explanations": _explanations(result.get("explanations")),
        "facts": _facts(result.get("facts")),
        "certificate_expires_at": _certificate_expires_at(result.get("facts")),
        "last_checked_at": _timestamp(result, "checked_at"),
        **_unconfirmed(result.get("unconfirmed")),
        "is_flapping": bool(result.get("is_flapping")),
    }


def _unconfirmed(value):
    """Return how many results of how many say otherwise than the status."""
    value = value or {}
    if not isinstance(value, dict):
        raise OutcomeInvalid("unconfirmed")
    return {
        "unconfirmed_count": _integer(value, "count", 0, COUNT_MAX, optional=True),
        "unconfirmed_needed": _integer(value, "needed", 0, COUNT_MAX, optional=True),
    }


def _event(event, outcome):
    if not isinstance(event, dict) or event.get("kind") not in EVENT_KINDS:
        raise OutcomeInvalid("events.kind")
    if event.get("from") not in (None, *STATUSES) or event.get("to") not in STATUSES:
        raise OutcomeInvalid("events.to")
    return {
        "endpoint_id": outcome["id"],
        "endpoint_uuid": outcome["uuid"],
        "uuid": _uuid(event, "id"),
        "date": _timestamp(event, "at"),
        "kind": event["kind"],
        "from_status": event.get("from"),
        "to_status": event["to"],
        "is_flapping": bool(event.get("is_flapping")),
        "is_quiet": bool(event.get("is_quiet")),
        "failure_kind": _failure_kind(event),
        "failure_text": _text(event, "failure_message"),
        "failure_hint": _text(event, "failure_advice"),
        "explanations": _explanations(event.get("explanations")),
    }


def _tally(tally, outcome):
    if not isinstance(tally, dict):
        raise OutcomeInvalid("tallies")
    day = tally.get("day")
    if not isinstance(day, str) or not DAY.match(day):
        raise OutcomeInvalid("tallies.day")
    numbers = {name: _integer(tally, name, 0, COUNT_MAX) for name in ("probes", "failures")}
    for name in ("observed_s", "up_s", "latency_sum_ms", "latency_max_ms"):
        value = tally.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= SUM_MAX:
            raise OutcomeInvalid(f"tallies.{name}")
        numbers[name] = float(value)
    return {"endpoint_id": outcome["id"], "day": day, **numbers}


def _add(known, tally):
    summed = {name: known[name] + tally[name] for name in known if name not in ("endpoint_id", "day")}
    summed["latency_max_ms"] = max(known["latency_max_ms"], tally["latency_max_ms"])
    return {**known, **summed}


def _list(result, key, most):
    value = result.get(key) or []
    if not isinstance(value, list) or len(value) > most:
        raise OutcomeInvalid(key)
    return value


def _integer(result, key, least, most, optional=False):
    value = result.get(key)
    if value is None and optional:
        return None
    if type(value) is not int or not least <= value <= most:
        raise OutcomeInvalid(key)
    return value


def _milliseconds(value, key):
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OutcomeInvalid(key)
    if not math.isfinite(value) or not 0 <= value <= MILLISECONDS_MAX:
        raise OutcomeInvalid(key)
    return round(float(value), 3)


def _phases(phases):
    if not phases:
        return None
    if not isinstance(phases, dict) or len(phases) > PHASES_MAX:
        raise OutcomeInvalid("phases")
    if not all(isinstance(name, str) and PHASE_NAME.match(name) for name in phases):
        raise OutcomeInvalid("phases")
    measured = {name: _milliseconds(value, f"phases.{name}") for name, value in phases.items()}
    return {name: value for name, value in measured.items() if value is not None} or None


def _explanations(explanations):
    """Return the reasons and their values, which the addon writes its own sentences with."""
    if not explanations:
        return None
    if not isinstance(explanations, list) or len(explanations) > EXPLANATIONS_MAX:
        raise OutcomeInvalid("explanations")
    return [_explanation(explanation) for explanation in explanations]


def _explanation(explanation):
    if not isinstance(explanation, dict):
        raise OutcomeInvalid("explanations")
    reason, values = explanation.get("reason"), explanation.get("values")
    part, said = explanation.get("part"), explanation.get("said")
    if not isinstance(reason, str) or not NAME.match(reason):
        raise OutcomeInvalid("explanations.reason")
    if not isinstance(values, dict) or len(values) > VALUES_MAX:
        raise OutcomeInvalid("explanations.values")
    for name, value in values.items():
        if not isinstance(name, str) or not NAME.match(name) or not isinstance(value, str):
            raise OutcomeInvalid("explanations.values")
    if part is not None and part not in PARTS:
        raise OutcomeInvalid("explanations.part")
    if said is not None and not isinstance(said, str):
        raise OutcomeInvalid("explanations.said")
    read = {"reason": reason, "values": {name: _clean(value, VALUE_LENGTH) for name, value in values.items()}}
    if part:
        read["part"] = part
    if said:
        read["said"] = _clean(said, VALUE_LENGTH)
    # Without a None, which Odoo's XML-RPC does not write inside of a value.
    return read


def _facts(facts):
    if not facts:
        return None
    if not isinstance(facts, dict):
        raise OutcomeInvalid("facts")
    read = {}
    for name in FACT_NUMBERS:
        if facts.get(name) is not None:
            number = _integer(facts, name, 0, FACT_NUMBER_MAX)
            # XML-RPC has no greater integers, and a database may have more bytes.
            read[name] = number if number <= CONNECTIONS_MAX else float(number)
    for name in FACT_TEXTS:
        if facts.get(name) is not None:
            if not isinstance(facts[name], str):
                raise OutcomeInvalid(f"facts.{name}")
            read[name] = _clean(facts[name], FACT_LENGTH)
    if facts.get("in_recovery") is not None:
        read["in_recovery"] = bool(facts["in_recovery"])
    lag = facts.get("replica_lag_s")
    if lag is not None:
        if isinstance(lag, bool) or not isinstance(lag, (int, float)) or not math.isfinite(lag):
            raise OutcomeInvalid("facts.replica_lag_s")
        read["replica_lag_s"] = lag
    if facts.get("parts"):
        if not isinstance(facts["parts"], list) or not set(facts["parts"]) <= set(PARTS):
            raise OutcomeInvalid("facts.parts")
        read["parts"] = [part for part in PARTS if part in facts["parts"]]
    return read or None


def _certificate_expires_at(facts):
    if not facts or facts.get("certificate_expires_at") is None:
        return None
    return _timestamp(facts, "certificate_expires_at")


def _failure_kind(result):
    kind = _text(result, "failure_kind")
    if kind is not None and not FAILURE_KIND.match(kind):
        raise OutcomeInvalid("failure_kind")
    return kind


def _text(result, key):
    value = result.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise OutcomeInvalid(key)
    return _clean(value, TEXT_LENGTHS[key]) or None


def _clean(text, length):
    return UNPRINTABLE.sub("", text)[:length]


def _uuid(result, key):
    value = result.get(key)
    if isinstance(value, str) and UUID_SHAPE.match(value):
        return value
    try:
        return str(UUID(result[key]))
    except (KeyError, ValueError, AttributeError, TypeError):
        raise OutcomeInvalid(key) from None


def _timestamp(result, key):
    """Return a naive UTC timestamp in whole seconds, as Odoo stores them."""
    value = result.get(key)
    if not isinstance(value, str) or len(value) > 40:
        raise OutcomeInvalid(key)
    try:
        return _whole_second(SECOND_FRACTION.sub("", value))
    except (ValueError, OverflowError):
        raise OutcomeInvalid(key) from None


@lru_cache(maxsize=256)  # A batch is of few seconds.
def _whole_second(text):
    moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
    if not 2000 <= moment.year <= 9999:
        raise ValueError(text)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
