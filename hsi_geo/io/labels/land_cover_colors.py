"""Colours that maps usually give to land cover, found by the words in the names of classes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LandCover:
    """A kind of land cover.

    Attributes:
        words: Words that name it, in lower case without accents. "wald*" stands for all words that begin with
            it, "*wald" for all that end with it. English, German, French, Spanish, Portuguese, Italian.
        shades: "#rrggbb" for one class of this kind after the other.
    """

    words: str
    shades: tuple[str, ...]


#: Kinds of land cover. The shades differ in lightness too, for colour-blind readers.
KINDS = (
    LandCover(
        "water* river* lake lakes sea ocean pond* stream reservoir canal"
        " wasser* *wasser gewaesser* *gewasser gewasser* fluss* see seen meer teich* bach"
        " eau eaux riviere* lac lacs mer etang* fleuve agua aguas rio rios lago lagos lagoa* mar"
        " embalse* acqua acque fiume fiumi laghi mare stagno",
        ("#2171b5", "#6baed6", "#08306b", "#9ecae1"),
    ),
    LandCover(
        "tree trees forest* wood woods woodland* canopy broadleaf* broadleaved conifer* deciduous evergreen*"
        " baum baume baeume *baum *baume *baeume wald walder waelder waldflache *wald *walder"
        " arbre* foret* bois feuillu* resineux arbol* bosque* arvore* floresta* mata albero alberi bosco boschi"
        " foresta foreste latifoglie conifere",
        ("#14532d", "#3f9a4a", "#7ab87a", "#0f7a5a"),
    ),
    LandCover(
        "shrub* bush* scrub* heath* maquis strauch* straeucher gebusch* gebuesch* heide* buisson* arbuste*"
        " lande landes matorral* arbusto* mato macchia arbusti cespuglio cespugli",
        ("#7a9a01", "#a3b86c", "#556b2f"),
    ),
    LandCover(
        "grass* *grass meadow* lawn* pasture* turf herbaceous vegetation gras* rasen* *rasen wiese* *wiese *wiesen"
        " weide* grunland* gruenland* krautige* herbe* prairie* pelouse* paturage* gazon hierba* pasto* pastizal*"
        " cesped prado* pradera* vegetacion relva gramado pastagem pastagens capim vegetacao erba prato prati"
        " pascolo pascoli vegetazione",
        ("#a6d96a", "#c7e9a0", "#79b947", "#d9f0a3"),
    ),
    LandCover(
        "wetland* marsh* swamp* bog bogs fen peat* mangrove* reed* moor* sumpf* schilf* feuchtgebiet*"
        " marais tourbiere* humedal* marisma* pantano* manglar* turbera* pantanal mangue* palude paludi torbiera*",
        ("#5fb7a5", "#2f7f78", "#a2d9cc"),
    ),
    LandCover(
        "crop* farmland* arable agricultur* field fields cereal* wheat barley maize corn rice oat oats rye soy*"
        " alfalfa hay rapeseed canola potato* sugarbeet cotton sunflower* vineyard* orchard*"
        " acker* *acker *ackerland feld felder getreide* weizen* gerste* mais hafer roggen raps kartoffel* zuckerrube*"
        " culture* champ champs cereale* ble orge colza vigne* verger* cultivo* campo campos trigo cebada maiz arroz"
        " vina* vinedo* huerto* milho cevada vinha* lavoura* soja coltura* colture campi grano orzo vigneto vigneti"
        " frutteto frutteti",
        ("#f2d33b", "#ffed9e", "#d1a60f", "#fff3c4"),
    ),
    LandCover(
        "sand sands *sand beach* dune* strand* *strand sable* plage* arena playa* areia praia* sabbia spiaggia spiagge",
        ("#f0dfa8", "#e0c67c", "#fff2cc"),
    ),
    LandCover(
        "soil* *soil bare dirt earth ground fallow clay boden* *boden erde *erde brache* lehm sol sols terre nu"
        " nue jachere* suelo* tierra* barbecho* desnudo solo solos terra terreno* suolo suoli nudo",
        ("#b07a45", "#8a5a2b", "#dcc0a0", "#5c3a1e"),
    ),
    LandCover(
        "rock* stone* gravel* quarry fels* gestein* kies* schotter* roche* rocher* gravier* roca* piedra* grava*"
        " rocha* pedra* cascalho* roccia rocce ghiaia pietra pietre",
        ("#8c8376", "#b9b0a2", "#5f574c"),
    ),
    LandCover(
        "roof* *roof building* house houses urban built builtup settlement* residential industrial"
        " dach *dach dacher daecher *dacher *daecher gebaude* gebaeude* haus hauser haeuser siedlung* stadt"
        " toit* batiment* maison* bati urbain* tejado* techo* edificio* casa casas urbano urbana telhado*"
        " predio* tetto tetti edifici",
        ("#e03020", "#fc8d59", "#7f0000", "#fdbb84"),
    ),
    LandCover(
        "road* street* pavement* paved asphalt* concrete parking rail* runway* impervious sealed"
        " strasse* *strasse *strassen weg wege parkplatz* beton* versiegelt* pflaster*"
        " route* rue rues chaussee* bitume parking* carretera* calle* asfalto* pavimento* hormigon estrada* rua ruas"
        " strada strade cemento",
        ("#8a8a8a", "#bdbdbd", "#525252", "#d9d9d9"),
    ),
    LandCover(
        "snow* ice glacier* schnee* eis gletscher* neige* glace nieve* hielo glaciar* neve gelo geleira* ghiaccio"
        " ghiacciaio ghiacciai",
        ("#e6f5ff", "#c6dbef", "#ffffff"),
    ),
    LandCover("cloud* wolke* nuage* nube nubes nuvem nuvens nuvola nuvole", ("#eeeeee", "#cfcfcf")),
    LandCover("shadow* shade schatten* ombre* sombra* ombra", ("#303040", "#505068")),
)


def _pattern(words: str) -> re.Pattern[str]:
    """Finds whole words of a kind; its last match ends where the last of them does."""
    found = (re.escape(word).replace(r"\*", "[a-z]*") for word in words.split())
    return re.compile(rf"(?<![a-z])(?:{'|'.join(found)})(?![a-z])")


_PATTERNS = tuple(_pattern(kind.words) for kind in KINDS)


def land_cover_of(name: str) -> int | None:
    """The kind of land cover that the name of a class says: the last of several.

    Args:
        name: Name of a class, in any of the languages.

    Returns:
        Index into `KINDS`; None if it says none.

    Examples:
        >>> [KINDS[land_cover_of(name)].shades[0] for name in ("Laubwald", "Grass roof", "sol nu")]
        ['#14532d', '#e03020', '#b07a45']
        >>> land_cover_of("class 3") is None
        True
    """
    text = _plain(name)
    ends = [max((m.end() for m in pattern.finditer(text)), default=0) for pattern in _PATTERNS]
    latest = max(ends)
    return ends.index(latest) if latest else None


def land_cover_colors(names: Sequence[str]) -> list[str | None]:
    """Colours of classes by the words in their names.

    Args:
        names: Name of each class.

    Returns:
        "#rrggbb" of each class, all different. None where the name says no land cover, and where more classes are
        of one kind than it has shades: types of crops differ better in other colours.

    Examples:
        >>> land_cover_colors(["Water", "Trees", "kaolinite"])
        ['#2171b5', '#14532d', None]
    """
    kinds = [land_cover_of(name) for name in names]
    left = {
        index: iter(kind.shades)
        for index, kind in enumerate(KINDS)
        if kinds.count(index) <= len(kind.shades)
    }
    return [next(left[kind]) if kind is not None and kind in left else None for kind in kinds]


def _plain(name: str) -> str:
    """A name in lower case, without accents; German sharp s as ss."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
