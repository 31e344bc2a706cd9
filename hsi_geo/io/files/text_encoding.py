"""Encodings of texts that do not declare one, or declare a wrong one.

Bytes that are valid UTF-8 are UTF-8: valid UTF-8 is very rare in other encodings. Other texts are UTF-16,
Windows-1252, or code page 850 where they cannot be Windows-1252. The language byte of a DBF file has
precedence. A note names the encoding.
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

#: Side files that GDAL reads with a text.
_BESIDE = (".csvt", ".prj", ".xsd", ".gfs")

#: Larger files are not converted, in bytes.
_MOST_BYTES = 256 << 20

#: Marks at the beginning of a text, the longest first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

#: Names of encodings in messages.
_SHOWN = {"cp1252": "Windows-1252", "utf-8-sig": "UTF-8"}

#: The encoding in an XML declaration.
_DECLARED = re.compile(r"""\A(\s*<\?xml[^>]*?)\s+encoding\s*=\s*["'][^"']*["']""")

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

#: Python's codecs by the language byte of a DBF file (its 30th byte).
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
    """Decode a text.

    Args:
        content: Bytes of the text.

    Returns:
        The text, and the usual name of its encoding.

    Example:
        >>> decode("Gewässer".encode("cp1252"))
        ('Gewässer', 'Windows-1252')
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return content.decode(codec, errors="replace"), shown(codec)
    codec = _guess_codec(content)
    return content.decode(codec), shown(codec)


def _guess_codec(content: bytes) -> str:
    # Separators and digits are ASCII: in UTF-16 one of their two bytes is 0.
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
    """The usual name of an encoding, by Python's name of its codec.

    Example:
        >>> shown("cp1252")
        'Windows-1252'
    """
    return _SHOWN.get(codec, codec.upper())


def xml_text(content: bytes) -> str:
    r"""An XML text for a parser: decoded, without forbidden characters and without a declared encoding.

    Args:
        content: Bytes of the file.

    Example:
        >>> xml_text(b'<?xml version="1.0" encoding="x"?><a>\x01b</a>')
        '<?xml version="1.0"?><a>b</a>'
    """
    return _DECLARED.sub(r"\1", _NOT_IN_XML.sub("", decode(content)[0]), count=1)


# Whole files ----------------------------------------------------------------------------------


@contextmanager
def as_utf8(name: str) -> Iterator[tuple[str, str | None]]:
    """A text file in UTF-8, for GDAL.

    Args:
        name: Path of any file.

    Yields:
        The same path, or that of a temporary copy in UTF-8; and a note for the user, None without a copy.
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
    """The text of a file that is not in UTF-8, and a note for the user; else None and None."""
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
        return None, None  # GDAL's parser uses the declared encoding
    text, encoding = decode(content)
    return _DECLARED.sub(r"\1", text, count=1), f"text of '{path.name}' taken for {encoding}"


# Texts of a table -----------------------------------------------------------------------------


def find_codec(texts: Sequence[bytes], decoded: Sequence[str] | None, language: int) -> str | None:
    """Find the encoding of a DBF table's texts, if GDAL decodes them wrongly.

    Args:
        texts: Names of fields and values, as bytes.
        decoded: The same texts as GDAL decodes them; None if GDAL fails.
        language: The language byte of the file, 0 without one.

    Returns:
        Python's name of a codec; None if GDAL's texts are right.

    Example:
        >>> find_codec(["Gewässer".encode()], ["GewÃ¤sser"], 0)
        'utf-8'
    """
    if _are_utf8(texts):
        return "utf-8"
    if decoded is not None and not any(re.search("[\x80-\x9f]", text) for text in decoded):
        return None  # with control characters, the texts would not be in ISO-8859-1, GDAL's default
    candidates = (_LANGUAGES.get(language, "cp1252"), "cp1252", "cp850")
    return next(c for c in candidates if all(_decodes(text, c) for text in texts))


def decode_cell(text: bytes, codec: str) -> str:
    """Decode a text whose last character may be incomplete, because its field was too short.

    Args:
        text: Bytes of the field.
        codec: Python's name of the encoding.

    Example:
        >>> decode_cell("Gewä".encode()[:-1], "utf-8")
        'Gew'
    """
    return codecs.getincrementaldecoder(codec)().decode(text)


def _are_utf8(texts: Sequence[bytes]) -> bool:
    """Whether all texts are valid UTF-8, and at least one is not ASCII."""
    try:
        decoded = [decode_cell(text, "utf-8") for text in texts]
    except UnicodeDecodeError:
        return False
    return any(not text.isascii() for text in decoded)
