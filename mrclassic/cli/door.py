"""Who may come in to the app in a browser: pure rules over what a request says of itself.

Every user of this machine, and every page open in a browser here, can reach a port of localhost. So each request must
bear the token in its path; the name it was asked under must be an address of this machine and no name that somebody
else's server can point at it (DNS rebinding); and a page of another origin may not use the socket, not even with the
token (cross-site WebSocket hijacking).
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from ipaddress import ip_address

_HOST = re.compile(r"(\[[0-9a-fA-F:]+\]|[0-9a-zA-Z.-]+)(?::\d{1,5})?")
OWN_NAMES = ("localhost", "127.0.0.1", "::1")

HEADERS = {
    # The page brings all that it needs; it asks nobody else for fonts, and nobody may put it into a frame.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Door:
    """A token, the address listened on, and the port."""

    token: str
    host: str
    port: int

    @property
    def url(self) -> str:
        """What the owner opens."""
        host = ip_address(self.host)
        shown = "127.0.0.1" if host.is_unspecified else f"[{host}]" if host.version == 6 else str(host)
        return f"http://{shown}:{self.port}/{self.token}/"

    def refusal(self, path: str, host: str | None, origin: str | None, socket: bool = False) -> str:
        """Why a request stays outside; empty where it may come in. `path` begins with a slash; `host` and `origin` are
        its headers as they came."""
        if not self._ours(host):
            return "This is nobody's site: ask for it under the address that `mrclassic web` printed."
        if (socket or origin is not None) and origin != f"http://{host}":
            return "Another site may not use this one."
        bearer = path.split("/", 2)[1] if path.startswith("/") else ""
        if not hmac.compare_digest(bearer.encode(), self.token.encode()):
            return "The address lacks its token: open the one that `mrclassic web` printed."
        return ""

    def _ours(self, host: str | None) -> bool:
        """Whether a request was meant for this machine: through a tunnel the port may be another, the name may not."""
        found = _HOST.fullmatch(host or "")
        if found is None:
            return False
        name = found[1].strip("[]").lower()
        if name in OWN_NAMES:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False  # a name, which whoever owns it can point anywhere
        return address.is_loopback or not ip_address(self.host).is_loopback
