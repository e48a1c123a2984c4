"""Column types shared by the tables: enumerations kept as their text values, JSON, and large integers."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Enum


def text_enum(enumeration: type[StrEnum]) -> Any:
    """A portable column for `enumeration`: its values as text, so that adding one needs no migration."""
    return Enum(
        enumeration,
        native_enum=False,
        create_constraint=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )
