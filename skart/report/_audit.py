"""An audit to one HTML page that needs nothing beside itself."""

import base64
import io
import os
from pathlib import Path

import jinja2
import pandas as pd
from PIL import Image

from skart._utils._files import atomic_write
from skart.images._decode import decode_image
from skart.images._formats import UNREADABLE, explain

# Longer side of a thumbnail in pixels, and how many of a cluster are shown.
_LONGEST = 200
_MOST_SHOWN = 20

_PAGE = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_PAGE = _PAGE.from_string("""\
{% macro name(file) %}
<a href="{{ file.uri }}" title="{{ file.path }}">{{ file.name }}</a>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit of {{ n_paintings }} paintings</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top;
  border-bottom: 1px solid #ddd; }
section { border-top: 1px solid #ccc; display: flex; flex-wrap: wrap; gap: 1rem;
  padding: 1rem 0; }
section h3 { width: 100%; margin: 0; font-size: 1rem; }
figure { margin: 0; width: 200px; overflow-wrap: anywhere; }
figcaption { font-size: .85rem; }
figcaption div { color: #666; }
</style>
</head>
<body>
<h1>Audit of {{ n_paintings }} paintings</h1>
<table>
<tr><th>problem</th><th>findings</th><th>clusters</th></tr>
{% for problem, counts in summary.items() %}
<tr>
<td>{{ problem }}</td><td>{{ counts.findings }}</td><td>{{ counts.clusters }}</td>
</tr>
{% endfor %}
</table>
{% if clusters %}
<h2>Duplicates</h2>
{% for cluster in clusters %}
<section>
<h3>Cluster {{ cluster.number }}: {{ cluster.problems }}</h3>
{% for file in cluster.files %}
<figure>
{% if file.thumbnail %}
<img src="data:image/jpeg;base64,{{ file.thumbnail }}" alt="{{ file.name }}">
{% else %}
<p>{{ file.error }}</p>
{% endif %}
<figcaption>{{ name(file) }}
<div>{{ file.size }}</div>
{% for line in file.lines %}
<div>{{ line }}</div>
{% endfor %}
</figcaption>
</figure>
{% endfor %}
{% if cluster.left_out %}
<p>and {{ cluster.left_out }} more</p>
{% endif %}
</section>
{% endfor %}
{% if clusters_left_out %}
<p>{{ clusters_left_out }} more clusters are in the table, and not on this page.</p>
{% endif %}
{% endif %}
{% for problem, found in others.items() %}
<h2>{{ problem|capitalize }}</h2>
<table>
{% for row in found.rows %}
<tr>
<td>{% if row.file %}{{ name(row.file) }}{% endif %}</td>
<td>{{ row.detail }}</td>
</tr>
{% endfor %}
</table>
{% if found.left_out %}
<p>{{ found.left_out }} more are in the table, and not on this page.</p>
{% endif %}
{% endfor %}
</body>
</html>
""")


def write_page(audit, path, *, max_clusters):
    """Write the page of an audit.

    Parameters
    ----------
    audit : Audit
        What was found.
    path : str or path
        The page.
    max_clusters : int
        See :meth:`Audit.to_html`.
    """
    table, files = audit.table, audit.files
    in_clusters = table[table["cluster"].notna()].groupby("cluster")["problem"]
    problems = in_clusters.unique().map(", ".join)
    clusters = [
        {
            "number": number,
            "problems": problems[number],
            "files": [_shown(file) for file in members.head(_MOST_SHOWN).itertuples()],
            "left_out": max(0, len(members) - _MOST_SHOWN),
        }
        for number, members in files[files["cluster"] < max_clusters].groupby("cluster")
    ]
    most = 5 * max_clusters
    others = {}
    for problem, found in table.groupby("problem", sort=False):
        if problem.endswith("duplicate") or problem.startswith("conflicting"):
            continue  # they are shown with their clusters
        rows = [
            {
                "file": _named(row.file) if pd.notna(row.file) else None,
                "detail": row.detail,
            }
            for row in found.head(most).itertuples()
        ]
        others[problem] = {"rows": rows, "left_out": len(found) - len(rows)}
    text = _PAGE.render(
        n_paintings=len(files),
        summary=audit.summary().to_dict("index"),
        clusters=clusters,
        clusters_left_out=files["cluster"].nunique() - len(clusters),
        others=others,
    )
    # Names that are no valid Unicode can't be written as they are.
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", errors="replace")


def _named(path):
    absolute = Path(path).absolute()
    return {"path": path, "name": os.path.basename(path), "uri": absolute.as_uri()}


def _shown(file):
    lines = [str(value) for value in (file.movement, file.artist) if pd.notna(value)]
    shown = _named(file.path) | {"lines": lines}
    if pd.notna(file.error):
        return shown | {"error": file.error}
    shown["size"] = f"{file.width} x {file.height} px{', grey' if file.grey else ''}"
    scale = min(1, _LONGEST / max(file.width, file.height))
    size = [max(1, round(side * scale)) for side in (file.height, file.width)]
    try:
        pixels = decode_image(file.path, size, "stretch")
    except UNREADABLE as error:
        return shown | {"error": explain(error)}
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    return shown | {"thumbnail": base64.b64encode(buffer.getvalue()).decode()}
