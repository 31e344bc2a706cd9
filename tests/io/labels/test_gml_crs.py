"""GML in several coordinate reference systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.shot_reading import read_shots

URN = "urn:ogc:def:crs:EPSG::"

#: Places in UTM zones 33 and 32, and in degrees, by the name of their CRS.
PLACES = {
    f"{URN}32633": "383505 5818290",
    "EPSG:32633": "383545 5818250",
    f"{URN}32632": "790000 5824000",
    f"{URN}4326": "52.5 13.3",
    "EPSG:4326": "13.4 52.5",
}


def gml(path: Path, names: list[str], envelope: str = "", kinds: tuple[str, ...] = ()) -> Path:
    """One point of each CRS, of feature types ``kinds``."""
    members = [
        f'<o:featureMember><o:{kind} gml:id="s.{i}"><o:geom><gml:Point srsName="{name}" gml:id="p.{i}"><gml:pos>'
        f"{PLACES[name]}</gml:pos></gml:Point></o:geom><o:class>c{i % 2}</o:class></o:{kind}></o:featureMember>"
        for i, (name, kind) in enumerate(zip(names, kinds or ["s"] * len(names), strict=True))
    ]
    corner = PLACES.get(envelope)
    bounds = (
        f'<gml:boundedBy><gml:Envelope srsName="{envelope}"><gml:lowerCorner>{corner}</gml:lowerCorner>'
        f"<gml:upperCorner>{corner}</gml:upperCorner></gml:Envelope></gml:boundedBy>"
    )
    path.write_text(
        '<?xml version="1.0"?><o:FeatureCollection xmlns:o="http://ogr.maptools.org/" '
        f'xmlns:gml="http://www.opengis.net/gml/3.2" gml:id="a">{bounds if envelope else ""}{"".join(members)}'
        "</o:FeatureCollection>"
    )
    return path


UTM, OTHER_UTM, DEGREES = f"{URN}32633", f"{URN}32632", f"{URN}4326"


@pytest.mark.parametrize(
    ("names", "envelope"),
    [
        ([UTM, OTHER_UTM], ""),
        ([UTM, OTHER_UTM], UTM),
        ([UTM, UTM, DEGREES], UTM),
        ([UTM, UTM, DEGREES], ""),
        ([UTM, UTM], OTHER_UTM),
    ],
)
def test_several_crs_are_refused(names: list[str], envelope: str, tmp_path: Path) -> None:
    """With an envelope, GDAL placed all of them in its CRS; without one, the message asked for a CRS."""
    with pytest.raises(ShotsError, match=r"a\.gml' has geometries with several .*EPSG::32633'"):
        read_shots(gml(tmp_path / "a.gml", names, envelope))


@pytest.mark.parametrize(
    ("names", "envelope"),
    [([UTM, "EPSG:32633"], UTM), ([UTM, UTM], UTM), ([UTM, UTM], "")],
)
def test_one_crs_by_one_or_two_names_is_read(
    names: list[str], envelope: str, tmp_path: Path
) -> None:
    frame = read_shots(gml(tmp_path / "a.gml", names, envelope)).frame
    assert frame.crs.to_epsg() == 32633
    assert sorted({point.x for point in frame.geometry}) == sorted(
        {float(PLACES[name].split()[0]) for name in names}
    )


def test_layers_may_have_a_crs_each(tmp_path: Path) -> None:
    path = gml(tmp_path / "a.gml", [UTM, UTM, DEGREES, DEGREES], kinds=("s", "s", "t", "t"))
    assert [read_shots(path, layer=one).frame.crs.to_epsg() for one in "st"] == [32633, 4326]
