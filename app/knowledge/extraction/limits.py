from dataclasses import dataclass

from app.knowledge.errors import FileHasTooManyPages, FileHasTooMuchText


@dataclass(frozen=True)
class Limits:
    """What the extraction of one file may take."""

    # By the clock, and of the processor.
    seconds: int = 120
    # On top of what the libraries take themselves.
    memory_mb: int = 1024
    # A slide and a sheet count as a page.
    pages: int = 5_000
    # Of the text that comes out.
    characters: int = 10_000_000
    # Of that text: headings, paragraphs, lists, tables. One with a single letter takes 300 bytes of
    # the process that receives it, whose memory nothing else limits.
    blocks: int = 500_000
    # Of all parts of a packed file together.
    unpacked_mb: int = 500

    def check_pages(self, count: int, name: str = "pages") -> None:
        """
        Raises:
            FileHasTooManyPages: it has more.
        """
        if count > self.pages:
            raise FileHasTooManyPages(
                f"The file has {count:,} {name}, of which {self.pages:,} can be read; split it, "
                "and upload the parts."
            )

    def check_blocks(self, count: int) -> None:
        """
        Raises:
            FileHasTooMuchText: it has more.
        """
        if count > self.blocks:
            raise FileHasTooMuchText(
                f"The file has more than {self.blocks:,} paragraphs; split it, and upload the "
                "parts."
            )

    def check_characters(self, count: int) -> None:
        """
        Raises:
            FileHasTooMuchText: it has more.
        """
        if count > self.characters:
            raise FileHasTooMuchText(
                f"The file has more than {self.characters:,} characters of text; split it, and "
                "upload the parts."
            )
