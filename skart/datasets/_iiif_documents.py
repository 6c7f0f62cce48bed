"""What stands in IIIF manifests and collections, of Presentation API 2 and 3."""

import html
import re

# What breaks a line, and any other tag of HTML.
_BREAKS = re.compile(r"<(?:br|/?(?:p|div|li|ul|ol|tr|td|h\d))\b[^<>]*>", re.IGNORECASE)
# A comment without an end goes on to the end of the text, as in HTML: to look for the
# end from each start takes hours.
_TAGS = re.compile(r"</?[a-z][^<>]*>|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)


def dicts(value):
    """Return the dicts in a value, which may be one itself."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def kind_of(item):
    """Return the type of an item in lower case, without its prefix."""
    if not isinstance(item, dict):
        return ""
    return str(item.get("type", item.get("@type", ""))).rpartition(":")[2].casefold()


def link_of(item):
    """Return the identifier of an item, or of a reference to one; "" without."""
    if isinstance(item, dict):
        item = item.get("id", item.get("@id"))
    return item if isinstance(item, str) else ""


def text_of(value, language):
    """Return a text in a language without HTML, "" without; several are joined."""
    if isinstance(value, dict) and "@value" not in value:  # of version 3
        near = [key for key in value if key.partition("-")[0] == language]
        keys = [key for key in (language, *near, "none", "@none") if key in value]
        value = value[keys[0]] if keys else next(iter(value.values()), "")
    values = value if isinstance(value, list) else [value]
    tagged = [(one.get("@language"), one) for one in dicts(values) if "@value" in one]
    if tagged:
        near = [one for tag, one in tagged if str(tag).partition("-")[0] == language]
        first = [one for tag, one in tagged if tag in (tagged[0][0], None)]
        values = near or first
    texts = [one.get("@value") if isinstance(one, dict) else one for one in values]
    texts = [_strip(str(x)) for x in texts if isinstance(x, (str, int, float))]
    return "; ".join(filter(None, dict.fromkeys(texts)))


def _strip(text):
    """Return a text without tags, entities and line breaks of HTML."""
    text = html.unescape(_TAGS.sub("", _BREAKS.sub(" ", text)))
    return " ".join(text.split())


def read_metadata(item, language):
    """Return the metadata of a manifest or canvas: a dict of texts."""
    found = {}
    for field in dicts(item.get("metadata")):
        label = text_of(field.get("label"), language).rstrip(": ")
        value = text_of(field.get("value"), language)
        if label and value:
            texts = found.setdefault(label.casefold(), (label, []))[1]
            texts += [value] if value not in texts else []
    return {label: "; ".join(texts) for label, texts in found.values()}


def describe(item, language):
    """Return label, rights and attribution of a manifest: a dict of texts."""
    required = item.get("requiredStatement")
    if isinstance(required, dict):
        required = required.get("value")
    return {
        "label": text_of(item.get("label"), language) or None,
        "rights": text_of(item.get("rights", item.get("license")), language) or None,
        "attribution": text_of(required or item.get("attribution"), language) or None,
    }


def list_links(collection):
    """Return the links of a collection to manifests, collections and further pages."""
    items = []
    for key in ("items", "manifests", "collections", "members", "first", "next"):
        value = collection.get(key)
        items += value if isinstance(value, list) else [value]
    return list(dict.fromkeys(filter(None, map(link_of, items))))


def list_canvases(manifest):
    """Return the canvases of a manifest."""
    sequences = dicts(manifest.get("sequences"))[:1]  # others are other orders
    canvases = dicts(sequences[0].get("canvases")) if sequences else []
    return canvases or dicts(manifest.get("items"))


def find_painting(canvas):
    """Return the first image of a canvas, and how it is turned; (None, {}) without."""
    annotations = dicts(canvas.get("images"))
    for page in dicts(canvas.get("items")):
        annotations += dicts(page.get("items"))
    for annotation in annotations:
        motivation = annotation.get("motivation", "painting")
        if "painting" in str(motivation):
            body = annotation.get("body", annotation.get("resource"))
            image, selector = _find_image(body)
            if image is not None:
                return image, selector
    return None, {}


def _find_image(body):
    """Return the first image in a body, of a choice as well, and its selector."""
    for one in body if isinstance(body, list) else [body]:
        if isinstance(one, str):
            return {"id": one}, {}
        if not isinstance(one, dict):
            continue
        kind, selector = kind_of(one), {}
        if kind == "choice":
            options = [one.get("default"), one.get("items"), one.get("item")]
        elif kind == "specificresource":
            options = [one.get("full"), one.get("source")]
            selector = next(iter(dicts(one.get("selector"))), {})
        else:
            is_image = kind == "image" or str(one.get("format")).startswith("image/")
            if link_of(one) and (is_image or find_service(one)):
                return one, {}
            continue
        for option in options:
            image, inner = _find_image(option)
            if image is not None:
                return image, inner | selector
    return None, {}


def find_service(image):
    """Return the first image service of an image, or None."""
    for service in dicts(image.get("service")):
        about = [service.get(key) for key in ("@context", "profile", "type", "@type")]
        if link_of(service) and re.search(r"image(-api|service|/\d)", str(about), re.I):
            return service
    return None


def image_url(image, selector, longer_side, read_info):
    """Return the URL of an image with about this longer side, never enlarged.

    `read_info` returns the description of a service as a dict, empty if it fails.
    """
    service = find_service(image)
    if service is None:
        return link_of(image)
    root = link_of(service).removesuffix("/info.json").rstrip("/")
    profiles = service.get("profile")
    profile = profiles[0] if isinstance(profiles, list) and profiles else profiles
    about = f"{kind_of(service)} {service.get('@context')} {profile}".casefold()
    version = re.search(r"image(?:-api/|/|service)(\d)", about)
    version = int(version[1]) if version else 1 if "image-api" in about else 2
    level = re.search(r"level(\d)", about)
    level = int(level[1]) if level else 2
    sides, is_part = _sides(service), False
    # The image itself may be a small copy of that of the service.
    if not re.match(rf"{re.escape(root)}(?!/full/(full|max)/)", link_of(image)):
        sides = sides or _sides(image)
    region, rotation = (
        str(selector.get(key, service.get(key, ""))) for key in ("region", "rotation")
    )
    if region != "full" and re.fullmatch(r"(pct:)?[\d.]+(,[\d.]+){3}|square", region):
        sides, is_part = None, True
    asked = "max" if version >= 3 else "full"
    more = [service, *dicts(profiles)]
    limits = (
        _number(one.get(side)) for one in more for side in ("maxWidth", "maxHeight")
    )
    most = min([longer_side, *filter(None, limits)])
    if level == 0 and not is_part:
        listed = {}
        if not sides or max(sides) > longer_side:
            listed = service if "sizes" in service else read_info(f"{root}/info.json")
        sizes = sorted(filter(None, map(_sides, dicts(listed.get("sizes")))), key=max)
        if sizes:
            width, height = next((x for x in sizes if max(x) >= longer_side), sizes[-1])
            asked = f"{width},{height}" if version >= 3 else f"{width},"
    elif not sides or max(sides) > most:
        asked = f"!{most},{most}"
        features = [
            one.get(key) for one in more for key in ("supports", "extraFeatures")
        ]
        if level < 2 and not re.search("sizeBy(Confined)?Wh", str(features)):
            asked = f",{most}" if sides and sides[1] > sides[0] else f"{most},"
    region = region if is_part else "full"
    rotation = rotation if re.fullmatch(r"!?\d+(\.\d+)?", rotation) else "0"
    quality = "native" if version == 1 else "default"
    return f"{root}/{region}/{asked}/{rotation}/{quality}.jpg"


def _sides(item):
    """Return width and height of an item; None if they are not known."""
    sides = _number(item.get("width")), _number(item.get("height"))
    return sides if all(sides) else None


def _number(value):
    """Return a positive int, or None for anything else."""
    try:
        return max(int(value), 0) or None
    except (TypeError, ValueError, OverflowError):
        return None
