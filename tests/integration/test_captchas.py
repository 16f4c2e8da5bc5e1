import base64
import io
import wave
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from PIL import Image

from app.auth import captcha
from app.auth.errors import InvalidCaptcha
from app.auth.schemas import CaptchaKind
from app.cache import client as caches
from app.cache import keys
from app.cache.client import RedisUnavailable
from app.settings import Settings


@pytest.fixture
def asking(base: Settings) -> Settings:
    return base.model_copy(update={"captcha_enabled": True})


def answer_of(cache: redis.Redis, captcha_id: str) -> str:
    stored: Any = cache.get(keys.captcha(captcha_id))
    return bytes(stored).decode()


def made(cache: redis.Redis, kind: CaptchaKind = "image") -> tuple[str, str]:
    """The id and the answer of a new captcha."""
    one = captcha.create(cache, kind)
    return one.id, answer_of(cache, one.id)


def test_an_image_is_a_png_of_five_characters_that_look_like_no_other(cache: redis.Redis) -> None:
    one = captcha.create(cache, "image")
    assert (one.media_type, one.expires_in) == ("image/png", 300)
    with Image.open(io.BytesIO(base64.b64decode(one.data))) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (160, 60))
    answer = answer_of(cache, one.id)
    assert len(answer) == 5
    assert set(answer.upper()) <= set(captcha.READABLE)
    assert not set("0O1IL2Z5S8BQUV") & set(captcha.READABLE)


def test_a_sound_is_a_wav_of_six_digits(cache: redis.Redis) -> None:
    one = captcha.create(cache, "audio")
    assert one.media_type == "audio/wav"
    with wave.open(io.BytesIO(base64.b64decode(one.data))) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (8_000, 1)
        assert sound.getnframes() > 6 * 8_000
    answer = answer_of(cache, one.id)
    assert len(answer) == 6
    assert answer.isdecimal()


def test_the_first_captchas_may_be_made_at_the_same_moment(cache: redis.Redis) -> None:
    captcha._painter.cache_clear()
    captcha._speaker.cache_clear()
    kinds: list[CaptchaKind] = ["audio", "image"] * 4
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda kind: made(cache, kind), kinds))) == 8


def test_it_is_good_once(cache: redis.Redis) -> None:
    captcha_id, answer = made(cache)
    assert captcha.solve(cache, captcha_id, answer)
    assert not captcha.solve(cache, captcha_id, answer)


def test_a_wrong_answer_uses_it_up(cache: redis.Redis) -> None:
    captcha_id, answer = made(cache)
    assert not captcha.solve(cache, captcha_id, answer[:-1])
    assert not captcha.solve(cache, captcha_id, answer)


def test_the_case_and_spaces_and_width_of_an_answer_do_not_matter(cache: redis.Redis) -> None:
    captcha_id, answer = made(cache)
    assert captcha.solve(cache, captcha_id, f" {' '.join(answer.upper())}\u3000")
    captcha_id, answer = made(cache, "audio")
    wide = answer.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})
    assert captcha.solve(cache, captcha_id, wide)


def test_of_parallel_answers_one_counts(cache: redis.Redis) -> None:
    captcha_id, answer = made(cache)
    with ThreadPoolExecutor(8) as threads:
        solved = list(threads.map(lambda _: captcha.solve(cache, captcha_id, answer), range(16)))
    assert solved.count(True) == 1


def test_it_expires(cache: redis.Redis) -> None:
    captcha_id, answer = made(cache)
    assert 0 < cache.ttl(keys.captcha(captcha_id)) <= 300
    cache.delete(keys.captcha(captcha_id))
    assert not captcha.solve(cache, captcha_id, answer)


@pytest.mark.parametrize("given", [None, "", "nobody's", "a\r\nFLUSHALL\r\n", "*", "中"])
def test_an_answer_to_nothing_is_refused(
    asking: Settings, cache: redis.Redis, given: str | None
) -> None:
    kept, answer = made(cache)
    with pytest.raises(InvalidCaptcha):
        captcha.require(cache, asking, given, answer)
    with pytest.raises(InvalidCaptcha):
        captcha.require(cache, asking, made(cache)[0], given)
    captcha.require(cache, asking, kept, answer)


def test_where_captchas_are_off_nothing_is_asked_nor_used_up(
    base: Settings, cache: redis.Redis
) -> None:
    captcha_id, answer = made(cache)
    captcha.require(cache, base, None, None)
    captcha.require(cache, base, captcha_id, "wrong")
    assert captcha.solve(cache, captcha_id, answer)


def test_without_redis_nothing_is_solved(asking: Settings, closed_port: int) -> None:
    with caches.build(asking.model_copy(update={"redis_port": closed_port})) as dead:
        with pytest.raises(RedisUnavailable):
            captcha.create(dead, "image")
        with pytest.raises(RedisUnavailable):
            captcha.require(dead, asking, "id", "answer")
