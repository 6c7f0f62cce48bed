from ._errors import StoreError as StoreError
from ._section import StoreSection as StoreSection
from ._store import FeatureStore as FeatureStore
