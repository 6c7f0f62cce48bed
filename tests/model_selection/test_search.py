"""Search spaces, and the search over layers, poolings and heads."""

import pytest
from sklearn.linear_model import LogisticRegression

from skart import FeatureStore, make_head_search
from skart.model_selection import ArtistKFold

LAYERS = ["Conv1", "expanded_conv_project"]


@pytest.mark.parametrize(
    ("preset", "n_iter"),
    [
        ("layers", 3),
        pytest.param("layers", 8, marks=pytest.mark.slow),
        pytest.param("style", 8, marks=pytest.mark.slow),
        pytest.param("thorough", 8, marks=pytest.mark.slow),
    ],
)
def test_head_search_computes_each_painting_once(
    paintings, artists, tmp_path, n_passes, preset, n_iter
):
    search = make_head_search(
        preset,
        backbone="MobileNetV2",
        layers=LAYERS,
        cache=tmp_path,
        n_iter=n_iter,
        cv=ArtistKFold(2, artists=artists),
        random_state=0,
        weights=None,
        size=48,
        crop_size=40,
        verbose=False,
        epochs=1,
    )
    if n_iter == 3:  # only layers, with a head that trains fast
        (space,) = search.param_distributions
        space = {name: space[name] for name in space if name.startswith("features__")}
        estimator = search.estimator.set_params(head=LogisticRegression())
        search.set_params(estimator=estimator, param_distributions=space)
    search.fit(paintings.paths, paintings.labels)
    candidates = search.cv_results_["params"]
    n_windows = 9 if preset == "thorough" else 1
    assert n_passes() == n_windows * len(paintings.paths)
    info = FeatureStore(tmp_path).info()
    assert info["arrays"] == info["writes"]
    assert candidates[0] == {}  # the defaults
    assert len({str(candidate.get("features__layer")) for candidate in candidates}) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"preset": "all"}, ValueError, "preset must be one of"),
        ({"crops": 5}, TypeError, "make_head_search sets crops itself"),
        ({"layers": "mixed5"}, TypeError, "must be a list of names; got 'mixed5'"),
        (
            {"backbone": "MobileNetV2", "layers": ["Conv1", "Conv2"]},
            ValueError,
            "layer of MobileNetV2; got 'Conv2'. Did you",
        ),
        ({"cache": None}, TypeError, "cache must be a folder or a FeatureStore"),
        ({"unit": 8}, TypeError, "has no parameter 'unit'. Did you mean 'units'"),
    ],
)
def test_head_search_errors(parameters, error, message):
    with pytest.raises(error, match=message):
        make_head_search(**({"cache": "x"} | parameters))


@pytest.mark.slow
def test_head_search_space():
    search = make_head_search(cache="x", random_state=3)
    space = search.param_distributions
    dense, linear = (part["head"][0] for part in space)
    assert type(dense).__name__ == "DenseHeadClassifier"
    assert [*linear.named_steps] == ["standardscaler", "logisticregression"]
    assert all(hasattr(head, "predict_proba") for head in (dense, linear))
    assert search.random_state == dense.random_state == 3
    assert ("mixed2", "mixed5", "mixed8") in space[0]["features__layer"]
    assert ("avg", "std") in space[0]["features__pooling"]
    thorough = make_head_search("thorough", cache="x").param_distributions
    heads = [part["head"][0] for part in thorough]
    assert [*heads[2].named_steps] == ["standardscaler", "svc"]
