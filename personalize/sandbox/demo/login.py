"""Who has logged in at the demo: its back end says so to the service, as any site's would."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

LASTS = timedelta(minutes=15)
AUDIENCE = "personalize"
USER = "ada"
"""The one visitor of the demo who has an account. There is no password: who you are is what you choose."""


@dataclass(frozen=True, slots=True)
class Login:
    """Signs identity tokens with a secret that the service knows too, under the name `kid`."""

    kid: str
    secret: str

    def token(self, now: datetime) -> str:
        """Return a token that says who has logged in, at a time."""
        claims = {"sub": f"user_id:{USER}", "aud": AUDIENCE, "exp": now + LASTS}
        return jwt.encode(claims, self.secret, "HS256", headers={"kid": self.kid})
