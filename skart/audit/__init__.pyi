from ._audit import Audit as Audit
from ._audit import audit_collection as audit_collection
