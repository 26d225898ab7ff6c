"""Made-up lists of names in several scripts, to measure programs on."""

import random
from collections.abc import Callable

KANA = "あき いく うめ えり おと かず きぬ くる けい ことの さく しず すみ せつ その たま ちか つき とも なお にし ぬい ねね のり はな ひさ ふゆ まさ みや むつ もも やす ゆき よし らん りつ るり れい わか"
KANA_ENDINGS = "こ み え か よ の は な り ね せ を ほ と き"
SYLLABLES = (
    "nor vex tal ori lum bren dax sel kor pha ner tri von mar lis gran tek sol ver dan qui zen par"
)
TRADES = "Systems Logistics Foods Energy Labs Optics Partners Textiles Marine Robotics"
FORMS = "GmbH Ltd SA AB Inc. Oy"
GREEK = "Μελ Καρ Θερ Παλ Λευκ Δαφν Ξυλ Αρν Φιλ Σταμ Γαλ Πετρ Ραχ Βουν Τρικ Αμπ Ελαι Νερ"
GREEK_MIDDLES = "αν ιν ουρ ορ ακ ιτσ αδ οπουλ ιδ ερ"
GREEK_ENDINGS = "α ος ι ες ιά ών ός άκι ούπολη ήσι"
FORE = "Ново Старо Верхне Нижне Красно Бело Велико Мало"
ROOTS = "камен берез сосн дуб руч озер болот лес реч бобр волк медвед соло горо пожар мох глин остро яблон вишн конь рыб песк студен тих каза монаст княж петр иван михайл семен никол павл алекс фёдор"
RUSSIAN_ENDINGS = "ово ево ино ка ск овка евка ное ье ичи ец град цы"


def kana(draw: random.Random) -> str:
    """Return a name in hiragana, one to three roots and an ending."""
    roots = draw.choices(KANA.split(), k=draw.choice((1, 1, 1, 2)))
    return "".join(roots) + draw.choice(("", *KANA_ENDINGS.split()))


def company(draw: random.Random) -> str:
    """Return a company: an invented word, often a trade, and a legal form."""
    word = "".join(draw.choices(SYLLABLES.split(), k=draw.choice((2, 2, 3)))).capitalize()
    trade = draw.choice(("", *TRADES.split()))
    return " ".join(filter(None, (word, trade, draw.choice(FORMS.split()))))


def greek(draw: random.Random) -> str:
    """Return a village in Greek letters."""
    middle = draw.choice(("", *GREEK_MIDDLES.split()))
    return draw.choice(GREEK.split()) + middle + draw.choice(GREEK_ENDINGS.split())


def russian(draw: random.Random) -> str:
    """Return a town in Cyrillic letters, at times of two words."""
    fore = draw.choice(("", "", "", *FORE.split()))
    word = (fore + draw.choice(ROOTS.split()) + draw.choice(RUSSIAN_ENDINGS.split())).capitalize()
    return f"{word}-{draw.choice(ROOTS.split()).capitalize()}ка" if draw.random() < 0.1 else word


KINDS: dict[str, tuple[Callable[[random.Random], str], int]] = {
    "kana": (kana, 150),
    "companies": (company, 300),
    "greek": (greek, 400),
    "russian": (russian, 2_000),
}


def names_of(kind: str, seed: int = 0) -> list[str]:
    """Return the distinct names of a list, in random order."""
    make, size = KINDS[kind]
    draw = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < size:
        names[make(draw)] = None
    return list(names)
