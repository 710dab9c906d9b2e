"""A little world that nobody has read of: people with a full name, each with a handful of facts.

A pure function of its seed. All names differ; surnames do not, so that a surname alone says of nobody who is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from mrclassic.tasks.base import keyed

_FIRST = (
    *("Ada", "Anton", "Basil", "Beth", "Carl", "Celia", "Dora", "Edgar", "Elsa", "Floris", "Gilda", "Hanna", "Henrik"),
    *("Ines", "Ivor", "Jonas", "Judith", "Karin", "Konrad", "Laszlo", "Lena", "Marek", "Mira", "Nadia", "Noel", "Olga"),
    *("Otto", "Petra", "Piers", "Ralf", "Rosa", "Simon", "Tessa", "Timo", "Ulla", "Vera", "Viktor", "Wilma", "Xaver"),
    *("Yves", "Zita"),
)
_LAST = (
    *("Abend", "Barlow", "Carver", "Dunmore", "Ebner", "Falk", "Garland", "Holm", "Imber", "Jansen", "Keller", "Lorne"),
    *("Marsh", "Norden", "Orchard", "Pell", "Quill", "Rowan", "Sander", "Thorne", "Umber", "Vale", "Winter", "Yarrow"),
    *("Zeller", "Ashby", "Brandt", "Corbin", "Drake", "Elster", "Frost", "Grau", "Hobb", "Kestrel", "Lund", "Moss"),
)
_VALUES: Mapping[str, tuple[str, ...]] = {
    "town": (
        *("Aldmere", "Brackenford", "Coldwell", "Dunholt", "Eastbeck", "Fernley", "Greywick", "Harrowgate", "Inverlow"),
        *("Juniper Hill", "Kingsmoor", "Lindau", "Marrowby", "Netherfield", "Oakhaven", "Pinecross", "Quarrydale"),
        *("Ravensea", "Silverton", "Tarnwater", "Upper Dell", "Vanesborough", "Westmarch", "Yewbridge", "Zellwood"),
        *("Saltmouth", "Broadstair", "Copperhill", "Drumlin", "Elmstead", "Foxhollow", "Glasswater"),
    ),
    "trade": (
        *("baker", "beekeeper", "bookbinder", "carpenter", "clockmaker", "cobbler", "cooper", "dentist", "engraver"),
        *("falconer", "ferryman", "gardener", "glazier", "hatter", "interpreter", "judge", "locksmith", "mason"),
        *("midwife", "miller", "nurse", "optician", "painter", "plumber", "potter", "saddler", "surveyor", "tailor"),
        *("tanner", "upholsterer", "weaver", "welder"),
    ),
    "pet": (
        *("badger", "canary", "cockatoo", "donkey", "dormouse", "eel", "ferret", "goldfish", "goose", "hamster"),
        *("hedgehog", "iguana", "jackdaw", "kitten", "lizard", "magpie", "mule", "newt", "otter", "owl", "parrot"),
        *("pigeon", "poodle", "pony", "rabbit", "raven", "spaniel", "terrier", "toad", "tortoise"),
    ),
    "instrument": (
        *("accordion", "bagpipe", "banjo", "bassoon", "cello", "clarinet", "cornet", "drum", "dulcimer", "fiddle"),
        *("flute", "guitar", "harp", "harpsichord", "horn", "lute", "lyre", "mandolin", "oboe", "organ", "piano"),
        *("piccolo", "recorder", "saxophone", "trombone", "trumpet", "tuba", "ukulele", "viola", "zither"),
    ),
    "year": tuple(map(str, range(1900, 2000))),
}


@dataclass(frozen=True)
class Person:
    """A full name and the facts, by attribute."""

    name: str
    facts: Mapping[str, str]


@lru_cache(maxsize=8)
def people(seed: int, count: int) -> tuple[Person, ...]:
    """`count` people, at most 1,000; each was taught by another."""
    rng = keyed("stories", seed)
    names = rng.sample([f"{first} {last}" for first in _FIRST for last in _LAST], count)
    found = []
    for name in names:
        facts = {attribute: rng.choice(values) for attribute, values in _VALUES.items()}
        teacher = rng.choice([other for other in names if other != name])
        found.append(Person(name, {**facts, "teacher": teacher}))
    return tuple(found)
