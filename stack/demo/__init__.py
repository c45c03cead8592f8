"""The demo world: invented points, people and holders, and 400 days of plausible readings.

`plan`, `folk`, `timeline`, `weather`, `habits`, `electricity`, `gas`, `blemishes`, `readings` are pure: everything in
the world follows from a seed and the last day. `doors` and `loading` bring it in as anybody would, over HTTP.
"""

from __future__ import annotations

from stack.demo.bringing import bring_in, brought_in

__all__ = ["bring_in", "brought_in"]
