"""``skart reproduce``: the experiments of the report, in its order."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

from skart.cli import _options as options
from skart.cli._app import argument, as_json, command, option, say


@command
@options.reads_collection
def reproduce(
    data: argument(
        str | None,
        "The unpacked Pandora18K, or any folder Movement/Artist/file. With "
        "--quick, paintings are drawn if it is left out or does not exist.",
        metavar="[DIR]",
        parser=options.parse_image,
    ) = None,
    quick: option(
        bool, "Small images, short training: ten minutes for 480 paintings.", "--quick"
    ) = False,
    out: option(Path, "Folder for results, figures and models.") = Path(
        "skart-reproduction"
    ),
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    size: option(
        int | None,
        "Height and width of the images for networks trained from scratch. "
        "Default: 500 as in the report, 96 with --quick.",
        min=32,
    ) = None,
    pretrained_size: option(
        int | None,
        "Height and width of the images for the pretrained network. Default: 500; "
        "with --quick those it was trained on, 299 for InceptionV3.",
        min=75,
    ) = None,
    epochs: option(
        int | None,
        "Maximum number of epochs of networks trained from scratch. Default: "
        "40, 12 with --quick.",
        min=1,
    ) = None,
    n_networks: option(
        int | None,
        "Number of networks in the random search. Default: 10, 3 with --quick.",
        min=1,
    ) = None,
    n_heads: option(
        int | None,
        "Number of heads in the random search. Default: 40, 6 with --quick.",
        min=1,
    ) = None,
    head_epochs: option(
        int | None,
        "Maximum number of epochs of heads on the frozen network. Default: 100, "
        "40 with --quick.",
        min=1,
    ) = None,
    cited: option(
        bool, "Also run the systems that the report cites.", "--cited/--no-cited"
    ) = True,
    plan: option(
        bool,
        "Only print how long the command will take, and how much memory and disk: "
        "parts of it are timed on a few paintings.",
        "--plan",
    ) = False,
    on_error: options.OnError = "raise",
    seed: options.Seed = 0,
    format: options.Format = "table",
):
    """Run every experiment of the report and compare the results.

    VGG-lite; the hybrid CNN by random search; a frozen pretrained network with a head
    by random search; its last module fine-tuned; the figures of the collection and the
    confusion matrix of the best model; then the systems that the report cites. 80 % of
    the paintings are for training, 10 % for validation and 10 % for the test. Where
    artists can be kept apart, the accuracies with artists apart stand beside those of
    the random split.

    Before the first experiment, time, memory and disk are planned; `--plan` stops
    there. If the command is interrupted, the same command continues after the last
    network or head that was trained.

    Examples
    --------
        skart reproduce --quick

        skart reproduce Pandora_18k/ --out pandora

        skart reproduce Pandora_18k/ --plan

        skart reproduce Pandora_18k/ --no-cited --size 64 --epochs 4

        skart reproduce my_paintings/ --size 128 --weights inception_v3.weights.h5
    """
    if data is None and not quick:
        raise ValueError(
            "no folder of paintings. Name one (skart reproduce Pandora_18k/), or pass "
            "--quick to draw paintings."
        )

    from skart.cli._collection import choose_backbone, load_collection
    from skart.datasets import make_paintings
    from skart.networks._style_layers import default_size
    from skart.reproduction._apart import NOTE, compare_artists, format_artists
    from skart.reproduction._cited import (
        CAVEAT,
        compare_cited,
        format_cited,
        run_cited,
    )
    from skart.reproduction._experiments import Reproduction
    from skart.reproduction._page import write_page
    from skart.reproduction._plan import make_plan
    from skart.reproduction._reported import compare, format_comparison
    from skart.reproduction._settings import QUICK, Settings
    from skart.reproduction._usage import (
        check_disk,
        compare_usage,
        describe_plan,
        format_plan,
        format_usage,
    )

    _check_folder(out)
    backbone, weights = choose_backbone(backbone, weights, say)
    drawn = out / "paintings"
    if data is None:
        data = options.Source(drawn)
    is_drawn = data.path == drawn or not (data.is_table or data.locate().exists())
    if quick and is_drawn:
        say(f"Paintings: drawn into {data}", bold=True)
        make_paintings(data.locate(), random_state=seed, n_jobs=-1)
    collection = load_collection(data, say, on_error)
    settings = Settings()
    if quick:
        settings = dataclasses.replace(QUICK, pretrained_size=default_size(backbone))
    given = {
        "size": size,
        "pretrained_size": pretrained_size,
        "epochs": epochs,
        "search_epochs": min(epochs, settings.search_epochs) if epochs else None,
        "n_networks": n_networks,
        "n_heads": n_heads,
        "head_epochs": head_epochs,
    }
    given = {name: value for name, value in given.items() if value is not None}
    reproduction = Reproduction(
        collection,
        out,
        dataclasses.replace(settings, **given),
        backbone=backbone,
        weights=weights,
        on_error=options.of_loader(on_error),
        seed=seed,
        say=say,
        claim=False,
    )
    say("\nPlan: parts are timed on a few paintings")
    expected = make_plan(reproduction, cited=cited)
    if plan:
        described = describe_plan(expected, out)
        return as_json(described) if format == "json" else format_plan(described)
    check_disk(expected, out)
    reproduction.made_with = reproduction.claim_folder()
    planned = reproduction.note_plan(expected)
    say(format_plan(describe_plan(expected, out)))
    results = reproduction.run()
    of_cited = run_cited(reproduction) if cited else {}
    table = compare(results, with_reported=reproduction.is_pandora18k)
    artists = compare_artists(results)
    before = compare_cited(of_cited)
    usage = compare_usage(planned, results, of_cited, out)
    page = write_page(reproduction, results, table, before, usage)
    say(f"\nsaved {page}, and figures, models and results beside it")
    if format == "json":
        return as_json(
            {
                "pandora18k": reproduction.is_pandora18k,
                "experiments": table.reset_index().to_dict("records"),
                "artists_apart": artists.reset_index().to_dict("records"),
                "cited": before.reset_index().to_dict("records"),
                "usage": usage.reset_index().to_dict("records"),
                "page": str(page),
            }
        )
    parts = [reproduction.describe(), format_comparison(table).to_string(line_width=80)]
    if len(artists):
        parts += [
            f"With artists kept apart. {NOTE}",
            format_artists(artists).to_string(line_width=80),
        ]
    if cited:
        parts += [
            f"Cited systems. {CAVEAT}",
            format_cited(before).to_string(line_width=80),
        ]
    parts += ["Planned and actual use.", format_usage(usage).to_string(line_width=80)]
    return "\n\n".join(parts)


def _check_folder(out):
    """Raise ValueError if a folder can't be made or written to; leave it as it is."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(
            f"--out {out}: {error.strerror.lower()}. Name another folder for the "
            "results."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
