from ._faithfulness import perturbation_curves as perturbation_curves
from ._grad_cam import grad_cam as grad_cam
from ._occlusion import occlusion as occlusion
from ._overlay import overlay_heat as overlay_heat
