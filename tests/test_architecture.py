"""Every room imports only from the rooms that docs/architecture.md allows."""

import ast
import sys
from pathlib import Path

import pytest

import sk_distill

ROOT = Path(sk_distill.__file__).parent

# A room may import from itself and from these.
BASE = {"exceptions"}
MAY_IMPORT = {
    "exceptions": set(),
    "_sklearn": set(),
    "interrupts": set(),
    "seeding": set(),
    "validation": BASE,
    "progress": {"_sklearn", "validation"},
    "inference": set(),
    "encoding": {"validation"},
    "transfer_sets": {"encoding", "validation"},
    "_optional": set(),
    "losses": set(),
    "nn": set(),
    "training": {"inference", "losses", "nn", "interrupts", "seeding"} | BASE,
    "networks": {
        "_sklearn",
        "progress",
        "training",
        "nn",
        "losses",
        "encoding",
        "inference",
        "seeding",
        "validation",
    }
    | BASE,
    "soft_targets": {"_sklearn", "interrupts", "validation"} | BASE,
    "knowledge": {"_sklearn", "inference", "networks", "validation"},
    "teaching": {
        "_sklearn",
        "knowledge",
        "networks",
        "progress",
        "seeding",
        "soft_targets",
        "transfer_sets",
    },
    "teachers": {
        "knowledge",
        "_sklearn",
        "networks",
        "training",
        "nn",
        "encoding",
        "inference",
        "progress",
        "seeding",
        "soft_targets",
        "teaching",
        "validation",
    },
    "students": {
        "_sklearn",
        "networks",
        "progress",
        "training",
        "nn",
        "encoding",
        "inference",
        "seeding",
        "validation",
    },
    "compression": {
        "encoding",
        "inference",
        "networks",
        "nn",
        "students",
        "training",
        "validation",
    },
    "plain_student": {"_sklearn", "networks", "students", "teachers", "validation"}
    | BASE,
    "diagram": {"_sklearn", "fitted", "students", "teachers"},
    "distilled_base": {
        "_sklearn",
        "diagram",
        "encoding",
        "knowledge",
        "progress",
        "seeding",
        "soft_targets",
        "students",
        "teachers",
        "teaching",
        "transfer_sets",
        "validation",
    },
    "joint": {
        "_sklearn",
        "networks",
        "progress",
        "seeding",
        "students",
        "teachers",
        "training",
        "transfer_sets",
        "validation",
    },
    "distilled": {
        "distilled_base",
        "encoding",
        "joint",
        "knowledge",
        "networks",
        "plain_student",
        "progress",
        "soft_targets",
        "students",
        "teachers",
        "validation",
    },
    "candidates": {"validation"},
    "folds": {
        "_sklearn",
        "knowledge",
        "networks",
        "progress",
        "teachers",
        "teaching",
        "validation",
    },
    "distilled_cv": {
        "candidates",
        "distilled_base",
        "encoding",
        "folds",
        "knowledge",
        "networks",
        "progress",
        "soft_targets",
        "students",
        "teachers",
        "validation",
    }
    | BASE,
    # These read fitted estimators, by their public attributes.
    "metrics": {"validation"} | BASE,
    "fitted": {"_sklearn", "soft_targets", "validation"},
    "report": {
        "_optional",
        "_sklearn",
        "encoding",
        "fitted",
        "metrics",
        "plot",
        "soft_targets",
        "validation",
    },
    "plot": {
        "_optional",
        "encoding",
        "fitted",
        "students",
        "validation",
    }
    | BASE,
    "export": {
        "_optional",
        "_sklearn",
        "compression",
        "distilled",
        "distilled_cv",
        "encoding",
        "fitted",
        "students",
        "teachers",
        "validation",
    }
    | BASE,
}

# Nothing but these may import torch or skorch when the package is imported: a student
# predicts without them.
TORCH_ROOMS = {"losses", "nn", "training"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module)
    return names


def imported_at_import_time(tree: ast.Module) -> set[str]:
    names = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= imported_modules(ast.Module([node], []))
    return names


FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stay_within_the_allowed_rooms(path):
    room = room_of(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rooms = {
        module.split(".")[1]
        for module in imported_modules(tree)
        if module.startswith("sk_distill.")
    }
    assert rooms <= MAY_IMPORT[room] | {room}
    if room not in TORCH_ROOMS:
        heavy = {"torch", "skorch"} | {f"sk_distill.{name}" for name in TORCH_ROOMS}
        early = {m for m in imported_at_import_time(tree) if m != "sk_distill"}
        assert not {
            m for m in early if any((m + ".").startswith(h + ".") for h in heavy)
        }


def test_losses_and_modules_do_not_know_skorch():
    for path in FILES:
        if room_of(path) in {"losses", "nn"}:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not {m for m in imported_modules(tree) if m.startswith("skorch")}


def test_code_of_exported_files_knows_nothing_of_the_package():
    for path in (ROOT / "export" / "standalone").glob("*.py"):
        modules = imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        own = {module for module in modules if module.startswith("sk_distill")}
        assert all(name.startswith("sk_distill.export.standalone.") for name in own)
        tops = {module.split(".")[0] for module in modules - own}
        no_numpy = path.stem in {"cells", "without_numpy", "answering"}
        allowed = set() if no_numpy else {"numpy"}
        assert tops <= sys.stdlib_module_names | allowed, path


def test_losses_know_torch_only():
    for path in FILES:
        if room_of(path) == "losses":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            tops = {module.split(".")[0] for module in imported_modules(tree)}
            assert tops - sys.stdlib_module_names <= {"torch", "sk_distill"}, path
