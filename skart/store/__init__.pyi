from ._section import StoreSection as StoreSection
from ._sqlite import StoreError as StoreError
from ._store import FeatureStore as FeatureStore
