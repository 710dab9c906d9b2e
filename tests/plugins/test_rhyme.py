"""`rhyme`: sounds guessed from spelling, and what does not count as a verse."""

from __future__ import annotations

import pytest
from examples import load

plugin = load("rhyme")

RHYMES = """
night light, light bite, white kite, day weigh, day they, blue you, shoe through, go know, toe show, tree me, sea be,
key tea, sky high, my pie, fly buy, cat hat, cats hats, dog log, sun one, done run, love dove, house mouse, town brown,
now cow, round found, bread red, head said, word bird, bird heard, hurt dirt, her fur, bear care, air chair, there fair,
hear dear, near beer, door more, four store, fire wire, ball small, walk talk, mind kind, child wild, old gold,
cold rolled, cake lake, make break, rain plane, lane main, made paid, played shade, seen green, mean queen, feet heat,
deep sleep, home foam, boat note, stone own, moon tune, food mood, good could, book took, fruit boot, boy toy,
coin join, thought caught, saw law, king sing, singing ringing, funny sunny, tower flower, better letter, table able,
cried side, walked talked, passed last, wanted planted, bridge ridge, page stage, catch match, kiss this, rice nice,
prize wise, nose rose, please trees, off cough, rough stuff, come drum, art heart, storm form, born corn,
church search, earth birth, world curled, give live, leave eve, kitten mitten, candle handle, seven heaven,
clever ever, over clover, brother mother, weather feather, cloud proud, mouth south, about doubt
"""
OTHERS = """
cat dog, night day, love move, over river, tower over, blood food, cough rough, sing singing, house horse, tree tray,
run rain, hat hate, bit bite, city money, low how, hear bear, wood food, word lord, happy city, station table,
have gave, ball pal, sand send, knight night, same same
"""


def pairs(text: str) -> list[tuple[str, ...]]:
    return [tuple(pair.split()) for pair in " ".join(text.split()).split(", ")]


@pytest.mark.parametrize("pair", pairs(RHYMES), ids="-".join)
def test_words_that_rhyme(pair: tuple[str, str]) -> None:
    assert plugin.rhymes(*pair)
    assert plugin.rhymes(*reversed(pair))


@pytest.mark.parametrize("pair", pairs(OTHERS), ids="-".join)
def test_words_that_do_not(pair: tuple[str, str]) -> None:
    assert not plugin.rhymes(*pair)
    assert not plugin.rhymes(*reversed(pair))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Old verses.
        ("Twinkle, twinkle, little star,\nHow I wonder what you are!\nUp above the world so high,\n"
         "Like a diamond in the sky.", 1.0),
        ("Tyger Tyger, burning bright,\nIn the forests of the night;\nWhat immortal hand or eye,\n"
         "Could frame thy fearful symmetry?", 0.5),
        ("Mary had a little lamb,\nIts fleece was white as snow,\nAnd everywhere that Mary went\n"
         "The lamb was sure to go.", 0.5),
        ("Hey diddle diddle,\nThe cat and the fiddle,\nThe cow jumped over the moon.\nThe little dog laughed\n"
         "To see such sport,\nAnd the dish ran away with the spoon.", 4 / 6),
        ("The sun went down, I walked to town.", 1.0),
        ("I went to the shop.\nIt was closed on Sunday.\nSo I came home again.", 0.0),
        ("I saw a cat.\nIt wore a hat.\nI saw a cat.\nIt wore a hat.", 0.5),
        ("cat\nhat\nbat\nmat", 0.0),
        ("one line of prose", 0.0),
        ("", 0.0),
    ],
)  # fmt: skip
def test_verses(text: str, value: float) -> None:
    assert plugin.rhyme(completions=[[{"role": "assistant", "content": text}]]) == [pytest.approx(value)]
