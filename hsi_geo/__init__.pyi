# The public names: the only list of them. hsi_geo/__init__.py reads it when the package is imported.
# Each line has the form `from MODULE import NAME as NAME`, which makes the name public.

from hsi_geo.errors import HsiGeoError as HsiGeoError
from hsi_geo.io.datasets.geo import HyperspectralScene as HyperspectralScene
from hsi_geo.io.datasets.geo import ShotLabels as ShotLabels
from hsi_geo.io.datasets.samplers import ShotSampler as ShotSampler
from hsi_geo.io.datasets.samplers import ValidPatchSampler as ValidPatchSampler
from hsi_geo.io.labels.shot_reading import read_shots as read_shots
from hsi_geo.io.scenes.scene import open_scene as open_scene
from hsi_geo.tasks.adapt import adapt as adapt
from hsi_geo.tasks.assess import assess as assess
from hsi_geo.tasks.batch import batch as batch
from hsi_geo.tasks.classify import classify as classify
from hsi_geo.tasks.compare import compare as compare
from hsi_geo.tasks.demo import demo as demo
from hsi_geo.tasks.export import export as export
from hsi_geo.tasks.inference.options import MapOptions as MapOptions
from hsi_geo.tasks.polygons import polygons as polygons
from hsi_geo.tasks.predict import predict as predict
from hsi_geo.tasks.pretrain import pretrain as pretrain
from hsi_geo.tasks.runtime import Compute as Compute
from hsi_geo.tasks.sample import sample as sample
from hsi_geo.tasks.session import Session as Session
from hsi_geo.tasks.suggest import suggest as suggest
from hsi_geo.tasks.zones import zones as zones

__version__: str
