"""Text whose encoding its file does not state, or states wrongly.

Bytes that are valid UTF-8 are UTF-8: other encodings give such only by a rare chance. What is neither
UTF-8 nor UTF-16 is taken for Windows-1252 (the code page of DOS where it cannot be), or for what a DBF
file's language byte says, and that is told.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hsi_geo.io.files.paths import exists

#: Files of text that GDAL takes for UTF-8, whatever they hold.
_TEXTS = (".csv", ".tsv", ".psv", ".txt", ".geojson", ".json", ".geojsonl", ".geojsons", ".gml", ".kml", ".gpx")  # fmt: skip

#: Files that GDAL reads because they lie beside a text; the rest is ours to read.
_BESIDE = (".csvt", ".xsd", ".gfs")

#: Larger files are data, not what somebody typed, and are left as they are.
_MOST_BYTES = 256 << 20

#: Marks at the beginning of a text, the longest first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Names of encodings for people.
_SHOWN = {"cp1252": "Windows-1252", "utf-8-sig": "UTF-8"}

#: What an XML text says of its own encoding.
_DECLARED = re.compile(r"""\A(\s*<\?xml[^>]*?)\s+encoding\s*=\s*["'][^"']*["']""")

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

#: Python's codec by the language byte of a DBF file (its 30th), as programs write it.
_LANGUAGES = {
    **dict.fromkeys((0x01, 0x09, 0x0B, 0x0D, 0x0F, 0x11, 0x15, 0x18, 0x19, 0x1B), "cp437"),
    **dict.fromkeys((0x02, 0x0A, 0x0E, 0x10, 0x12, 0x14, 0x16, 0x1A, 0x1D, 0x25, 0x37), "cp850"),
    **dict.fromkeys((0x03, 0x57, 0x58, 0x59), "cp1252"),
    **dict.fromkeys((0x1F, 0x22, 0x23, 0x40, 0x64, 0x87), "cp852"),
    **dict.fromkeys((0x08, 0x17, 0x66), "cp865"),
    **dict.fromkeys((0x26, 0x65), "cp866"),
    0x13: "cp932",
    0x7B: "cp932",
    0x4D: "gbk",
    0x7A: "gbk",
    0x4E: "cp949",
    0x79: "cp949",
    0x4F: "cp950",
    0x78: "cp950",
    0x50: "cp874",
    0x7C: "cp874",
    0x6A: "cp737",
    0x6B: "cp857",
    0x7D: "cp1255",
    0x7E: "cp1256",
    0xC8: "cp1250",
    0xC9: "cp1251",
    0xCA: "cp1254",
    0xCB: "cp1253",
    0xCC: "cp1257",
    0x24: "cp860",
    0x1C: "cp863",
    0x6C: "cp863",
    0x67: "cp861",
}


def decode(content: bytes) -> tuple[str, str]:
    """A text, and its encoding by the name people know."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return content.decode(codec, errors="replace"), shown(codec)
    codec = _without_a_mark(content)
    return content.decode(codec), shown(codec)


def _without_a_mark(content: bytes) -> str:
    # Of two bytes of UTF-16 one is 0 in most of a table, whose separators and digits are ASCII.
    zeros = [content[start::2].count(0) for start in (0, 1)]
    candidates = ["utf-8", "cp1252", "cp850"]
    if max(zeros) > len(content) // 4 and min(zeros) < max(zeros):
        candidates.insert(0, "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le")
    return next(codec for codec in candidates if _decodes(content, codec))


def _decodes(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def shown(codec: str) -> str:
    """The name of an encoding that people know."""
    return _SHOWN.get(codec, codec.upper())


def xml_text(content: bytes) -> str:
    """An XML text without what no XML may hold and without a word on its encoding, for a parser."""
    return _DECLARED.sub(r"\1", _NOT_IN_XML.sub("", decode(content)[0]), count=1)


# Whole files ----------------------------------------------------------------------------------


@contextmanager
def as_utf8(name: str) -> Iterator[tuple[str, str | None]]:
    """A text file in UTF-8, for GDAL.

    Args:
        name: Of any file.

    Yields:
        The same name, or that of a copy of the text in UTF-8 which is there for a while; and what is to
        be told of it.
    """
    text, note = _recoded(name)
    if text is None:
        yield name, note
        return
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        path = Path(name)
        copy = Path(folder) / path.name
        copy.write_text(text, encoding="utf-8", newline="")
        for suffix in _BESIDE:
            if exists(beside := path.with_suffix(suffix)):
                (Path(folder) / beside.name).write_bytes(beside.read_bytes())
        yield str(copy), note


def _recoded(name: str) -> tuple[str | None, str | None]:
    """The text of a file that is not in UTF-8, and what is to be told of it."""
    path = Path(name)
    if path.suffix.lower() not in _TEXTS or not path.is_file():
        return None, None
    if path.stat().st_size > _MOST_BYTES:
        return None, None
    content = path.read_bytes()
    declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)", content)
    if _decodes(content, "utf-8") and content.count(0) == 0:
        return None, None
    if declared and declared[1].lower() not in (b"utf-8", b"utf8"):
        return None, None  # GDAL's parser heeds it
    text, encoding = decode(content)
    return _DECLARED.sub(r"\1", text, count=1), f"text of '{path.name}' taken for {encoding}"


# Texts of a table -----------------------------------------------------------------------------


def find_codec(texts: Sequence[bytes], said: Sequence[str] | None, language: int) -> str | None:
    """The encoding of a DBF table's texts, where it is not what GDAL takes it for.

    Args:
        texts: Names of fields, and values.
        said: The same as GDAL decodes them; None if it cannot, by the encoding that is stated.
        language: The language byte, 0 without one.

    Returns:
        A codec of Python's, None to take what GDAL says.
    """
    if _are_utf8(texts):
        return "utf-8"
    if said is not None and not any(re.search("[\x80-\x9f]", text) for text in said):
        return (
            None  # control characters are no text: such is not ISO-8859-1, for which GDAL takes it
        )
    candidates = (_LANGUAGES.get(language, "cp1252"), "cp1252", "cp850")
    return next(c for c in candidates if all(_decodes(text, c) for text in texts))


def decode_cell(text: bytes, codec: str) -> str:
    """A text that may have been cut in the middle of a character, where its field ends."""
    return codecs.getincrementaldecoder(codec)().decode(text)


def _are_utf8(texts: Sequence[bytes]) -> bool:
    """Whether texts are UTF-8, and at least one of them holds a character that tells."""
    try:
        decoded = [decode_cell(text, "utf-8") for text in texts]
    except UnicodeDecodeError:
        return False
    return any(not text.isascii() for text in decoded)
