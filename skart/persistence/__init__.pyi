from ._file import ModelFileError as ModelFileError
from ._model import load_model as load_model
from ._model import model_info as model_info
from ._model import save_model as save_model
