"""Stores on network file systems: a warning, once, before the first write."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import keys, vectors
from typer.testing import CliRunner

from skart import FeatureExtractor, FeatureStore
from skart.cli import app
from skart.store._mounts import find_network_file_system

IDENTITY = {"backbone": "stand-in"}

TABLE = r"""
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2,addr=10.0.0.1 0 0
/dev/sdb1 /home/alice/scratch xfs rw 0 0
//server/my\040share /mnt/my\040share cifs rw 0 0
server:/old /data nfs rw 0 0
/dev/sdc1 /data ext4 rw 0 0
alice@server: /remote fuse.sshfs rw 0 0
portal /run/portal fuse.portal rw 0 0
lustre@tcp:/fs /lustre lustre rw 0 0
broken
"""


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/var/cache", None),
        ("/home", "nfs4"),
        ("/home/alice/.cache/skart", "nfs4"),
        ("/home/alice/scratch/skart", None),
        ("/homework/skart", None),
        ("/mnt/my share/skart", "cifs"),
        ("/mnt/my", None),
        ("/data/skart", None),  # mounted over
        ("/remote/skart", "fuse.sshfs"),
        ("/run/portal/skart", None),
        ("/lustre/../lustre/skart", "lustre"),
    ],
)
def test_the_longest_mount_point_decides(path, kind):
    assert find_network_file_system(path, TABLE) == kind
    assert find_network_file_system(path, "") is None


def test_links_are_followed(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    table = f"/dev/sda1 / ext4 rw 0 0\nserver:/ {tmp_path / 'there'} nfs rw 0 0\n"
    assert find_network_file_system(tmp_path / "link" / "store", table) == "nfs"
    assert find_network_file_system(tmp_path / "store", table) is None


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A folder that the system's table says is on a network file system."""
    read = Path.read_text

    def read_text(path, *args, **options):
        if str(path) == "/proc/self/mounts":
            return f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n"
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    return tmp_path


def test_warning_is_issued_once(network):
    with pytest.warns(UserWarning, match=r"network file system \(nfs4\)") as told:
        for _ in range(2):
            section = FeatureStore(network / "store").section(IDENTITY)
            section.write(keys(2), vectors(2))
    assert len(told) == 1
    assert f"the feature store {network / 'store'} is on" in str(told[0].message)
    assert f"cache='{tempfile.gettempdir()}/skart'" in str(told[0].message)
    assert section.read(keys(2))[1].all()
    with pytest.warns(UserWarning, match="network file system"):
        FeatureStore(network / "another").section(IDENTITY).write(keys(2), vectors(2))


def test_warning_of_an_extractor(network):
    extractor = FeatureExtractor(
        "VGG16",
        weights=None,
        layer="block1_pool",
        cache=network / "features",
        verbose=False,
    )
    with pytest.warns(UserWarning, match="network file system") as told:
        extractor.transform(np.zeros((2, 32, 32, 3), np.uint8))
    assert len(told) == 1


def test_reading_gives_no_warning(tmp_path, network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = FeatureStore(network / "read")
        assert store.section(IDENTITY).missing(keys(1)).all()
        store.info(), store.verify()
        done = CliRunner().invoke(app, ["cache", "info", "--cache", str(store.root)])
        assert done.exit_code == 0 and "network" not in done.stderr


def test_temporary_store_gives_no_warning(network, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(network))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FeatureStore.temporary().section(IDENTITY).write(keys(2), vectors(2))
