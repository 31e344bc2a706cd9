"""Parameters with their help, and those under *Advanced*."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
)

from .parameter_help import COMMON

#: QGIS's own "All files (*.*)" refuses names without a dot.
ANY_FILE = "All files (*)"


class HelpedParameters(QgsProcessingAlgorithm):
    """An algorithm whose parameters have a help text each.

    Attributes:
        HELPS: Help of the algorithm's own parameters by their names; see `parameter_help.COMMON` for the others.
        listed: Title and help of each parameter, and whether it is under *Advanced*.
    """

    HELPS: ClassVar[Mapping[str, str]] = {}
    listed: tuple[tuple[str, str, bool], ...] = ()

    def addParameter(
        self, definition: QgsProcessingParameterDefinition, createOutput: bool = True
    ) -> bool:
        """Add a parameter with its help.

        Args:
            definition: The parameter.
            createOutput: Whether a destination also gets an output.
        """
        text = self.HELPS.get(definition.name()) or COMMON.get(definition.name(), "")
        definition.setHelp(text)
        is_advanced = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagAdvanced
        self.listed = (*self.listed, (definition.description(), text, bool(is_advanced)))
        return bool(super().addParameter(definition, createOutput))

    def add_advanced(self, definition: QgsProcessingParameterDefinition) -> None:
        """Add a parameter under *Advanced*.

        Args:
            definition: The parameter.
        """
        advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
        definition.setFlags(definition.flags() | advanced)
        self.addParameter(definition)


def one_of(name: str, title: str, options: list[str]) -> QgsProcessingParameterEnum:
    """A parameter with a few choices; the first is the default.

    Args:
        name: Name of the parameter.
        title: Title of the parameter.
        options: The choices, which scripts use too.
    """
    return QgsProcessingParameterEnum(
        name, title, options=options, defaultValue=options[0], usesStaticStrings=True
    )
