"""Pipelines as ONNX files, asked by onnxruntime."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from numpy.testing import assert_allclose
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from onnx_sessions import ask, assert_same, session_of, student_of
from sk_distill import (
    DistilledClassifier,
    LinearStudent,
)
from sk_distill.export import to_onnx


@pytest.fixture
def path(tmp_path):
    return tmp_path / "student.onnx"


def test_a_pipeline_on_an_array(multiclass, path):
    X = multiclass[0].astype(np.float32)
    student = student_of("piecewise_linear", (4,))
    model = Pipeline(
        [
            ("nothing", "passthrough"),
            ("scale", make_pipeline("passthrough", StandardScaler())),
            ("nothing either", make_pipeline("passthrough")),
            ("model", DistilledClassifier(GaussianNB(), student)),
        ]
    ).fit(X, multiclass[1])
    assert_same(session_of(model, path), model, X, atol=1e-5)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_pipeline_on_a_mixed_frame(by_name, mixed_frame, mixed_labels, path):
    frame = mixed_frame.assign(
        flag=mixed_frame["flag"].astype(float),
        unused=mixed_frame["eye color"].astype(str),
    ).fillna({"eye color": "unknown"})
    columns = frame.columns.tolist()
    places = columns if by_name else list(range(len(columns)))
    numbers, color, flag = [places[0], places[3]], places[1], places[2]
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("color", OneHotEncoder(handle_unknown="ignore"), [color]),
            ("ordinal", OrdinalEncoder(), [color]),
            ("flag", "passthrough", [flag]),
        ]
    )
    student = DistilledClassifier(GaussianNB(), student_of("standard", (4,)))
    model = make_pipeline(encode, student).fit(frame, mixed_labels)
    session = session_of(model, path)
    assert_same(session, model, frame, atol=1e-5)
    # What no step uses need not be fed, be it text or not.
    inputs = {value.name: value.type for value in session.get_inputs()}
    text = inputs.pop("eye color")
    assert text == "tensor(string)"
    assert inputs == dict.fromkeys(["number", "flag", "whole"], "tensor(float)")


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize(
    "encode",
    [
        ColumnTransformer(
            [("scale", StandardScaler(), ["whole"])], remainder="passthrough"
        ),
        ColumnTransformer(
            [
                ("color", "passthrough", ["eye color"]),
                ("scale", make_pipeline(StandardScaler()), ["whole"]),
                ("number", FunctionTransformer(), ["number"]),
                ("unused", "drop", ["flag", "constant"]),
            ]
        ),
        make_pipeline(
            ColumnTransformer([("color", "passthrough", ["eye color"])]),
            FunctionTransformer(),
        ),
    ],
    ids=["remainder", "named", "alone"],
)
def test_text_that_a_pipeline_passes_through(
    encode, output, mixed_frame, mixed_labels, path
):
    """The graph took the text for numbers, and no runtime loaded the file."""
    encode = clone(encode).set_output(transform=output)
    frame = mixed_frame.assign(flag=mixed_frame["flag"].astype(float))
    frame.loc[:3, "number"] = [1e-30, 1e30, 123456.7, -3.4e38]
    model = make_pipeline(encode, student_of("standard", (4,))).fit(frame, mixed_labels)
    assert_same(session_of(model, path), model, frame, atol=1e-5)


def frame_of_numbers():
    cells = np.random.default_rng(0).normal(size=(200, 4))
    return pd.DataFrame(cells.astype(np.float32), columns=[*"abcd"])


SCALE_B = ColumnTransformer([("scale", StandardScaler(), ["b"])])


@pytest.mark.parametrize(
    "step",
    [
        KBinsDiscretizer(3, encode="ordinal", strategy="uniform"),
        MinMaxScaler(),
        PCA(2),
        PolynomialFeatures(),
        PowerTransformer(),
        QuantileTransformer(n_quantiles=20),
        SelectKBest(k=2),
        SimpleImputer(),
        StandardScaler(),
        TruncatedSVD(2),
        VarianceThreshold(),
        make_pipeline(make_pipeline("passthrough", PowerTransformer()), PCA(2)),
        FeatureUnion(
            [
                ("pca", PCA(2)),
                ("columns", "passthrough"),
                ("nothing", "drop"),
                ("named", make_pipeline(SCALE_B, StandardScaler())),
            ],
            transformer_weights={"pca": 2.0},
        ),
        FeatureUnion(
            [
                ("nothing", make_pipeline("passthrough")),
                ("scale", make_pipeline("passthrough", StandardScaler())),
            ]
        ),
        ColumnTransformer(
            [
                ("nothing", make_pipeline("passthrough"), ["a", "b"]),
                ("scale", make_pipeline("passthrough", StandardScaler()), ["c", "d"]),
            ]
        ),
    ],
    ids=lambda step: type(step).__name__,
)
def test_every_column_of_a_frame_reaches_the_first_step(step, path):
    """Steps of skl2onnx's looked at the first column only, and the others were dropped.

    Of a PowerTransformer the file was wrong by 0.17, of a SelectKBest no answer came.
    """
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(size=(200, 4)).astype(np.float32), columns=[*"abcd"]
    )
    y = (frame["a"] + frame["b"] > frame["d"]).to_numpy()
    student = DistilledClassifier(GaussianNB(), LinearStudent())
    model = make_pipeline(clone(step), student).fit(frame, y)
    session = session_of(model, path)
    assert_same(session, model, frame, atol=1e-5)
    assert [value.name for value in session.get_inputs()] == [*"abcd"]


def test_what_a_step_takes_by_name_is_all_that_is_fed(path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.normal(size=(200, 4)).astype(np.float32), columns=[*"abcd"]
    )
    union = FeatureUnion([("once", SCALE_B), ("twice", clone(SCALE_B))])
    model = make_pipeline(union, LinearStudent()).fit(frame, frame["b"] > 0)
    session = session_of(model, path)
    assert_same(session, model, frame, atol=1e-5)
    assert [value.name for value in session.get_inputs()] == ["b"]


def test_every_column_of_a_frame_reaches_a_student_from_elsewhere(path):
    """skl2onnx refused a frame's columns where a tree took them."""
    frame = frame_of_numbers()
    y = (frame["a"] > frame["c"]).to_numpy()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = DistilledClassifier(GaussianNB(), tree).fit(frame, y)
    assert_same(session_of(model, path), model, frame)


@pytest.mark.parametrize(
    "step",
    [
        OneHotEncoder(sparse_output=False),
        OneHotEncoder(sparse_output=False, min_frequency=70),
        OneHotEncoder(sparse_output=False, drop="first"),
        OrdinalEncoder(),
        TargetEncoder(),
        FeatureUnion(
            [("a", OneHotEncoder(sparse_output=False)), ("b", TargetEncoder())]
        ),
    ],
    ids=["one-hot", "infrequent", "but one", "ordinal", "target", "union"],
)
@pytest.mark.parametrize("with_numbers", [False, True])
def test_encoders_of_whole_frames(with_numbers, step, path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"color": rng.choice([*"xyz"], 200), "size": rng.choice([*"sm"], 200)}
    )
    y = (frame["color"] == "x") ^ (frame["size"] == "s")
    if with_numbers:
        frame["count"] = rng.integers(0, 3, 200).astype(np.float32)
    model = make_pipeline(step, LinearStudent()).fit(frame, y)
    session = session_of(model, path)
    assert_same(session, model, frame, atol=1e-5)
    assert [value.name for value in session.get_inputs()] == list(frame)


class FirstColumn(TransformerMixin, BaseEstimator):
    """A step that somebody has taught skl2onnx to convert, its first input only."""

    def fit(self, X, y=None):
        self.categories_ = [pd.unique(X[name]) for name in X]
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = X.columns.to_numpy()
        return self

    def transform(self, X):
        return X.iloc[:, :1].to_numpy()


def test_no_column_is_left_out_unseen(path):
    def set_types(operator):
        operator.outputs[0].type = FloatTensorType([None, 1])

    def convert(scope, operator, container):
        names = [operator.inputs[0].full_name], [operator.outputs[0].full_name]
        container.add_node("Identity", *names)

    skl2onnx.update_registered_converter(FirstColumn, "First", set_types, convert)
    frame = pd.DataFrame({"x": np.float32([0, 1, 2, 3] * 5), "eye color": [*"ab"] * 10})
    model = make_pipeline(FirstColumn(), LinearStudent()).fit(frame, frame["x"] > 1)
    with pytest.raises(
        ValueError, match=r"leaves out the columns \['eye color'\] .* a C"
    ):
        to_onnx(model, path)
    assert not path.exists()


def on_frame(X):
    return pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])


@pytest.mark.parametrize("table_of", [np.asarray, on_frame])
@pytest.mark.parametrize(
    ("step", "message"),
    [
        (SelectKBest(k=1), r"step 'scale__last', a SelectKBest \(InferenceError: "),
        (KNNImputer(), r"step 'scale__last', a KNNImputer \(AssertionError: "),
        (
            SplineTransformer(),
            r"step .scale__last., a SplineTransformer \(MissingShapeCalculator: ",
        ),
    ],
    ids=["not loaded", "newer", "unknown"],
)
def test_steps_of_which_there_is_no_valid_graph(step, message, table_of, binary, path):
    """Where the first column alone was picked, no runtime loaded what was written."""
    X = table_of(binary[0])
    steps = [("first", StandardScaler()), ("last", step)]
    model = Pipeline([("scale", Pipeline(steps)), ("student", LinearStudent())])
    model.fit(X, binary[0][:, 0] > 0)
    path.write_text("what was there")
    with pytest.raises(ValueError, match=f"to_onnx: .* of {message}") as raised:
        to_onnx(model, path)
    assert "to_onnx(pipeline[-1], path)" in str(raised.value)
    assert raised.value.__cause__ is not None
    assert path.read_text() == "what was there"
    # What the message says to do.
    rows = pd.DataFrame(model[:-1].transform(X)).to_numpy()
    to_onnx(model[-1], path)
    _, proba = ask(onnxruntime.InferenceSession(path), rows)
    assert_allclose(proba, model.predict_proba(X), atol=1e-5)


def with_gaps(X):
    gaps = np.arange(X.shape[1]) == np.arange(len(X))[:, None] % 9
    return np.where(gaps, np.nan, X)


INDICATE = SimpleImputer(add_indicator=True)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (INDICATE, r"step 'step', a SimpleImputer \(\w+: \[ONNXRuntimeError\]"),
        (
            ColumnTransformer([("part", INDICATE, ["c0", "c2"])]),
            r"step 'step', a ColumnTransformer \(",
        ),
        (
            make_pipeline(SimpleImputer(), LinearDiscriminantAnalysis()),
            r"step 'step__lineardiscriminantanalysis', a LinearDiscriminantAnalysis \(",
        ),
    ],
    ids=["alone", "within", "student blamed"],
)
def test_graphs_that_load_and_do_not_answer(step, message, binary, path, capfd):
    """The file was written, and each call of a runtime failed.

    Of a discriminant analysis the student was said to be what fails.
    """
    frame = on_frame(with_gaps(binary[0]))
    model = Pipeline([("step", step), ("student", LinearStudent())])
    model.fit(frame, binary[1])
    path.write_text("what was there")
    with pytest.raises(ValueError, match=f"no valid graph of {message}") as raised:
        to_onnx(model, path)
    assert "to_onnx(pipeline[-1], path)" in str(raised.value)
    assert "/onnxruntime" not in str(raised.value)
    assert path.read_text() == "what was there"
    # A runtime has a way of its own to say what has failed.
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("cell", [None, np.nan])
def test_missing_cells_that_an_encoder_makes_nan_of(cell, path):
    """Answers were wrong by 0.97: of NaN skl2onnx made a level like the others."""
    rng = np.random.default_rng(0)
    kinds = rng.choice(np.array(["u", "v", cell], dtype=object), 300)
    frame = pd.DataFrame({"kind": kinds, "size": rng.normal(size=300)})
    y = (frame["kind"].isna() + frame["size"] > 0.5).astype(int)

    def pipeline_of(encoder):
        encode = ColumnTransformer([("k", make_pipeline(encoder), ["kind"])])
        return make_pipeline(FeatureUnion([("u", encode)]), LinearStudent())

    with pytest.raises(
        ValueError, match=r"columns \['kind'\] and makes NaN .*_missing_value=-1\)"
    ):
        to_onnx(pipeline_of(OrdinalEncoder()).fit(frame, y), path)
    assert not path.exists()
    model = pipeline_of(OrdinalEncoder(encoded_missing_value=-1)).fit(frame, y)
    assert_same(session_of(model, path), model, frame, atol=1e-5)
    known = frame.dropna()
    model = pipeline_of(OrdinalEncoder()).fit(known, y[known.index])
    assert_same(session_of(model, path), model, known, atol=1e-5)


@pytest.mark.parametrize("kind", [float, str])
@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(OneHotEncoder(sparse_output=False), LinearStudent()),
        make_pipeline(
            OrdinalEncoder(), OneHotEncoder(sparse_output=False), LinearStudent()
        ),
        make_pipeline(
            OrdinalEncoder(), DistilledClassifier(GaussianNB(), CategoricalNB())
        ),
    ],
    ids=["one-hot", "both", "student of codes"],
)
def test_what_knows_certain_levels_only_is_written(model, kind, path):
    """Rows that are made up have to have levels that such a graph answers."""
    codes = np.random.default_rng(0).choice([3, 5, 7], size=(200, 2))
    frame = pd.DataFrame(codes.astype(kind), columns=[*"ab"])
    model = clone(model).fit(frame, codes[:, 0] > 4)
    assert_same(session_of(model, path), model, frame, atol=1e-5)


def test_a_search_over_pipelines_is_told_what_to_pass(multiclass, path):
    """The way out was the last step alone, without what came before it."""
    X, y = multiclass
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("model", DistilledClassifier(GaussianNB()))]
    )
    search = GridSearchCV(pipeline, {"model__distillation_weight": [1.0]}, cv=2)
    search.set_params(estimator__model__student="linear").fit(X, y)
    with pytest.raises(TypeError, match=r"a GridSearchCV; .* Pass its best_estimator_"):
        to_onnx(search, path)
    X = X.astype(np.float32)
    best = search.best_estimator_
    assert_same(session_of(best, path), best, X, atol=1e-5)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_an_encoder_knows_a_missing_cell_by_one_spelling(missing, path):
    """As the docstring of to_onnx says; a student knows all of them."""
    rng = np.random.default_rng(0)
    cells = rng.choice(np.array(["a", "b", missing], dtype=object), 200)
    y = np.array([cell == "a" for cell in cells]) ^ (rng.random(200) < 0.1)
    X = cells[:, None]
    model = make_pipeline(
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        DistilledClassifier(GaussianNB(), "linear"),
    ).fit(X, y)
    session = session_of(model, path)
    expected = model.predict_proba(np.array([[missing]], dtype=object))
    unknown = model.predict_proba(np.array([["?"]], dtype=object))
    assert abs(expected - unknown).max() > 1e-3
    for text in ("nan", "None", "<NA>", ""):
        answer = ask(session, pd.DataFrame({"x0": [text]}))[1]
        wanted = expected if text == str(missing) else unknown
        assert_allclose(answer, wanted, rtol=0, atol=1e-6)
