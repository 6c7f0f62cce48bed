"""A server of IIIF documents, and what it serves."""

import json

from local_server import LocalServer, redirecting

from skart.datasets import load_iiif


class Museum(LocalServer):
    """A server of documents; its `asked` are the paths of the requests."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def add(self, path, document, *, location=None):
        """Serve a document or, with a location, redirect; return the URL."""
        if location is not None:
            self.pages[path] = redirecting(location)
        elif isinstance(document, bytes):
            self.pages[path] = document
        else:
            self.pages[path] = json.dumps(document).encode()
        return self.url + path

    def _answer(self, handler):
        self.asked.append(handler.path)
        super()._answer(handler)


def manifest_3(*bodies, style=None, artist=None, **more):
    """A manifest of version 3 with a canvas for each body, a dict or a list."""
    given = {"Style": style, "Artist": artist}
    metadata = [
        {"label": {"en": [label]}, "value": {"none": [value]}}
        for label, value in given.items()
        if value is not None
    ]
    canvases = []
    for place, body in enumerate(bodies):
        annotations = [
            {"type": "Annotation", "motivation": "painting", "body": one}
            for one in (body if isinstance(body, list) else [body])
        ]
        page = {"type": "AnnotationPage", "items": annotations}
        canvases.append({"type": "Canvas", "id": f"c{place}", "items": [page]})
    return {"type": "Manifest", "metadata": metadata, "items": canvases} | more


def image(url, service=None, **more):
    body = {"type": "Image", "id": url} | more
    return body if service is None else body | {"service": service}


def manifest_2(*resources, metadata=(), **more):
    canvases = [
        {
            "@type": "sc:Canvas",
            "@id": f"c{place}",
            "images": [{"motivation": "sc:painting", "resource": resource}],
        }
        for place, resource in enumerate(resources)
    ]
    return {
        "@type": "sc:Manifest",
        "metadata": list(metadata),
        "sequences": [{"canvases": canvases}],
    } | more


def load_two(museum, *bodies, **options):
    """Load a manifest of the bodies, beside another movement."""
    first = museum.add("/1.json", manifest_3(*bodies, style="Cubism", artist="Gris"))
    second = museum.add("/2.json", manifest_3(image("/2.jpg"), style="Dada"))
    items = [{"type": "Manifest", "id": link} for link in (first, second)]
    source = museum.add("/all.json", {"type": "Collection", "items": items})
    return load_iiif(source, verbose=False, **options)
