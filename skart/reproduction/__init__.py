"""The experiments of the report on any collection, for `skart reproduce`."""
