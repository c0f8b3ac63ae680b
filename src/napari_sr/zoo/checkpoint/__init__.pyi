from .reading import Checkpoint as Checkpoint
from .reading import read_checkpoint as read_checkpoint
from .weight_file import WeightFile as WeightFile
from .weight_file import open_weights as open_weights
