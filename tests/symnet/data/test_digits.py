"""The digits that are shipped, and their fixed split."""

from __future__ import annotations

import hashlib

import numpy as np

from symnet import data


def test_digits_are_the_1797_images_with_their_labels() -> None:
    images, labels = data.digits()
    assert images.shape == (1797, 64)
    assert images.dtype == np.float32
    assert labels.shape == (1797,)
    assert labels.dtype == np.int64
    assert images.min() == 0
    assert images.max() == 1
    assert np.array_equal(images * 16, np.round(images * 16))
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_first_image_is_a_zero() -> None:
    images, labels = data.digits()
    assert labels[0] == 0
    first_rows = (images[0].reshape(8, 8) * 16).astype(int)[:2].tolist()
    assert first_rows == [[0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0]]


def test_the_caller_owns_the_arrays() -> None:
    images, labels = data.digits()
    images[:] = 7
    labels[:] = 7
    again, labels_again = data.digits()
    assert again.max() == 1
    assert labels_again[0] == 0


def test_the_split_is_complete_disjoint_and_always_the_same() -> None:
    (x, y), (x_test, y_test) = data.digits_split()
    assert (len(x), len(y), len(x_test), len(y_test)) == (1437, 1437, 360, 360)
    everything = np.concatenate([np.concatenate([x, x_test]), np.concatenate([y, y_test])[:, None]], axis=1)
    images, labels = data.digits()
    stored = np.concatenate([images, labels[:, None]], axis=1)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, stored))
    digest = hashlib.sha256(y_test.tobytes()).hexdigest()
    # If this fails, the held-out images have changed, and figures no longer compare with those of before.
    assert digest == "d6c86f9a7de5b7afadbb33e8cfe1c096a3d6857446e0a575a325188e4b7d6edf"
