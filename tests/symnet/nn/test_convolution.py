"""The layers for images: parameters, initialisation, what they print, their arguments, and errors, beside torch.nn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import symnet as sn
from symnet.errors import DTypeError, ShapeError, Unsupported, UsageError

nn, F = sn.nn, sn.nn.functional

LAYERS = [
    "Conv1d(3, 8, 3)",
    "Conv2d(4, 8, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2), groups=2, bias=False)",
    "Conv2d(4, 8, 3, padding='same', padding_mode='reflect')",
    "Conv3d(2, 4, 3, padding='valid')",
    "ConvTranspose1d(3, 8, 3, 2, 1, 1)",
    "ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2, bias=False)",
    "ConvTranspose3d(2, 4, (1, 2, 3))",
    "MaxPool1d(3)",
    "MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=2, ceil_mode=True)",
    "MaxPool3d(2, return_indices=True)",
    "AvgPool1d(2, padding=1)",
    "AvgPool2d((3, 2), 2, count_include_pad=False)",
    "AvgPool3d(2)",
    "LPPool1d(2, 3)",
    "LPPool2d(1.5, (3, 2), stride=2, ceil_mode=True)",
    "LPPool3d(2, 2)",
    "AdaptiveAvgPool1d(5)",
    "AdaptiveAvgPool2d((5, None))",
    "AdaptiveAvgPool3d(2)",
    "AdaptiveMaxPool1d(5)",
    "AdaptiveMaxPool2d((5, 7), return_indices=True)",
    "AdaptiveMaxPool3d((1, 2, 3))",
    "MaxUnpool1d(3)",
    "MaxUnpool2d((3, 2), stride=4, padding=1)",
    "MaxUnpool3d(2)",
    "Fold((5, 6), 2, padding=1)",
    "Unfold(3, dilation=2, stride=(1, 2))",
    *(f"{mode}Pad{rank}d({2 * rank if rank == 1 else tuple(range(1, 2 * rank + 1))})"
      for mode in ("Reflection", "Replication", "Circular", "Zero") for rank in (1, 2, 3)),
    "ConstantPad1d(2, 3.5)",
    "ConstantPad2d((1, 2, 3, 4), -1)",
    "ConstantPad3d(1, 0.0)",
    "PixelShuffle(3)",
    "PixelUnshuffle(2)",
    "ChannelShuffle(4)",
    "Upsample(scale_factor=2, mode='bilinear', align_corners=True)",
    "Upsample((3, 4))",
    "UpsamplingNearest2d(scale_factor=(2, 3))",
    "UpsamplingBilinear2d(size=7)",
]  # fmt: skip


@pytest.mark.parametrize("text", LAYERS)
def test_layers_print_and_are_shaped_as_in_torch(text: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = eval(f"nn.{text}"), eval(f"torch.nn.{text}", {"torch": torch})
    assert repr(ours) == repr(theirs)
    assert {n: p.shape for n, p in ours.named_parameters()} == {n: tuple(p.shape) for n, p in theirs.named_parameters()}


@pytest.mark.parametrize("text", LAYERS)
def test_arguments_have_the_names_and_defaults_of_torch(text: str) -> None:
    import inspect

    torch = pytest.importorskip("torch")
    name = text.split("(")[0]
    ours = inspect.signature(getattr(nn, name).__init__).parameters
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    mine = [(p.name, p.default) for p in ours.values() if p.name != "dtype"]
    assert mine == [(p.name, p.default) for p in theirs.values() if p.name not in ("device", "dtype")]


def test_functions_have_the_arguments_of_torch() -> None:
    import inspect

    torch = pytest.importorskip("torch")
    written = {  # torch's signatures are generated or overloaded for these
        "conv": ("weight", "bias", "stride", "padding", "dilation", "groups"),
        "conv_transpose": ("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
        "avg_pool": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
        "max_pool": ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
        "adaptive_max_pool": ("output_size", "return_indices"),
    }
    for rank in (1, 2, 3):
        for family, names in written.items():
            found = tuple(inspect.signature(getattr(F, f"{family}{rank}d")).parameters)[1:]
            assert found == tuple(n for n in names if (family, rank, n) != ("avg_pool", 1, "divisor_override"))
    for name in (
        "lp_pool1d",
        "lp_pool2d",
        "lp_pool3d",
        "max_unpool1d",
        "max_unpool2d",
        "fold",
        "unfold",
        "interpolate",
    ):
        wanted = [
            (p.name, p.default) for p in inspect.signature(getattr(torch.nn.functional, name)).parameters.values()
        ]
        found = [(p.name, p.default) for p in inspect.signature(getattr(F, name)).parameters.values()]
        assert found[1:] == wanted[1:], name


def test_initialisation_is_that_of_torch(seed: int) -> None:
    """Uniform within one over the root of the fan-in, which for a transposed convolution counts its outputs."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed % 2**32)
    for name, arguments in (("Conv2d", (16, 64, 3)), ("ConvTranspose2d", (16, 64, 3)), ("Conv1d", (16, 64, 5))):
        ours, theirs = getattr(nn, name)(*arguments), getattr(torch.nn, name)(*arguments)
        x = sn.input("x", (1, 16, 9, 9)[: 2 + len(ours.kernel_size)])
        program = sn.compile(loss=sn.sum(ours(x)), optimizer=sn.optim.SGD(lr=0.1), seed=seed)
        for key, value in theirs.named_parameters():
            mine, wanted = np.abs(program.parameters[key]), np.abs(value.detach().numpy())
            assert mine.max() == pytest.approx(wanted.max(), rel=0.1 if key == "bias" else 0.01)
            assert mine.mean() == pytest.approx(wanted.mean(), rel=0.35 if key == "bias" else 0.05)


def test_a_state_dict_of_torch_fits(rng: np.random.Generator) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.MaxPool2d(2), torch.nn.ConvTranspose2d(4, 2, 2))
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 2, 2))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    images = rng.normal(size=(5, 3, 8, 9)).astype("float32")
    x = sn.input("x", ("N", 3, 8, 9))
    y = ours(x)
    program = sn.compile(loss=sn.mean(y), optimizer=sn.optim.SGD(lr=0.0), outputs={"y": y}, batch={"N": 5})
    wanted = theirs(torch.tensor(images)).detach().numpy()
    np.testing.assert_allclose(program.predict("y", x=images), wanted, rtol=1e-5, atol=1e-5)


x = sn.input("x", ("N", 3, 8, 8))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Conv2d(4, 8, 3)(x), ShapeError, "Conv2d: expected an operand of shape [N, 4, H, W]"),
        (lambda: nn.Conv2d(3, 8, 9)(x), ShapeError, "Conv2d: a window of 9 elements does not fit an axis of 8"),
        (lambda: nn.Conv2d(3, 8, 3, groups=2), UsageError, "in_channels is 3, expected a multiple of groups=2"),
        (lambda: nn.Conv2d(3, 8, 3, padding_mode="mirror"), UsageError, "padding_mode is 'mirror'"),
        (lambda: nn.Conv2d(3, 8, 3, padding="half"), UsageError, "padding is 'half'"),
        (lambda: nn.Conv2d(3, 8, 3, 2, padding="same"), UsageError, "padding='same' needs stride 1"),
        (lambda: nn.Conv2d(3, 8, (3, 3, 3)), DTypeError, "kernel_size is (3, 3, 3), expected an integer or 2"),
        (lambda: nn.Conv2d(0, 8, 3), UsageError, "in_channels is a whole number from 1"),
        (lambda: nn.Conv2d(3, 8, 3, padding=5, padding_mode="circular")(sn.input("s", (1, 3, 4, 4))), ShapeError,
         "cannot add (5, 5) to axis 3"),
        (lambda: nn.ConvTranspose2d(3, 8, 3, padding_mode="reflect"), UsageError, "only 'zeros' has a meaning here"),
        (lambda: nn.ConvTranspose2d(3, 8, 3, output_padding=1)(x), UsageError, "output_padding is (1, 1)"),
        (lambda: nn.ConvTranspose2d(3, 8, 3, 2)(x, [20, 17]), ShapeError, "output_size asks for 20 elements"),
        (lambda: F.conv2d(x, sn.input("w", (8, 3, 3))), ShapeError, "the weight is [8, 3, 3], expected 4 axes"),
        (lambda: F.conv_transpose2d(x, sn.input("w", (4, 3, 3, 3))), ShapeError, "do not fit"),
        (lambda: nn.MaxPool2d(9)(x), ShapeError, "max_pool2d: a window of 9 elements does not fit"),
        (lambda: nn.MaxPool2d(2, padding=2)(x), UsageError, "padding is (2, 2), expected at most half of the window"),
        (lambda: nn.MaxPool1d(2)(x), ShapeError, "max_pool1d: the input is [N, 3, 8, 8], expected 3 axes"),
        (lambda: F.avg_pool2d(x, 2, divisor_override=0), UsageError, "divisor_override is 0"),
        (lambda: F.lp_pool2d(x, float("inf"), 2), UsageError, "norm_type is inf"),
        (lambda: F.max_unpool2d(x, sn.input("i", x.shape, "int64"), 3, 2), Unsupported, "overlap"),
        (lambda: F.max_unpool2d(x, sn.input("i", x.shape, "int64"), 2, output_size=(20, 16)), ShapeError, "expected"),
        (lambda: F.adaptive_avg_pool2d(x, (1, 2, 3)), DTypeError, "output_size is (1, 2, 3)"),
        (lambda: F.adaptive_max_pool2d(x, 0), UsageError, "expected at least 1"),
        (lambda: F.fold(sn.input("c", (1, 12, 7)), (4, 4), 2), ShapeError, "fold: the input is [1, 12, 7]"),
        (lambda: nn.ReflectionPad2d((1, 2)), DTypeError, "expected an integer or 4 integers"),
        (lambda: nn.ReflectionPad2d(8)(x), ShapeError, "cannot add (8, 8) to axis 3 of [N, 3, 8, 8]"),
        (lambda: nn.ReflectionPad1d(1)(x), ShapeError, "expected 2 axes (C, …) or 3"),
        (lambda: F.pad(x, (1,)), ShapeError, "expected an even number"),
        (lambda: F.pad(x, (1, 1), "wrap"), UsageError, "unknown mode 'wrap'"),
        (lambda: F.pad(x, (1, 1, 1, 1), "reflect", 2.0), UsageError, "takes no value"),
        (lambda: F.pad(x, (-5, -4)), ShapeError, "removes more than axis 3"),
        (lambda: nn.PixelShuffle(2)(x), ShapeError, "3 channels cannot be divided into parts of 4"),
        (lambda: nn.PixelShuffle(0)(x), UsageError, "upscale_factor is 0"),
        (lambda: F.interpolate(x), UsageError, "give either size or scale_factor"),
        (lambda: F.interpolate(x, 4, mode="cubic"), UsageError, "unknown mode 'cubic'"),
        (lambda: F.interpolate(x, 4, mode="linear"), ShapeError, "mode 'linear' takes 3 axes"),
        (lambda: F.interpolate(x, 4, mode="nearest", align_corners=True), UsageError, "align_corners has no meaning"),
        (lambda: F.interpolate(x, 4, mode="bilinear", antialias=True), Unsupported, "antialias=True"),
        (lambda: F.interpolate(x, scale_factor=0.01), ShapeError, "leaves nothing"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


def test_a_bad_position_is_an_error_when_it_runs() -> None:
    values, indices = sn.input("v", (1, 1, 2)), sn.input("i", (1, 1, 2), "int64")
    run = sn.function([values, indices], F.max_unpool1d(values, indices, 2))
    ones = np.ones((1, 1, 2), "float32")
    assert run(ones, np.array([[[1, 2]]])).tolist() == [[[0, 1, 1, 0]]]
    with pytest.raises(IndexError, match="outside"):
        run(ones, np.array([[[1, 4]]]))
