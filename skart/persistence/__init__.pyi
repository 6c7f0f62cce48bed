from ._export import ExportError as ExportError
from ._export import export_model as export_model
from ._file import ModelFileError as ModelFileError
from ._file import model_info as model_info
from ._load import load_model as load_model
from ._save import save_model as save_model
