"""The dock *hsi-geo live*: draw shots, and a preview of the map follows.

It talks to ``hsi-geo serve``, which computes in a process of its own.
"""

from __future__ import annotations
