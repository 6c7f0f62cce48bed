"""Try the files of dist/ as their users would: away from the checkout.

Installs the wheel with the extra lite into an empty environment; there, `skart --help`,
a short `skart demo` and the fifteen lines of README.md run. Then tests of packaging run
in the unpacked sdist.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = "demo --candidates 1 --epochs 2".split()
DRAW = """
import skart
from skart.datasets import make_paintings
print(skart.__version__, skart.__file__)
make_paintings(
    "paintings", movements=["Cubism", "Pop Art"], n_artists=4, n_per_artist=2
)
"""
# These need neither networks nor time.
TESTS = "tests/test_docs.py tests/test_layout.py tests/test_packaging.py tests/store"


def find_one(pattern):
    (found,) = (ROOT / "dist").glob(pattern)
    return found


def main():
    wheel, sdist = find_one("*.whl"), find_one("*.tar.gz")
    # Without folders of modules, such as the checkout.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        venv.create(Path(folder, "venv"), with_pip=True)
        programs = Path(folder, "venv", "Scripts" if os.name == "nt" else "bin")
        here = Path(folder, "here")
        here.mkdir()
        # The README's store lies in the home folder.
        environment |= {"HOME": folder, "USERPROFILE": folder, "MPLBACKEND": "Agg"}

        def run(*command, **options):
            print("$", *[str(x).strip().partition("\n")[0] for x in command])
            options = {"cwd": here, "env": environment} | options
            sys.stdout.flush()
            return subprocess.run(command, check=True, **options)

        python = programs / "python"
        run(python, "-m", "pip", "install", "--quiet", f"{wheel}[lite]", env=None)
        run(programs / "skart", "--help", stdout=subprocess.DEVNULL)
        drawn = run(python, "-c", DRAW, stdout=subprocess.PIPE, text=True).stdout
        version, file = drawn.split()[:2]
        if not Path(file).is_relative_to(folder) or f"-{version}-" not in wheel.name:
            raise SystemExit(f"{file} {version} is not what {wheel.name} installs")
        readme = (ROOT / "README.md").read_text("utf-8")
        (code,) = re.findall(r"```python\n(.*?)```", readme, flags=re.S)
        run(python, "-c", code)
        run(programs / "skart", *DEMO, stdout=subprocess.DEVNULL)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        unpacked = Path(folder, sdist.name.removesuffix(".tar.gz"))
        # With the developers' environment, and the code of the sdist.
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", *TESTS.split()]
        where = environment | {"PYTHONPATH": str(unpacked)}
        run(*command, "-p", "no:cacheprovider", cwd=unpacked, env=where)
    print(f"{wheel.name} and {sdist.name} work")


if __name__ == "__main__":
    main()
