"""Entry point that still reaches the user when another distribution has overwritten `thermo`."""
import sys


def main() -> int:
    """Run the command line, or say which other distribution stands in the way (exit code 2)."""
    try:
        import thermo

        if getattr(thermo, "__dist__", None) != "thermo-dc":
            raise ImportError(f"'import thermo' gives {thermo.__file__}, which belongs to another distribution (ChEDL's "
                              "'thermo'?); use a fresh environment, or: pip uninstall -y thermo thermo-dc && "
                              "pip install thermo-dc")
    except ImportError as error:
        print(f"thermo-dc: {error}", file=sys.stderr)
        return 2
    try:
        from thermo.cli import main as run

        return run()
    except KeyboardInterrupt:  # while it was still loading
        print("thermo: interrupted; nothing was written", file=sys.stderr)
        return 130
