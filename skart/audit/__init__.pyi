from ._audit import Audit as Audit
from ._audit import audit_collection as audit_collection
from ._corrections import apply_corrections as apply_corrections
from ._label_issues import find_label_issues as find_label_issues
