"""Growing delays after failed log-ins, per account and per address: pure decisions.

A try is counted before its password is checked, so that parallel tries gain nothing. A success clears the account, and
takes back its own try from the address: a control room behind one address is not slowed at the change of shift.
Source: CNIL, deliberation 2022-100 (growing delay); NIST SP 800-63B section 5.2.2.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vms.base.clock import NS_PER_SECOND
from vms.base.errors import ErrorKind, VmsError


class TooManyTriesError(VmsError):
    """A try that came too soon: HTTP 429 (RFC 6585) with the seconds to wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            ErrorKind.EXHAUSTED,
            "login.throttled",
            f"Trop d'essais : la prochaine tentative sera possible dans {wait_s} s.",
            hint="Attendez, ou demandez un nouveau mot de passe à l'administrateur.",
        )
        self.wait_s = wait_s

    @property
    def http_status(self) -> int:
        """Too Many Requests."""
        return 429


@dataclass(frozen=True, slots=True)
class Rule:
    """`free_tries` cost nothing; then pauses double from `first_s` to `maximum_s`; all is forgotten after a while."""

    free_tries: int
    first_s: int
    maximum_s: int
    forget_after_s: int


ACCOUNT_RULE = Rule(free_tries=5, first_s=2, maximum_s=300, forget_after_s=3600)
ADDRESS_RULE = Rule(free_tries=30, first_s=2, maximum_s=300, forget_after_s=900)


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries without success of one subject; UTC nanoseconds."""

    failures: int = 0
    last_at_ns: int = 0
    locked_until_ns: int = 0

    def wait_s(self, now_ns: int) -> int:
        """Whole seconds until the next try is heard; zero when it may come now."""
        return max(0, -(-(self.locked_until_ns - now_ns) // NS_PER_SECOND))


def counted(tries: Tries, now_ns: int, rule: Rule) -> Tries:
    """The tries after one more, and until when the next one is refused."""
    forgotten = now_ns - tries.last_at_ns > rule.forget_after_s * NS_PER_SECOND
    failures = 1 if forgotten else tries.failures + 1
    over = failures - rule.free_tries
    pause_s = 0 if over <= 0 else min(rule.maximum_s, rule.first_s << min(over - 1, 30))
    return Tries(failures, now_ns, now_ns + pause_s * NS_PER_SECOND if pause_s else 0)


def taken_back(tries: Tries) -> Tries:
    """The tries after one of them turned out to be right. The failures before it still weigh on the next one."""
    return Tries(max(0, tries.failures - 1), tries.last_at_ns)


def account_subject(login: str) -> str:
    """The name under which tries on a login are counted."""
    return "login:" + hashlib.sha256(login.encode()).hexdigest()


def address_subject(address: str) -> str:
    """The name under which tries from an address are counted."""
    return "addr:" + hashlib.sha256(address.encode()).hexdigest()
