"""Who may do what: names, roles, passwords and tokens from the station file. Knows no HTTP."""

import functools
import hmac
import logging
import secrets
import threading
from dataclasses import dataclass
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from afrd.station.refusals import Rate, Refused

_log = logging.getLogger("afrd.station")
_TOKENS_PER_SECOND = 5  # that were never seen before
_REMEMBERED = 1000
Role = Literal["operator", "engineer"]
_HASHER = PasswordHasher()


class _Account(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[\w.@-]{1,64}$")
    role: Role = "operator"
    hash: str

    @field_validator("hash")
    @classmethod
    def _argon2(cls, value: str) -> str:
        try:
            _HASHER.check_needs_rehash(value)
        except InvalidHashError as error:
            raise ValueError("expected what `afrd serve --hash` prints, never the secret itself") from error
        return value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, {self.role})"


class User(_Account):
    """A person who signs in with a password."""


class Token(_Account):
    """A machine that sends `Authorization: Bearer NAME:SECRET`."""


class AccessRules(BaseModel):
    """Who may use a station that others can reach. Names are used once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: tuple[User, ...] = ()
    tokens: tuple[Token, ...] = ()

    @model_validator(mode="after")
    def _somebody(self) -> "AccessRules":
        names = [each.name for each in (*self.users, *self.tokens)]
        if not names:
            raise ValueError("names nobody; add users or tokens")
        if len(set(names)) != len(names):
            raise ValueError("a name is used twice")
        return self


@dataclass(frozen=True)
class Person:
    """Who asks. name: on every record of what they do."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Engineers may do all that operators may."""
        return role == "operator" or self.role == "engineer"


LOCAL = Person("local", "engineer")
"""Whoever sits at this machine, where the station serves nobody else."""


class Access:
    """Checks secrets. Tokens are remembered by a keyed digest: argon2 is slow on purpose, the line is not."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules
        self._key = secrets.token_bytes(32)
        self._seen: dict[bytes, Person | None] = {}
        self._tries, self._one_at_a_time = Rate(_TOKENS_PER_SECOND), threading.Lock()
        _nobody()

    def by_password(self, name: str, password: str) -> Person | None:
        """The user of this name and password."""
        return self._check(self._rules.users, name, password)

    def remembers(self, token: str) -> bool:
        """Whether `by_token` answers at once."""
        return self._digest(token) in self._seen

    def by_token(self, token: str) -> Person | None:
        """The machine of `NAME:SECRET`. Raises Refused: 429, too many that were never seen before."""
        digest = self._digest(token)
        if digest not in self._seen:
            if not self._tries.take():
                raise Refused(429, "too many unknown tokens; wait a moment", retry_after=2)
            name, _, secret = token.partition(":")
            with self._one_at_a_time:
                found = self._check(self._rules.tokens, name, secret)
            if found is None:
                _log.warning("a wrong token was sent as %r", name[:64])
            if len(self._seen) >= _REMEMBERED:
                self._seen = {known: person for known, person in self._seen.items() if person}
            self._seen[digest] = found
            return found
        return self._seen.get(digest)  # another thread may just have forgotten the wrong ones

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode(), "sha256")

    def by_name(self, name: str) -> Person | None:
        """A user who signed in before; None where the station file does not name them any more."""
        return next((Person(each.name, each.role) for each in self._rules.users if each.name == name), None)

    def _check(self, accounts: tuple[_Account, ...], name: str, secret: str) -> Person | None:
        account = next((each for each in accounts if each.name == name), None)
        try:
            # a name that there is not takes the same time, so that time does not tell
            _HASHER.verify(account.hash if account else _nobody(), secret)
        except Argon2Error:
            return None
        return Person(account.name, account.role) if account else None


def hash_secret(secret: str) -> str:
    """For the station file: argon2id."""
    return _HASHER.hash(secret)


@functools.cache
def _nobody() -> str:
    """Slow to make, so only where somebody signs in."""
    return _HASHER.hash(secrets.token_hex())
