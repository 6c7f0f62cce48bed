"""The choice between Grad-CAM and occlusion."""

from skart._utils._validation import StrOptions, validate
from skart.explanation._grad_cam import find_fault, grad_cam
from skart.explanation._occlusion import occlusion

METHODS = ("auto", "grad_cam", "occlusion")


def explain(estimator, X, *, method="auto", **options):
    """Explain predictions by a method; "auto" is Grad-CAM where that is possible."""
    validate("explain", {"method": method}, {"method": [StrOptions(set(METHODS))]})
    if method == "auto":
        method = "grad_cam" if find_fault(estimator) is None else "occlusion"
    return {"grad_cam": grad_cam, "occlusion": occlusion}[method](
        estimator, X, **options
    )
