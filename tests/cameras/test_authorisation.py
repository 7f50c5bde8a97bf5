from __future__ import annotations

from dataclasses import replace

import pytest

from cameras.authorisation import Authorisation, AuthorisationKind, Obstacle
from vms.base.clock import NS_PER_SECOND

DAY_NS = 86_400 * NS_PER_SECOND
DECISION = Authorisation(
    "auth-1", "27-2026-0042", "Préfet", AuthorisationKind.ORDINARY, "27229", ("p",), 30, 0, 365 * DAY_NS, 1, 1
)


@pytest.mark.parametrize("days", [0, 31, -1])
def test_a_retention_outside_the_legal_month_is_refused(days: int):
    """LAW-07."""
    with pytest.raises(ValueError, match="conservation"):
        replace(DECISION, retention_days=days)


@pytest.mark.parametrize("days", [-1, 31])
def test_a_minimum_outside_of_the_retention_is_refused(days: int):
    """LAW-08."""
    with pytest.raises(ValueError, match="minimale"):
        replace(DECISION, minimum_days=days)


def test_a_provisional_decision_of_five_months_is_refused():
    """LAW-03."""
    with pytest.raises(ValueError, match="dure au plus"):
        replace(DECISION, kind=AuthorisationKind.PROVISIONAL, ends_at_ns=150 * DAY_NS)


def test_a_decision_over_five_years_is_refused():
    """LAW-02."""
    with pytest.raises(ValueError, match="dure au plus"):
        replace(DECISION, ends_at_ns=6 * 365 * DAY_NS)


def test_a_decision_holds_from_its_start_up_to_its_end():
    """LAW-01, LAW-02: the end is excluded."""
    decision = replace(DECISION, starts_at_ns=10 * DAY_NS)
    assert decision.obstacle(10 * DAY_NS - 1) is Obstacle.NOT_YET
    assert decision.obstacle(10 * DAY_NS) is None
    assert decision.obstacle(365 * DAY_NS - 1) is None
    assert decision.obstacle(365 * DAY_NS) is Obstacle.EXPIRED


def test_entry_into_service_needs_both_dates():
    """LAW-33."""
    assert replace(DECISION, cnil_commitment_at_ns=0).obstacle(5) is Obstacle.CNIL_COMMITMENT
    assert replace(DECISION, prefect_informed_at_ns=0).obstacle(5) is Obstacle.PREFECT_INFORMED


@pytest.mark.parametrize(("days_left", "alarm"), [(400, None), (360, 12), (180, 6), (80, 3), (-1, 3)])
def test_the_end_is_announced(days_left: int, alarm: int | None):
    """LAW-02: alarms at twelve, nine, six and three months."""
    assert replace(DECISION, ends_at_ns=1000 * DAY_NS).renewal_alarm_months((1000 - days_left) * DAY_NS) == alarm
