"""Captchas, of characters to read or digits to hear. Each is good for one answer."""

import functools
import secrets
import unicodedata
from base64 import b64encode
from typing import cast

from captcha.audio import AudioCaptcha
from captcha.image import ImageCaptcha
from redis import Redis

from app.auth.errors import InvalidCaptcha
from app.auth.schemas import CaptchaKind, CaptchaOut
from app.cache import client, keys
from app.settings import Settings

# Without those that look like another one: 0 O Q, 1 I L, 2 Z, 5 S, 8 B, U V.
READABLE = "34679ACDEFGHJKMNPRTWXY"
READABLE_LENGTH = 5
DIGITS = "0123456789"
DIGITS_LENGTH = 6


def create(redis: Redis, kind: CaptchaKind) -> CaptchaOut:
    """Draws or speaks a captcha; a spoken one takes a quarter of a second of one core."""
    alphabet, length = (READABLE, READABLE_LENGTH) if kind == "image" else (DIGITS, DIGITS_LENGTH)
    answer = "".join(secrets.choice(alphabet) for _ in range(length))
    data = _draw(answer) if kind == "image" else _speak(answer)
    captcha_id = secrets.token_urlsafe(16)
    with client.strict():
        redis.set(keys.captcha(captcha_id), _normalized(answer), ex=keys.CAPTCHA_TTL)
    return CaptchaOut(
        id=captcha_id,
        kind=kind,
        expires_in=int(keys.CAPTCHA_TTL.total_seconds()),
        media_type="image/png" if kind == "image" else "audio/wav",
        data=b64encode(data).decode(),
    )


def require(redis: Redis, settings: Settings, captcha_id: str | None, answer: str | None) -> None:
    """Raises InvalidCaptcha without the answer to a captcha, where the settings ask for one."""
    if settings.captcha_enabled and not (
        captcha_id and answer and solve(redis, captcha_id, answer)
    ):
        raise InvalidCaptcha


def solve(redis: Redis, captcha_id: str, answer: str) -> bool:
    """Whether this is the answer. The captcha is used up in any case."""
    with client.strict():
        expected = cast(bytes | None, redis.getdel(keys.captcha(captcha_id)))
    return expected is not None and expected == _normalized(answer).encode()


def _normalized(answer: str) -> str:
    # An input method for Chinese may well send full-width characters.
    return "".join(unicodedata.normalize("NFKC", answer).split()).lower()


def _draw(answer: str) -> bytes:
    return _painter().generate(answer).getvalue()


def _speak(answer: str) -> bytes:
    return bytes(_speaker().generate(answer))


# Both read their files only when they are asked the first time, and not safely so in threads.


@functools.cache
def _painter() -> ImageCaptcha:
    made = ImageCaptcha()
    assert made.truefonts
    return made


@functools.cache
def _speaker() -> AudioCaptcha:
    made = AudioCaptcha()
    made.load()
    return made
