"""Names of array types for annotations: one name for each element type, the same in every module.

The names tell the element type only. Docstrings tell the shape, for example (C, H, W).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

#: Elements of any type, such as values as a file stores them.
AnyArray = npt.NDArray[Any]

#: Flags and masks.
BoolArray = npt.NDArray[np.bool_]

#: Pixel values and network inputs, in single precision.
Float32Array = npt.NDArray[np.float32]

#: Wavelengths, coordinates and statistics, in double precision.
Float64Array = npt.NDArray[np.float64]

#: Class numbers, rows, columns and counts, in 64 bits.
IntArray = npt.NDArray[np.int64]

#: Indices into other arrays, as NumPy returns them.
IndexArray = npt.NDArray[np.intp]

#: Class ids as maps store them.
UInt8Array = npt.NDArray[np.uint8]
