from ._section import StoreSection as StoreSection
from ._sharing import verify_upstream as verify_upstream
from ._sqlite import StoreError as StoreError
from ._store import FeatureStore as FeatureStore
