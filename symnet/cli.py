"""The command `symnet`.

Exit status: 0 when all went well, 1 when something went wrong (a line `symnet: error: …` says what), 2 when the command
line itself is not understood. What a command needs is imported when it runs, so `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from symnet.errors import SymnetError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` when no arguments are given) and return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own, for_script = (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    parser = _parser()
    options = parser.parse_args(own)
    if for_script and not hasattr(options, "model"):
        parser.error("only commands that run a MODEL.py take arguments for it, after --")
    options.arguments = for_script
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except (SymnetError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader (`| head`) has gone: nothing more to say, at exit neither
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        print(f"symnet: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("symnet: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from symnet import __version__

    parser = argparse.ArgumentParser(
        prog="symnet", description="A compiler from the mathematics of neural networks to native training programs."
    )
    parser.add_argument("--version", action="version", version=f"symnet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="learn to read handwritten digits, from formula to native code",
        description="Define a small network, print the derived gradient of every parameter, compile the training step "
        "to native code, train it on real handwritten digits and test it on digits it has not seen.",
    )
    demo.add_argument("--seed", type=_natural, default=0, help="of the initial weights and the shuffling (default: 0)")
    demo.add_argument("--epochs", type=_natural, default=60, help="passes over the training data (default: 60)")
    demo.add_argument("--plot", metavar="FILE", default="loss.png", help="picture of the loss (default: loss.png)")
    demo.set_defaults(run=_demo)

    explain = commands.add_parser(
        "explain",
        help="show the formulas, and the way from them to machine code",
        description="Run MODEL.py and print its loss, the gradient of every parameter and how it was derived; with "
        "--html write all of it, down to the machine code, as one page that needs nothing else. Arguments after -- "
        "are the script's.",
    )
    explain.add_argument("model", metavar="MODEL.py", help="a script that defines a loss, or a compiled program")
    explain.add_argument("--html", metavar="FILE", help="write the report as an HTML page")
    explain.add_argument("--loss", metavar="NAME", help="which loss or program, where the script defines several")
    explain.add_argument(
        "--level", choices=("brief", "normal", "full"), default="normal", help="detail of the steps in the terminal"
    )
    explain.add_argument("--no-measure", action="store_true", help="do not time the kernels for the page")
    explain.set_defaults(run=_explain)

    doctor = commands.add_parser(
        "doctor",
        help="tell what this machine can do",
        description="Tell what symnet found on this machine and whether programs can be compiled and run; exit status "
        "1 when they cannot.",
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def _demo(options: argparse.Namespace) -> int:
    from symnet.demo import run

    run(seed=options.seed, epochs=options.epochs, plot=options.plot)
    return 0


def _explain(options: argparse.Namespace) -> int:
    from symnet.report.command import explain

    print(explain(options.model, options.arguments, options.html, options.loss, options.level, not options.no_measure))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from symnet.doctor import report

    text, healthy = report()
    print(text)
    return 0 if healthy else 1
