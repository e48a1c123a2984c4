"""A folder in, pictures of the main messages as a phone shows them in it: SVG, one a chat.

python -m pictures                 plays the bundled month (a minute or two) and writes docs/images/phone/*.svg
python -m pictures --out FOLDER    the same elsewhere, to compare
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pictures.drawing import draw
from pictures.month import live

PHONE = Path(__file__).parents[1] / "docs" / "images" / "phone"


def main(words: Sequence[str]) -> None:
    """Draw every picture; one that is there already is replaced."""
    parser = argparse.ArgumentParser(prog="python -m pictures", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=PHONE, help="where the pictures go (docs/images/phone)")
    folder: Path = parser.parse_args(words).out
    console = Console()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tocsin-pictures-") as scratch:
        pictures = asyncio.run(live(Path(scratch), console))
    for picture in pictures:
        path = folder / f"{picture.name}.svg"
        path.write_text(draw(picture.bubbles, picture.title, picture.group), encoding="utf-8")
        console.print(f"{path}  {picture.title}, {path.stat().st_size // 1024} kB", highlight=False)


if __name__ == "__main__":
    main(sys.argv[1:])
