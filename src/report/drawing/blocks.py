"""Parts of the page that are built when they are looked at: packed, where the page would be heavy with all of them."""

import base64
import dataclasses
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from markupsafe import Markup, escape

PLAIN: Final = 4000
"""Elements that a page may hold without packing any: small pages need no script to be read, searched and printed."""
_SMALL: Final = 40
"""Elements of a part that is never worth packing."""
_HOLDER: Final = re.compile(r"<!--block (\d+)-->")
_IDS: Final = re.compile(r'\bid="([^"]+)"')
_START: Final = re.compile(r"<[a-z]")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One part.

    Attributes:
        html: what it holds; other blocks as comments with their places.
        protocol, data: that the reader must have chosen to see it; "" for any.
        at_once: whether it is among the first things seen, and so is never packed.
    """

    html: str
    protocol: str
    data: str
    at_once: bool


def holder(held: list[Block]) -> Callable[..., Markup]:
    """Return what templates call around a part of the page; it is kept in `held`, and a comment takes its place."""

    def block(*, caller: Callable[[], str], protocol: str = "", data: str = "", at_once: bool = False) -> Markup:
        held.append(Block(html=str(caller()), protocol=protocol, data=data, at_once=at_once))
        return Markup(f"<!--block {len(held) - 1}-->")  # noqa: S704  # a number

    return block


def filled(page: str, held: Sequence[Block]) -> str:
    """Put the parts back, as they are in a small page and packed in a large one.

    Args:
        page: with comments where parts belong.
        held: the parts.
    """
    heavy = elements(page) + sum(elements(block.html) for block in held) > PLAIN

    def put(found: re.Match[str]) -> str:
        block = held[int(found[1])]
        content = _HOLDER.sub(put, block.html)
        about = f' data-protocol="{escape(block.protocol)}"' * bool(block.protocol)
        about += f' data-set="{escape(block.data)}"' * bool(block.data)
        if not heavy or block.at_once or elements(content) < _SMALL:
            return f'<div class="block"{about}>{content}</div>'
        ids = " ".join(_IDS.findall(content))
        about += f' data-ids="{ids}"' * bool(ids)
        packed = base64.b64encode(zlib.compress(content.encode(), 9)).decode("ascii")
        return f'<div class="block packed"{about}><script type="text/plain">{packed}</script></div>'

    return _HOLDER.sub(put, page)


def elements(html: str) -> int:
    """Count start tags."""
    return len(_START.findall(html))
