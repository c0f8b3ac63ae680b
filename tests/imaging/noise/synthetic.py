"""Made-up images whose noise is known."""

import numpy as np
from scipy.ndimage import gaussian_filter

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
