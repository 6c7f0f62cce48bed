import re
from pathlib import Path

import pytest

from skart.datasets import make_paintings

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the README is not installed")
def test_the_readmes_code_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
    assert len(blocks) == 5
    code = "\n".join(blocks)
    # As it stands, but small, without a download and without the user's cache.
    for old, new in (
        (
            "FeatureExtractor(cache=",
            "FeatureExtractor('MobileNetV2', weights=None, cache=",
        ),
        ("size=299", "size=96"),
        ("~/.cache/skart", str(tmp_path / "cache")),
        ("units=650", "units=8, epochs=1"),
        ("n_iter=5", "n_iter=1"),
        ("size=500", "size=32"),
        ("epochs=20", "epochs=1"),
        (
            'unfreeze_from="mixed9"',
            'backbone="MobileNetV2", weights=None, epochs=1, '
            'unfreeze_from="block_16_project_BN"',
        ),
    ):
        assert old in code
        code = code.replace(old, new)
    make_paintings(
        tmp_path / "paintings",
        movements=["Op Art", "Cubism"],
        n_artists=3,
        n_per_artist=2,
        size_range=(100, 150),
        verbose=False,
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
