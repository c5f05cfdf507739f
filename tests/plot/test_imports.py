"""Without matplotlib, and for classifiers from elsewhere."""

import subprocess
import sys

import pytest
from sklearn.linear_model import LogisticRegression

from sk_distill.plot import FidelityDisplay, TrainingCurveDisplay


def test_matplotlib_is_imported_by_a_plot_alone():
    # scikit-learn imports pandas where it is installed.
    code = (
        "import sys; sys.modules['pandas'] = None;"
        "import sk_distill, sk_distill.plot; assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(
        ImportError, match=r'plot needs matplotlib.*"sk-distill\[plot\]"'
    ):
        TrainingCurveDisplay(history={"train_loss": [1]}).plot()


def test_a_classifier_from_elsewhere_is_named(binary):
    model = LogisticRegression().fit(*binary)
    with pytest.raises(AttributeError, match="LogisticRegression has no teacher_"):
        FidelityDisplay.from_estimator(model, binary[0])
