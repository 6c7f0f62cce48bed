from ._audit import write_audit as write_audit
from ._report import write_report as write_report
from ._suspects import write_suspects as write_suspects
