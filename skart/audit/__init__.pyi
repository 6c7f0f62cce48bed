from ._audit import Audit as Audit
from ._audit import audit as audit
