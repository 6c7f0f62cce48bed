"""Figures of the report, and their comparison with ours.

Yu, Jin, Hsu. "Artistic Movement Recognition using Deep CNNs". Stanford CS231n report,
2017.
"""

import pandas as pd

# In percent and seconds.
REPORTED = {
    "vgg-lite": {"test": 31.2},
    "hybrid": {"test": 35.8, "seconds_per_epoch": 300},
    "transfer": {"train": 90.6, "validation": 57.84, "test": 56.6},
    "fine-tune": {"before": 55.53},
}

TITLES = {
    "vgg-lite": "VGG-lite",
    "hybrid": "hybrid CNN",
    "reported-head": "frozen network, the report's best head",
    "transfer": "frozen network, head by search",
    "fine-tune": "last module fine-tuned",
}


def compare(results, *, with_reported):
    """Return accuracies in percent, parameters and seconds of each experiment."""
    rows = {}
    for name, title in TITLES.items():
        result, reported = results[name], REPORTED.get(name, {})
        row = rows.setdefault(title, {})
        for part in ("train", "validation", "before", "test"):
            column = "validation before" if part == "before" else part
            if with_reported:
                row[f"report {column}"] = reported.get(part)
            row[column] = 100 * result[part] if part in result else None
        row["parameters"] = result["parameters"]
        if with_reported:
            row["report seconds an epoch"] = reported.get("seconds_per_epoch")
        row["seconds an epoch"] = result["seconds_per_epoch"]
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    return table.astype({"parameters": int}).rename_axis("experiment")


def format_comparison(table):
    """Return the figures of `compare` as texts, one column per experiment."""
    forms = dict.fromkeys(table, "{:.1f} %") | {"parameters": "{:,.0f}"}
    forms |= {name: "{:.3g}" for name in table if "seconds" in name}
    columns = {
        name: [forms[name].format(x) if pd.notna(x) else "" for x in table[name]]
        for name in table
    }
    return pd.DataFrame(columns, index=table.index).T
