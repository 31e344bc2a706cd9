"""Cases of `cases.py` about the classes of several layers in the dock *hsi-geo live*, and their fields."""

from __future__ import annotations

from random import Random
from typing import Any

from live_person import Job, Person, pause
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsReadWriteContext,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtXml import QDomDocument
from shot_cases import points, use


def polygons(person: Person, field: str, values: list[Any]) -> Any:
    """A scratch layer with a square for each value, below the points."""
    layer = QgsVectorLayer(f"Polygon?field={field}", "fields", "memory")
    layer.setCrs(person.scene.crs())
    found = []
    for column, value in enumerate(values):
        feature = QgsFeature(layer.fields())
        feature.setGeometry(square(person, 4 + 5 * column, 20))
        feature.setAttributes([value])
        found.append(feature)
    layer.dataProvider().addFeatures(found)
    return layer


def square(person: Person, column: int, row: int) -> Any:
    return QgsGeometry.fromPointXY(person.place(column, row)).buffer(40, 4)


def style(layer: Any, attribute: str, labels: Job, colors: list[str] | None = None) -> None:
    """Draw a layer by categories; keys of labels are numbers if they look so."""
    found = []
    for index, (value, label) in enumerate(labels.items()):
        symbol = QgsSymbol.defaultSymbol(layer.geometryType())
        if colors:
            symbol.setColor(QColor(colors[index]))
        found.append(QgsRendererCategory(int(value) if value.isdecimal() else value, symbol, label))
    layer.setRenderer(QgsCategorizedSymbolRenderer(attribute, found))


def names(person: Person) -> list[str]:
    return [one.name for one in person.dock.shots.classes]


def live_coded_layers(job: Job) -> Job:
    """Points with codes and polygons with names or other codes; draw, rename, and choose them again."""
    person = Person(job)
    person.open_scene()
    shots, crs = person.dock.shots, person.scene.crs()
    own = points(person, "code:integer", [1, 1, 2, 3])
    style(own, "code", {"1": "meadow", "2": "asphalt", "3": "water"})
    texts = polygons(person, "class:string", ["meadow", "water"])
    use(person, own, texts)
    found: Job = {"names": [names(person)], "counts": [shots.counts()]}
    for index in (0, 1):
        shots.choose(index)
        assert not shots.add(square(person, 20 + 9 * index, 9), crs)
        assert not shots.add(QgsGeometry.fromPointXY(person.place(9 + index, 9)), crs)
    found["names"].append(names(person))
    found["counts"].append(shots.counts())
    found["renamed"] = shots.rename(0, "grass")
    found["counts"].append(shots.counts())
    found["values"] = [
        sorted(one.attributes()[0] for one in layer.getFeatures()) for layer in (own, texts)
    ]
    found["labels"] = [
        [one.label() for one in each.renderer().categories()] for each in (own, texts)
    ]
    codes = polygons(person, "code:integer", [1, 2])
    style(codes, "code", {"1": "water", "2": "asphalt"})
    use(person, own, codes)
    found["names"].append(names(person))
    found["other"] = shots.counts()
    shots.choose(0)
    assert not shots.add(square(person, 30, 9), crs)  # a class that the layer does not have
    found["free"] = sorted(one.attributes()[0] for one in codes.getFeatures())
    found["counts"].append(shots.counts())
    return found


def live_restyled(job: Job) -> Job:
    """Draw a layer by another field after it was chosen, save and restore, and remove the field."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    layer = points(person, "class:string&field=observer:string", [*"aabb"])
    use(person, layer)
    style(layer, "observer", {"Ann": "Ann", "Ben": "Ben"})
    layer.emitStyleChanged()
    pause(0.1)
    found: Job = {"field": dock.shots.field(layer), "names": names(person)}
    dock.shots.add(QgsGeometry.fromPointXY(person.place(20, 9)), person.scene.crs())
    found["drawn"] = min(layer.getFeatures(), key=lambda one: one.id()).attributes()  # unsaved
    layer.commitChanges()
    style(layer, "observer", {"Ann": "Ann", "Ben": "Ben"})
    dock.shots.fields = {}
    dock.memory.restore()
    found["restored"] = dock.shots.field(layer)
    layer.startEditing()
    layer.deleteAttribute(0)
    layer.commitChanges()
    found["lost"] = [person.notice(), dock.shots.counts()]
    found["refused"] = dock.shots.add(
        QgsGeometry.fromPointXY(person.place(20, 9)), person.scene.crs()
    )
    dock.memory.restore()
    found["restored_lost"] = [person.notice(), dock.shots.field(layer)]
    return found


def live_lost_field(job: Job) -> Job:
    """Rename the field of the class and undo; remove it, choose another layer, draw, and choose the layer again."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    shots = dock.shots
    layer = points(person, "class:string&field=observer:string", [*"aabb"])
    texts = polygons(person, "class:string", [*"abab"])
    layer.startEditing()
    for feature in layer.getFeatures():
        layer.changeAttributeValue(feature.id(), 1, "Ann")
    layer.commitChanges()
    use(person, layer, texts)
    person.rest()
    found: Job = {"before": shots.counts(), "notices": [person.notice()]}
    layer.startEditing()
    layer.renameAttribute(0, "klasse")
    found["notices"].append(person.notice())
    person.rest()
    found["notices"].append(person.notice())
    found["renamed"] = shots.counts()
    layer.undoStack().undo()
    found["undone"] = shots.counts()
    found["notices"].append(person.notice())
    layer.deleteAttribute(0)
    layer.commitChanges()
    others = polygons(person, "class:string", [*"abba"])
    use(person, layer, others)
    found["notices"].append(person.notice())
    found["kept"] = shots.fields[layer.id()]
    found["drawn"] = shots.add(QgsGeometry.fromPointXY(person.place(20, 9)), person.scene.crs())
    found["rows"] = [one.attributes() for one in layer.getFeatures()]
    dock.shots_panel.points.setLayer(None)
    pause(0.1)
    found["notices"].append(person.notice())
    use(person, layer)
    found["anew"] = shots.field(layer)
    return found


def live_pasted_style(job: Job) -> Job:
    """Choose a layer that got the style of the dock's own points, and has no such field."""
    person = Person(job)
    person.open_scene()
    person.dock.shot_chooser.make_layers()
    style_of_shots = QDomDocument()
    person.dock.shots.points().exportNamedStyle(style_of_shots, QgsReadWriteContext())
    layer = points(person, "veg:string", ["rye", "oat", "rye"])
    layer.importNamedStyle(style_of_shots)
    use(person, layer)
    return {"field": person.dock.shots.field(layer), "counts": person.dock.shots.counts()}


def live_shown_names(job: Job) -> Job:
    """Names of classes by a value map, by an expression, in a locale's digits; odd ones, and those like HTML."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    found: Job = {}
    layer = points(person, "code:integer", [1, 2, 2])
    config = {"map": [{"Chamise": "1"}, {"Grass": "2"}]}
    layer.setEditorWidgetSetup(0, QgsEditorWidgetSetup("ValueMap", config))
    use(person, layer)
    found["map"] = names(person)
    layer = points(person, "class:string", ["ADFA", "LAKE"])
    style(layer, 'lower("class")', {"adfa": "Chamise", "lake": "Water"}, ["#ff0000", "#0000ff"])
    use(person, layer)
    found["expression"] = [[one.name, one.color] for one in dock.shots.classes]
    layer = points(person, "code:integer", [1110, 2110])
    style(layer, "code", {"1110": "1.110", "2110": "2.110"})
    use(person, layer)
    found["digits"] = names(person)
    found["labels"] = [one.label() for one in layer.renderer().categories()]
    layer = points(person, "code:integer", [3, 4, 5])
    style(layer, "code", {"3": "Forest", "4": "Forest", "5": "Soil"})
    use(person, layer)
    found["doubled"] = names(person)
    odd = ["Geba\u0308ude", "Geb\u00e4ude", "x\ty", "<b>"]
    layer = points(person, "class:string", odd)
    use(person, layer)
    found["odd"] = names(person)
    found["counts"] = dock.shots.counts()
    values = [one.value() for one in layer.renderer().categories()]
    found["drawn"] = sorted(values) == sorted(odd)
    dock.suggestions.begin([{"x": 0.0, "y": 0.0, "predicted": "<b>", "confidence": 50.0}])
    found["place"] = dock.suggestions.text.text()
    dock.tell_problem("class <b> has a < sign")
    found["format"] = int(dock.notice.text.textFormat())
    return found


def live_swapped_labels(job: Job) -> Job:
    """Swap two labels in the style of a layer of codes; draw a class that the layer of texts does not have."""
    person = Person(job)
    person.open_scene()
    shots = person.dock.shots
    own = points(person, "code:integer", [1, 2, 3])
    style(own, "code", {"1": "ADFA", "2": "ARGL", "3": "LAKE"})
    texts = polygons(person, "class:string", ["ADFA", "LAKE"])
    use(person, own, texts)
    style(own, "code", {"1": "ARGL", "2": "ADFA", "3": "LAKE"})
    own.emitStyleChanged()
    pause(0.1)
    found: Job = {"names": names(person), "counts": [shots.counts()]}
    shots.choose(1)
    found["problem"] = shots.add(square(person, 30, 9), person.scene.crs())
    found["counts"].append(shots.counts())
    found["texts"] = sorted(one["class"] for one in texts.getFeatures())
    return found


#: Texts that are names of classes, their values, or both.
_TEXTS = ("ADFA", "ARGL", "LAKE", "1", "2", "3", "ADFA 2")


def live_any_changes(job: Job) -> Job:
    """Styles, shots and names of two layers, changed at random; what is wrong after one of the changes."""
    from hsi_geo_qgis.live.shot_layers import ShotLayers

    wrong: list[Any] = []
    for seed in range(job["seeds"]):
        random = Random(seed)
        layers = [_random_layer(random, kind) for kind in ("Point", "Polygon")]
        shots = ShotLayers()
        shots.use(layers)
        done: list[str] = []
        for _ in range(job["changes"]):
            change = random.choice((_restyle, _insert, _rename, _draw, _add_or_remove))
            problem = change(random, shots) or _shared_value(shots)
            done.append(change.__name__)
            if problem:
                wrong.append([seed, done, problem])
                break
        shots.use([])
        QgsProject.instance().clear()
    return {"wrong": wrong}


def _random_layer(random: Random, kind: str) -> Any:
    field = random.choice(("integer", "string"))
    layer = QgsVectorLayer(f"{kind}?crs=EPSG:32633&field=class:{field}", kind, "memory")
    QgsProject.instance().addMapLayer(layer)
    layer.startEditing()
    for _ in range(random.randint(0, 3)):
        _insert_into(random, layer)
    if random.random() < 0.5:
        style(layer, "class", _labels(random, random.sample(_codes(layer), 3)))
    return layer


def _codes(layer: Any) -> list[str]:
    return [one for one in _TEXTS if one.isdecimal() or not layer.fields().at(0).isNumeric()]


def _labels(random: Random, values: list[str]) -> Job:
    return {value: random.choice(_TEXTS) for value in values}


def _shape(layer: Any) -> Any:
    place = QgsGeometry.fromWkt("Point (0 0)")
    return place if layer.name() == "Point" else place.buffer(1, 2)


def _insert_into(random: Random, layer: Any) -> None:
    feature = QgsFeature(layer.fields())
    feature.setGeometry(_shape(layer))
    value = random.choice(_codes(layer))
    feature.setAttributes([int(value) if layer.fields().at(0).isNumeric() else value])
    assert layer.addFeature(feature)


def _insert(random: Random, shots: Any) -> str:
    """Add a feature with QGIS's own tools."""
    _insert_into(random, random.choice(shots.layers))
    return ""


def _restyle(random: Random, shots: Any) -> str:
    """Give a layer other labels in QGIS's own panel."""
    layer = random.choice(shots.layers)
    categories = layer.renderer().categories()
    values = [one.value() for one in categories]
    swapped = [one.label() for one in categories]
    random.shuffle(swapped)
    labels = swapped if random.random() < 0.5 else random.choices(_TEXTS, k=len(values))
    keys = [str(value) for value in values]
    style(layer, "class", dict(zip(keys, labels, strict=True)))
    shots._follow_style()
    return ""


def _rename(random: Random, shots: Any) -> str:
    if not shots.classes:
        return ""
    index, before = random.randrange(len(shots.classes)), sorted(shots.counts().values())
    shots.rename(index, random.choice(_TEXTS))
    return "" if sorted(shots.counts().values()) == before else "shots of another class"


def _draw(random: Random, shots: Any) -> str:
    """Draw a shot, which is one of the current class, and no other shot changes."""
    if not shots.classes:
        return ""
    shots.choose(random.randrange(len(shots.classes)))
    layer, before = random.choice(shots.layers), shots.counts()
    name = shots.classes[shots.current].name
    problem = shots.add(_shape(layer), layer.crs())
    if problem:
        return str(problem)
    before[name] = before.get(name, 0) + 1
    return "" if shots.counts() == before else f"{name} was drawn: {before} {shots.counts()}"


def _add_or_remove(random: Random, shots: Any) -> str:
    if shots.classes and random.random() < 0.3:
        shots.remove_class(random.randrange(len(shots.classes)))
    else:
        shots.add_class()
    return ""


def _shared_value(shots: Any) -> str:
    """What two classes share: a name, or a value in a layer."""
    found = [[one.name for one in shots.classes]]
    found += [[str(values[0]) for values in shots._values(layer)] for layer in shots.layers]
    return next((f"shared: {each}" for each in found if len(set(each)) < len(each)), "")
