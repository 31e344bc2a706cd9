"""Names of the stages of a job, as progress shows them: what happens now, in plain words.

The command line, notebooks and QGIS show these names. ``--progress jsonl`` has them as ``stage``.
"""

from __future__ import annotations

from typing import Final

READING: Final = "Reading the scene"
LEARNING: Final = "Learning from the shots"
TRAINING: Final = "Training the network"
ACCURACY: Final = "Estimating accuracy"
MAPPING: Final = "Mapping"
REPORT: Final = "Writing the report"
COMPARING_MAPS: Final = "Comparing the maps"
POLYGONS: Final = "Drawing polygons"
COPYING: Final = "Copying the scene"
EXPORTING: Final = "Exporting the model"

PRETRAINING: Final = "Pre-training"
COMPARING: Final = "Comparing methods"

CHECKING_TILES: Final = "Checking the tiles"
ADDING_AREAS: Final = "Adding up the areas"
