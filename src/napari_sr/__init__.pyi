from .errors import Cancelled as Cancelled
from .errors import CheckpointError as CheckpointError
from .errors import InputError as InputError
from .evaluation import evaluate as evaluate
from .imaging import Part as Part
from .imaging import Percentiles as Percentiles
from .imaging import read_image as read_image
from .imaging import write_image as write_image
from .inference import Job as Job
from .inference import Suggestion as Suggestion
from .inference import suggest as suggest
from .inference import upscale as upscale
from .inference import upscale_layer as upscale_layer
from .inference.timing.estimate import estimate as estimate
from .settings import JobSettings as JobSettings
from .settings import Overlap as Overlap
from .training import Recipe as Recipe
from .training import Training as Training
from .training import degrade as degrade
from .training import finetune as finetune
from .zoo import Model as Model
from .zoo import list_models as list_models
from .zoo import load_model as load_model
from .zoo import load_pair as load_pair

__version__: str
