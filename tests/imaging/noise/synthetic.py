"""Made-up images whose noise is known."""

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

BRIGHTNESS = np.array([20.0, 60.0, 120.0, 200.0])


def scene(side=256, seed=0, blur=1.2):
    """Disks on a dark ground that brightens to one side, values from about 10 to 220."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    image = 10 + 60 * columns / side
    for y, x, radius, height in generator.uniform((0, 0, 5, 30), (side, side, 25, 140), (side // 12, 4)):
        image = np.maximum(image, height * (np.hypot(rows - y, columns - x) < radius))
    return gaussian_filter(image, blur)


def noisy(clean, gain=0.4, read=2.0, seed=1):
    deviation = np.sqrt(gain * np.maximum(clean, 0) + read**2)
    return clean + deviation * np.random.default_rng(seed).standard_normal(clean.shape)


def texture(side=256, exponent=2.5, blur=0.6, seed=0):
    """Structure without any flat part: a power law of the frequency, blurred; of standard deviation 1."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    amplitude = np.maximum(radius, 1 / side) ** (-exponent / 2) * np.exp(-2 * (np.pi * blur * radius) ** 2)
    spectrum = np.fft.fft2(np.random.default_rng(seed).standard_normal((side, side))) * amplitude
    field = np.fft.ifft2(spectrum).real
    return (field - field.mean()) / field.std()


def even_texture(kind, period, side=128, blur=0.0, seed=0):
    """Structure that fills an image, drawn in black and white with finer pixels; values from 0 to 1."""
    finer = 3
    full, length = finer * side, finer * period
    generator = np.random.default_rng(seed)
    if kind == "labyrinth":
        frequency = np.hypot(np.fft.fftfreq(full)[:, None], np.fft.rfftfreq(full))
        ring = np.exp(-(((frequency * length - 1) * 3) ** 2))
        drawn = np.fft.irfft2(np.fft.rfft2(generator.standard_normal((full, full))) * ring, (full, full)) > 0
    else:
        places = np.arange(-length, full + 2 * length, length)
        grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
        centers = grid + generator.normal(0, length / 4, grid.shape)
        nearest, second = KDTree(centers).query(np.stack(np.mgrid[:full, :full], axis=-1), k=2)[0].transpose(2, 0, 1)
        drawn = second - nearest < 0.3 * length if kind == "walls" else nearest < length / 3
    reduced = drawn.reshape(side, finer, side, finer).mean((1, 3))
    return gaussian_filter(reduced, blur) if blur else reduced
