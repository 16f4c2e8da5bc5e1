"""The page about the offline Qdrant image names what the image serves, no more and no less."""

import ast
import re

from tests.places import CHECKOUT

FOLDER = CHECKOUT / "docker" / "offline" / "qdrant"
ROW = re.compile(r"^\| `(GET|POST|PUT|DELETE|PATCH) (/[^`]*)` \|", re.MULTILINE)


def evaluated(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.BinOp):
        return evaluated(node.left, names) + evaluated(node.right, names)
    if isinstance(node, ast.Name):
        return names[node.id]
    assert isinstance(node, ast.Constant)
    return str(node.value)


def served() -> list[tuple[str, str]]:
    """Methods and paths, read from the source: its engine isn't among what tests have."""
    names: dict[str, str] = {}
    found = []
    for node in ast.parse((FOLDER / "routes.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if isinstance(node.value, ast.Constant | ast.BinOp):
                names[node.targets[0].id] = evaluated(node.value, names)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.List):
            for row in node.value.elts:
                assert isinstance(row, ast.Tuple)
                method, path = row.elts[:2]
                found.append((evaluated(method, names), evaluated(path, names)))
    return [(method, path.replace(":path", "")) for method, path in found]


def test_the_page_lists_what_the_image_serves() -> None:
    listed = ROW.findall((FOLDER / "README.md").read_text("utf-8"))
    assert len(listed) > 20
    assert sorted(listed) == sorted(served())
