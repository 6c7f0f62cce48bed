from ._catalogue import load_catalogue as load_catalogue
from ._drawn import make_paintings as make_paintings
from ._folder import list_images as list_images
from ._folder import load_image_folder as load_image_folder
from ._iiif import load_iiif as load_iiif
from ._image_table import load_table as load_table
from ._pandora18k import load_pandora18k as load_pandora18k
from ._wikiart import load_wikiart as load_wikiart
