"""Entry point that still reaches the user when another distribution has overwritten `thermo`."""
import os
import sys

INTERRUPTED = 130  # exit code after Ctrl-C


def main() -> int:
    """Run the command line, or say which other distribution stands in the way (exit code 2)."""
    try:
        import thermo

        if getattr(thermo, "__dist__", None) != "thermo-dc":
            raise ImportError(f"'import thermo' gives {thermo.__file__}, which belongs to another distribution (ChEDL's "
                              "'thermo'?); use a fresh environment, or: pip uninstall -y thermo thermo-dc && "
                              "pip install thermo-dc")
        from thermo.cli import main as run

        code = run()
    except ImportError as error:
        print(f"thermo-dc: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # while it was still loading
        print("thermo: interrupted; nothing was written", file=sys.stderr)
        code = INTERRUPTED
    if code == INTERRUPTED:
        # An interrupt inside an eval() of some library leaves a mark on the interpreter, which then ends by signal, not by code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    return code
