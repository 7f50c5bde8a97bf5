"""Logging in: named persons, growing delays, cookies, tokens, ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from access_audit.events import EventKind
from supervision_centre.people.person import Habilitation, Role
from supervision_centre.people.provision import system_author
from supervision_centre.people.tables import PersonRow, WebSessionRow
from supervision_centre.people.throttle import ACCOUNT_RULE, ADDRESS_RULE, Tries, counted
from supervision_centre.settings import CentreSettings
from tests.supervision_centre.centre import ORIGIN, TestCentre, running_centre
from tests.supervision_centre.parts import DAY_NS, PASSWORD, camera_id, person
from vms.base.clock import NS_PER_SECOND
from vms.base.database import Database
from vms.base.errors import VmsError


async def test_a_log_in_gives_a_strict_cookie_and_an_entry(centre: TestCentre) -> None:
    """LAW-15: the entry names the person; the database keeps neither password nor cookie."""
    await centre.add(Role.DPO)
    browser = centre.browser("192.0.2.7")
    answer = await browser.log_in("DPO ")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    opened = (await centre.entry(EventKind.SESSION_OPENED)).event
    assert opened is not None
    assert (opened.author.name, opened.details["address"]) == ("Dominique Dpo", "192.0.2.7")
    token = browser.http.cookies["vms_session"]
    async with centre.services.database.reading() as session:
        kept = await session.all(select(WebSessionRow.token_hash))
        hashes = await session.all(select(PersonRow.password_hash))
    assert token not in kept[0]
    assert hashes[0].startswith("$argon2id$")


async def test_over_tls_the_cookie_is_secure(database: Database, short_folder: Path) -> None:
    settings = CentreSettings(public_origins=("https://cdsu.example", ORIGIN), console_files=None)
    async with running_centre(database, short_folder, settings) as centre:
        await centre.add(Role.DPO)
        answer = await centre.browser().http.post("/api/login", json={"login": "dpo", "password": PASSWORD})
        assert "Secure" in answer.headers["set-cookie"]
        assert answer.headers["strict-transport-security"]


async def test_a_wrong_login_and_a_wrong_password_read_the_same(centre: TestCentre) -> None:
    await centre.add(Role.DPO)
    browser = centre.browser()
    wrong = await browser.log_in("dpo", "pas le bon du tout")
    nobody = await browser.log_in("personne", "pas le bon du tout")
    assert wrong.status_code == nobody.status_code == 401
    assert wrong.json() == nobody.json()
    refused = await centre.some(EventKind.SESSION_REFUSED, 2)
    authors = {entry.event.author.name for entry in refused if entry.event}
    assert authors == {"Dominique Dpo", "Compte inconnu"}


async def test_failures_make_the_next_try_wait_longer_and_longer(centre: TestCentre) -> None:
    await centre.add(Role.DPO)
    browser = centre.browser()
    for _ in range(6):
        assert (await browser.log_in("dpo", "pas le bon du tout")).status_code == 401
    throttled = await browser.log_in("dpo")
    assert (throttled.status_code, throttled.json()["code"]) == (429, "login.throttled")
    assert (await centre.browser("192.0.2.9").log_in("dpo")).status_code == 429
    await centre.clock.advance(2)
    assert (await browser.log_in("dpo")).status_code == 204
    assert (await centre.browser().log_in("dpo")).status_code == 204


async def test_an_address_that_tries_many_logins_waits_too(centre: TestCentre) -> None:
    browser = centre.browser("192.0.2.66")
    for number in range(31):
        assert (await browser.log_in(f"login{number}", "pas le bon du tout")).status_code == 401
    assert (await browser.log_in("other", "pas le bon du tout")).status_code == 429


async def test_a_control_room_behind_one_address_is_not_slowed_by_its_successes(centre: TestCentre) -> None:
    await centre.add(Role.OPERATOR)
    for _ in range(ADDRESS_RULE.free_tries + 2):
        assert (await centre.browser("192.0.2.8").log_in("operator")).status_code == 204


async def test_a_success_of_ones_own_does_not_wash_an_address_of_its_failures(centre: TestCentre) -> None:
    await centre.add(Role.DPO)
    browser = centre.browser("192.0.2.66")
    for number in range(ADDRESS_RULE.free_tries):
        assert (await browser.log_in(f"login{number}", "pas le bon du tout")).status_code == 401
    assert (await browser.log_in("dpo")).status_code == 204
    assert (await browser.log_in("other", "pas le bon du tout")).status_code == 401
    assert (await browser.log_in("another", "pas le bon du tout")).status_code == 429


async def test_an_address_that_waits_does_not_make_an_account_wait(centre: TestCentre) -> None:
    """Nobody shuts a colleague out with tries that are not even heard."""
    await centre.add(Role.DPO)
    browser = centre.browser("192.0.2.66")
    for number in range(ADDRESS_RULE.free_tries + 1):
        await browser.log_in(f"login{number}", "pas le bon du tout")
    for _ in range(ACCOUNT_RULE.free_tries + 1):
        assert (await browser.log_in("dpo", "pas le bon du tout")).status_code == 429
    assert (await centre.browser("192.0.2.9").log_in("dpo")).status_code == 204


def test_delays_double_up_to_a_limit_and_are_forgotten() -> None:
    now_ns, tries, waits = DAY_NS, Tries(), []
    for _ in range(20):
        tries = counted(tries, now_ns, ACCOUNT_RULE)
        waits.append(tries.wait_s(now_ns))
    assert waits[:9] == [0, 0, 0, 0, 0, 2, 4, 8, 16]
    assert waits[-1] == ACCOUNT_RULE.maximum_s
    later_ns = now_ns + (ACCOUNT_RULE.forget_after_s + 1) * NS_PER_SECOND
    assert counted(tries, later_ns, ACCOUNT_RULE).failures == 1


async def test_an_expired_habilitation_opens_no_session(centre: TestCentre) -> None:
    """LAW-15."""
    now_ns = centre.clock.utc_ns()
    await centre.add(Role.OPERATOR, habilitation=Habilitation("Décision 1", now_ns - 2 * DAY_NS, now_ns - DAY_NS))
    answer = await centre.browser().log_in("operator")
    assert (answer.status_code, answer.json()["code"]) == (403, "access.habilitation")


async def test_a_habilitation_that_ends_ends_the_session(centre: TestCentre) -> None:
    """LAW-15."""
    now_ns = centre.clock.utc_ns()
    ends_soon = Habilitation("Décision 1", now_ns - DAY_NS, now_ns + 60 * NS_PER_SECOND)
    operator = await centre.logged_in(Role.OPERATOR, habilitation=ends_soon)
    assert (await operator.get("/api/cameras")).status_code == 200
    await centre.clock.advance(61)
    answer = await operator.get("/api/cameras")
    assert (answer.status_code, answer.json()["code"]) == (403, "access.habilitation")


async def test_two_persons_on_one_account_are_impossible(centre: TestCentre) -> None:
    """LAW-15, LAW-24: a login belongs to one person, whatever its case."""
    await centre.add(Role.GENDARME)
    with pytest.raises(VmsError, match="login_taken"):
        await centre.add(Role.GENDARME, login="GENDARME")


async def test_a_session_ends_when_nobody_touches_it(centre: TestCentre) -> None:
    """Requests that the console makes by itself do not count as a hand on the keyboard."""
    operator = await centre.logged_in(Role.OPERATOR)
    for _ in range(3):
        await centre.clock.advance(9 * 60)
        assert (await operator.get("/api/cameras")).status_code == 200
    await centre.clock.advance(4 * 60)
    assert (await operator.get("/api/cameras")).status_code == 401


async def test_a_session_ends_at_its_absolute_limit(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    for _ in range(36):
        assert (await operator.get("/api/me")).status_code == 200
        await centre.clock.advance(20 * 60)
    assert (await operator.get("/api/me")).status_code == 401


async def test_a_control_room_may_have_a_longer_idle_limit(database: Database, short_folder: Path) -> None:
    settings = CentreSettings(public_origins=(ORIGIN,), console_files=None, control_room_idle_s=8 * 3600)
    async with running_centre(database, short_folder, settings) as centre:
        operator, dpo = await centre.logged_in(Role.OPERATOR), await centre.logged_in(Role.DPO)
        await centre.clock.advance(3600)
        assert (await operator.get("/api/me")).status_code == 200
        assert (await dpo.get("/api/me")).status_code == 401


async def test_logging_in_again_makes_a_new_cookie_and_ends_the_old_one(centre: TestCentre) -> None:
    """A cookie planted before the log-in is worth nothing after it."""
    await centre.add(Role.OPERATOR)
    browser = centre.browser()
    browser.http.cookies.set("vms_session", "planted", domain="centre.example")
    await browser.log_in("operator")
    first = browser.http.cookies.get("vms_session", domain="centre.example")
    await browser.log_in("operator")
    assert browser.http.cookies.get("vms_session", domain="centre.example") not in {first, "planted"}
    async with centre.services.database.reading() as session:
        assert len(await session.all(select(WebSessionRow.session_id))) == 1


async def test_a_change_needs_the_token_of_the_page(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    operator.csrf = "forged"
    answer = await operator.watch(camera_id(1))
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf.refused")
    assert (await operator.http.post("/api/logout")).status_code == 403


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
async def test_a_change_from_another_origin_is_refused(centre: TestCentre, headers: dict[str, str]) -> None:
    await centre.add(Role.OPERATOR)
    answer = await centre.browser().http.post(
        "/api/login", json={"login": "operator", "password": PASSWORD}, headers=headers
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "origin.refused")


async def test_a_new_password_ends_the_sessions_of_the_old_one(centre: TestCentre) -> None:
    operator = await centre.logged_in(Role.OPERATOR)
    await centre.accounts.set_password(operator.me["person"]["id"], "cinq autres mots bien choisis")
    assert (await operator.get("/api/me")).status_code == 401
    assert (await operator.log_in("operator", "cinq autres mots bien choisis")).status_code == 204


@pytest.mark.parametrize("password", ["court", "aaaaaaaaaaaaaaa", "mot de passe de dpo"])
async def test_a_weak_password_is_refused(centre: TestCentre, password: str) -> None:
    made = person(Role.DPO, centre.clock.utc_ns())
    with pytest.raises(VmsError, match=r"password\.weak"):
        await centre.accounts.create(made, password, system_author("test"))


@pytest.mark.parametrize(
    ("role", "changes", "code"),
    [
        (Role.OPERATOR, {"agrement": None}, "person.agrement"),
        (Role.DELEGATE, {"delegation": None}, "person.delegation"),
        (Role.MAYOR, {"territories": frozenset({"27"})}, "person.territory"),
        (Role.DPO, {"territories": frozenset()}, "person.no_territory"),
        (Role.DPO, {"territories": frozenset({"999"})}, "person.territory"),
        (Role.DPO, {"login": "élodie"}, "person.login"),
        (Role.DPO, {"name": " "}, "person.name"),
        (Role.DPO, {"habilitation": Habilitation("", 1, 2)}, "person.habilitation"),
    ],
)
async def test_a_person_without_their_titles_is_not_created(
    centre: TestCentre, role: Role, changes: dict[str, object], code: str
) -> None:
    """LAW-15, LAW-16, LAW-19."""
    made = replace(person(role, centre.clock.utc_ns()), **changes)  # type: ignore[arg-type]
    with pytest.raises(VmsError) as refused:
        await centre.accounts.create(made, PASSWORD, system_author("test"))
    assert refused.value.code == code
