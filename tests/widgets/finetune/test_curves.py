"""The curves of a training show the lattice where a discriminator could weave one, and only there."""

from napari_sr.training.events import StepDone, Validated
from napari_sr.widgets.finetune.curves import Curves


def step(number, **losses):
    return StepDone(number, 4, "gan", {"l1": 0.1, "total": 0.1, **losses}, 1e-4, 1.0)


def measured(number, lattice):
    return Validated(
        step=number,
        stage="gan",
        psnr=30.0,
        ssim=0.9,
        bicubic_psnr=29.0,
        bicubic_ssim=0.8,
        best=False,
        lattice=lattice,
    )


def shown(curves):
    return not curves._lattice.isHidden()


def test_the_lattice_is_drawn_for_a_training_with_a_discriminator(qtbot):
    curves = Curves()
    qtbot.addWidget(curves)
    for number, lattice in ((1, 0.9), (2, 2.5)):
        curves.add_step(step(number, discriminator=1.3))
        curves.add_measurement(measured(number, lattice))
    curves.draw()
    assert shown(curves)
    assert curves._items["lattice"].getData()[1].tolist() == [0.9, 2.5]
    assert curves._items["no lattice"].getData()[1].tolist() == [1, 1]
    curves.set_colors("#ffffff", "#000000")
    assert shown(curves)
    curves.clear()
    assert not shown(curves)


def test_it_is_not_drawn_without_a_discriminator_or_for_small_scenes(qtbot):
    curves = Curves()
    qtbot.addWidget(curves)
    curves.add_step(step(1))
    curves.add_measurement(measured(1, 0.9))
    curves.draw()
    assert not shown(curves)
    curves.clear()
    curves.add_step(step(1, discriminator=1.3))
    curves.add_measurement(measured(1, None))
    curves.draw()
    assert not shown(curves)
