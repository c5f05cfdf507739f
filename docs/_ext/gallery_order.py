"""The order of the gallery: from the first steps to the special cases."""

ORDER = [
    "plot_quickstart.py",
    "plot_article.py",
    "plot_forest_to_linear.py",
    "plot_looking.py",
    "plot_mixed_table.py",
    "plot_boosting_munge.py",
    "plot_unlabelled_rows.py",
    "plot_probabilities_from_elsewhere.py",
    "plot_onnx.py",
]


class TeachingOrder:
    """Sort key of sphinx-gallery; a script that is not in the list comes last."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __repr__(self) -> str:
        return "TeachingOrder"

    def __call__(self, filename: str) -> tuple[int, str]:
        place = ORDER.index(filename) if filename in ORDER else len(ORDER)
        return place, filename
