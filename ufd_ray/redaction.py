"""Secrets in texts that are not ours: found in names, cut out of messages."""

from __future__ import annotations

import re
from urllib.parse import unquote

_SIGNED = {
    *("x-amz-signature", "x-amz-credential", "x-amz-security-token", "awsaccesskeyid"),
    *("x-goog-signature", "x-goog-credential", "googleaccessid"),
}
"""Parameters that no key of an object bears by chance."""
_ON_THE_WEB = _SIGNED | {
    *("signature", "sig", "token", "access_token", "auth", "key-pair-id", "policy"),
    *("api_key", "apikey", "password", "secret"),
}

_HOST = re.compile(r"(\[.*\]|[^:]*)(:\d*)?")

_WORD = r"[\w.-]*(?:signature|credential|token|secret|password|access[-_]?key)[\w.-]*|sig|apikey"
_VALUE = r"[^\s&,;\"'<>]"
_CUTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), kept)
    for pattern, kept in (
        (r"(https?://[^\s\"'<>?#]*)[?][^\s\"'<>]*", r"\1?…"),
        # Secret keys have slashes in them; what follows a host's colon is a port otherwise.
        (r"(\b[a-z][a-z0-9+.-]*://)[^\s/\"'<>@:]*:(?!\d+(?:[/\s\"'<>]|$))[^\s\"'<>@]*@", r"\1…@"),
        (r"(\b[a-z][a-z0-9+.-]*://)[^\s/\"'<>@]*@", r"\1…@"),
        (r"(authorization)[\"']?\s*[:=]\s*[\"']?[^\"'<>]*", r"\1: …"),
        (r"<(awsaccesskeyid|stringtosign\w*|signatureprovided|canonicalrequest\w*|token[\w-]*)>"
         r".*?(?:</\1>|$)", r"<\1>…</\1>"),
        (rf"\b(x-(?:amz|goog)-[\w-]+)[\"']?(\s*[=:]\s*)[\"']?{_VALUE}+", r"\1\2…"),
        (rf"\b({_WORD})[\"']?(\s*=\s*|\s*:\s*[\"'])[\"']?{_VALUE}+", r"\1\2…"),
        (rf"\b({_WORD})(\s*:\s*){_VALUE}{{16,}}", r"\1\2…"),  # shorter ones are prose
        (r"\b(?-i:(AKIA|ASIA)[A-Z0-9]{12,})", r"\1…"),
    )
)  # fmt: skip


def redact(text: str) -> str:
    """The text without what may be a secret in it.

    Cut are queries of http(s) URLs, users and passwords of any URL, `Authorization`, signatures,
    credentials, tokens, and access keys of AWS. Too much rather than too little.
    """
    for pattern, kept in _CUTS:
        text = pattern.sub(kept, text)
    return text


def find_secret(uri: str) -> str | None:
    """What in a URI must not be recorded: in words that do not repeat it; None: nothing.

    Names of objects may look like queries, so only what is certain counts in them; in http(s)
    URLs every usual name of a parameter that opens doors does.
    """
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return None
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    # A secret key has slashes in it: then its beginning stands where a port would.
    if "@" in authority or not _HOST.fullmatch(authority):
        return "a user name or password"
    names = _ON_THE_WEB if scheme.lower() in ("http", "https") else _SIGNED
    for parameter in re.split(r"[?&;#]", rest)[1:]:
        name = unquote(parameter.partition("=")[0])
        if name.lower() in names:
            return f"the signed parameter {name}"
    return None
