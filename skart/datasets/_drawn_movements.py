"""The movements that can be drawn."""

from skart.datasets import _abstract, _figurative
from skart.datasets import _flat_styles as _prints

# A movement's place decides on its seeds: new ones go to the end.
MOVEMENTS = {
    "Impressionism": _figurative.impressionism,
    "Pointillism": _figurative.pointillism,
    "Color Field": _abstract.color_field,
    "Neoplasticism": _abstract.neoplasticism,
    "Op Art": _abstract.op_art,
    "Cubism": _figurative.cubism,
    "Pop Art": _prints.pop_art,
    "Action Painting": _abstract.action_painting,
    "Suprematism": _abstract.suprematism,
    "Ukiyo-e": _prints.ukiyo_e,
}
