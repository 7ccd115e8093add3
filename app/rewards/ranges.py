"""The ranges of the numbers that rules are made of: whatever is inside can be computed with and stored.

They are wide enough for any programme, and narrow enough that no date leaves the calendar and no sum a bigint.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Natural = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
AtLeastWhole = Annotated[int, msgspec.Meta(ge=100, le=10_000)]
Priority = Annotated[int, msgspec.Meta(ge=-1_000_000, le=1_000_000)]

Points = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
SomePoints = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Rate = Annotated[int, msgspec.Meta(ge=0, le=10_000)]  # points per 100 minor units
Worth = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]  # minor units per 100 points

Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]
SomeDays = Annotated[int, msgspec.Meta(ge=1, le=36_500)]
GraceDays = Annotated[int, msgspec.Meta(ge=14, le=36_500)]  # points given back live on for two weeks at least
Hours = Annotated[int, msgspec.Meta(ge=0, le=8_760)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=43_200)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=2_592_000)]

Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
Label = Annotated[str, msgspec.Meta(max_length=200)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
