"""Where one number of a description comes from."""
from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Provenance"]


class Provenance(BaseModel):
    """Where one number comes from: source, how far to trust it, and what else to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    trust: str
    note: str = ""
