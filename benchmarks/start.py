"""Time starts: seconds of imports and of ``skart --help`` in fresh processes.

Each is run in turn, after a first run that has the files in memory and byte code made.
Prints a Markdown table.

    python benchmarks/start.py
"""

import argparse
import os
import subprocess
import sys

from common import describe_machine, spread, time_in_turn

COMMANDS = {
    "`python -c pass`": ["-c", "pass"],
    "`import skart`": ["-c", "import skart"],
    "`skart --help`": ["-c", "from skart.cli import main; main()", "--help"],
    "`import sklearn.pipeline`": ["-c", "import sklearn.pipeline"],
    "`import keras`": ["-c", "import keras"],
    "`import tensorflow`": ["-c", "import tensorflow"],
}


def start(arguments):
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    print(describe_machine() + "\n")
    functions = {
        name: lambda arguments=arguments: start(arguments)
        for name, arguments in COMMANDS.items()
    }
    seconds, _ = time_in_turn(functions, args.rounds)
    print("| start | seconds |\n|---|---|")
    for name, value in seconds.items():
        print(f"| {name} | {spread(value)} |")


if __name__ == "__main__":
    main()
